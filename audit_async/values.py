"""Any value in, plain JSON out: never an exception, never a reference to what the caller holds.

What cannot be kept as it is becomes a marker that can be seen in the row, an object with one key that begins
with `$`: `$truncated` (with length and SHA-256), `$bytes`, `$int`, `$cycle`, `$depth`, `$items`, `$type`. No code
of an unknown type is called: its `repr` may sleep, raise, or load a row over a closed connection. Of a subclass of a
built-in type the built-in's own methods are called, since its own may lie.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import msgspec

from audit_async.config import ITEM_CHARS, MAX_CAUSES, MAX_DEPTH, MAX_ITEMS, MAX_KEY_CHARS, MAX_STRING_CHARS
from audit_async.foreign import array_of, is_live, is_numpy_scalar, pairs_of
from audit_async.plain_copy import copy_of_plain
from audit_async.scalars import (
    LARGEST_INT,
    PLAIN_SCALARS,
    SMALLEST_INT,
    WORTH_COUNTING_CHARS,
    Walk,
    integer,
    number,
    scalar,
    text,
)
from audit_async.shapes import (
    causes_of,
    error_text,
    fields_of,
    frames_of,
    has_fields,
    is_mapping,
    is_object,
    mapped_state,
    members_of,
    pass_on,
    type_name,
)
from audit_async.text import ends_of_text, short_text, text_of_bytes, unused_name

_STR_ONLY = frozenset({str})
_LISTS: tuple[Any, ...] = (list, tuple, deque, range, type({}.keys()), type({}.values()), type({}.items()))
_ATTEMPTS = 3
_FIRST = slice(MAX_ITEMS)


def plain(value: object) -> Any:
    """Return *value* as new plain JSON data: dict, list, str, int, float, bool or None."""
    return _plain(value, Walk(), 0)


def plain_object(value: object) -> dict[str, Any]:
    """Return *value* as a new JSON object. What is no mapping comes under the key `value`; None is empty."""
    if value is None:
        return {}
    if type(value) is dict and (copy := copy_of_plain(value)) is not None:
        return copy
    walk = Walk()
    if type(value) is dict:
        walk.above = (id(value),)
        return _dict(value, walk, 1)
    result = _plain(value, walk, 0)
    return result if type(result) is dict and is_object(value) else {"value": result}


def plain_text(value: object) -> str:
    """Return *value* as one clean text: of an enum its value, of a container its JSON."""
    result = _plain(value, Walk(), 0)
    return result if isinstance(result, str) else msgspec.json.encode(result).decode()


def is_true(value: object) -> bool:
    """Return whether *value* counts as true; one that cannot say does."""
    try:
        return True if value else False  # noqa: SIM210 -- `bool` would be no safer, and this is what a caller writes
    except BaseException as error:
        pass_on(error)
        return True


def _plain(value: Any, walk: Walk, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return text(value, walk)
    # Asked by identity: to look a type up in a set is to call its hash, which a metaclass may have taken away.
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if SMALLEST_INT <= value <= LARGEST_INT else integer(value, walk)
    if kind is float:
        return number(value)
    try:
        if kind is dict or kind is list:
            return _inside(value, kind, walk, depth)
        if kind in PLAIN_SCALARS:
            found = scalar(value, kind, walk)
            return {"$type": type_name(value)} if found is None else found
        return _guarded(value, kind, walk, depth)
    except BaseException as error:
        pass_on(error)
        return {"$type": type_name(value)}


def _guarded(value: Any, kind: type, walk: Walk, depth: int) -> Any:
    if not issubclass(kind, (dict, set, frozenset, *_LISTS)):
        mapped = mapped_state(value)
        if mapped is not None:
            # A mapped instance: its identity only, since reading an attribute may ask the database.
            return {"$type": type_name(value), "identity": _plain(mapped.identity, walk, depth + 1)}
        if not is_mapping(kind) and not has_fields(kind):
            return _single(value, kind, walk, depth)
    return _inside(value, kind, walk, depth)


def _inside(value: Any, kind: type, walk: Walk, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return {"$depth": MAX_DEPTH}
    if id(value) in walk.above:
        return {"$cycle": type_name(value)}
    above = walk.above
    walk.above = (*above, id(value))
    try:
        return _dict(value, walk, depth + 1) if kind is dict else _container(value, kind, walk, depth + 1)
    finally:
        walk.above = above


def _container(value: Any, kind: type, walk: Walk, depth: int) -> Any:
    if issubclass(kind, dict):
        return _dict(value, walk, depth)
    if kind is not list and issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        if type(names) is tuple and len(names) == tuple.__len__(value):
            return _object(list(zip(names, tuple.__iter__(value), strict=True)), len(names), walk, depth)
    for built_in in _LISTS:
        if issubclass(kind, built_in):
            items, count = _snapshot(built_in, value)
            if count == 2 and type(items[0]) is bytes:
                items[0] = _name(items[0])
            return _list(items, count, walk, depth)
    for built_in in (set, frozenset):
        if issubclass(kind, built_in):
            return _set(*_snapshot(built_in, value), walk, depth)
    if walk.worth < 0 or (is_mapping(kind) and is_live(kind)):
        return {"$type": type_name(value)}
    if is_mapping(kind):
        pairs, count = _attempted(lambda: pairs_of(value))
        return _object(pairs, count, walk, depth)
    pairs = fields_of(value, kind)
    return _object(pairs, len(pairs), walk, depth)


def _dict(value: dict[Any, Any], walk: Walk, depth: int) -> dict[str, Any]:
    count = dict.__len__(value)
    if walk.worth < 0:
        return {"$items": count}
    if type(value) is not dict or count > MAX_ITEMS:
        try:
            pairs = _attempted(lambda: list(itertools.islice(dict.items(value), MAX_ITEMS)))
        except RuntimeError:
            return {"$type": type_name(value)}
        return _object(pairs, count, walk, depth)
    # The copy is ours before anything else can run, so that no other thread changes it under the loop.
    result = value.copy()
    if result and not _are_plain_keys(result):
        return _object(list(result.items()), count, walk, depth)
    walk.worth -= ITEM_CHARS * count
    _clean(result, result.items(), walk, depth)
    return result


def _clean(result: Any, pairs: Iterable[tuple[Any, Any]], walk: Walk, depth: int) -> None:
    """Make plain what is not in *result*, a copy of ours that *pairs* come from."""
    for key, item in pairs:
        kind = type(item)
        if kind is str:
            if len(item) <= WORTH_COUNTING_CHARS and item.isascii() and "\0" not in item:
                continue
        elif (
            kind is bool
            or item is None
            or ((kind is int or kind is float) and item and SMALLEST_INT <= item <= LARGEST_INT)
        ):
            continue
        result[key] = _plain(item, walk, depth)


def _are_plain_keys(found: dict[Any, Any]) -> bool:
    if not _STR_ONLY.issuperset(map(type, found)):
        return False
    joined = "".join(found)
    return (
        joined.isascii()
        and "\0" not in joined
        and (len(joined) <= MAX_KEY_CHARS or max(map(len, found)) <= MAX_KEY_CHARS)
    )


def _object(pairs: Iterable[tuple[Any, Any]], count: int, walk: Walk, depth: int) -> dict[str, Any]:
    if walk.worth < 0:
        return {"$items": count}
    result: dict[str, Any] = {}
    taken: dict[str, int] = {}
    for key, item in pairs:
        result[unused_name(_key(key, walk, depth), result, taken)] = _plain(item, walk, depth)
        walk.worth -= ITEM_CHARS
    if count > MAX_ITEMS:
        result[unused_name("$items", result, taken)] = count
    return result


def _snapshot(built_in: Any, value: Any) -> tuple[list[Any], int]:
    """Return the first items of *value* and how many it has. No code of the caller runs in between."""
    if built_in is list or built_in is tuple:  # which no change makes raise
        return list(built_in.__getitem__(value, _FIRST)), built_in.__len__(value)
    return _attempted(lambda: list(itertools.islice(built_in.__iter__(value), MAX_ITEMS))), built_in.__len__(value)


def _attempted(read: Callable[[], Any]) -> Any:
    """Return what *read* gives. Another thread may change the container meanwhile: three attempts, then it raises."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except RuntimeError:
            continue
    return read()


def _name(name: bytes) -> Any:
    """Return *name* as text where it is one: headers as ASGI gives them, of which a secret is known by its name."""
    found = text_of_bytes(name) if len(name) <= MAX_KEY_CHARS else None
    return name if found is None else found


def _list(items: list[Any], count: int, walk: Walk, depth: int) -> Any:
    if walk.worth < 0:
        return {"$items": count}
    walk.worth -= ITEM_CHARS * len(items)
    _clean(items, enumerate(items), walk, depth)
    if count > MAX_ITEMS:
        items.append({"$items": count})
    return items


def _set(items: list[Any], count: int, walk: Walk, depth: int) -> Any:
    result = _list(items, len(items), walk, depth)
    if type(result) is not list:
        return {"$items": count}
    result.sort(key=msgspec.json.encode)
    if count > MAX_ITEMS:
        result.append({"$items": count})
    return result


def _key(key: Any, walk: Walk, depth: int) -> str:
    kind = type(key)
    name: Any = _name(key) if kind is bytes else str.__str__(key) if issubclass(kind, str) else _plain(key, walk, depth)
    if type(name) is bytes:
        name = _plain(name, walk, depth)
    if type(name) is not str:
        name = msgspec.json.encode(name).decode()
    if len(name) <= MAX_KEY_CHARS:
        return short_text(name, MAX_KEY_CHARS)
    # The same long key may come in every item of a list.
    short = short_text(name, MAX_KEY_CHARS, max_hashed=walk.hashable)
    walk.hashable -= min(len(name), walk.hashable)
    return short


def _single(value: Any, kind: type, walk: Walk, depth: int) -> Any:
    if issubclass(kind, enum.Enum):
        return _plain(value._value_, walk, depth + 1) if depth < MAX_DEPTH else {"$depth": MAX_DEPTH}
    found = scalar(value, kind, walk)
    if found is not None:
        return found
    if issubclass(kind, BaseException):
        return _error(value, walk, depth, causes_of(value))
    if kind is TracebackType:
        return {"$type": type_name(value), "frames": frames_of(value)}
    if hasattr(kind, "get_secret_value"):
        return "[redacted]"
    if is_numpy_scalar(value, kind) and depth < MAX_DEPTH:
        item = value.item()
        return _plain(item if type(item) is not kind else str(item), walk, depth + 1)
    return array_of(value, kind) or {"$type": type_name(value)}


def _error(error: BaseException, walk: Walk, depth: int, causes: Iterable[BaseException] = ()) -> dict[str, Any]:
    """Return type and text of an exception, with those that led to it and those that it groups."""
    result: dict[str, Any] = {"$type": type_name(error)}
    if walk.worth < 0:
        return result
    message = ends_of_text(error_text(error), MAX_STRING_CHARS, max_hashed=walk.hashable)
    walk.worth -= ITEM_CHARS + len(message)
    result["message"] = message
    led = [_error(cause, walk, depth + 1) for cause in causes]
    if led:
        result["causes"] = [*led[:MAX_CAUSES], {"$depth": MAX_CAUSES}] if len(led) > MAX_CAUSES else led
    members = members_of(error)
    if members:
        first = list(members[:MAX_ITEMS])
        result["errors"] = _list(first, len(members), walk, depth + 1) if depth < MAX_DEPTH else {"$depth": MAX_DEPTH}
    return result
