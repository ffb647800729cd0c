"""This machine's disk: waiting for a group commit, and the memory of an outage."""

from __future__ import annotations

import gc
import multiprocessing
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import loguru

from audit_async import AuditLogger
from audit_async.config import GIB, MIB
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench, tasks_each
from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.peers import FsyncPerLine, wait_until

_REFUSING = "postgresql+asyncpg://nobody:none@127.0.0.1:1/none"
_OUTAGE_BYTES = 2 * GIB
_OUTAGE_EVENTS = 1_000_000
_OUTAGE_ROUNDS = 3


async def group_commit(bench: Bench) -> list[Comparison]:
    """P11: tasks that await the disk, against a file that is opened and fsynced for each line."""
    rows = []
    peer, record = FsyncPerLine(bench.folder() / "queue.ndjson"), samples.record()

    async def append() -> None:
        peer.append(record)

    async with bench.logger("none") as audit:
        for tasks, calls, least, aim in ((1, 500, None, None), (10, 5000, 6, 10), (100, 20_000, 25, 50)):

            async def logged(tasks: int = tasks, calls: int = calls) -> float:
                return (await tasks_each(tasks, bench.count(calls), lambda: audit.log(samples.event()).on_disk()))[0]

            async def synced(tasks: int = tasks, one: Callable[[], Awaitable[None]] = append) -> float:
                return (await tasks_each(tasks, max(tasks, bench.count(600)), one))[0]

            ours, theirs = await bench.interleaved(logged, synced)
            what = f"log().on_disk(), {tasks} task{'s' if tasks > 1 else ''} / fsync per line"
            goal = Goal(least=least, aim=aim) if least and aim else None
            rows.append(Comparison(number="P11", what=what, unit="/s", ours=ours, theirs=theirs, goal=goal))
    return rows


async def outage(bench: Bench) -> list[Comparison]:
    """P16: how this process grows while events wait for a database that refuses connections."""
    count = bench.count(_OUTAGE_EVENTS)
    grown, private, rates = [], [], []
    for _ in range(min(bench.rounds, _OUTAGE_ROUNDS)):
        folder = bench.folder()
        if shutil.disk_usage(folder).free < _OUTAGE_BYTES * 2:
            raise SystemExit(f"P16 needs {_OUTAGE_BYTES * 2 // GIB} GiB under {folder}. HINT: set TMPDIR")
        with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            whole, own, rate = fresh.submit(_suffer, folder, count).result()
        grown.append(whole)
        private.append(own)
        rates.append(rate)
        shutil.rmtree(folder / "events")
    goal = Goal(least=64, aim=32, better="less") if count >= _OUTAGE_EVENTS else None
    what = f"{count:,} events in an outage: resident set grows by"
    return [
        Comparison(number="P16", what=what, unit="MiB", ours=grown, goal=goal),
        Comparison(number="P16", what="... of this not mapped files", unit="MiB", ours=private),
        Comparison(number="P16", what="... building and log() meanwhile", unit="/s", ours=rates),
    ]


def _suffer(folder: Path, count: int) -> tuple[float, float, float]:
    """Log *count* events in a fresh process; return MiB grown, private MiB of these, and events a second."""
    loguru.logger.remove()  # it would say that the database is away
    with AuditLogger(_REFUSING, journal_dir=folder / "events", journal_max_bytes=_OUTAGE_BYTES) as audit:
        audit.log(samples.event())
        wait_until(lambda: audit.stats().last_error is not None)
        gc.collect()
        whole, own = _resident()
        most, most_own = whole, own
        started = time.perf_counter()
        for number in range(count):
            audit.log(samples.event(number))
            if number % 20_000 == 0:
                now, now_own = _resident()
                most, most_own = max(most, now), max(most_own, now_own)
        rate = count / (time.perf_counter() - started)
        if audit.stats().pending < count:
            raise RuntimeError(f"not all events are pending: {audit.stats()}")
        audit.close_sync(0)
    return most - whole, most_own - own, rate


def _resident() -> tuple[float, float]:
    """Return the resident set and its private part in MiB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    found = {line[0]: int(line[1]) for line in lines if line and line[0] in ("VmRSS:", "RssAnon:")}
    return found["VmRSS:"] * 1024 / MIB, found["RssAnon:"] * 1024 / MIB
