"""Our own table as something to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement

from audit_async.events import AuditEvent, Category, Outcome, Severity
from audit_async.events.dialects import term_of
from audit_async.inspection import InspectedTable, TableName
from audit_async.reading.damage import EPOCH, Damage
from audit_async.reading.periods import Unit, period_of
from audit_async.reading.view import Key, View, json_column, source_of
from audit_async.table.columns import COLUMNS, KEY
from audit_async.table.ddl import MYSQL
from audit_async.table_map.kinds import Kind
from audit_async.table_map.source import OBJECTS

_NAMES = (*COLUMNS, "recorded_at")
_JSON = (*OBJECTS, "tags")
_TIMES = ("created_at", "recorded_at")
_TIME_KINDS = defaultdict(
    lambda: Kind(name="moment", form="naive"),
    postgresql=Kind(name="moment", form="aware"),
    sqlite=Kind(name="moment", form="text"),
)
_CATEGORIES = {member.value: member for member in Category}
_SEVERITIES = {member.value: member for member in Severity}
_OUTCOMES = {member.value: member for member in Outcome}

_decode = msgspec.json.Decoder().decode


class OwnView(View):
    """Our own table."""

    def __init__(self, found: InspectedTable, version: tuple[int, ...]) -> None:
        self.name = TableName(found.schema, found.name)
        self.dialect = found.dialect
        self.source = source_of(found, [*_NAMES, *(extra for extra in ("xact_id", "seq") if found.column(extra))])
        # JSON as text, which asyncpg reads by itself, and psycopg without parsing it.
        is_parsed = found.dialect == "postgresql"
        self.columns = [
            sa.cast(self.source.c[name], sa.Text) if is_parsed and name in _JSON else self.source.c[name]
            for name in _NAMES
        ]
        # Its times have no zone there, and are UTC.
        self._naive_times = _TIMES if found.dialect in MYSQL else ()
        self.order = [Key(self.source.c[name], _NAMES.index(name)) for name in KEY]
        self.commit = self.source.c.get("xact_id")
        self.number = self.source.c.get("seq")
        self._details = json_column(found, self.source, "details", version)

    def expression(self, field: str) -> ColumnElement[Any] | None:
        if field == "tags":
            return sa.cast(self.source.c.tags, sa.Text) if self.dialect == "postgresql" else self.source.c.tags
        return self.source.c[field] if field in _NAMES else None

    def bound(self, field: str, value: Any) -> Any:
        if field in _TIMES and isinstance(value, datetime):
            return own_time(value, self.dialect)
        return value

    def texts(self, names: Iterable[str], *given: str) -> list[str]:
        return list(names)

    def details(self, path: Sequence[str], value: Any) -> ColumnElement[bool]:
        return self._details.equals(path, value)

    def period(self, unit: Unit) -> ColumnElement[Any]:
        return period_of(self.source.c.created_at, _TIME_KINDS[self.dialect], self.dialect, unit)

    def moment(self, value: Any) -> datetime | None:
        return Damage().moment("created_at", value)

    def event(self, row: Sequence[Any]) -> AuditEvent:
        fields = dict(zip(_NAMES, row, strict=True))
        try:
            for name in OBJECTS:
                if fields[name] is not None:
                    fields[name] = _decode(fields[name])
            fields["tags"] = _decode(fields["tags"])
            for name in self._naive_times:
                if fields[name] is not None:
                    fields[name] = fields[name].replace(tzinfo=UTC)
            event = msgspec.convert(fields, AuditEvent)
            if event.created_at.tzinfo is UTC and (event.recorded_at is None or event.recorded_at.tzinfo is UTC):
                return event
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass
        # Something is of no kind that it should be; each value is looked at.
        return _read(dict(zip(_NAMES, row, strict=True)))


def _read(fields: dict[str, Any]) -> AuditEvent:
    """Return the event of *fields*, and what cannot be read for what it is."""
    damage = Damage()
    for name in OBJECTS:
        fields[name] = damage.json_object(name, fields[name])
    fields["tags"] = damage.tags(fields["tags"])
    for name in _TIMES:
        fields[name] = damage.moment(name, fields[name])
    term = term_of(fields["action"])
    fields["category"] = damage.member("category", fields["category"], _CATEGORIES, term.category)
    fields["severity"] = damage.member("severity", fields["severity"], _SEVERITIES, term.severity)
    fields["outcome"] = damage.member("outcome", fields["outcome"], _OUTCOMES, Outcome.UNKNOWN)
    fields["details"], fields["metadata"] = fields["details"] or {}, fields["metadata"] or {}
    fields["created_at"] = fields["created_at"] or EPOCH
    return damage.mark(AuditEvent(**fields))


def own_time(moment: datetime, dialect: str) -> Any:
    """Return *moment* as our table has it on *dialect*."""
    in_utc = moment.astimezone(UTC)
    if dialect == "postgresql":
        return in_utc
    naive = in_utc.replace(tzinfo=None)
    return f"{naive.isoformat(timespec='microseconds')}Z" if dialect == "sqlite" else naive
