"""Any value in, plain JSON out: never an exception, never a reference to what the caller holds.

What cannot be kept as it is becomes a marker that can be seen in the row, an object with one key that begins with
`$`: `$truncated` (with length and SHA-256), `$bytes`, `$int`, `$cycle`, `$depth`, `$items`, `$type`. No code of an unknown type is
called: its `repr` may sleep, raise, or load a row over a closed connection.
"""

from __future__ import annotations

import base64
import dataclasses
import decimal
import enum
import fractions
import hashlib
import ipaddress
import itertools
import math
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from audit_async.config import MAX_DEPTH, MAX_HASHED_BYTES, MAX_INT_BITS, MAX_ITEMS, MAX_STRING_CHARS

NUL_SEEN = "\u2400"
"""Stands for a NUL, which no text column of PostgreSQL holds: the picture of it."""

SURROGATE_SEEN = "\ufffd"
"""Stands for half of a surrogate pair, which UTF-8 cannot express."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_LARGEST_INT = 2**MAX_INT_BITS - 1
_HASH_CHUNK_CHARS = 64 * 1024
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


def clean_text(text: str) -> str:
    """Return *text* without what some database cannot hold (NUL, lone surrogates), each replaced visibly."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", NUL_SEEN)
    return _SURROGATES.sub(SURROGATE_SEEN, text).replace("\0", NUL_SEEN)


def short_text(text: str, max_chars: int) -> str:
    """Return *text* cleaned, and cut to *max_chars* with a visible note of length and SHA-256 at its end."""
    if len(text) <= max_chars:
        return clean_text(text)
    cut = _truncated(text)
    note = f" …[truncated: {cut['bytes']} bytes, sha256 {cut['sha256'][:16]}]"
    return clean_text(text[: max(0, max_chars - len(note))]) + note


def plain(value: object) -> Any:
    """Return *value* as new plain JSON data: dict, list, str, int, float, bool or None."""
    return _plain(value, 0, ())


def plain_object(value: object) -> dict[str, Any]:
    """Return *value* as a new JSON object. What is no mapping comes under the key `value`; None is empty."""
    if value is None:
        return {}
    result = _plain(value, 0, ())
    kind = type(value)
    if isinstance(result, dict) and (_is_mapping(kind) or _has_fields(kind) or hasattr(kind, "_fields")):
        return result
    return {"value": result}


def plain_text(value: object) -> str:
    """Return *value* as one clean text: of an enum its value, of a container its JSON."""
    result = _plain(value, 0, ())
    return result if isinstance(result, str) else msgspec.json.encode(result).decode()


def _plain(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    kind = type(value)
    if kind is str:
        if len(value) > MAX_STRING_CHARS:
            return _cut_string(value)
        return value if value.isascii() and "\0" not in value else clean_text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_LARGEST_INT <= value <= _LARGEST_INT else _large_int(value)
    if kind is float:
        return _number(value)
    try:
        return _container_or_object(value, depth, above)
    except Exception:
        return {"$type": type_name(value)}


def _container_or_object(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    kind = type(value)
    if issubclass(kind, (dict, list, tuple, set, frozenset, deque)) or _is_mapping(kind) or _has_fields(kind):
        if depth >= MAX_DEPTH:
            return {"$depth": MAX_DEPTH}
        if id(value) in above:
            return {"$cycle": type_name(value)}
        return _container(value, kind, depth + 1, (*above, id(value)))
    return _scalar(value, kind, depth, above)


def _container(value: Any, kind: type, depth: int, above: tuple[int, ...]) -> Any:
    if issubclass(kind, (set, frozenset)):
        items = _items(value, depth, above)
        return sorted(items, key=msgspec.json.encode)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _object(zip(kind._fields, value, strict=False), len(value), depth, above)
    if issubclass(kind, (list, tuple, deque)):
        return _items(value, depth, above)
    if issubclass(kind, dict) or _is_mapping(kind):
        return _mapping(value, depth, above)
    return _object(_fields(value, kind), None, depth, above)


def _mapping(value: Mapping[Any, Any], depth: int, above: tuple[int, ...]) -> dict[str, Any]:
    # Another thread may change the mapping while it is read; three attempts, then it is said.
    for _ in range(3):
        try:
            pairs = list(itertools.islice(value.items(), MAX_ITEMS))
            return _object(pairs, len(value), depth, above)
        except RuntimeError:
            continue
    return {"$type": type_name(value)}


def _object(
    pairs: Iterable[tuple[Any, Any]], count: int | None, depth: int, above: tuple[int, ...]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in itertools.islice(pairs, MAX_ITEMS):
        name = key if type(key) is str and len(key) <= 256 and key.isascii() and "\0" not in key else _key(key)
        if name in result:
            name = next(n for i in itertools.count(2) if (n := f"{name}#{i}") not in result)
        result[name] = _plain(item, depth, above)
    if count is not None and count > MAX_ITEMS:
        result["$items"] = count
    return result


def _items(value: Any, depth: int, above: tuple[int, ...]) -> list[Any]:
    result = [_plain(item, depth, above) for item in itertools.islice(value, MAX_ITEMS)]
    if len(value) > MAX_ITEMS:
        result.append({"$items": len(value)})
    return result


def _key(key: Any) -> str:
    if isinstance(key, str):
        return short_text(str.__str__(key), 256)
    if isinstance(key, (bool, int, float)) or key is None:
        return plain_text(key)
    if isinstance(key, (enum.Enum, *_TAKEN_AS_TEXT)):
        return plain_text(key)
    return short_text(plain_text(key), 256)


def _scalar(value: Any, kind: type, depth: int, above: tuple[int, ...]) -> Any:
    if issubclass(kind, enum.Enum):
        return _plain(value.value, depth, above)
    if issubclass(kind, str):
        return _plain(str.__str__(value), depth, above)
    if issubclass(kind, int):
        return _plain(int.__int__(value), depth, above)
    if issubclass(kind, float):
        return _number(float.__float__(value))
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _bytes(value)
    if issubclass(kind, (datetime, date, time)):
        return value.isoformat()
    if issubclass(kind, timedelta):
        return msgspec.to_builtins(value)
    if issubclass(kind, decimal.Decimal):
        return _plain(str(value), depth, above)
    if issubclass(kind, _TAKEN_AS_TEXT):
        return _plain(str(value), depth, above)
    if issubclass(kind, BaseException):
        return _error(value)
    return _foreign(value, kind, depth, above)


def _foreign(value: Any, kind: type, depth: int, above: tuple[int, ...]) -> Any:
    """Recognise types of well-known packages by their shape, without importing these."""
    if kind.__name__ in ("SecretStr", "SecretBytes") and hasattr(kind, "get_secret_value"):
        return "[redacted]"
    state = getattr(value, "__dict__", {}).get("_sa_instance_state")
    if state is not None:
        # A mapped instance: its identity only, since reading an attribute may ask the database.
        return {"$type": type_name(value), "identity": _plain(state.identity, depth + 1, above)}
    if kind.__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return _plain(value.item(), depth + 1, above)
    return {"$type": type_name(value)}


def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


def _has_fields(kind: type) -> bool:
    return (
        hasattr(kind, "__dataclass_fields__")
        or hasattr(kind, "__struct_fields__")
        or hasattr(kind, "__attrs_attrs__")
        or isinstance(getattr(kind, "__pydantic_fields__", None), dict)
    )


def _fields(value: Any, kind: Any) -> Iterable[tuple[str, Any]]:
    if hasattr(kind, "__dataclass_fields__"):
        names = [f.name for f in dataclasses.fields(kind)]
    elif hasattr(kind, "__struct_fields__"):
        names = list(kind.__struct_fields__)
    elif hasattr(kind, "__attrs_attrs__"):
        names = [a.name for a in kind.__attrs_attrs__]
    else:
        names = list(kind.__pydantic_fields__)
    return [(name, getattr(value, name, None)) for name in names]


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value + 0.0  # -0.0 becomes 0.0
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _large_int(value: int) -> dict[str, Any]:
    if value.bit_length() > 4096:
        return {"$int": {"bits": value.bit_length()}}
    return {"$int": str(value)}


def _bytes(value: bytes | bytearray | memoryview) -> dict[str, Any]:
    view = memoryview(value).cast("B")
    kept = bytes(view[: MAX_STRING_CHARS // 2])
    marker: dict[str, Any] = {"$bytes": base64.b64encode(kept).decode(), "length": len(view)}
    if len(kept) < len(view):
        marker["sha256"] = hashlib.sha256(view[:MAX_HASHED_BYTES]).hexdigest()
    return marker


def _error(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)
    except Exception:
        text = "its text cannot be read"
    return {"$type": type_name(error), "message": short_text(text, MAX_STRING_CHARS)}


def _cut_string(text: str) -> dict[str, Any]:
    return {"$truncated": _truncated(text), "text": clean_text(text[:MAX_STRING_CHARS])}


def _truncated(text: str) -> dict[str, Any]:
    """Return length and SHA-256 of *text*, read in chunks so that no second copy of it is made."""
    digest = hashlib.sha256()
    size = 0
    for start in range(0, len(text), _HASH_CHUNK_CHARS):
        if size >= MAX_HASHED_BYTES:
            return {"chars": len(text), "bytes": f"over {size}", "sha256": digest.hexdigest(), "hashed": size}
        chunk = text[start : start + _HASH_CHUNK_CHARS].encode("utf-8", "surrogatepass")
        digest.update(chunk)
        size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def type_name(value: object) -> str:
    """Return the qualified name of *value*'s type, which no instance can forge."""
    kind = type(value)
    return clean_text(f"{kind.__module__}.{kind.__qualname__}"[:256])
