"""What kind of column it is, by its type in whatever database."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit_async.inspection import InspectedColumn


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
