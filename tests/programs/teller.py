"""Logs numbered events from wherever it is called, and writes down what it is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from audit_async import AuditLogger, AuditUnavailableError, Receipt
from tests.faults.ledger import Ledger, event_of
from tests.programs.telling_child import Task


class Teller:
    """What the programs with something odd to do have in common: a logger, a ledger, and numbers to use up.

    Args:
        options: of the logger, beside those of the task.
    """

    def __init__(self, task: Task, **options: Any) -> None:
        self.task = task
        self.audit = AuditLogger(task.url, journal_dir=task.journal_dir, **{**task.options, **options})
        self._ledger = Ledger(Path(task.ledger))
        # An iterator of a range gives each number once, to whatever thread or signal handler asks.
        self._numbers = iter(range(task.first, task.first + task.count))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An exception on its way out has to meet the logger as the application would have left it.
        if error is None:
            say("done" if self.audit.close_sync(self.task.close_seconds) else "left")

    def next_number(self) -> int | None:
        """Return a number that nobody else gets, or None when all are used up."""
        return next(self._numbers, None)

    def log(self) -> bool:
        """Log the next event, and return whether there was one."""
        number = self.next_number()
        if number is None:
            return False
        self.log_number(number)
        return True

    def log_number(self, number: int) -> Receipt:
        """Log event *number*."""
        self._ledger.tell("called", number)
        receipt = self.audit.log(event_of(number))
        self._ledger.tell("logged" if receipt.is_accepted else "refused", number)
        return receipt

    async def ask(self, mode: str) -> bool:
        """Log the next event and await what *mode* waits for; return whether there was one.

        Who is cancelled in it was promised the event all the same: it is taken before the first await.
        """
        number = self.next_number()
        if number is None:
            return False
        self._ledger.tell("called", number)
        try:
            receipt = await self._ask(mode, number)
        except AuditUnavailableError:
            return True
        except BaseException:
            self._ledger.tell("logged", number)
            raise
        self._ledger.tell_answer(number, receipt)
        return True

    async def _ask(self, mode: str, number: int) -> Receipt:
        if mode == "on_disk":
            receipt = self.audit.log(event_of(number))
            await receipt.on_disk(10)
            return receipt
        if mode == "write":
            return await self.audit.write(event_of(number))
        return await self.audit.require(event_of(number))


def say(line: str) -> None:
    """Say *line* on stdout."""
    os.write(1, line.encode() + b"\n")


def told_task() -> Task:
    """Return what the command line says to do: its last argument."""
    return msgspec.json.decode(sys.argv[-1].encode(), type=Task)
