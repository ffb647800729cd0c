"""How a column is filled: with a field made to fit it, or with what is taken from elsewhere."""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from audit_async.errors import ConfigStoreError
from audit_async.events.event import SPELLING_KEY
from audit_async.inspection import InspectedColumn
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
from audit_async.table_map.kinds import Kind
from audit_async.table_map.source import FIELDS, Constant, Field, First, Function, Source, paths_of
from audit_async.table_map.values import RowInMaking, getter

Fill = Callable[[RowInMaking], Any]
Fit = Callable[[Sequence[RowInMaking], Sequence[Any]], Sequence[Any]]
"""What makes a field of several rows fit their column."""

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

EMPTY: dict[str, str | None] = {
    "details": "{}",
    "metadata": "{}",
    "tags": "[]",
    "old_values": None,
    "new_values": None,
}
_TEXT_FIELDS = frozenset(FIELDS) - {*EMPTY, "created_at", "status_code", "duration_ms", "writer_seq"}
_TEXTS = _TEXT_FIELDS | {"family", "result"}


def is_plain(path: str, kind: Kind) -> bool:
    """Return whether a column of *kind* takes the field *path* as it is, whatever its value."""
    if path == "status_code":
        # An odd number of bits is that of a column without negative numbers.
        return kind.name == "int" and kind.bits >= _STATUS_BITS and kind.bits % 2 == 0
    if path == "duration_ms":
        return kind.name == "float" and kind.bits == 64
    # The action may have another spelling.
    return kind.name == "text" and kind.chars is None and path in _TEXT_FIELDS - {"action"}


def _object_fit(path: str, kind: Kind, without: Without) -> Fit:
    """Return how an object's JSON is taken: its very text, unless there is something in it to leave out."""
    empty = EMPTY[path]
    write = adapter(kind) if kind.name == "json" else to_json
    left_out = [key for of, key in without if of == path] + ([SPELLING_KEY] if path == "metadata" else [])
    marks = [f'"{key}"' for key in left_out]
    as_text = _as_text if kind.form == "compact" else with_blanks

    def fit(rows: Sequence[RowInMaking], values: Sequence[Any]) -> Sequence[Any]:
        first = values[0]
        # Mostly none of them has any: to see that at once takes a fiftieth.
        if len(first) <= 2 and values.count(first) == len(values):
            return [empty] * len(values)
        texts = [empty if len(value) <= 2 else as_text(value) for value in values]
        for mark in marks:
            for place, text in enumerate(texts):
                if text and mark in text:
                    texts[place] = write(rows[place].object(path))
        return texts

    return fit


def _as_text(raw: bytes) -> str:
    return str(raw, "utf-8")


def object_fill(path: str, kind: Kind, without: Without) -> Fill:
    """Return how a column takes the object *path* as it is, where nothing is folded into it."""
    fit, get = _object_fit(path, kind, without), attrgetter(path)
    return lambda row: fit([row], [get(row.entry)])[0]


def fit_for(column: InspectedColumn, source: Field, kind: Kind, without: Without, *, is_key: bool) -> Fit | None:
    """Return how the field is made to fit *column*; None where it is no field of an entry, or a parsed one."""
    path = source.path
    if path in EMPTY:
        return _object_fit(path, kind, without) if kind.name in ("json", "text") and kind.chars is None else None
    if path not in FIELDS or path == "action":
        return None
    adapt, instead = adapter(kind), _instead(column, kind, path, is_key=is_key)
    chars = kind.chars if kind.name == "text" and path in _TEXTS else None
    can_be = is_number if kind.name == "int" and path in _TEXTS else None

    def fit(rows: Sequence[RowInMaking], values: Sequence[Any]) -> Sequence[Any]:
        if chars is not None and not [value for value in values if value and len(value) > chars]:
            return values
        fitted = list(values)
        for place, value in enumerate(values):
            if value is None:
                continue
            # Most ids are no numbers, and an exception takes as long as all else that is done with them.
            if can_be is not None and not can_be(value):
                rows[place].add_misfit(path, value)
                fitted[place] = None
                continue
            try:
                fitted[place] = adapt(value)
            except UnfitError as error:
                rows[place].add_misfit(path, value)
                fitted[place] = instead(value, error)
        return fitted

    return fit


def fill_for(column: InspectedColumn, source: Source, kind: Kind, *, is_key: bool, loose: frozenset[str]) -> Fill:
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
            row.add_misfit(path, value)
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
