"""A table as something to read: where each field of an event is in it, and how a row becomes an event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from audit_async.events import AuditEvent
from audit_async.inspection import InspectedTable, TableName
from audit_async.reading.json_text import JsonColumn
from audit_async.reading.periods import Unit
from audit_async.reading.scope import Scope


@dataclass(frozen=True, slots=True)
class Key:
    """What a listing is ordered by, after the time: columns that together are of one row only.

    Attributes:
        column: an expression of the table.
        place: of its value among the columns that are read.
        empty: where the database puts rows without a value when it goes up: `first` or `last`; None where all have one.
    """

    column: ColumnElement[Any]
    place: int
    empty: Literal["first", "last"] | None = None


class View(ABC):
    """A table as something to read.

    Attributes:
        name: of the table.
        dialect: of the database, as SQLAlchemy calls it.
        source: the table, for statements.
        columns: those that are read, in the order in which `event` takes them.
        order: what a listing is ordered by: first the time, last what makes it unique.
        scope: whose events may be seen.
        commit: the number of the transaction that a row was put in by, where the table has it.
        number: a number that the database hands out row by row, where the table has one.
    """

    name: TableName
    dialect: str
    source: sa.TableClause
    columns: Sequence[ColumnElement[Any]]
    order: Sequence[Key]
    scope: Scope
    commit: ColumnElement[Any] | None = None
    number: ColumnElement[Any] | None = None

    @abstractmethod
    def expression(self, field: str) -> ColumnElement[Any] | None:
        """Return what has the value of *field* in the database; None where the table has no place for it.

        A text has the type of a text, whatever the column is.
        """

    @abstractmethod
    def bound(self, field: str, value: Any) -> Any:
        """Return *value* of *field* as it is compared with its expression."""

    def value(self, field: str, found: Any) -> Any:
        """Return what the expression of *field* gave, as an event has it: a UUID in whatever form is its text."""
        return found

    def forms(self, field: str, value: Any) -> tuple[Any, ...]:
        """Return how *value* of *field* may be written in the table: other programs write UUIDs in upper case."""
        return (value,)

    def surely(self, field: str, values: Sequence[Any]) -> ColumnElement[bool] | None:
        """Return what has to hold besides, for *field* to be one of *values* to the letter; None where nothing has to.

        For databases that take one text for another, or cannot tell an empty value from one that they cannot read.
        """
        return None

    @abstractmethod
    def texts(self, names: Iterable[str], *given: str) -> list[str]:
        """Return what stands in the table for the canonical actions *names*, or where the caller's word is: *given*."""

    @abstractmethod
    def details(self, path: Sequence[str], value: Any) -> ColumnElement[bool] | None:
        """Return the condition that `details` has *value* under *path*; None where the table keeps no such thing."""

    @abstractmethod
    def period(self, unit: Unit) -> ColumnElement[Any]:
        """Return the hour or the day of an event's time, as `read_period` takes it."""

    @abstractmethod
    def moment(self, value: Any) -> datetime | None:
        """Return the time that *value* of the time's column is; None where it cannot be read."""

    def shown(self, rows: Sequence[Sequence[Any]]) -> list[AuditEvent]:
        """Return the events of *rows* that may be seen.

        The scope is in every statement already. This is for rows of which the database reads something else than we
        do: of a key that stands twice in an object of JSON one of us takes the first.
        """
        return [event for row in rows if self.scope.covers((event := self.event(row)).tenant_id)]

    @abstractmethod
    def event(self, row: Sequence[Any]) -> AuditEvent:
        """Return the event that *row* is. Never raises on a value: what cannot be read is told in the event."""


def source_of(found: InspectedTable, names: Sequence[str]) -> sa.TableClause:
    """Return the table with the columns *names*, for statements."""
    return sa.table(found.name, *(sa.column(name) for name in names), schema=found.schema)


def json_column(found: InspectedTable, source: sa.TableClause, name: str, version: tuple[int, ...]) -> JsonColumn:
    """Return the column *name*, which holds JSON."""
    column = found.column(name)
    kind = column.type if column is not None else ""
    return JsonColumn(source.c[name], kind if kind in ("json", "jsonb") else "text", found.dialect, version)
