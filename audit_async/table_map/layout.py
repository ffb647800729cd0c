"""How entries become rows of one table, once it is known what the table is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit_async.entry import Entry
from audit_async.inspection import TableName

Row = tuple[Any, ...]
MakeRows = Callable[[Sequence[Entry]], Iterable[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How entries become rows of one table.

    Attributes:
        name: `audit_async` for our own table, else that of the map.
        columns: those that are filled, in the order of `row`'s values.
        key: the columns by which a row is recognised as one that is there already; empty where the table has none.
        rows: makes the rows of entries, as they are asked for: JSON as text, times as the database takes them. Those of
            a map are made some at once, a column at a time, which is quicker.
        bare_rows: the same with JSON as the bytes that an entry has, empty for NULL; None where there is more to it.
        has_other_keys: the table has further unique keys, whose violation is no sign of a replay.
        delivered: a table beside it with the ids of the events that are in it, in place of a key.
        actions: canonical names of those that it takes; None for all.
    """

    name: str
    table: TableName
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: MakeRows
    bare_rows: MakeRows | None = None
    has_other_keys: bool = False
    delivered: TableName | None = None
    actions: frozenset[str] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is that of our own table."""
        return self.name == OURS

    def row(self, entry: Entry) -> Row:
        """Return the row of *entry* alone."""
        (row,) = self.rows([entry])
        return row

    def takes(self, entry: Entry) -> bool:
        """Return whether *entry* belongs into this table."""
        return self.actions is None or entry.action in self.actions


def one_by_one(make: Callable[[Entry], Row]) -> MakeRows:
    """Return what makes each of several rows by *make*."""
    return lambda entries: map(make, entries)


OURS = "audit_async"
"""Name of the layout of our own table."""
