"""Any value in, plain JSON out: never an exception, never a reference to what the caller holds.

What cannot be kept as it is becomes a marker that can be seen in the row, an object with one key that begins
with `$`: `$truncated` (with length and SHA-256), `$bytes`, `$int`, `$cycle`, `$depth`, `$items`, `$type`. No code
of an unknown type is called: its `repr` may sleep, raise, or load a row over a closed connection. Of a subclass of a
built-in type the built-in's own methods are called, since its own may lie.
"""

from __future__ import annotations

import base64
import decimal
import enum
import fractions
import hashlib
import ipaddress
import itertools
import math
import pathlib
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from types import NoneType
from typing import Any

import msgspec

from audit_async.config import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    MAX_HASHED_BYTES,
    MAX_INT_BITS,
    MAX_ITEMS,
    MAX_KEY_CHARS,
    MAX_STRING_CHARS,
)
from audit_async.shapes import fields_of, has_fields, is_object, mapped_state, own_module, own_name, pass_on, type_name
from audit_async.text import clean_text, short_text, truncated

_WORTH = MAX_EVENT_BYTES
"""Of one value, in characters of JSON: one that is worth more cannot fit into an event, so that the rest of it need
not be walked. Keeps sixteen lists, each holding the next a thousand times, from taking for ever."""

_WORTH_COUNTING_CHARS = 64
_DECIMAL_BITS = 2048  # 617 digits: below the lowest limit (640) that an interpreter can set for printing them
_LARGEST_INT = 2**MAX_INT_BITS - 1
_SMALLEST_INT = -(2**MAX_INT_BITS)
_UNCHANGED = frozenset({bool, NoneType})
_NUMBERS = frozenset({int, float})
_STR_ONLY = frozenset({str})
_LISTS: tuple[Any, ...] = (list, tuple, deque, range, type({}.keys()), type({}.values()), type({}.items()))
_TAKEN_AS_TEXT = (
    uuid.UUID,
    pathlib.PurePath,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    fractions.Fraction,
    complex,
)
_FOREIGN_TEXT = frozenset(
    {
        ("uuid_utils", "UUID"),
        ("bson", "ObjectId"),
        ("ulid", "ULID"),
        ("yarl", "URL"),
        ("django", "__proxy__"),
    }
)
"""Types of well-known packages whose `str` is their value: first part of the module's name, name."""


class _Walk:
    """What one value may still cost, and the containers that the walk is inside of."""

    worth = _WORTH
    hashable = MAX_HASHED_BYTES
    above: tuple[int, ...] = ()


def plain(value: object) -> Any:
    """Return *value* as new plain JSON data: dict, list, str, int, float, bool or None."""
    return _plain(value, _Walk(), 0)


def plain_object(value: object) -> dict[str, Any]:
    """Return *value* as a new JSON object. What is no mapping comes under the key `value`; None is empty."""
    if value is None:
        return {}
    walk = _Walk()
    if type(value) is dict:
        walk.above = (id(value),)
        return _dict(value, walk, 1)
    result = _plain(value, walk, 0)
    return result if type(result) is dict and is_object(value) else {"value": result}


def plain_text(value: object) -> str:
    """Return *value* as one clean text: of an enum its value, of a container its JSON."""
    result = _plain(value, _Walk(), 0)
    return result if isinstance(result, str) else msgspec.json.encode(result).decode()


def is_true(value: object) -> bool:
    """Return whether *value* counts as true; one that cannot say does."""
    try:
        return True if value else False  # noqa: SIM210 -- `bool` would be no safer, and this is what a caller writes
    except BaseException as error:
        pass_on(error)
        return True


def _plain(value: Any, walk: _Walk, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value, walk)
    if kind in _UNCHANGED:
        return value
    if kind is int:
        return value if _SMALLEST_INT <= value <= _LARGEST_INT else _large_int(value)
    if kind is float:
        return _number(value)
    try:
        return _guarded(value, kind, walk, depth)
    except BaseException as error:
        pass_on(error)
        return {"$type": type_name(value)}


def _guarded(value: Any, kind: type, walk: _Walk, depth: int) -> Any:
    if kind is not dict and not issubclass(kind, (dict, set, frozenset, *_LISTS)):
        mapped = mapped_state(value)
        if mapped is not None:
            # A mapped instance: its identity only, since reading an attribute may ask the database.
            return {"$type": type_name(value), "identity": _plain(mapped.identity, walk, depth + 1)}
        if not issubclass(kind, Mapping) and not has_fields(kind):
            return _scalar(value, kind, walk, depth)
    if depth >= MAX_DEPTH:
        return {"$depth": MAX_DEPTH}
    if id(value) in walk.above:
        return {"$cycle": type_name(value)}
    above = walk.above
    walk.above = (*above, id(value))
    try:
        return _container(value, kind, walk, depth + 1)
    finally:
        walk.above = above


def _container(value: Any, kind: type, walk: _Walk, depth: int) -> Any:
    if issubclass(kind, dict):
        return _dict(value, walk, depth)
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        if type(names) is tuple and len(names) == tuple.__len__(value):
            return _object(list(zip(names, tuple.__iter__(value), strict=True)), len(names), walk, depth)
    for built_in in _LISTS:
        if issubclass(kind, built_in):
            return _list(*_snapshot(built_in, value), walk, depth)
    for built_in in (set, frozenset):
        if issubclass(kind, built_in):
            return _set(*_snapshot(built_in, value), walk, depth)
    if issubclass(kind, Mapping):
        return _mapping(value, walk, depth)
    pairs = fields_of(value, kind)
    return _object(pairs, len(pairs), walk, depth)


def _dict(value: dict[Any, Any], walk: _Walk, depth: int) -> dict[str, Any]:
    count = dict.__len__(value)
    if walk.worth < 0:
        return {"$items": count}
    if type(value) is not dict or count > MAX_ITEMS:
        return _object(list(itertools.islice(dict.items(value), MAX_ITEMS)), count, walk, depth)
    # The copy is ours before anything else can run, so that no other thread changes it under the loop.
    result = value.copy()
    if result and not _are_plain_keys(result):
        return _object(list(result.items()), count, walk, depth)
    walk.worth -= 2 * count
    for key, item in result.items():
        kind = type(item)
        if kind is str:
            if len(item) <= _WORTH_COUNTING_CHARS and item.isascii() and "\0" not in item:
                continue
        elif kind in _UNCHANGED or (kind in _NUMBERS and item and _SMALLEST_INT <= item <= _LARGEST_INT):
            continue
        result[key] = _plain(item, walk, depth)
    return result


def _are_plain_keys(found: dict[Any, Any]) -> bool:
    if not _STR_ONLY.issuperset(map(type, found)):
        return False
    text = "".join(found)
    return text.isascii() and "\0" not in text and (len(text) <= MAX_KEY_CHARS or max(map(len, found)) <= MAX_KEY_CHARS)


def _mapping(value: Mapping[Any, Any], walk: _Walk, depth: int) -> dict[str, Any]:
    # Another thread may change the mapping while it is read; three attempts, then it is said.
    for _ in range(3):
        try:
            pairs = [(key, item) for key, item in itertools.islice(value.items(), MAX_ITEMS + 1)]
            count = len(value) if len(pairs) > MAX_ITEMS else len(pairs)
            break
        except RuntimeError:
            continue
    else:
        return {"$type": type_name(value)}
    return _object(pairs[:MAX_ITEMS], count, walk, depth)


def _object(pairs: Iterable[tuple[Any, Any]], count: int, walk: _Walk, depth: int) -> dict[str, Any]:
    if walk.worth < 0:
        return {"$items": count}
    result: dict[str, Any] = {}
    taken: dict[str, int] = {}
    for key, item in pairs:
        result[_unused(_key(key, walk, depth), result, taken)] = _plain(item, walk, depth)
        walk.worth -= 2
    if count > MAX_ITEMS:
        result[_unused("$items", result, taken)] = count
    return result


def _unused(name: str, result: dict[str, Any], taken: dict[str, int]) -> str:
    """Return *name*, or the first of `name#2`, `name#3`, ... that *result* does not have."""
    if name not in result:
        return name
    number = taken.get(name, 1) + 1
    while f"{name}#{number}" in result:
        number += 1
    taken[name] = number
    return f"{name}#{number}"


def _snapshot(built_in: Any, value: Any) -> tuple[list[Any], int]:
    """Return the first items of *value* and how many it has. No code of the caller runs in between."""
    return list(itertools.islice(built_in.__iter__(value), MAX_ITEMS)), built_in.__len__(value)


def _list(items: list[Any], count: int, walk: _Walk, depth: int) -> Any:
    if walk.worth < 0:
        return {"$items": count}
    walk.worth -= 2 * len(items)
    result = [_plain(item, walk, depth) for item in items]
    if count > MAX_ITEMS:
        result.append({"$items": count})
    return result


def _set(items: list[Any], count: int, walk: _Walk, depth: int) -> Any:
    result = _list(items, len(items), walk, depth)
    if type(result) is not list:
        return {"$items": count}
    result.sort(key=msgspec.json.encode)
    if count > MAX_ITEMS:
        result.append({"$items": count})
    return result


def _key(key: Any, walk: _Walk, depth: int) -> str:
    if type(key) is str:
        return short_text(key, MAX_KEY_CHARS)
    name = _plain(key, walk, depth)
    return short_text(name if type(name) is str else msgspec.json.encode(name).decode(), MAX_KEY_CHARS)


def _scalar(value: Any, kind: type, walk: _Walk, depth: int) -> Any:
    if issubclass(kind, enum.Enum):
        return _plain(value._value_, walk, depth + 1) if depth < MAX_DEPTH else {"$depth": MAX_DEPTH}
    if issubclass(kind, str):
        return _text(str.__str__(value), walk)
    if issubclass(kind, int):
        return _plain(int.__int__(value), walk, depth)
    if issubclass(kind, float):
        return _number(float.__float__(value))
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _bytes(value, kind, walk)
    for moment in (datetime, date, time):
        if issubclass(kind, moment):
            return moment.isoformat(value)
    if issubclass(kind, timedelta):
        return msgspec.to_builtins(timedelta.__pos__(value))
    if issubclass(kind, decimal.Decimal):
        return _text(decimal.Decimal.__str__(value), walk)
    if issubclass(kind, BaseException):
        return _error(value)
    if issubclass(kind, _TAKEN_AS_TEXT) or (own_module(kind).partition(".")[0], own_name(kind)) in _FOREIGN_TEXT:
        return _text(_str(value), walk)
    return _foreign(value, kind, walk, depth)


def _foreign(value: Any, kind: type, walk: _Walk, depth: int) -> Any:
    """Recognise types of well-known packages by their shape, without importing these."""
    if hasattr(kind, "get_secret_value"):
        return "[redacted]"
    if own_module(kind) == "numpy" and getattr(value, "ndim", None) == 0 and depth < MAX_DEPTH:
        return _plain(value.item(), walk, depth + 1)
    return {"$type": type_name(value)}


def _text(text: str, walk: _Walk) -> Any:
    length = len(text)
    if length > _WORTH_COUNTING_CHARS:
        walk.worth -= min(length, MAX_STRING_CHARS)
        if length > MAX_STRING_CHARS or walk.worth < 0:
            return _cut_string(text, walk)
    return clean_text(text)


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value + 0.0  # -0.0 becomes 0.0
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _large_int(value: int) -> dict[str, Any]:
    bits = value.bit_length()
    return {"$int": {"bits": bits} if bits > _DECIMAL_BITS else str(value)}


def _bytes(value: Any, kind: type, walk: _Walk) -> dict[str, Any]:
    if issubclass(kind, bytearray):
        # A view of it would forbid its owner to resize it meanwhile.
        length = bytearray.__len__(value)
        view = memoryview(bytes(bytearray.__getitem__(value, slice(MAX_HASHED_BYTES))))
    else:
        view = memoryview(value).cast("B")
        length = len(view)
    kept = bytes(view[: MAX_STRING_CHARS // 2 if walk.worth >= 0 else 0])
    walk.worth -= len(kept)
    marker: dict[str, Any] = {"$bytes": base64.b64encode(kept).decode(), "length": length}
    if len(kept) < length:
        hashed = view[: max(walk.hashable, 0)]
        walk.hashable -= len(hashed)
        marker["sha256"] = hashlib.sha256(hashed).hexdigest()
        if len(hashed) < length:
            marker["hashed"] = len(hashed)
    return marker


def _error(error: BaseException) -> dict[str, Any]:
    try:
        text = _str(error)
    except BaseException as fault:
        pass_on(fault)
        text = "its text cannot be read"
    return {"$type": type_name(error), "message": short_text(text, MAX_STRING_CHARS)}


def _str(value: object) -> str:
    return str.__str__(str(value))  # `str` may give a subclass of itself


def _cut_string(text: str, walk: _Walk) -> dict[str, Any]:
    cut = truncated(text, walk.hashable)
    walk.hashable -= min(len(text), walk.hashable)
    return {"$truncated": cut, "text": clean_text(text[: MAX_STRING_CHARS if walk.worth >= 0 else 0])}
