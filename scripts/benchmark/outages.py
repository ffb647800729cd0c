"""While the database is away: the memory of an outage, its end, and what a caller pays under each fault."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import asyncpg
import loguru

from audit_async import AuditLogger, create_table
from audit_async.config import GIB, MIB
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal, percentile
from scripts.benchmark.peers import wait_until
from tests.servers.proxy import BLACK_HOLE, FaultProxy, Trouble

_BYTES = 2 * GIB
_EVENTS = 1_000_000
_DRAIN_SECONDS = 600
_CALLS = 20_000
_CALLS_AT_ONCE = 20
_PAUSE_SECONDS = 0.005  # between these: 2,000 to 4,000 events/s, as a busy service logs

_ABOUT = (
    "How much the resident set of a process grows that logs a million events while its server is stopped, and while"
    " they all arrive, once each, when it is back. There is no other side: a queue in memory would grow by all of them."
)


async def outage(bench: Bench) -> list[Comparison]:
    """P16: how this process grows while events wait for a server that is stopped, and how they arrive then."""
    count = bench.count(_EVENTS)
    figures: list[_Outage] = []
    bench.needs_disk(int(_BYTES * 2 * count / _EVENTS))
    await bench.url()
    for _ in range(max(1, bench.rounds // 2)):  # the resident set says nearly the same each time
        folder = bench.folder()
        figures.append(await _one_outage(bench, folder / "events", count))
        shutil.rmtree(folder / "events")
    goal = Goal(least=64, aim=32, better="less") if count >= _EVENTS else None
    whole, own, logged, draining, drained = (list(each) for each in zip(*figures, strict=True))
    what = f"{count:,} events in an outage: resident set grows by"
    return [
        Comparison(number="P16", what=what, unit="MiB", ours=whole, goal=goal, about=_ABOUT),
        Comparison(number="P16", what="... of this not mapped files", unit="MiB", ours=own),
        Comparison(
            number="P16",
            what="... and, while all arrive once each, by",
            unit="MiB",
            ours=draining,
        ),
        Comparison(number="P16", what="... building and log() meanwhile", unit="/s", ours=logged),
        Comparison(number="P16", what="... arriving when the server is back", unit="/s", ours=drained),
    ]


class _Outage(NamedTuple):
    whole_mib: float
    own_mib: float
    logged_rate: float
    draining_mib: float
    drained_rate: float


async def _one_outage(bench: Bench, folder: Path, count: int) -> _Outage:
    url = await bench.other_url(create_table)
    with fresh() as process:
        with bench.outage():
            whole, own, rate = process.submit(_suffer, url, folder, count).result()
        draining, drained = process.submit(_recover, count).result()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    counted = await connection.fetchrow("SELECT count(*), count(DISTINCT id) FROM audit_logs")
    await connection.close()
    if counted is None or tuple(counted) != (count + 1, count + 1):
        raise RuntimeError(f"{count + 1} events were logged; rows and ids there: {counted}")
    return _Outage(whole, own, rate, draining, drained)


# --- in a process of its own ---------------------------------------------------------------------------

_audit: AuditLogger
_before_mib: float


@contextlib.contextmanager
def fresh() -> Iterator[ProcessPoolExecutor]:
    """Give a process that has done nothing yet."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            yield process
        except BaseException:
            # Else it is waited for, and it may wait for what nobody brings about any more.
            for child in multiprocessing.active_children():
                child.kill()
            raise


def _open(url: str, folder: Path) -> None:
    global _audit
    loguru.logger.remove()  # it would say that the database is away
    _audit = AuditLogger(url, journal_dir=folder, journal_max_bytes=_BYTES)


def _suffer(url: str, folder: Path, count: int) -> tuple[float, float, float]:
    """Log *count* events; return MiB grown, private MiB of these, and events a second."""
    global _before_mib
    _open(url, folder)
    _audit.log(samples.event())
    wait_until(lambda: _audit.stats().last_error is not None)
    gc.collect()
    whole, own = _resident()
    most, most_own = _before_mib, _ = whole, own
    started = time.perf_counter()
    for number in range(count):
        _audit.log(samples.event(number))
        if number % 20_000 == 0:
            now, now_own = _resident()
            most, most_own = max(most, now), max(most_own, now_own)
    rate = count / (time.perf_counter() - started)
    if _audit.stats().pending < count:
        raise RuntimeError(f"not all events are pending: {_audit.stats()}")
    return most - whole, most_own - own, rate


def _recover(count: int) -> tuple[float, float]:
    """Have everything written; return the most MiB above those before the outage meanwhile, and rows a second."""
    pending = _audit.stats().pending
    started = time.perf_counter()
    most = 0.0
    while not _audit.flush_sync(0.5):
        most = max(most, _resident()[0])
        if time.perf_counter() - started > _DRAIN_SECONDS:
            raise RuntimeError(f"the database is back, and events do not arrive: {_audit.stats()}")
    rate = pending / (time.perf_counter() - started)
    found = _audit.stats()
    if (found.stored, found.pending + found.quarantined + found.dropped + found.refused) != (count + 1, 0):
        raise RuntimeError(f"not all events are stored: {found}")
    _audit.close_sync(5)
    return most - _before_mib, rate


def _resident() -> tuple[float, float]:
    """Return the resident set and its private part in MiB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    found = {line[0]: int(line[1]) for line in lines if line and line[0] in ("VmRSS:", "RssAnon:")}
    return found["VmRSS:"] * 1024 / MIB, found["RssAnon:"] * 1024 / MIB


def _call(count: int) -> tuple[float, float, float, float]:
    """Call `log()` as a busy service does; return p50, p99, p99.9 and the greatest, in microseconds."""
    taken = []
    for first in range(0, count, _CALLS_AT_ONCE):
        for number in range(first, first + _CALLS_AT_ONCE):
            event = samples.event(number)
            started = time.perf_counter()
            _audit.log(event)
            taken.append((time.perf_counter() - started) * 1e6)
        time.sleep(_PAUSE_SECONDS)
    return percentile(taken, 0.5), percentile(taken, 0.99), percentile(taken, 0.999), max(taken)


def _settle_down(seconds: float) -> None:
    """Let everything arrive, so that the next figures are of a healthy state."""
    if not _audit.flush_sync(seconds):
        raise RuntimeError(f"the fault is over, and events do not arrive: {_audit.stats()}")


def _await_outage() -> None:
    _audit.log(samples.event())
    wait_until(lambda: _audit.health().status != "ok" or _audit.stats().pending > 0)


def _close() -> None:
    _audit.close_sync(5)


# --- what a caller pays --------------------------------------------------------------------------------


async def under_faults(bench: Bench) -> list[Comparison]:
    """faults: log() while the database refuses, is silent, frozen, slow, reset or locked, against the same without."""
    url = await bench.other_url(create_table)
    server = bench.server
    assert server is not None
    with FaultProxy(server.port) as proxy:
        proxied = url.replace(f":{server.port}/", f":{proxy.port}/")
        faults: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[None]]] = {
            "refused": lambda: _trouble(proxy, Trouble(refuses=True, resets=True)),
            "black hole": lambda: _trouble(proxy, BLACK_HOLE),
            "frozen server": lambda: _frozen(bench),
            "slow, 200 ms": lambda: _trouble(proxy, Trouble(latency_seconds=0.2)),
            "every connection reset": lambda: _trouble(proxy, Trouble(resets=True)),
            "table locked": lambda: _locked(url),
        }
        rows = []
        for name, fault in faults.items():
            rows += await _beside(bench, name, proxied, fault)
        rows += await _without_disk(bench, proxied)
    return rows


async def _beside(
    bench: Bench, name: str, url: str, fault: Callable[[], contextlib.AbstractAsyncContextManager[None]]
) -> list[Comparison]:
    count = bench.count(_CALLS)
    with fresh() as process:
        process.submit(_open, url, bench.folder() / "events").result()
        process.submit(_call, 200).result()

        async def healthy() -> tuple[float, ...]:
            process.submit(_settle_down, 120).result()
            return process.submit(_call, count).result()

        async def faulty() -> tuple[float, ...]:
            process.submit(_settle_down, 120).result()
            async with fault():
                process.submit(_await_outage).result()
                return process.submit(_call, count).result()

        ours, theirs = await bench.interleaved(faulty, healthy)
        process.submit(_settle_down, 120).result()
        process.submit(_close).result()
    return _rows(name, ours, theirs)


async def _without_disk(bench: Bench, url: str) -> list[Comparison]:
    count, folder = bench.count(_CALLS), bench.folder()
    (folder / "file").touch()
    with fresh() as on_disk, fresh() as in_memory:
        on_disk.submit(_open, url, folder / "events").result()
        in_memory.submit(_open, url, folder / "file" / "events").result()
        for process in (on_disk, in_memory):
            process.submit(_call, 200).result()

        async def with_disk() -> tuple[float, ...]:
            return on_disk.submit(_call, count).result()

        async def without() -> tuple[float, ...]:
            return in_memory.submit(_call, count).result()

        ours, theirs = await bench.interleaved(without, with_disk)
        for process in (on_disk, in_memory):
            process.submit(_settle_down, 120).result()
            process.submit(_close).result()
    return _rows("no disk, memory only", ours, theirs)


def _rows(name: str, ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]]) -> list[Comparison]:
    goals = (None, None, Goal(least=3, aim=1.5, better="less"), None)
    return [
        Comparison(
            number="faults",
            what=f"log() {what}, {name} / healthy",
            unit="µs",
            ours=[figures[place] for figures in ours],
            theirs=[figures[place] for figures in theirs],
            goal=goal,
            is_inverted=True,
        )
        for place, (what, goal) in enumerate(zip(("p50", "p99", "p99.9", "max"), goals, strict=True))
    ]


@contextlib.asynccontextmanager
async def _trouble(proxy: FaultProxy, trouble: Trouble) -> AsyncIterator[None]:
    proxy.breaks(trouble)
    try:
        yield
    finally:
        proxy.heals()


@contextlib.asynccontextmanager
async def _frozen(bench: Bench) -> AsyncIterator[None]:
    assert bench.server is not None
    bench.server.freeze()
    try:
        yield
    finally:
        bench.server.thaw()


@contextlib.asynccontextmanager
async def _locked(url: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()
