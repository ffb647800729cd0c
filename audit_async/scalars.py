"""Single values as JSON: numbers, times, texts and bytes, and what is left of those that are too large."""

from __future__ import annotations

import base64
import decimal
import hashlib
import math
import uuid
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from audit_async.config import MAX_HASHED_BYTES, MAX_INT_BITS, MAX_STRING_CHARS, MAX_VALUE_CHARS
from audit_async.foreign import is_missing_time, text_of
from audit_async.text import clean_text, truncated

LARGEST_INT = 2**MAX_INT_BITS - 1
SMALLEST_INT = -(2**MAX_INT_BITS)
WORTH_COUNTING_CHARS = 64
"""A shorter text counts as an item only."""

PLAIN_SCALARS = frozenset({datetime, date, time, timedelta, decimal.Decimal, uuid.UUID, bytes})
"""Types that `scalar` takes, and whose instances have neither parts nor attributes: nothing else is asked first."""

_DECIMAL_BITS = 2048  # 617 digits: below the lowest limit (640) that an interpreter can set for printing them
_HASH_CHUNK_BYTES = 64 * 1024


class Walk:
    """What one value may still cost, and the containers that the walk is inside of."""

    worth = MAX_VALUE_CHARS
    hashable = MAX_HASHED_BYTES
    above: tuple[int, ...] = ()


def scalar(value: Any, kind: type, walk: Walk) -> Any:
    """Return *value*, of a subclass of a built-in type or of a type that is text, as JSON; None for other types."""
    if issubclass(kind, str):
        return text(str.__str__(value), walk)
    if issubclass(kind, int):
        return integer(int.__int__(value), walk)
    if issubclass(kind, float):
        return number(float.__float__(value))
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _bytes(value, kind, walk)
    for moment in (datetime, date, time):
        if issubclass(kind, moment):
            return "NaT" if kind is not moment and is_missing_time(kind) else moment.isoformat(value)
    if issubclass(kind, timedelta):
        return msgspec.to_builtins(timedelta.__pos__(value))
    if issubclass(kind, decimal.Decimal):
        # Its size tells in no time what printing it would cost.
        is_huge = decimal.Decimal.__sizeof__(value) > MAX_STRING_CHARS
        return None if is_huge else text(decimal.Decimal.__str__(value), walk)
    found = text_of(value, kind)
    return None if found is None else text(found, walk)


def text(value: str, walk: Walk) -> Any:
    """Return *value* cleaned, or a marker with its beginning."""
    length = len(value)
    if length > WORTH_COUNTING_CHARS:
        walk.worth -= min(length, MAX_STRING_CHARS)
        if length > MAX_STRING_CHARS or walk.worth < 0:
            return _cut(value, walk)
    return clean_text(value)


def _cut(value: str, walk: Walk) -> dict[str, Any]:
    cut = truncated(value, walk.hashable)
    walk.hashable -= cut.get("hashed", cut["bytes"])
    return {"$truncated": cut, "text": clean_text(value[: MAX_STRING_CHARS if walk.worth >= 0 else 0])}


def number(value: float) -> float | str:
    """Return *value*, a text if it is none of JSON's numbers."""
    if math.isfinite(value):
        return value + 0.0  # -0.0 becomes 0.0
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def integer(value: int, walk: Walk) -> Any:
    """Return *value*, a marker if it is none of a database's integers."""
    if SMALLEST_INT <= value <= LARGEST_INT:
        return value
    bits = value.bit_length()
    if bits <= _DECIMAL_BITS:
        return {"$int": str(value)}
    marker: dict[str, Any] = {"bits": bits}
    size = bits // 8 + 1
    if size <= walk.hashable:
        walk.hashable -= size
        marker["sha256"] = hashlib.sha256(value.to_bytes(size, "big", signed=True)).hexdigest()
    return {"$int": marker}


def _bytes(value: Any, kind: type, walk: Walk) -> dict[str, Any]:
    if issubclass(kind, bytearray):
        data, length = value, bytearray.__len__(value)
    else:
        data = memoryview(value)
        length = data.nbytes
        if not data.c_contiguous:
            # Its bytes are not in a row: the beginning is copied.
            data = memoryview(data[: MAX_HASHED_BYTES // data.itemsize].tobytes())
        data = data.cast("B")
    kept = b"".join(_chunks(data, MAX_STRING_CHARS // 2 if walk.worth >= 0 else 0))
    walk.worth -= len(kept)
    marker: dict[str, Any] = {"$bytes": base64.b64encode(kept).decode(), "length": length}
    if len(kept) < length:
        digest, hashed = hashlib.sha256(), 0
        for chunk in _chunks(data, walk.hashable):
            digest.update(chunk)
            hashed += len(chunk)
        walk.hashable -= hashed
        marker["sha256"] = digest.hexdigest()
        if hashed < length:
            marker["hashed"] = hashed
    return marker


def _chunks(data: Any, count: int) -> Iterator[Any]:
    """Give the first *count* bytes of *data* in parts. Of a bytearray as copies: a view would forbid its owner to
    resize it meanwhile."""
    part: Any = memoryview.__getitem__ if type(data) is memoryview else bytearray.__getitem__
    for start in range(0, count, _HASH_CHUNK_BYTES):
        chunk = part(data, slice(start, min(start + _HASH_CHUNK_BYTES, count)))
        if not len(chunk):
            return
        yield chunk
