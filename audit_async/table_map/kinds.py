"""What kind of column it is, by its type in whatever database, and how a value becomes one of it."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import msgspec

from audit_async.inspection import InspectedColumn

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a column takes.

    Attributes:
        name: `text`, `uuid`, `int`, `float`, `decimal`, `bool`, `json`, `moment`, `date`, `enum`, `address`, `array`,
            `bytes`, or `other`, which takes nothing of an event.
        chars: that a text may have; None for any number.
        bits: of an integer or a float.
        labels: of an enumeration.
        item: of an array.
        form: how the database's driver takes it where there are several ways: of `uuid` `object`, `text`, `hex` or
            `bytes`; of `moment` `aware`, `naive` (UTC), `stamp` (naive, of 32 bits) or `text`; of `address` `network`.
        has_fractions: of a moment: it keeps fractions of a second.
        digits: of a decimal, all of them and those behind the point; None for any number.
    """

    name: str
    chars: int | None = None
    bits: int = 64
    labels: tuple[str, ...] = ()
    item: Kind | None = None
    form: str = ""
    has_fractions: bool = True
    digits: tuple[int, int] | None = None


_INTEGERS = {"smallint": 16, "tinyint": 8, "mediumint": 24, "integer": 32, "int": 32, "bigint": 64, "int2": 16}
_INTEGERS |= {"int4": 32, "int8": 64, "serial": 32, "bigserial": 64}
_FLOATS = ("double", "real", "float")
_DECIMALS = ("numeric", "decimal")
_JSON = ("json", "jsonb")
_TEXTS = frozenset(
    {"text", "varchar", "character varying", "char", "character", "nvarchar", "nchar", "bpchar", "citext", "clob"}
    | {"tinytext", "mediumtext", "longtext", "name", "string"}
)
_BYTES = ("bytea", "blob", "binary", "varbinary", "tinyblob", "mediumblob", "longblob")
_TYPE = re.compile(
    r"\s*([a-z_][a-z0-9_ ]*?)\s*(?:\((\d+)(?:\s*,\s*(-?\d+))?[^)]*\))?"
    r"\s*(with time zone|without time zone)?\s*(unsigned)?$"
)
_BEHIND = re.compile(r"\s+(?:collate|character set|charset)\s.*$")
_WITHOUT_FRACTIONS = re.compile(r"\(0\)|^datetime$|^timestamp$")
_TINY_TEXT_BYTES = {"tinytext": 255, "text": 65535}
_NUMBER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_REAL = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,4})?", re.ASCII)
_MAX_EXPONENT = 1000
"""Of a number that is kept exactly: PostgreSQL takes up to 131,072 digits, and an event none of more than 308."""

_STAMPS = (datetime(1970, 1, 1, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 7))  # noqa: DTZ001 -- they are UTC
"""What a TIMESTAMP of MySQL holds."""

_MANY_DIGITS = Context(prec=2000)
"""For rounding: no column has more."""

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


def kind_of(column: InspectedColumn, dialect: str) -> Kind:
    """Return the kind of *column*."""
    if column.labels:
        return Kind(name="enum", labels=column.labels)
    return _kind(_BEHIND.sub("", column.type), "mysql" if dialect == "mariadb" else dialect)


def _kind(text: str, dialect: str) -> Kind:
    """Return the kind of the type that *text* names; fourteen cases."""
    if text.endswith("[]"):
        return Kind(name="array", item=_kind(text[:-2], dialect))
    # SQLite takes anything anywhere.
    unknown = Kind(name="text" if dialect == "sqlite" else "other")
    found = _TYPE.match(text)
    if found is None:
        return unknown
    base, size = found.group(1), int(found.group(2)) if found.group(2) else None
    if base == "uuid":
        return Kind(name="uuid", form={"postgresql": "object", "sqlite": "text"}.get(dialect, "text"))
    if base in ("char", "character") and size == 32:
        return Kind(name="uuid", form="hex")
    if base in ("binary", "varbinary") and size == 16:
        return Kind(name="uuid", form="bytes")
    if base in ("boolean", "bool") or (base == "tinyint" and size == 1):
        return Kind(name="bool")
    if base in _INTEGERS:
        return Kind(name="int", bits=64 if dialect == "sqlite" else _INTEGERS[base] + bool(found.group(5)))
    if base.startswith(_FLOATS):
        return Kind(name="float", bits=_float_bits(base, size, dialect))
    if base in _DECIMALS:
        digits = None if size is None else (size, int(found.group(3) or 0))
        return Kind(name="decimal", form="object" if dialect == "postgresql" else "text", digits=digits)
    if base in _JSON:
        # Where the database keeps the value and not the text, blanks are of no use.
        is_parsed = (base, dialect) in (("jsonb", "postgresql"), ("json", "mysql"))
        return Kind(name="json", form="compact" if is_parsed else "text")
    if base in _TEXTS:
        is_limited = size is None and dialect == "mysql"
        return Kind(name="text", chars=_TINY_TEXT_BYTES.get(base, 0) // 4 or None if is_limited else size)
    if base.startswith(("timestamp", "datetime")):
        return _moment(text, found.group(4), dialect)
    if base == "date":
        return Kind(name="date", form="text" if dialect == "sqlite" else "object")
    if base in ("inet", "cidr"):
        return Kind(name="address", form="network" if base == "cidr" else "")
    return Kind(name="bytes") if base in _BYTES else unknown


def _float_bits(base: str, size: int | None, dialect: str) -> int:
    if dialect == "sqlite" or base.startswith("double"):
        return 64
    if base in ("real", "float4"):
        return 64 if dialect == "mysql" else 32
    # SQL counts binary digits: 24 are a single float's.
    return 32 if base == "float" and (size or (24 if dialect == "mysql" else 53)) <= 24 else 64


def _moment(text: str, zone: str | None, dialect: str) -> Kind:
    if dialect == "sqlite":
        return Kind(name="moment", form="text")
    has_fractions = not (_WITHOUT_FRACTIONS.search(text) if dialect == "mysql" else "(0)" in text)
    if dialect == "mysql" and text.startswith("timestamp"):
        return Kind(name="moment", form="stamp", has_fractions=has_fractions)
    is_aware = zone == "with time zone" or text.startswith("timestamptz")
    return Kind(name="moment", form="aware" if is_aware else "naive", has_fractions=has_fractions)


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
        return value.astimezone(UTC).isoformat()
    return to_json(value) if isinstance(value, (dict, list, tuple)) else str(value)


def _limited(chars: int) -> Adapter:
    def adapt(value: Any) -> str:
        text = value if type(value) is str else to_text(value)
        if len(text) > chars:
            raise TooLongError
        return text

    return adapt


def _integer(bits: int) -> Adapter:
    limit = 1 << (bits - 1)

    def adapt(value: Any) -> int:
        if isinstance(value, str):
            if not _NUMBER.fullmatch(value):
                raise UnfitError
            value = int(value)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or not -limit <= value < limit:
            raise UnfitError
        return int(value)

    return adapt


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
    if not _STAMPS[0] <= found < _STAMPS[1]:
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
