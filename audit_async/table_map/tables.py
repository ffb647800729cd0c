"""Which tables a logger writes to: what it was told, and what it found there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from audit_async.entry import Entry
from audit_async.inspection import TableName, inspect_now
from audit_async.table_map.layout import Layout
from audit_async.table_map.recognition import recognise

Part = tuple[Layout, Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Layouts:
    """The tables as they were found.

    Attributes:
        all: in the order in which they are asked whether they take an entry.
    """

    all: tuple[Layout, ...]

    def parts(self, entries: Sequence[Entry]) -> list[Part]:
        """Return which of *entries* go into which table, in their order; tables that get none are left out."""
        return [(self.all[0], entries)]

    @property
    def are_ours(self) -> bool:
        """Whether it is our own table that is written to."""
        return self.all[0].is_ours


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that a logger was told to write to.

    Attributes:
        name: of the one table, whose layout follows from what it is.
    """

    name: TableName

    @classmethod
    def read(cls, table: str) -> Tables:
        """Return the tables that the setting *table* names.

        Raises:
            ConfigurationError: it names none.
        """
        return cls(TableName.parse(table))

    def __str__(self) -> str:
        return str(self.name)

    def lay_out(self, connection: Connection) -> Layouts:
        """Look at the tables through an open connection; for an async one, through its `run_sync`.

        Raises:
            ConfigStoreError: one is not there, or not as it must be.
        """
        return Layouts((recognise(inspect_now(connection, self.name)),))


def not_delivered(entries: Iterable[Entry], delivered: set[str]) -> list[Entry]:
    """Return those of *entries* whose ids are not among *delivered*, each id once."""
    return list({entry.id: entry for entry in reversed(list(entries)) if entry.id not in delivered}.values())[::-1]
