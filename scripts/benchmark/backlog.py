"""How the cost of log(), and of coming back, grows with the events that wait in the journal."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import loguru

from audit_async import AuditLogger, create_table
from audit_async.config import GIB
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.growth import log_cpu
from scripts.benchmark.outages import fresh
from scripts.benchmark.peers import wait_until
from scripts.benchmark.series import Series

_PENDING = (0, 10_000, 100_000, 1_000_000)
_BYTES = 2 * GIB
_CALLS = 1000
_FEWER_ROUNDS = 3  # than others have: each stops the server and starts two processes for each figure
_ROUNDS_OF_MOST = 1  # a minute each
_LOOK_SECONDS = 0.002
_ARRIVAL_SECONDS = 300.0


class _Figures(NamedTuple):
    log: float
    first: float
    first_of_next: float
    arriving: float


async def by_pending(bench: Bench) -> list[Series]:
    """growth-backlog: log() beside pending events, and what comes when the database is back or a process follows."""
    points = [0, *(bench.count(pending) for pending in _PENDING[1:])]
    taken: dict[int, list[_Figures]] = {pending: [] for pending in points}
    await bench.url()
    for number in range(max(1, bench.rounds - _FEWER_ROUNDS)):
        for pending in points[: None if number < _ROUNDS_OF_MOST else -1]:
            folder = bench.folder()
            bench.needs_disk(_BYTES * 2)
            taken[pending].append(await _one(bench, folder, pending))
            shutil.rmtree(folder)

    def line(figure: str) -> list[tuple[float, list[float]]]:
        return [(pending, [getattr(each, figure) for each in figures]) for pending, figures in taken.items()]

    axes: dict[str, Any] = {"number": "growth-backlog", "x": "pending events"}
    return [
        Series(
            **axes,
            what="log() while the database is away, by the events that wait",
            unit="µs",
            lines={"log()": line("log")},
            about=f"CPU of the calling thread for {_CALLS:,} events more, with the server stopped.",
        ),
        Series(
            **axes,
            what="the first rows once the database is back, by the events that wait",
            unit="ms",
            lines={"same process": line("first"), "next process, after a kill": line("first_of_next")},
            about="From the first flush() after the server is back, which ends the writer's pause, until a batch is "
            "stored; and from opening a logger after a process that was killed, with the same journals.",
        ),
        Series(
            **axes,
            what="events that waited, arriving from a process that was killed",
            unit="/s",
            lines={"next process": line("arriving")[1:]},  # of none there is but one batch
            about="From the first stored batch of them to the last.",
        ),
    ]


async def _one(bench: Bench, folder: Path, pending: int) -> _Figures:
    url = await bench.other_url(create_table)
    with fresh() as process:
        with bench.outage():
            log = process.submit(_suffer, url, folder, pending).result()
        first, left = process.submit(_come_back).result()
        process.submit(_die).exception()
    with fresh() as process:
        first_of_next, arriving = process.submit(_follow, url, folder, left).result()
    return _Figures(log, first, first_of_next, arriving)


# --- in processes of their own ---------------------------------------------------------------------------

_audit: AuditLogger


def _open(url: str, folder: Path) -> AuditLogger:
    loguru.logger.remove()  # it would say that the database is away
    return AuditLogger(url, journal_dir=folder, journal_max_bytes=_BYTES)


def _suffer(url: str, folder: Path, pending: int) -> float:
    """Log *pending* events, and return the CPU microseconds of `log()` for a thousand more."""
    global _audit
    _audit = _open(url, folder)
    with samples.acting():
        _audit.log(samples.event())
        wait_until(lambda: _audit.stats().last_error is not None)
        for number in range(pending):
            _audit.log(samples.event(number))
        return log_cpu(_audit, samples.event, _CALLS)


def _come_back() -> tuple[float, int]:
    """Return the milliseconds to the first rows, and how many events are left then."""
    started = time.perf_counter()
    while not _audit.flush_sync(_LOOK_SECONDS) and not _audit.stats().stored:
        pass
    return (time.perf_counter() - started) * 1e3, _audit.stats().pending


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _follow(url: str, folder: Path, left: int) -> tuple[float, float]:
    """Return the milliseconds from opening a logger to the first adopted rows, and how many arrive a second then."""
    started = time.perf_counter()
    audit = _open(url, folder)
    audit.deliver_leftovers()
    wait_until(lambda: audit.stats().adopted_stored > 0)
    first, of_first = time.perf_counter(), audit.stats().adopted_stored
    wait_until(lambda: audit.stats().adopted_stored >= left, _ARRIVAL_SECONDS)
    last = time.perf_counter()
    audit.close_sync(5)
    return (first - started) * 1e3, (left - of_first) / (last - first)
