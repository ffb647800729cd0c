"""Rows in the binary format of COPY, a slice at a time: the server works on one while the next one is made.

asyncpg encodes rows by itself, and about as quickly, but sends nothing before it has half a MiB of them: of a batch of
a thousand the server then sees nothing until all is done. Here the columns of a slice are encoded one after the other,
and a column with one value for all, as most have, costs next to nothing.

Source: PostgreSQL's manual, COPY, "Binary Format"; the `recv` functions of the types.
"""

from __future__ import annotations

import ipaddress
import re
import struct
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import chain, repeat
from typing import Any

from audit_async.entry import Entry
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.store.pacing import slices_in_turns
from audit_async.table_map.layout import Layout, MakeRows, Row

Encoder = Callable[[Sequence[Row]], bytes]
_Column = Callable[[Sequence[Any]], Iterable[bytes]]

_BEGINNING = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""The signature; no flags, and nothing more in the header."""

_END = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_size = struct.Struct("!i").pack
_count = struct.Struct("!h").pack
_long = struct.Struct("!iq").pack
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 -- of times without a zone
_EPOCH_UTC = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DATE = date(2000, 1, 1)
_ADDRESS_FAMILY = {4: 2, 6: 3}
_DIMENSIONS = re.compile(r"\(.*\)")


async def copy_chunks(
    entries: Sequence[Entry], rows: MakeRows, encode: Encoder, *, gives_up_interpreter: bool
) -> AsyncIterator[bytes]:
    """Yield what COPY takes for *entries*; between slices others get a turn."""
    left, before = len(entries), _BEGINNING
    # Each is sent by itself, which gives the interpreter up as well: what stands before and behind goes along.
    async for part in slices_in_turns(entries, gives_up_interpreter=gives_up_interpreter):
        left -= len(part)
        yield before + encode(list(rows(part))) + (b"" if left else _END)
        before = b""


def row_encoder(layout: Layout, found: InspectedTable) -> Encoder | None:
    """Return what makes bytes of rows of *layout*; None when the table has a column of a type that is not known here.

    It raises TypeError or ValueError when a value is none of its column's type.
    """
    kinds = [_KINDS.get(_kind_of(found.column(name))) for name in layout.columns]
    columns = [kind for kind in kinds if kind is not None]
    if len(columns) < len(kinds):
        return None
    start = _count(len(columns))

    def encode(rows: Sequence[Row]) -> bytes:
        try:
            return _encode(rows, columns, start)
        except struct.error:
            # Without its text, which may quote the value.
            raise ValueError("a number does not fit its column") from None

    return encode


def _kind_of(column: InspectedColumn | None) -> str:
    if column is None:
        return ""
    # A label of an enumeration is a text.
    return "text" if column.labels else _DIMENSIONS.sub("", column.type)


def _encode(rows: Sequence[Row], columns: Sequence[_Column], start: bytes) -> bytes:
    """Return the bytes of *rows*; neighbours that are the same in each are one piece."""
    pieces: list[Iterable[bytes]] = []
    same = start
    for encode, values in zip(columns, zip(*rows, strict=True), strict=True):
        first = values[0]
        # The last one is looked at before all are; 0.0 equals -0.0, and is another.
        if values[-1] == first and values.count(first) == len(values) and type(first) is not float:
            same += _NULL if first is None else next(iter(encode(values[:1])))
            continue
        if same:
            pieces.append(repeat(same, len(values)))
            same = b""
        pieces.append(encode(values))
    if same:
        pieces.append(repeat(same, len(rows)))
    return b"".join(chain.from_iterable(zip(*pieces, strict=True)))


def _texts(values: Sequence[str | None]) -> Iterable[bytes]:
    distinct = set(values)
    if len(distinct) * 2 > len(values):
        return [_size(len(text := str.encode(value))) + text if value is not None else _NULL for value in values]
    encoded = {value: _text(value) for value in distinct}
    return map(encoded.__getitem__, values)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    text = str.encode(value)
    return _size(len(text)) + text


def _json_texts(values: Sequence[Any]) -> Iterable[bytes]:
    return [_json_text(value) for value in values]


def _json_text(value: Any) -> bytes:
    """Return the JSON *value*: a text, or the bytes that an entry has, which are empty for NULL."""
    if type(value) is str:
        return _text(value)
    return _size(len(value)) + value if value else _NULL


def _compact_json(value: Any) -> bytes:
    text = str.encode(value) if type(value) is str else bytes(value)
    return _size(len(text) + 1) + b"\x01" + text if text else _NULL


def _aware_moments(values: Sequence[datetime | None]) -> Iterable[bytes]:
    return [
        # As `_moment`, which would have to be called for each.
        _long(8, ((since := value - _EPOCH_UTC).days * 86400 + since.seconds) * 1_000_000 + since.microseconds)
        if value is not None
        else _NULL
        for value in values
    ]


def _naive_moments(values: Sequence[datetime | None]) -> Iterable[bytes]:
    return [_moment(value - _EPOCH) if value is not None else _NULL for value in values]


def _moment(since: Any) -> bytes:
    return _long(8, (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)


def _address(value: Any) -> bytes:
    found = ipaddress.ip_interface(value)
    packed = found.packed
    return (
        _size(len(packed) + 4)
        + bytes((_ADDRESS_FAMILY[found.version], found.network.prefixlen, 0, len(packed)))
        + packed
    )


def _numbers(form: str) -> _Column:
    pack, size = struct.Struct(form).pack, struct.calcsize(form) - 4
    return lambda values: [pack(size, value) if value is not None else _NULL for value in values]


def _each(encode: Callable[[Any], bytes]) -> _Column:
    return lambda values: [encode(value) if value is not None else _NULL for value in values]


def _uuid(value: uuid.UUID) -> bytes:
    return b"\x00\x00\x00\x10" + value.bytes


def _bool(value: Any) -> bytes:
    return b"\x00\x00\x00\x01\x01" if value else b"\x00\x00\x00\x01\x00"


_KINDS: dict[str, _Column] = {
    "text": _texts,
    "character varying": _texts,
    "character": _texts,
    "json": _json_texts,
    "jsonb": _each(_compact_json),
    "uuid": _each(_uuid),
    "smallint": _numbers("!ih"),
    "integer": _numbers("!ii"),
    "bigint": _numbers("!iq"),
    "real": _numbers("!if"),
    "double precision": _numbers("!id"),
    "boolean": _each(_bool),
    "timestamp with time zone": _aware_moments,
    "timestamp without time zone": _naive_moments,
    "date": _each(lambda value: _size(4) + _size((value - _EPOCH_DATE).days)),
    "inet": _each(_address),
}
