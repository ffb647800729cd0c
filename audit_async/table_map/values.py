"""The values of an entry that a column can be filled from, each taken once for a row."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from audit_async.config import CONTEXT_SPELLINGS
from audit_async.diagnostics import describe, report
from audit_async.entry import Entry, as_object
from audit_async.events.dialects import spell
from audit_async.events.event import SPELLING_KEY, AuditEvent
from audit_async.events.vocabulary import Outcome, family_of
from audit_async.table_map.folding import fold
from audit_async.table_map.source import OBJECTS, Constant, Field, First, Function, Merge, Source
from audit_async.values import plain

Getter = Callable[["RowInMaking"], Any]


class RowInMaking:
    """An entry on its way into a row.

    Attributes:
        spelling: of the action, in this table.
        misfits: values that did not fit their column, by path.
    """

    __slots__ = ("_event", "_objects", "entry", "misfits", "spelling", "without")

    def __init__(self, entry: Entry, dialect: str | None, without: tuple[tuple[str, str], ...]) -> None:
        self.entry = entry
        self.without = without
        self.spelling = entry.action if dialect is None else _spelling(entry, dialect)
        # Most rows need neither a list nor a dictionary, which Python's collector would count.
        self.misfits: tuple[tuple[str, Any], ...] = ()
        self._objects: dict[str, Any] | None = None
        self._event: AuditEvent | None = None

    def object(self, name: str) -> Any:
        """Return the JSON of the field *name*, parsed, without what the map leaves out; None where there is none."""
        if self._objects is None:
            self._objects = {}
        if name not in self._objects:
            raw = getattr(self.entry, name)
            found = msgspec.json.decode(raw) if len(raw) else None
            if isinstance(found, dict):
                if name == "metadata":
                    found.pop(SPELLING_KEY, None)
                for of, key in self.without:
                    if of == name:
                        found.pop(key, None)
            self._objects[name] = found
        return self._objects[name]

    def add_misfit(self, path: str, value: Any) -> None:
        """Note that *value*, which *path* leads to, did not fit its column."""
        self.misfits = (*self.misfits, (path, value))

    @property
    def event(self) -> AuditEvent:
        """The entry as the event that it was."""
        if self._event is None:
            self._event = self.entry.event()
        return self._event


def _spelling(entry: Entry, dialect: str) -> str:
    return _spell(entry.action, entry.outcome, dialect, _given(entry) if len(entry.metadata) > 2 else None)


def _given(entry: Entry) -> str | None:
    given = entry.objects("metadata").get(SPELLING_KEY)
    # Anything else than a text need not even be hashable.
    return given if type(given) is str else None


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def _spell(action: str, outcome: str, dialect: str, given: str | None) -> str:
    return spell(action, Outcome(outcome), dialect, given)


_RESULTS = {"success": "success", "partial": "partial"}
_VIEWS: dict[str, Getter] = {
    "success": lambda row: row.entry.outcome == "success",
    "result": lambda row: _RESULTS.get(row.entry.outcome, "failure"),
    "family": lambda row: family_of(row.entry.action),
    "event": lambda row: row.event.to_dict(),
    "created_at.epoch": lambda row: row.entry.created_at.timestamp(),
    "created_at.epoch_ms": lambda row: int(row.entry.created_at.timestamp() * 1000),
    "action": attrgetter("spelling"),
    "tags": lambda row: row.object("tags"),
}


def getter(source: Source, column: str, loose: frozenset[str] = frozenset()) -> Getter:
    """Return how the value for *column* is got; None where there is none.

    Args:
        loose: fields that nothing else holds: of several that are set, those not taken are misfits.
    """
    if isinstance(source, Field):
        return _of_path(source.path)
    if isinstance(source, First):
        return _first(source, loose)
    if isinstance(source, Merge):
        return lambda row: _merged(row, source.paths)
    if isinstance(source, Function):
        return _called(source, column)
    return _always(source)


def _always(source: Constant) -> Getter:
    return lambda row: source.value


def _of_path(path: str) -> Getter:
    if path in _VIEWS:
        return _VIEWS[path]
    if path in OBJECTS:
        return lambda row: row.object(path)
    head, _, rest = path.partition(".")
    if rest:
        return lambda row: _dig(row.object(head), rest)
    get: Getter = attrgetter(f"entry.{path}")
    return get


def _dig(found: Any, path: str) -> Any:
    """Return what is under *path*: a key that has its dots itself, or keys within objects."""
    if not isinstance(found, dict):
        return None
    if path in found:
        return found[path]
    key, _, rest = path.partition(".")
    return _dig(found.get(key), rest) if rest else None


def _first(source: First, loose: frozenset[str]) -> Getter:
    getters = [(path, _of_path(path), path in loose) for path in source.paths]
    if not any(is_loose for _, _, is_loose in getters[1:]):
        each = tuple(get for _, get, _ in getters)

        def get_first(row: RowInMaking) -> Any:
            for get in each:
                if (value := get(row)) is not None:
                    return value
            return None

        return get_first

    def get(row: RowInMaking) -> Any:
        chosen = None
        for path, each, is_loose in getters:
            value = each(row)
            if value is None:
                continue
            if chosen is None:
                chosen = value
            elif is_loose and value != chosen:
                row.add_misfit(path, value)
        return chosen

    return get


def _merged(row: RowInMaking, paths: tuple[str, ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in paths:
        for key, value in as_object(row.object(path)).items():
            fold(merged, key, value)
    return merged


_AS_THEY_ARE = frozenset({bool, float, Decimal, uuid.UUID, bytes, datetime, date, time, timedelta, type(None)})
"""Types of what a function returns that an adapter, or a driver, knows. Any other value becomes plain JSON data."""


def _called(source: Function, column: str) -> Getter:
    def get(row: RowInMaking) -> Any:
        try:
            value = source.call(row.event)
            return value if type(value) in _AS_THEY_ARE else plain(value)
        except (Exception, SystemExit, GeneratorExit, asyncio.CancelledError) as error:
            report(
                f"map_function_{column}",
                f"the function that fills column {column} failed on an event, whose column is left empty: "
                f"{describe(error)}",
            )
            return None

    return get
