"""Rows for a table that is mapped: every column's value taken, adapted to the column, and the rest folded."""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeGuard

from audit_async.diagnostics import report
from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError
from audit_async.events.event import SPELLING_KEY
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.adapters import (
    Adapter,
    TooLongError,
    UnfitError,
    adapter,
    is_number,
    to_json,
    to_text,
    with_blanks,
)
from audit_async.table_map.folding import Folding, fold, values_of
from audit_async.table_map.kinds import Kind, kind_of
from audit_async.table_map.layout import Row
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.source import FIELDS, Constant, Field, First, Function, Merge, Source, paths_of
from audit_async.table_map.values import RowInMaking, getter

Fill = Callable[[RowInMaking], Any]
Fit = Callable[[RowInMaking, Any], Any]

CUT = "…"
"""At the end of a text that was cut to fit its column."""

_ID_NAMESPACE = uuid.UUID("6b0f3f5e-8a53-5c0e-9a55-2f6d1f0a7c11")
"""For ids that are no UUIDs, where the column takes nothing else: one id always becomes the same UUID."""

_STATUS_BITS = 32
"""A status code has no more."""

_ROUNDED = 2**31
"""Numbers below are rounded where a column takes no fractions: it is not for us to make anything of larger ones."""

Without = tuple[tuple[str, str], ...]
"""Keys of objects that are left out."""

_EMPTY: dict[str, str | None] = {
    "details": "{}",
    "metadata": "{}",
    "tags": "[]",
    "old_values": None,
    "new_values": None,
}
_TEXT_FIELDS = frozenset(FIELDS) - {*_EMPTY, "created_at", "status_code", "duration_ms", "writer_seq"}
_TEXTS = _TEXT_FIELDS | {"family", "result"}


class MappedRows:
    """Makes the rows of one table.

    Attributes:
        columns: in the order of the rows' values: first those that take one field, got all at once: as it is, or
            fitted to the column. Then what is taken from elsewhere.

    Args:
        table_map: what goes where.
        found: the table as it is; it has every column of the map.
        key: the columns that a row is recognised by.
    """

    def __init__(self, table_map: TableMap, found: InspectedTable, key: tuple[str, ...]) -> None:
        self._spelling = table_map.spelling
        self._table = found.name
        self._without = tuple((of, key) for of, _, key in (path.partition(".") for path in table_map.left_out) if key)
        covered = covered_by(table_map)
        plain: dict[str, str] = {}
        otherwise: dict[str, Fill] = {}
        fitted: dict[str, tuple[str, Fit]] = {}
        filled: dict[str, Fill] = {}
        self._folds = False
        for name, source in table_map.sources.items():
            column = next(column for column in found.columns if column.name == name)
            kind = kind_of(column, found.dialect)
            if name == table_map.fold_into:
                self._folds = True
                self._base = getter(source, name)
                self._has_base = _has_content(paths_of(source)) if _is_objects(source) else _always
                self._as_it_is = _object_fill(source.path, kind, self._without) if _is_object(source) else None
                self._write = adapter(kind) if kind.name == "json" else to_json
            elif isinstance(source, Field) and _is_plain(source.path, kind):
                plain[name] = source.path
            elif (first := _first_of(table_map, name, kind)) is not None:
                plain[name], rest = first
                otherwise[name] = _fill(column, rest, kind, is_key=name in key, loose=frozenset())
            elif isinstance(source, Field) and (fit := _fit(column, source, kind, self._without, is_key=name in key)):
                fitted[name] = source.path, fit
            else:
                loose = loose_in(table_map, name)
                filled[name] = _fill(column, source, kind, is_key=name in key, loose=loose)
        self._get_fields = values_of([*plain.values(), *(path for path, _ in fitted.values())])
        self._otherwise = [(place, otherwise[name]) for place, name in enumerate(plain) if name in otherwise]
        self._fits = [(place, fit) for place, (_, fit) in enumerate(fitted.values(), len(plain))]
        self._fills = list(filled.values())
        folded = [table_map.fold_into] if table_map.fold_into and self._folds else []
        self.columns = (*plain, *fitted, *filled, *folded)
        self._folding = Folding(covered, is_terse=table_map.spelling is not None)
        self._has_action = "action" in covered

    def make(self, entry: Entry) -> Row:
        """Return the row of *entry*. Never raises on a value."""
        row = RowInMaking(entry, self._spelling, self._without)
        values = list(self._get_fields(entry))
        for place, fill in self._otherwise:
            if values[place] is None:
                values[place] = fill(row)
        for place, fit in self._fits:
            value = values[place]
            if value is not None:
                values[place] = fit(row, value)
        values += [fill(row) for fill in self._fills]
        if self._folds:
            values.append(self._folded(row))
        elif row.misfits:
            self._tell(row)
        return tuple(values)

    def _folded(self, row: RowInMaking) -> Any:
        spelling = row.spelling if self._has_action else ""
        if self._as_it_is is not None and not row.misfits and self._folding.is_empty(row.entry, spelling):
            return self._as_it_is(row)
        own = dict(self._base(row) or {}) if self._has_base(row.entry) else {}
        target = self._folding.folded(row.entry, spelling, own)
        for path, value in row.misfits:
            fold(target, "event_id" if path == "id" else path, value)
        return self._write(target)

    def _tell(self, row: RowInMaking) -> None:
        paths = ", ".join(dict.fromkeys(path for path, _ in row.misfits))
        report(
            f"misfit_{self._table}",
            f"table {self._table} has no room for the {paths} of an event, and no JSON column for what does not fit: "
            "it is cut or left out. `audit-async map check` says more",
        )


def covered_by(table_map: TableMap) -> set[str]:
    """Return the paths that columns hold, as far as can be said before there is an event, or that are kept nowhere."""
    covered = {path for source in table_map.sources.values() for path in paths_of(source)} | set(table_map.left_out)
    if "event" in covered:
        covered |= set(FIELDS)
    if any(path.startswith("created_at.") for path in covered):
        covered.add("created_at")
    return covered


def loose_in(table_map: TableMap, column: str) -> frozenset[str]:
    """Return the fields that *column* takes one of, and that no other column holds."""
    source = table_map.sources[column]
    if not isinstance(source, First) or len(source.paths) < 2:
        return frozenset()
    others = {name: s for name, s in table_map.sources.items() if name != column}
    held = {path for s in others.values() for path in (s.paths[:1] if isinstance(s, First) else paths_of(s))}
    return (frozenset(source.paths) & frozenset(FIELDS)) - held - set(table_map.left_out)


def _is_plain(path: str, kind: Kind) -> bool:
    """Return whether a column of *kind* takes the field *path* as it is, whatever its value."""
    if path == "status_code":
        return kind.name == "int" and kind.bits >= _STATUS_BITS
    if path == "duration_ms":
        return kind.name == "float" and kind.bits == 64
    # The action may have another spelling.
    return kind.name == "text" and kind.chars is None and path in _TEXT_FIELDS - {"action"}


def _first_of(table_map: TableMap, name: str, kind: Kind) -> tuple[str, First] | None:
    """Return the field that column *name* takes as it is, and what else it takes where there is none; or None."""
    source = table_map.sources[name]
    if not isinstance(source, First) or not _is_plain(source.paths[0], kind):
        return None
    path, *others = source.paths
    # Those that nothing else holds have to be looked at, lest they are lost.
    return None if loose_in(table_map, name).intersection(others) else (path, First(tuple(others), source.otherwise))


def _has_content(paths: tuple[str, ...]) -> Callable[[Entry], bool]:
    """Return what says whether the objects *paths* hold anything; to parse nothing would take a while."""
    if len(paths) == 1:
        get = attrgetter(*paths)
        return lambda entry: len(get(entry)) > 2
    get_all = values_of(paths)
    return lambda entry: max(map(len, get_all(entry))) > 2


def _always(entry: Entry) -> bool:
    return True


def _is_objects(source: Source) -> bool:
    return isinstance(source, (Field, Merge)) and all(path in _EMPTY for path in paths_of(source))


def _is_object(source: Source) -> TypeGuard[Field]:
    return isinstance(source, Field) and source.path in _EMPTY


def _object_fit(path: str, kind: Kind, without: Without) -> Fit:
    """Return how an object's JSON is taken: its very text, unless there is something in it to leave out."""
    empty = _EMPTY[path]
    write = adapter(kind) if kind.name == "json" else to_json
    left_out = [key for of, key in without if of == path] + ([SPELLING_KEY] if path == "metadata" else [])
    marks = [f'"{key}"' for key in left_out]
    as_text = _as_text if kind.form == "compact" else with_blanks

    def fit(row: RowInMaking, value: Any) -> Any:
        if len(value) <= 2:
            return empty
        text = as_text(value)
        for mark in marks:
            if mark in text:
                return write(row.object(path))
        return text

    return fit


def _as_text(raw: bytes) -> str:
    return str(raw, "utf-8")


def _object_fill(path: str, kind: Kind, without: Without) -> Fill:
    fit, get = _object_fit(path, kind, without), attrgetter(path)
    return lambda row: fit(row, get(row.entry))


def _fit(column: InspectedColumn, source: Field, kind: Kind, without: Without, *, is_key: bool) -> Fit | None:
    """Return how the field is made to fit *column*; None where it is no field of an entry, or a parsed one."""
    path = source.path
    if path in _EMPTY:
        return _object_fit(path, kind, without) if kind.name in ("json", "text") and kind.chars is None else None
    if path not in FIELDS or path == "action":
        return None
    adapt, instead = adapter(kind), _instead(column, kind, path, is_key=is_key)
    can_be = is_number if kind.name == "int" and path in _TEXTS else None

    def fit(row: RowInMaking, value: Any) -> Any:
        # Most ids are no numbers, and an exception takes as long as all else that is done with them.
        if can_be is not None and not can_be(value):
            row.misfits.append((path, value))
            return None
        try:
            return adapt(value)
        except UnfitError as error:
            row.misfits.append((path, value))
            return instead(value, error)

    return fit


def _fill(column: InspectedColumn, source: Source, kind: Kind, *, is_key: bool, loose: frozenset[str]) -> Fill:
    """Return how *column* is filled."""
    adapt, get = adapter(kind), getter(source, column.name, loose)
    # What a column of an unknown type takes only the program can know.
    adapt_own = _as_it_is if kind.name == "other" else adapt
    if isinstance(source, Constant):
        value = constant(column, source.value, adapt_own)
        return lambda row: value
    if isinstance(source, Function):
        adapt = adapt_own
    otherwise = constant(column, source.otherwise, adapt_own) if isinstance(source, First) else None
    if kind.name == "bool" and source == Field("success"):
        return get
    if kind.name == "text" and kind.chars is None and _is_text(source):
        return get if otherwise is None else lambda row: otherwise if (value := get(row)) is None else value
    paths = {path: getter(Field(path), column.name) for path in paths_of(source)}
    instead = {path: _instead(column, kind, path, is_key=is_key) for path in paths or (column.name,)}

    def fill(row: RowInMaking) -> Any:
        value = get(row)
        if value is None:
            return otherwise
        try:
            return adapt(value)
        except UnfitError as error:
            # Of several it is the one that was taken which does not fit.
            path = next((path for path, each in paths.items() if each(row) is not None), column.name)
            row.misfits.append((path, value))
            found = instead[path](value, error) if path in instead else None
            return otherwise if found is None else found

    return fill


def _as_it_is(value: Any) -> Any:
    return value


def constant(column: InspectedColumn, value: Any, adapt: Adapter) -> Any:
    """Return *value* as the column takes it.

    Raises:
        ConfigStoreError: it does not.
    """
    if value is None:
        return None
    try:
        return adapt(value)
    except UnfitError:
        raise ConfigStoreError(
            f"column {column.name} ({column.type}) does not take the constant {value!r}",
            hint="give another one in the map",
        ) from None


def _is_text(source: Source) -> bool:
    """Return whether *source* yields nothing but texts."""
    return isinstance(source, (Field, First)) and all(path in _TEXTS for path in paths_of(source))


def _instead(column: InspectedColumn, kind: Kind, path: str, *, is_key: bool) -> Callable[[Any, UnfitError], Any]:
    """Return what a column gets in the place of a value that does not fit it; five cases."""
    if is_key and kind.name == "uuid":
        adapt = adapter(kind)
        return lambda value, error: adapt(str(uuid.uuid5(_ID_NAMESPACE, to_text(value))))
    if is_key and kind.name == "text":
        return lambda value, error: hashlib.sha256(to_text(value).encode()).hexdigest()[: kind.chars]
    if kind.name == "text" and kind.chars is not None and not (is_whole_or_nothing(path) and column.is_nullable):
        chars = kind.chars
        return lambda value, error: f"{to_text(value)[: chars - 1]}{CUT}" if isinstance(error, TooLongError) else None
    if kind.name == "int":
        # Half a millisecond more or less is no reason to lose the rest.
        return functools.partial(_rounded, adapter(kind))
    return lambda value, error: None


def _rounded(adapt: Adapter, value: Any, _: UnfitError) -> Any:
    if not isinstance(value, float) or not abs(value) < _ROUNDED:
        return None
    try:
        return adapt(round(value))
    except UnfitError:
        return None


def is_whole_or_nothing(path: str) -> bool:
    """Return whether half of a value is another value: an id, or an address."""
    return path == "id" or path.endswith("_id") or path == "ip_address"
