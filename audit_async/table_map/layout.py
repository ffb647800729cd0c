"""How entries become rows of one table, once it is known what the table is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from audit_async.entry import Entry
from audit_async.inspection import TableName

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How entries become rows of one table.

    Attributes:
        name: `audit_async` for our own table, `clawith` for the six-column one.
        columns: those that are filled, in the order of `row`'s values.
        key: the columns by which a row is recognised as one that is there already.
        row: makes a row of an entry: JSON as text, times as the database takes them.
        has_other_keys: the table has further unique keys, whose violation is no sign of a replay.
    """

    name: str
    table: TableName
    columns: tuple[str, ...]
    key: tuple[str, ...]
    row: Callable[[Entry], Row]
    has_other_keys: bool = False
