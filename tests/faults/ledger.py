"""What callers were told, written down outside the library: it survives the death of whoever was told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from audit_async import AuditEvent, Receipt, events

Word = Literal["called", "logged", "on_disk", "stored", "refused"]
"""`called`: `log` was entered. `logged`: it returned with the event taken. `on_disk`, `stored`: so said the receipt.
`refused`: it returned without having taken the event."""

ACTION = "report.print"


def event_of(number: int) -> AuditEvent:
    """Return event *number*; the same number always says the same, so that a row can be checked against it."""
    return events.custom(ACTION, user_id=f"user-{number % 97}", details=details_of(number))


def details_of(number: int) -> dict[str, Any]:
    """Return what the details of event *number* have to be."""
    proof = hashlib.sha256(str(number).encode()).hexdigest()
    return {"number": number, "proof": proof, "filling": "é\t\n" * (number % 13)}


class Ledger:
    """A file to which lines are only added, each by one `write`, from any thread or process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def tell(self, word: Word, *numbers: int) -> None:
        """Write down that *word* was said of each number."""
        os.write(self._descriptor, b"".join(b"%s %d\n" % (word.encode(), number) for number in numbers))

    def tell_answer(self, number: int, receipt: Receipt) -> None:
        """Write down all that *receipt* says of the event."""
        self.tell("logged" if receipt.is_accepted else "refused", number)
        if receipt.is_on_disk:
            self.tell("on_disk", number)
        if receipt.is_stored:
            self.tell("stored", number)


@dataclass
class Told:
    """All that callers were told, by word."""

    called: set[int] = field(default_factory=set)
    logged: set[int] = field(default_factory=set)
    on_disk: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)

    @property
    def promised(self) -> set[int]:
        """The numbers that have to be in the table."""
        return self.logged | self.on_disk | self.stored


def read_ledgers(paths: list[Path]) -> Told:
    """Return what stands in all of the ledgers."""
    told = Told()
    for path in paths:
        for word, number in _lines(path):
            getattr(told, word).add(number)
    return told


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    for line in path.read_text().splitlines(keepends=True):
        # A line without its end was being written at the moment of death: nobody had been told yet.
        if line.endswith("\n"):
            word, number = line.split()
            yield word, int(number)
