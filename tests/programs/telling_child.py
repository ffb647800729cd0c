"""Log numbered events and write each answer into a ledger of the test's own, until done or killed.

    python -m tests.programs.telling_child TASK      # a JSON object, see `Task`

Prints `ready` before the first event, `logged` behind the last one, and, where it closes the logger, `closed` with the
seconds that this took, `adopted` with the number of
events that it has delivered for others, then `done` if everything had arrived, else `left`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from audit_async import AuditEvent, AuditLogger, AuditUnavailableError, Receipt, configure, shutdown
from tests.faults.ledger import Ledger, event_of


class Task(msgspec.Struct, kw_only=True, frozen=True):
    """What the child has to do.

    Attributes:
        mode: `log`; `on_disk` (await the receipt); `write`; `require`.
        first, count: the numbers of its events.
        threads: that call `log` at once; for the other modes the number of tasks.
        per_second: events of all of them together; 0 for as fast as they can.
        on_disk_seconds: that `on_disk` waits.
        waits: for a line on stdin, between `ready` and the first event; for another one between `logged` and its end.
        end: `close`, `async_close` or `shutdown`, within *close_seconds*; `return` (the interpreter ends without it);
            `_exit`; `hang` (until killed).
        options: of the logger.
    """

    url: str
    journal_dir: str
    ledger: str
    mode: Literal["log", "on_disk", "write", "require"] = "log"
    first: int = 0
    count: int = 1000
    threads: int = 1
    per_second: float = 0.0
    on_disk_seconds: float = 10.0
    waits: bool = False
    end: Literal["close", "async_close", "shutdown", "return", "_exit", "hang"] = "close"
    close_seconds: float = 30.0
    options: dict[str, Any] = {}


def run(task: Task) -> None:
    """Do it."""
    audit = configure(task.url, journal_dir=task.journal_dir, **task.options)
    numbers = iter(range(task.first, task.first + task.count))
    with Ledger(Path(task.ledger)) as ledger:
        os.write(1, b"ready\n")
        if task.waits:
            sys.stdin.readline()
        say_all(task, audit, ledger, numbers)
        os.write(1, b"logged\n")
        if task.waits:
            sys.stdin.readline()
        if task.end == "hang":
            threading.Event().wait()
        if task.end == "_exit":
            os._exit(0)
        if task.end != "return":
            _close(task, audit)


def _close(task: Task, audit: AuditLogger) -> None:
    started = time.monotonic()
    match task.end:
        case "async_close":
            is_all_in = asyncio.run(audit.close(task.close_seconds))
        case "shutdown":
            is_all_in = shutdown(task.close_seconds)
        case _:
            is_all_in = audit.close_sync(task.close_seconds)
    os.write(1, b"closed %.3f\n" % (time.monotonic() - started))
    os.write(1, b"adopted %d\n" % audit.stats().adopted_stored)
    os.write(1, b"done\n" if is_all_in else b"left\n")


class Logs(Protocol):
    """A logger, or what stands before one."""

    def log(self, event: AuditEvent) -> Receipt:
        """As that of a logger."""
        ...

    async def write(self, event: AuditEvent) -> Receipt:
        """As that of a logger."""
        ...

    async def require(self, event: AuditEvent) -> Receipt:
        """As that of a logger."""
        ...


def say_all(task: Task, audit: Logs, ledger: Ledger, numbers: Iterator[int]) -> None:
    """Log the events *numbers* in the task's mode."""
    pace = _Pace(task.per_second)
    if task.mode == "log":
        threads = [threading.Thread(target=_log, args=(audit, ledger, numbers, pace)) for _ in range(task.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        asyncio.run(_await_all(task, audit, ledger, numbers, pace))


class _Pace:
    """Lets so many pass a second, over all threads."""

    def __init__(self, per_second: float) -> None:
        self._pause = 1 / per_second if per_second else 0.0
        self._started = time.monotonic()
        self._passed = count(1)

    def seconds(self) -> float:
        """Return how long to wait before the next one."""
        if not self._pause:
            return 0.0
        return max(0.0, self._started + next(self._passed) * self._pause - time.monotonic())


def _log(audit: Logs, ledger: Ledger, numbers: Any, pace: _Pace) -> None:
    for number in numbers:
        if wait := pace.seconds():
            time.sleep(wait)
        ledger.tell("called", number)
        is_accepted = audit.log(event_of(number)).is_accepted
        ledger.tell("logged" if is_accepted else "refused", number)


async def _await_all(task: Task, audit: Logs, ledger: Ledger, numbers: Any, pace: _Pace) -> None:
    async def work() -> None:
        for number in numbers:
            if wait := pace.seconds():
                await asyncio.sleep(wait)
            ledger.tell("called", number)
            await _say(task, audit, ledger, number)

    await asyncio.gather(*(work() for _ in range(task.threads)))


async def _say(task: Task, audit: Logs, ledger: Ledger, number: int) -> None:
    if task.mode == "on_disk":
        receipt = audit.log(event_of(number))
        await receipt.on_disk(task.on_disk_seconds)
    else:
        try:
            receipt = await getattr(audit, task.mode)(event_of(number))
        except AuditUnavailableError:
            # Told that it may still arrive, or not: nothing is promised.
            return
    ledger.tell_answer(number, receipt)


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1].encode(), type=Task))
