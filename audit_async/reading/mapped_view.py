"""A table that is mapped as something to read: what the map did when rows were written is undone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.mysql import CHAR

from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.events.dialects import LEGACY
from audit_async.events.vocabulary import FAMILY_CATEGORY, TERMS, Category, Outcome, Severity
from audit_async.inspection import InspectedTable, TableName
from audit_async.reading.json_text import JsonColumn
from audit_async.reading.mapped_rows import MappedEvents, time_of_row, uuid_text
from audit_async.reading.periods import Unit, period_of
from audit_async.reading.spellings import texts_of
from audit_async.reading.view import Key, View, json_column, source_of
from audit_async.table.ddl import MYSQL
from audit_async.table_map.adapters import STAMPS, UnfitError, adapter
from audit_async.table_map.kinds import Kind, kind_of
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.rows import covered_by
from audit_async.table_map.source import OBJECTS, Field, First, Merge, Source, paths_of

_COMPARED_AS_TEXT = ("enum", "address", "array", "other")
_UUID_CHARS = 36
_FAILED_WELL = [Outcome.FAILURE, Outcome.DENIED, Outcome.ERROR]


class MappedView(View):
    """A table with a map.

    Raises:
        ConfigurationError: the table has no column for the time, or nothing that tells its rows apart.
    """

    def __init__(self, table_map: TableMap, found: InspectedTable, version: tuple[int, ...]) -> None:
        self._map = table_map.of_table(found)
        self._found = found
        self._version = version
        self.name = TableName(found.schema, found.name)
        self.dialect = found.dialect
        names = [column.name for column in found.columns]
        self.source = source_of(found, names)
        self._kinds = {column.name: kind_of(column, found.dialect) for column in found.columns}
        self._covered = covered_by(self._map) - _not_taken(self._map)
        self._column_of = {path: name for name, source in self._map.sources.items() for path in _read_as(source)}
        if len(found.primary_key) == 1 and (table_map.fold_into is None or "id" in self._covered):
            # Such a row is known by its key alone: see `MappedEvents`.
            self._column_of.setdefault("id", found.primary_key[0])
        self.columns = [self.source.c[name] for name in names]
        self.order = self._make_order(names)
        if len(found.primary_key) == 1 and self._kinds[found.primary_key[0]].name == "int":
            self.number = self.source.c[found.primary_key[0]]
        self._events = MappedEvents(self._map, names, self._kinds, self._covered, found.primary_key)

    def _make_order(self, names: Sequence[str]) -> list[Key]:
        path = next((path for path in _TIMES if path in self._column_of), None)
        if path is None:
            raise ConfigurationError(
                f"the map of table {self.name} fills no column from created_at, so that nothing can be listed by time",
                hint="map the column that has the time of an event",
            )
        self._time_path = path
        keys = [key for key in (self._found.primary_key, *self._found.unique_keys) if key and set(key) <= set(names)]
        if not keys:
            raise ConfigurationError(
                f"table {self.name} has no unique key, so that its rows cannot be told apart from page to page",
                hint=f"ALTER TABLE {self.name} ADD PRIMARY KEY, on a column that is different in each row",
            )
        time, own = self._column_of[path], (self._column_of.get("id", ""),)
        # A key with an empty part, of which there may be several, is the last to be taken.
        key = min(keys, key=lambda key: (key != own, any(map(self._may_be_empty, key))))
        for name in (time, *key):
            self._refuse_rounded(name)
        end: Literal["first", "last"] = "last" if self.dialect == "postgresql" else "first"
        return [
            Key(self.source.c[name], names.index(name), end if name == time and self._may_be_empty(name) else None)
            for name in dict.fromkeys((time, *key))
        ]

    def _refuse_rounded(self, name: str) -> None:
        """Refuse a key whose values the server tells rounded: none of them would lead to the next row.

        Raises:
            ConfigurationError: *name* is a float of 32 bits of MariaDB or MySQL, of which they show six digits.
        """
        kind = self._kinds[name]
        if self.dialect in MYSQL and kind.name == "float" and kind.bits == 32:
            raise ConfigurationError(
                f"column {name} of table {self.name} is of type float, whose values the server rounds to six digits, so"
                " that nothing can be listed by it",
                hint=f"ALTER TABLE {self.name}: make it double, which keeps microseconds",
            )

    def _may_be_empty(self, name: str) -> bool:
        column = self._found.column(name)
        return column is not None and column.is_nullable and name not in self._found.primary_key

    # --- where a field is ------------------------------------------------------------------------------

    def expression(self, field: str) -> ColumnElement[Any] | None:
        """Return what has the value of *field*; six cases."""
        if field == "action":
            return self._as_text(self._column_of["action"]) if "action" in self._column_of else None
        if field == "outcome":
            return self._outcome()
        if field == "category":
            return self._first([self._folded("category")], self._category())
        if field == "severity":
            return self._first([self._folded("severity")], self._severity())
        if field in self._column_of:
            return self._as_text(self._column_of[field])
        if field == "created_at":
            return self.order[0].column
        return self._folded(field)

    def _as_text(self, name: str) -> ColumnElement[Any]:
        column, kind = self.source.c[name], self._kinds[name]
        if kind.name not in _COMPARED_AS_TEXT or self.dialect != "postgresql":
            return column
        # A cast would put `/32` behind an address.
        return sa.func.abbrev(column) if (kind.name, kind.form) == ("address", "") else sa.cast(column, sa.Text)

    def _folded(self, field: str) -> ColumnElement[Any] | None:
        """Return where *field* is that no column holds: in the JSON column, under its own name."""
        into = self._map.fold_into
        if into is None or field in self._covered:
            return None
        if field != "id":
            return self._json(into).text([field])
        return self._first([self._json(into).text(["event_id"])], self._key())

    def _key(self) -> ColumnElement[Any] | None:
        """Return the key of a row as the id that an event is shown with that has none: see `MappedEvents`."""
        name = self._found.primary_key[0] if len(self._found.primary_key) == 1 else None
        if name is None or self._kinds[name].name not in ("int", "text", "uuid"):
            return None
        return sa.cast(self.source.c[name], CHAR(charset="utf8mb4") if self.dialect in MYSQL else sa.Text)

    def _json(self, name: str) -> JsonColumn:
        return json_column(self._found, self.source, name, self._version)

    def _first(
        self, places: Iterable[ColumnElement[Any] | None], otherwise: ColumnElement[Any] | None
    ) -> ColumnElement[Any] | None:
        """Return the first of *places* that there are and that have a value, else *otherwise*."""
        found = [place for place in (*places, otherwise) if place is not None]
        return sa.func.coalesce(*found) if len(found) > 1 else next(iter(found), None)

    # --- what a table leaves to be concluded from its action -------------------------------------------

    def _action(self) -> ColumnElement[Any]:
        return self._as_text(self._column_of["action"])

    def _outcome(self) -> ColumnElement[Any] | None:
        if "outcome" in self._column_of:
            return self._as_text(self._column_of["outcome"])
        folded = self._folded("outcome")
        if "success" in self._column_of:
            success = self._as_text(self._column_of["success"])
            went_well = success == self.bound("success", True)
            said = sa.case((went_well, "success"), (success.is_not(None), "failure"), else_="unknown")
            return self._first([folded], said)
        if "result" in self._column_of:
            return self._first([folded, self._as_text(self._column_of["result"])], sa.literal("unknown"))
        return self._first([folded], self._implied_outcome())

    def _implied_outcome(self) -> ColumnElement[Any] | None:
        if "action" not in self._column_of:
            return None
        action = self._action()
        failing = sorted(text for text, term in LEGACY.items() if term.outcome is not None)
        whens: list[Any] = [(action.in_(failing), "failure")]
        if (success := self._folded("success")) is not None:
            whens += [(success == "true", "success"), (success == "false", "failure")]
        for outcome in Outcome:
            names = [name for name, term in TERMS.items() if term.usual == outcome]
            if names and outcome != Outcome.SUCCESS:
                whens.append((action.in_(texts_of(names)), outcome.value))
        return sa.case(*whens, else_="success")

    def _category(self) -> ColumnElement[Any] | None:
        if "category" in self._column_of:
            return self._as_text(self._column_of["category"])
        if "action" not in self._column_of:
            return None
        action = self._action()
        whens: list[Any] = [
            (action.in_(texts_of(name for name, term in TERMS.items() if term.category == category)), category.value)
            for category in Category
            if any(term.category == category for term in TERMS.values())
        ]
        whens += [
            (action.startswith(f"{family}.", autoescape=True), category.value)
            for family, category in FAMILY_CATEGORY.items()
        ]
        return sa.case(*whens, else_=Category.SYSTEM.value)

    def _severity(self) -> ColumnElement[Any] | None:
        if "severity" in self._column_of:
            return self._as_text(self._column_of["severity"])
        outcome = self._outcome()
        if "action" not in self._column_of or outcome is None:
            return None
        has_failed = outcome.in_([each.value for each in _FAILED_WELL])

        def levels(which: str, unknown: Severity) -> ColumnElement[Any]:
            whens: list[Any] = []
            for severity in Severity:
                names = [name for name, term in TERMS.items() if getattr(term, which) == severity]
                if names:
                    whens.append((self._action().in_(texts_of(names)), severity.value))
            return sa.case(*whens, else_=unknown.value)

        failed, well = levels("severity_failed", Severity.MEDIUM), levels("severity", Severity.LOW)
        return sa.case((has_failed, failed), else_=well)

    def texts(self, names: Iterable[str], *given: str) -> list[str]:
        return sorted({*texts_of(names), *given})

    # --- values ----------------------------------------------------------------------------------------

    def bound(self, field: str, value: Any) -> Any:
        name = self._column_of.get(field)
        if field == "created_at":
            name = self._column_of[self._time_path]
            value = _within(self._kinds[name], _epoch(self._time_path, value))
        kind = self._kinds[name] if name is not None else Kind(name="text")
        if name is None or value is None or kind.name in _COMPARED_AS_TEXT:
            return value
        try:
            return adapter(kind)(value)
        except UnfitError:
            # What no row can have: a text where the column takes numbers.
            return None

    def forms(self, field: str, value: Any) -> tuple[Any, ...]:
        name = self._column_of.get(field)
        is_text = name is None or self._kinds[name].name == "text"
        return _spellings(value) if is_text and isinstance(value, str) else (value,)

    def surely(self, field: str, values: Sequence[Any]) -> ColumnElement[bool] | None:
        place, name = self.expression(field), self._column_of.get(field)
        found: list[ColumnElement[bool]] = []
        # JSON of PostgreSQL is compared to the letter anyway.
        is_text = self.dialect != "postgresql" if name is None else self._kinds[name].name == "text"
        if place is not None and is_text:
            spelled = [form for value in values if value is not None for form in _spellings(value)]
            is_one = self._to_the_letter(place, spelled)
            found.append(place.is_(None) | is_one if None in values else is_one)
        if name is None and self._map.fold_into is not None:
            folded = self._json(self._map.fold_into)
            # Whose a row is whose JSON is damaged, nobody can say.
            sure = [folded.is_plain(field), folded.is_readable() if None in values else None]
            found += [condition for condition in sure if condition is not None]
        return sa.and_(*found) if found else None

    def _to_the_letter(self, place: ColumnElement[Any], texts: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition that a text is one of *texts*, whatever its collation takes for the same."""
        if self.dialect == "postgresql":
            return sa.collate(sa.cast(place, sa.Text), "C").in_(texts)
        if self.dialect in MYSQL:
            place = sa.cast(place, CHAR(charset="utf8mb4"))
        return sa.cast(place, sa.LargeBinary).in_([text.encode() for text in texts])

    def value(self, field: str, found: Any) -> Any:
        name = self._column_of.get(field)
        return uuid_text(found) if name is not None and self._kinds[name].name == "uuid" else found

    def details(self, path: Sequence[str], value: Any) -> ColumnElement[bool] | None:
        own = ".".join(("details", *path))
        if own in self._column_of:
            column = self._column_of[own]
            if value is None:
                return self.source.c[column].is_(None)
            condition: ColumnElement[bool] = self._as_text(column) == self.bound(own, value)
            return condition
        for name, source in self._map.sources.items():
            if "details" in paths_of(source) and isinstance(source, (Field, Merge)):
                return self._json(name).equals(path, value)
        if self._map.fold_into is None:
            return None
        return self._json(self._map.fold_into).equals(("details", *path), value)

    def period(self, unit: Unit) -> ColumnElement[Any]:
        name = self._column_of[self._time_path]
        share = 1000 if self._time_path.endswith("_ms") else 1
        return period_of(self.source.c[name], self._kinds[name], self.dialect, unit, share)

    def moment(self, value: Any) -> datetime | None:
        return time_of_row(self._time_path, value)

    def event(self, row: Sequence[Any]) -> AuditEvent:
        return self._events.make(row)


_TIMES = ("created_at", "created_at.epoch", "created_at.epoch_ms")


def _not_taken(table_map: TableMap) -> set[str]:
    """Return what a column takes only where something else is missing: else it was folded, under its own name."""
    later = {path for source in table_map.sources.values() if isinstance(source, First) for path in source.paths[1:]}
    return later - {
        path
        for source in table_map.sources.values()
        for path in (source.paths[:1] if isinstance(source, First) else paths_of(source))
    }


def _read_as(source: Source) -> tuple[str, ...]:
    """Return what a column is read back as: of several sources the first."""
    if isinstance(source, First):
        return source.paths[:1]
    return (source.path,) if isinstance(source, Field) and source.path not in OBJECTS else ()


def _spellings(value: str) -> tuple[str, ...]:
    """Return *value*, and of a UUID the upper case as well: others may have written it that way."""
    return (value, value.upper()) if len(value) == _UUID_CHARS and uuid_text(value) == value else (value,)


def _epoch(path: str, value: Any) -> Any:
    if path == "created_at" or not isinstance(value, datetime):
        return value
    return value.timestamp() * (1000 if path.endswith("_ms") else 1)


def _within(kind: Kind, value: Any) -> Any:
    """Return a time as the nearest that a column of *kind* holds: who asks since 1900 asks for all that is there."""
    if kind.name == "int" and isinstance(value, float):
        most = (1 << (kind.bits - 1)) - 1
        # Of whole seconds none lies between a time and the next of them.
        return max(-most if kind.bits % 2 == 0 else 0, min(math.ceil(value), most))
    if kind.form == "stamp" and isinstance(value, datetime):
        first, end = (moment.replace(tzinfo=UTC) for moment in STAMPS)
        return max(first, min(value, end - timedelta(microseconds=1)))
    return value
