"""Other audit loggers from their own packages: what a call costs, how fast events arrive, what a kill takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import asyncpg

from scripts.benchmark.bench import Bench, NotHereError
from scripts.benchmark.comparison import Comparison

_ROOT = Path(__file__).parents[2]
_EVENTS = 10_000
_ROUNDS = 3
_SETUP_SECONDS = 300
_PART_SECONDS = 320  # a little more than the part gives itself
_ENDLESS = 1_000_000
_KILLED_AFTER = 2_000  # accepted events: the slowest way has them within seconds


class _Peer(NamedTuple):
    name: str
    about: str


_ACCEPTED = "accepted"  # the file in which a burst counts the calls that have returned
_OURS = "ours"
_NUMBERS = {
    "ours": ("audit_logs", "details->>'attempt'"),
    "trail": ("audit.audit_activity", "data->'payload'->>'attempt'"),
    "airlog": ("airlog_events", "context->>'attempt'"),
    "fabric": ("audit_events", "detail::json->>'attempt'"),
}
"""Each way's table, and where in it an event's number is."""

_PEERS = {
    "trail": _Peer(
        "sqlalchemy-audit-trail",
        "Each event is awaited: a session and a commit for each call; in the burst 8 tasks, 100 events a transaction.",
    ),
    "airlog": _Peer(
        "airlog",
        "BufferedStream before a backend that inserts, every 100 events a thread that flushes, each with a connection.",
    ),
    "airlog-wal": _Peer(
        "airlog with its WAL", "The same with wal_path: each call commits into a SQLite file, for the next process."
    ),
    "fabric": _Peer(
        "fastapi-fabric-audit",
        "emit_audit_nowait, a queue and a pool with room for everything; its database writer opens a session for each.",
    ),
    "airlog-default": _Peer("airlog without a setting", "A buffer of 1,000; what does not fit is dropped."),
    "fabric-default": _Peer(
        "fastapi-fabric-audit without a setting", "A queue of 10,000; an insert waits 30 s for a connection."
    ),
}
_BEST = ("trail", "airlog", "airlog-wal", "fabric")


class _Found(NamedTuple):
    p50: float
    p99: float
    rate: float
    lost: int
    doubled: int


class _Left(NamedTuple):
    accepted: int
    lost: int
    doubled: int


async def peers(bench: Bench) -> list[Comparison]:
    """peers: other audit loggers from their own packages, each at its best settings, and what a kill -9 takes."""
    await bench.url()
    python = await _environment()
    count = bench.count(_EVENTS)
    found: dict[str, list[_Found]] = {name: [] for name in (_OURS, *_PEERS)}
    killed: dict[str, list[_Left]] = {name: [] for name in (_OURS, *_BEST)}
    for number in range(min(bench.rounds, _ROUNDS)):
        for name in found if number % 2 == 0 else reversed(found):
            found[name].append(await _measured(bench, python, name, count))
            if name in killed:
                killed[name].append(await _killed(bench, python, name, min(count // 2, _KILLED_AFTER)))
    return [row for name in _PEERS for row in _rows(name, count, found, killed)]


def _rows(name: str, count: int, found: dict[str, list[_Found]], killed: dict[str, list[_Left]]) -> list[Comparison]:
    peer, ours, theirs = _PEERS[name], found[_OURS], found[name]
    rows: list[Comparison] = []

    def add(what: str, unit: str, mine: list[float], other: list[float]) -> None:
        about = "" if rows else f"**{peer.name}**: {peer.about}"
        what = f"{peer.name}: {what}"
        rows.append(Comparison(number="peers", what=what, unit=unit, ours=mine, theirs=other, about=about))

    if name in _BEST:
        add("a call, p50", "µs", [each.p50 for each in ours], [each.p50 for each in theirs])
        add("a call, p99", "µs", [each.p99 for each in ours], [each.p99 for each in theirs])
    if name not in _BEST or any(each.lost for each in (*ours, *theirs)):  # a rate of what was dropped is none
        add(f"lost of a burst of {count:,}", "events", [each.lost for each in ours], [each.lost for each in theirs])
    else:
        add(f"{count:,} events into the table", "/s", [each.rate for each in ours], [each.rate for each in theirs])
    if name in killed:
        mine, other = killed[_OURS], killed[name]
        accepted = median(each.accepted for each in other)
        what = f"lost of {accepted:,.0f} accepted in a kill -9"
        add(what, "events", [each.lost for each in mine], [each.lost for each in other])
    doubled = [[float(each.doubled) for each in (*found[side], *killed.get(side, ()))] for side in (_OURS, name)]
    if any(map(any, doubled)):
        add("rows that are there twice", "events", [sum(doubled[0])], [sum(doubled[1])])
    return rows


async def _environment() -> Path:
    """Return the Python that has the other loggers, in the environment that is made where it is not there yet."""
    environment = {**os.environ, "VENV": sys.prefix, "PYTHON": sys.executable}
    async with _process("./scripts/setup", "bench", environment=environment) as setup:
        try:
            _, said = await asyncio.wait_for(setup.communicate(), _SETUP_SECONDS)
        except TimeoutError:
            raise NotHereError(f"the peers' packages: not installed within {_SETUP_SECONDS} s") from None
    if setup.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotHereError(f"the peers' packages: {last}. HINT: ./scripts/setup bench")
    return Path(f"{sys.prefix}-bench") / "bin" / "python"


async def _measured(bench: Bench, python: Path, name: str, count: int) -> _Found:
    url, folder = await bench.other_url(_nothing), bench.folder()
    async with _alone(python, name, "measure", url, folder, count) as process:
        said = json.loads(await _end(process, name))
    lost, doubled = await _missing(url, name, said["logged"])
    return _Found(said["p50"], said["p99"], said["rate"], lost, doubled)


async def _killed(bench: Bench, python: Path, name: str, after: int) -> _Left:
    """Kill a process in the middle of its burst, start the next one, and look what is there of what was accepted."""
    url, folder = await bench.other_url(_nothing), bench.folder()
    async with _alone(python, name, "burst", url, folder, _ENDLESS) as process:
        async with asyncio.timeout(_PART_SECONDS):
            while _accepted(folder) < after:
                if process.returncode is not None:
                    raise RuntimeError(f"{name} ended in its burst: {await _end(process, name)}")
                await asyncio.sleep(0.001)
        process.kill()
        await process.wait()
    accepted = _accepted(folder)
    async with _alone(python, name, "again", url, folder, 0) as process:
        await _end(process, name)
    return _Left(accepted, *await _missing(url, name, accepted))


def _accepted(folder: Path) -> int:
    with contextlib.suppress(FileNotFoundError, struct.error):
        return int(struct.unpack("<q", (folder / _ACCEPTED).read_bytes())[0])
    return 0


async def _missing(url: str, name: str, logged: int) -> tuple[int, int]:
    """Return how many of the events 0 to *logged* are not in the table, and how many rows are too many."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        table, number = _NUMBERS[name.partition("-")[0]]
        rows = Counter(row[0] for row in await connection.fetch(f"SELECT ({number})::int FROM {table}"))
    finally:
        await connection.close()
    return sum(each not in rows for each in range(logged)), rows.total() - len(rows)


async def _nothing(url: str) -> None:
    """Leave the database empty: each way makes its own table."""


async def _end(process: asyncio.subprocess.Process, name: str) -> bytes:
    found, said = await asyncio.wait_for(process.communicate(), _PART_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}: {said.decode(errors='replace')[-2000:]}")
    return found


def _alone(
    python: Path, name: str, part: str, url: str, folder: Path, count: int
) -> contextlib.AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return _process(str(python), "-m", "scripts.benchmark.peer_alone", name, part, url, str(folder), str(count))


@contextlib.asynccontextmanager
async def _process(
    *command: str, environment: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process, which does not outlive this."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, env=environment, stdout=pipe, stderr=pipe, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
