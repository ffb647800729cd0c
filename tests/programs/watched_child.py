"""Do as `telling_child`, in odd circumstances, and write down all the time how it stands.

    python -m tests.programs.watched_child CIRCUMSTANCES TASK      # JSON objects, see below and `telling_child.Task`

Beside its ledger it fills a file of reports, and stops logging as soon as somebody makes a file of that name with
`.stop` at its end.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
from loguru import logger

from audit_async import AuditEvent, AuditLogger, Receipt
from audit_async.config import MAPPED_FILE_SYSTEMS
from audit_async.journal import journal, place, spool, sync
from tests.faults.ledger import Ledger
from tests.faults.report import Report
from tests.programs.telling_child import Task, say_all

INTERVAL_SECONDS = 0.05


class Circumstances(msgspec.Struct, kw_only=True, frozen=True):
    """What its surroundings are made to look like, before the library is used.

    Attributes:
        reports: the file that takes them.
        writer_id: that the journal's file names are to have, so that strace can be told them.
        is_mapped: False for a file system on which segments are written, not mapped.
        is_local: False for one on the network.
        segment_bytes: of a segment; 0 for what the library says.
        heal_seconds: between two looks whether a disk that refused takes entries again.
        clock: seconds that the clock steps by after so many events of this child; `None` seconds stop it.
    """

    reports: str
    writer_id: str | None = None
    is_mapped: bool = True
    is_local: bool = True
    segment_bytes: int = 0
    heal_seconds: float = 0.1
    clock: dict[int, float | None] = {}

    def make(self) -> None:
        """Make them so."""
        _replace(sync, HEAL_INTERVAL_SECONDS=self.heal_seconds, HEAL_MAX_INTERVAL_SECONDS=4 * self.heal_seconds)
        if self.writer_id:
            _replace(journal, uuid=SimpleNamespace(uuid4=lambda: UUID(hex=self.writer_id)))
        if not self.is_local:
            _replace(place, NETWORK_FILE_SYSTEMS=MAPPED_FILE_SYSTEMS)
        if not self.is_mapped:
            _replace(place, MAPPED_FILE_SYSTEMS=frozenset())
        if self.segment_bytes:
            _replace(spool, SEGMENT_BYTES=self.segment_bytes, FIRST_SEGMENT_BYTES=self.segment_bytes)


def _replace(module: ModuleType, **values: object) -> None:
    for name, value in values.items():
        assert hasattr(module, name)
        setattr(module, name, value)


class SteppedClock:
    """The clock of the time of day, stepped as told: `time.time` and `time.time_ns` of this process."""

    def __init__(self) -> None:
        self._true = time.time_ns
        self._offset = 0
        self._stopped_at: int | None = None
        time.time_ns, time.time = self._now, lambda: self._now() / 1e9

    def step(self, seconds: float | None) -> None:
        """Step by *seconds*, or stand still."""
        self._stopped_at = self._now() if seconds is None else None
        self._offset += int((seconds or 0) * 1e9)

    def _now(self) -> int:
        return self._stopped_at if self._stopped_at is not None else self._true() + self._offset


class Watch:
    """Looks at a logger from a thread of its own, and measures what its callers, and the tasks beside them, wait for.

    It stands between them and the logger.
    """

    def __init__(self, audit: AuditLogger, reports: Path) -> None:
        self._audit = audit
        self._stop_path = reports.with_suffix(".stop")
        self._descriptor = os.open(reports, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look_all_the_time, daemon=True)
        self._said: list[str] = []
        self._lags: list[float] = []
        self._longest = {"log": 0.0, "write": 0.0, "require": 0.0}
        self._feeling: asyncio.Task[None] | None = None
        self._closed: tuple[float, bool] | None = None
        self.is_stopped = False
        logger.add(lambda message: self._said.append(message.record["message"]), level="WARNING")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()
        self._write()
        os.close(self._descriptor)

    def log(self, event: AuditEvent) -> Receipt:
        self._feel_the_loop()
        started = time.monotonic()
        receipt = self._audit.log(event)
        self._measure("log", started)
        return receipt

    async def write(self, event: AuditEvent) -> Receipt:
        self._feel_the_loop()
        started = time.monotonic()
        receipt = await self._audit.write(event)
        self._measure("write", started)
        return receipt

    async def require(self, event: AuditEvent) -> Receipt:
        self._feel_the_loop()
        started = time.monotonic()
        try:
            return await self._audit.require(event)
        finally:
            self._measure("require", started)

    def close_sync(self, timeout_seconds: float) -> None:
        started = time.monotonic()
        is_all_in = self._audit.close_sync(timeout_seconds)
        self._closed = time.monotonic() - started, is_all_in

    def _feel_the_loop(self) -> None:
        if self._feeling is None:
            try:
                self._feeling = asyncio.get_running_loop().create_task(self._measure_lags())
            except RuntimeError:
                return

    async def _measure_lags(self) -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.01)
            self._lags.append(time.monotonic() - started - 0.01)

    def _measure(self, call: str, started: float) -> None:
        self._longest[call] = max(self._longest[call], time.monotonic() - started)

    def _look_all_the_time(self) -> None:
        while not self._ends.wait(INTERVAL_SECONDS):
            self.is_stopped = self.is_stopped or self._stop_path.exists()
            self._write()

    def _write(self) -> None:
        report = Report(
            stats=self._audit.stats(),
            health=self._audit.health(),
            said=self._said,
            longest_seconds=self._longest,
            median_lag_seconds=statistics.median(self._lags) if self._lags else 0.0,
            closed_in_seconds=self._closed[0] if self._closed else None,
            is_all_in=bool(self._closed and self._closed[1]),
        )
        os.write(self._descriptor, msgspec.json.encode(report) + b"\n")


class Numbers:
    """The numbers of the events, until somebody stops it; any thread may take one."""

    def __init__(self, task: Task, watch: Watch, steps: dict[int, float | None]) -> None:
        self._numbers = iter(range(task.first, task.first + task.count))
        self._first = task.first
        self._watch = watch
        self._steps = steps
        self._clock = SteppedClock() if steps else None

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self._watch.is_stopped:
            raise StopIteration
        number = next(self._numbers)
        if self._clock is not None and number - self._first in self._steps:
            self._clock.step(self._steps[number - self._first])
        return number


def run(circumstances: Circumstances, task: Task) -> None:
    """Do it."""
    circumstances.make()
    audit = AuditLogger(task.url, journal_dir=task.journal_dir, **task.options)
    with Ledger(Path(task.ledger)) as ledger, Watch(audit, Path(circumstances.reports)) as watch:
        os.write(1, b"ready\n")
        say_all(task, watch, ledger, Numbers(task, watch, circumstances.clock))
        os.write(1, b"logged\n")
        if task.end == "hang":
            threading.Event().wait()
        if task.end == "_exit":
            os._exit(0)
        if task.end == "close":
            watch.close_sync(task.close_seconds)


if __name__ == "__main__":
    given: list[Any] = [
        msgspec.json.decode(text.encode(), type=kind)
        for text, kind in zip(sys.argv[1:], (Circumstances, Task), strict=True)
    ]
    run(*given)
