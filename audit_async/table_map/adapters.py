"""How a value becomes one of a column's kind, or does not."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

import msgspec

from audit_async.table_map.kinds import Kind

Adapter = Callable[[Any], Any]
"""Turns a value (text, number, bool, datetime, object or list) into what a column takes; raises `UnfitError`."""


def _in_json(value: Any) -> str:
    return to_text(value)


_encode_any = json.JSONEncoder(ensure_ascii=False, default=_in_json).encode


def to_json(value: Any) -> str:
    """Return JSON as Python programs write it, blanks and all: who reads a column may look for a piece of its text."""
    try:
        return with_blanks(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError):
        # Numbers beyond 64 bits, half a surrogate pair: a function of the program may return anything.
        return _encode_any(value)


def with_blanks(text: bytes) -> str:
    """Return the JSON *text* with the blanks that Python programs put there."""
    return msgspec.json.format(text, indent=0).decode()


def to_compact_json(value: Any) -> str:
    """Return JSON without blanks."""
    return msgspec.json.encode(value, enc_hook=to_text).decode()


class UnfitError(ValueError):
    """A value cannot become one of its column."""


class TooLongError(UnfitError):
    """A text is longer than its column."""


_MOST_DIGITS = 30
_NUMBER = re.compile(rf"[+-]?\d{{1,{_MOST_DIGITS}}}", re.ASCII)
is_number = _NUMBER.fullmatch
"""Say whether a text is a whole number."""

_REAL = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,4})?", re.ASCII)
_MAX_EXPONENT = 1000
"""Of a number that is kept exactly: PostgreSQL takes up to 131,072 digits, and an event none of more than 308."""

STAMPS = (datetime(1970, 1, 1, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 7))  # noqa: DTZ001 -- they are UTC
"""What a TIMESTAMP of MySQL holds."""

_MANY_DIGITS = Context(prec=2000)
"""For rounding: no column has more."""

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


def adapter(kind: Kind) -> Adapter:
    """Return how a value becomes one of *kind*."""
    if kind.name == "text" and kind.chars is not None:
        return _limited(kind.chars)
    if kind.name == "int":
        return _integer(kind.bits)
    if kind.name == "decimal" and kind.digits is not None:
        return _rounded(kind.digits, _BY_NAME[f"decimal.{kind.form}"])
    if kind.name == "enum":
        return _label(kind.labels)
    if kind.name == "float" and kind.bits == 32:
        return _single
    if kind.name == "array" and kind.item is not None:
        return _array(adapter(kind.item))
    return _BY_NAME[f"{kind.name}.{kind.form}" if kind.form else kind.name]


def to_text(value: Any) -> str:
    """Return *value* as text: objects as JSON, times as ISO text."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _in_utc(value).isoformat()
    return to_json(value) if isinstance(value, (dict, list, tuple)) else str(value)


def _in_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC; as it is where that lies in another millennium."""
    try:
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return moment


def _limited(chars: int) -> Adapter:
    def adapt(value: Any) -> str:
        text = value if type(value) is str else to_text(value)
        if len(text) > chars:
            raise TooLongError
        return text

    return adapt


def _integer(bits: int) -> Adapter:
    limit = 1 << (bits - 1)
    # An odd number of bits is that of an unsigned one with room for a sign.
    least = 0 if bits % 2 else -limit

    def adapt(value: Any) -> int:
        if isinstance(value, str):
            if not is_number(value):
                raise UnfitError
            value = int(value)
        elif isinstance(value, (float, Decimal)) and _is_whole(value):
            value = int(value)
        if not isinstance(value, int) or not least <= value < limit:
            raise UnfitError
        return int(value)

    return adapt


def _is_whole(value: float | Decimal) -> bool:
    """Return whether *value* has no fractions; a decimal no more digits than a text may have, either."""
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() < _MOST_DIGITS and value == value.to_integral_value()
    return float(value).is_integer()


def _label(labels: tuple[str, ...]) -> Adapter:
    """Return the label that a text is, in whatever case: programs often store the names of their constants."""
    by_name = {label.casefold().replace("-", "_"): label for label in reversed(labels)}
    exact = set(labels)

    def adapt(value: Any) -> str:
        text = to_text(value)
        found = text if text in exact else by_name.get(text.casefold().replace("-", "_").replace(".", "_"))
        if found is None:
            raise UnfitError
        return found

    return adapt


def _uuid(value: Any) -> uuid.UUID:
    try:
        return uuid.UUID(to_text(value))
    except ValueError:
        raise UnfitError from None


def _array(adapt_item: Adapter) -> Adapter:
    def adapt(value: Any) -> list[Any]:
        items = value if isinstance(value, (list, tuple)) else [value]
        return [None if item is None else adapt_item(item) for item in items]

    return adapt


def _float(value: Any) -> float:
    if isinstance(value, str) and not _REAL.fullmatch(value):
        raise UnfitError
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UnfitError from None
    if not math.isfinite(found):
        raise UnfitError
    return found


def _single(value: Any) -> float:
    found = _float(value)
    try:
        struct.pack("<f", found)
    except OverflowError:
        raise UnfitError from None
    return found


def _decimal(value: Any) -> Decimal:
    text = str(value)
    if isinstance(value, bool) or not _REAL.fullmatch(text):
        raise UnfitError
    found = Decimal(text)
    if abs(found.adjusted()) > _MAX_EXPONENT:
        raise UnfitError
    return found


def _rounded(digits: tuple[int, int], write: Adapter) -> Adapter:
    """Return how a number is rounded to what a column keeps, and refused where it is too large."""
    total, behind = digits
    limit = Decimal(10) ** (total - behind)

    def adapt(value: Any) -> Any:
        found = _decimal(value)
        if abs(found) >= limit:
            raise UnfitError
        found = found.quantize(Decimal(1).scaleb(-behind), context=_MANY_DIGITS)
        if abs(found) >= limit:
            raise UnfitError
        return write(found)

    return adapt


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = to_text(value).casefold()
    if text not in _TRUE and text not in _FALSE:
        raise UnfitError
    return text in _TRUE


def _moment_of(value: Any) -> datetime:
    """Return the time that *value* is, in UTC."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif type(value) is date:
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        if not isinstance(value, datetime):
            raise UnfitError
        return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        # No time, or one that lies in another millennium in UTC.
        raise UnfitError from None


_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)  # noqa: DTZ001 -- as databases have it


def _naive(value: Any) -> datetime:
    if type(value) is datetime and value.tzinfo is UTC:
        # As `replace(tzinfo=None)`, in a tenth of the time.
        return _EPOCH + (value - _EPOCH_UTC)
    return _moment_of(value).replace(tzinfo=None)


def _stamp(value: Any) -> datetime:
    found = _naive(value)
    if not STAMPS[0] <= found < STAMPS[1]:
        raise UnfitError
    return found


def _address(value: Any) -> str:
    # A zone ("fe80::1%eth0") is no part of an address to any database.
    text = to_text(value)
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        raise UnfitError from None
    if "%" in text:
        raise UnfitError
    return text


def _network(value: Any) -> str:
    text = _address(value)
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise UnfitError from None
    return text


def _nothing(value: Any) -> Any:
    raise UnfitError


_BY_NAME: dict[str, Adapter] = {
    "text": to_text,
    "other": _nothing,
    "uuid.object": _uuid,
    "uuid.text": lambda value: str(_uuid(value)),
    "uuid.hex": lambda value: _uuid(value).hex,
    "uuid.bytes": lambda value: _uuid(value).bytes,
    "float": _float,
    "decimal.object": _decimal,
    "decimal.text": lambda value: str(_decimal(value)),
    "bool": _bool,
    "json.text": to_json,
    "json.compact": to_compact_json,
    "moment.aware": _moment_of,
    "moment.naive": _naive,
    "moment.stamp": _stamp,
    "moment.text": lambda value: _naive(value).isoformat(" ", "microseconds"),
    "date.object": lambda value: _naive(value).date(),
    "date.text": lambda value: _naive(value).date().isoformat(),
    "address": _address,
    "address.network": _network,
    "bytes": lambda value: value if isinstance(value, bytes) else to_text(value).encode(),
}
