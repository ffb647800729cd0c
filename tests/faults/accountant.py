"""Compares what callers were told with what is in the table: each event once, as it was said, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from tests.faults.ledger import ACTION, Told, details_of, event_of

COLUMNS = ("id", "writer_id", "writer_seq", "action", "user_id", "details")
"""Of a row, that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """How it adds up.

    Attributes:
        called, accepted, on_disk, told_stored, refused: events of which callers were told so.
        stored: distinct events of these in the table.
        duplicates: rows beyond the first of an event.
        lost: events of which a caller was told anything good, and that are not in the table.
        invented: rows of which nobody was told, or was told that they were refused.
        altered: rows that do not say what the caller said.
        gaps: numbers missing in the row of some writer's own numbering.
        told_gone: events that `audit.gap` events say were lost to damage.
    """

    called: int = 0
    accepted: int = 0
    on_disk: int = 0
    told_stored: int = 0
    refused: int = 0
    stored: int = 0
    duplicates: int = 0
    lost: int = 0
    invented: int = 0
    altered: int = 0
    gaps: int = 0
    told_gone: int = 0

    @property
    def balances(self) -> bool:
        """Whether nothing is lost, twice, altered, missing or made up."""
        return not (self.duplicates or self.lost or self.invented or self.altered or self.gaps)

    def without(self, destroyed: int) -> Account:
        """Return this account without what was lost with the disk under it, if that was told of event by event, and is
        no more than *destroyed*."""
        if self.lost <= destroyed and self.lost == self.told_gone:
            return replace(self, lost=0, gaps=0)
        return self

    def __add__(self, other: Account) -> Account:
        return Account(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @classmethod
    def of(cls, told: Told, rows: Iterable[Mapping[str, Any]]) -> Account:
        """Add up."""
        accountant = Accountant()
        for row in rows:
            accountant.add(row)
        return accountant.account(told)


class Accountant:
    """Looks at one row after another, keeping little of each, and draws up the account at the end."""

    def __init__(self) -> None:
        self._events = Counter[int]()
        self._ids: set[str] = set()
        self._numbers: dict[str, set[int]] = {}
        self._doubled = 0
        self._altered = 0
        self._told_gone = 0

    def add(self, row: Mapping[str, Any]) -> Self:
        """Look at a row; see `COLUMNS`."""
        self._doubled += row["id"] in self._ids
        self._ids.add(row["id"])
        self._numbers.setdefault(row["writer_id"], set()).add(row["writer_seq"])
        if row["action"] == "audit.gap":
            self._told_gone += row["details"].get("reasons", {}).get("journal_damaged", 0)
        if row["action"] == ACTION:
            number = row["details"]["number"]
            self._events[number] += 1
            self._altered += not _says_the_same(row, number)
        return self

    def account(self, told: Told) -> Account:
        """Compare what was found with what callers were *told*."""
        found = set(self._events)
        return Account(
            called=len(told.called),
            accepted=len(told.promised),
            on_disk=len(told.on_disk),
            told_stored=len(told.stored),
            refused=len(told.refused),
            stored=len(found),
            duplicates=self._events.total() - len(self._events) + self._doubled,
            lost=len(told.promised - found),
            invented=len(found - told.called) + len(found & told.refused),
            altered=self._altered,
            gaps=sum(max(numbers) - len(numbers) for numbers in self._numbers.values()),
            told_gone=self._told_gone,
        )


def _says_the_same(row: Mapping[str, Any], number: int) -> bool:
    return bool(row["details"] == details_of(number) and row["user_id"] == event_of(number).user_id)
