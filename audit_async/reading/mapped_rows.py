"""An event of a mapped row: what was folded is taken out again, and what the row does not say is concluded."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from audit_async.events import AuditEvent, Category, Outcome, Severity
from audit_async.events.dialects import leads_back, term_of
from audit_async.events.event import SPELLING_KEY
from audit_async.events.fields import CONVERTERS, to_id
from audit_async.events.identifier import normal_uuid
from audit_async.events.vocabulary import FAILED
from audit_async.reading.damage import EPOCH, Damage, read_json
from audit_async.reading.json_text import as_text
from audit_async.table_map.kinds import Kind
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.source import FIELDS, OBJECTS, Constant, Field, First, Merge, Source

COLUMNS_KEY = "$columns"
"""In `metadata` of an event that was read: what the row has in columns of which the map says nothing."""

_FOLDED = {**{name: name for name in FIELDS}, "event_id": "id"}
_TEXTS = frozenset(FIELDS) - {*OBJECTS, "tags", "created_at", "status_code", "duration_ms", "writer_seq"}
_IDS = frozenset(name for name in _TEXTS if CONVERTERS.get(name) is to_id)
_ENUMS: dict[str, Mapping[str, Any]] = {
    "category": {member.value: member for member in Category},
    "severity": {member.value: member for member in Severity},
    "outcome": {member.value: member for member in Outcome},
}


class MappedEvents:
    """Makes events of the rows of one table.

    Args:
        names: of the columns, in the order of a row's values.
        covered: what the map's columns hold, or is kept nowhere.
        key: the columns of the primary key; their values are the id of an event that has none.
    """

    def __init__(
        self,
        table_map: TableMap,
        names: Sequence[str],
        kinds: Mapping[str, Kind],
        covered: set[str],
        key: Sequence[str],
    ) -> None:
        self._map = table_map
        self._names = list(names)
        self._uuids = [name for name in names if kinds[name].name == "uuid"]
        # Where an object is wanted its text is read with an eye on damage.
        self._json = [
            name
            for name in names
            if kinds[name].name == "json"
            and name != table_map.fold_into
            and not _wants_object(table_map.sources.get(name))
        ]
        self._covered = covered
        self._key = list(key)
        # A constant says nothing; of a function only the program knows what it means, so its value is shown as it is.
        self._readers = {
            name: read for name, source in table_map.sources.items() if (read := self._reader(name, source)) is not None
        }
        mapped = {name for name, source in table_map.sources.items() if isinstance(source, Constant)}
        self._unmapped = [name for name in names if name not in self._readers and name not in mapped | set(key)]

    def make(self, row: Sequence[Any]) -> AuditEvent:
        """Return the event that *row* is. Never raises on a value."""
        values = dict(zip(self._names, row, strict=True))
        for name in self._uuids:
            values[name] = uuid_text(values[name])
        for name in self._json:
            values[name] = _plain_json(values[name])
        making = _Making(self._map.fold_into, self._covered)
        for name, read in self._readers.items():
            if values[name] is not None:
                read(making, values[name])
        others = {name: plain_value(values[name]) for name in self._unmapped if values[name] is not None}
        if others:
            making.objects["metadata"][COLUMNS_KEY] = others
        if "id" not in making.fields:
            making.fields["id"] = ",".join(str(plain_value(values[name])) for name in self._key)
        return making.event()

    def _reader(self, name: str, source: Source) -> Callable[[_Making, Any], None] | None:
        """Return what takes the value of column *name*; nine cases."""
        if isinstance(source, Merge):
            return lambda making, value: making.take_object(name, source.paths[0], value)
        if name == self._map.fold_into and not isinstance(source, Field):
            return lambda making, value: making.take_object(name, "details", value)
        if isinstance(source, First):
            path, otherwise = source.paths[0], source.otherwise
            if "action" in source.paths[1:]:
                # Where there was nothing to describe it by, the action stands there itself.
                return lambda making, value: making.take_unless_action(name, path, value)
            return lambda making, value: None if value == otherwise else making.take(name, path, value)
        if not isinstance(source, Field):
            return None
        path = source.path
        if path in OBJECTS:
            return lambda making, value: making.take_object(name, path, value)
        if path == "event":
            return lambda making, value: making.take_event(name, value)
        if path == "family":
            return lambda making, value: None
        return lambda making, value: making.take(name, path, value)


class _Making:
    """An event on its way out of a row."""

    def __init__(self, fold_into: str | None, covered: set[str]) -> None:
        self.fields: dict[str, Any] = {}
        self.objects: dict[str, dict[str, Any]] = {name: {} for name in OBJECTS}
        self.damage = Damage()
        self._fold_into = fold_into
        self._covered = covered
        self._undescribed: tuple[str, Any] | None = None
        self._roughly: str | None = None

    def take(self, column: str, path: str, value: Any) -> None:
        """Take the value of *column* for *path*, which is a field, a view or a key of an object; eight cases."""
        head, _, key = path.partition(".")
        if head in OBJECTS:
            self.objects[head].setdefault(key, plain_value(value))
        elif path == "created_at":
            self._take_time(column, value)
        elif head == "created_at":
            self._take_epoch(column, value, 1000 if key == "epoch_ms" else 1)
        elif path == "success":
            self._roughly = "success" if _is_true(value) else "failure"
        elif path == "result":
            self._roughly = str(value)
        elif path == "tags":
            self.fields["tags"] = self.damage.tags(value)
        elif path in _IDS:
            self.fields[path] = normal_uuid(as_text(plain_value(value)))
        elif path in _TEXTS:
            self.fields[path] = as_text(plain_value(value))
        else:
            self._take_number(column, path, value)

    def take_unless_action(self, column: str, path: str, value: Any) -> None:
        """Take a text that may be but the action."""
        self._undescribed = (path, value)

    def take_object(self, column: str, path: str, value: Any) -> None:
        """Take an object, and out of it what was folded into it."""
        found = self.damage.json_object(column, value) or {}
        if column == self._fold_into:
            for key in [key for key in found if _FOLDED.get(key, key) in FIELDS and _FOLDED[key] not in self._covered]:
                self._take_folded(column, _FOLDED[key], found.pop(key))
        self.objects[path] = {**found, **self.objects[path]}

    def take_event(self, column: str, value: Any) -> None:
        """Take a whole event."""
        for name, part in (self.damage.json_object(column, value) or {}).items():
            if name in FIELDS and part is not None:
                self._take_folded(column, name, part)

    def _take_folded(self, column: str, name: str, value: Any) -> None:
        if name in OBJECTS:
            if isinstance(value, dict):
                self.objects[name] = {**value, **self.objects[name]}
            else:
                self.damage.add(f"{column}.{name}", value)
        elif value is not None:
            self.take(f"{column}.{name}", name, value)

    def _take_time(self, column: str, value: Any) -> None:
        if type(value) is date:
            value = datetime.combine(value, time())
        moment = self.damage.moment(column, value)
        if moment is not None:
            self.fields["created_at"] = moment

    def _take_epoch(self, column: str, value: Any, share: int) -> None:
        try:
            self.fields["created_at"] = datetime.fromtimestamp(float(value) / share, UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            self.damage.add(column, value)

    def _take_number(self, column: str, path: str, value: Any) -> None:
        try:
            self.fields[path] = float(value) if path == "duration_ms" else int(value)
        except (TypeError, ValueError, OverflowError):
            self.damage.add(column, value)

    def event(self) -> AuditEvent:
        """Return the event, with what the row leaves to be concluded from its action."""
        spelling = self.fields.get("action", "")
        term = term_of(spelling) if spelling else None
        if self._undescribed is not None and self._undescribed[1] != spelling:
            self.take("", *self._undescribed)
        if self._roughly is not None:
            # A column that tells fewer outcomes apart; where it was not exact, the JSON says more.
            self.fields.setdefault("outcome", self._roughly)
        outcome = self._member("outcome", self._implied(spelling))
        has_failed = outcome in FAILED
        severity = (term.severity_failed if has_failed else term.severity) if term is not None else Severity.LOW
        fields = {
            **self.fields,
            "action": term.name if term is not None else "unnamed",
            "outcome": outcome,
            "category": self._member("category", term.category if term is not None else Category.SYSTEM),
            "severity": self._member("severity", severity),
            "created_at": self.fields.get("created_at", EPOCH),
            "details": self.objects["details"],
            "metadata": self.objects["metadata"],
            "old_values": self.objects["old_values"] or None,
            "new_values": self.objects["new_values"] or None,
        }
        if term is not None and not leads_back(spelling, term.name, outcome):
            fields["metadata"] = {**self.objects["metadata"], SPELLING_KEY: spelling}
        return self.damage.mark(AuditEvent(**fields))

    def _implied(self, spelling: str) -> Outcome:
        term = term_of(spelling) if spelling else None
        if term is None:
            return Outcome.UNKNOWN
        if term.outcome is not None:
            return term.outcome
        success = self.objects["details"].get("success") if "success" not in self._covered else None
        if as_text(success) in ("true", "false"):
            return Outcome.SUCCESS if as_text(success) == "true" else Outcome.FAILURE
        return term.usual

    def _member(self, name: str, implied: Any) -> Any:
        said = self.fields.get(name)
        return implied if said is None else self.damage.member(name, said, _ENUMS[name], implied)


def time_of_row(path: str, value: Any) -> datetime | None:
    """Return the time that *value* is, of a column that is filled from *path*; None where it cannot be read."""
    making = _Making(None, set())
    if value is not None:
        making.take("", path, value)
    return making.fields.get("created_at")


def plain_value(value: Any) -> Any:
    """Return what a driver gave as JSON has it."""
    if isinstance(value, (str, int, float, bool, type(None), dict, list)):
        return value
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def uuid_text(value: Any) -> Any:
    """Return a UUID in its usual spelling, however its column keeps it; what is none as it is."""
    try:
        if isinstance(value, bytes):
            return str(uuid.UUID(bytes=value))
        return None if value is None else str(uuid.UUID(str(value)))
    except ValueError:
        return value


def _wants_object(source: Source | None) -> bool:
    return isinstance(source, Merge) or (isinstance(source, Field) and source.path in {*OBJECTS, "event"})


def _plain_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except (ValueError, RecursionError):
        return value


def _is_true(value: Any) -> bool:
    return value not in (0, "0", "f", "false", "no", b"\0", b"0")
