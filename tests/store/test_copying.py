"""What COPY is given: every type that is encoded here, and those that are not."""

from __future__ import annotations

import ipaddress
import math
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import make_url

from audit_async.inspection import InspectedColumn, InspectedTable, TableName, inspect_now
from audit_async.store.copying import Encoder, copy_chunks, row_encoder
from audit_async.table_map.layout import Layout, one_by_one
from tests.store.conftest import Place
from tests.store.entries import entries

FAR = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
EARLY = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=-7)))

# For each column its type and values; what comes back differs in nothing.
VALUES: dict[str, tuple[str, list[Any]]] = {
    "a": ("text", ["", "ü\t\\N\n", "𝄞" * 5000]),
    "b": ("character varying(5)", ["12345", "ä", "ä"]),
    "c": ("character(3)", ["abc", "ö  ", "abc"]),
    "d": ("json", ['{"a": "\\u0000"}', "[]", "{}"]),
    "e": ("jsonb", ['{"a": [1, null]}', "[]", '"ß"']),
    "f": ("uuid", [uuid.uuid4(), uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
    "g": ("smallint", [-(2**15), 2**15 - 1, 0]),
    "h": ("integer", [-(2**31), 2**31 - 1, 0]),
    "i": ("bigint", [-(2**63), 2**63 - 1, 1]),
    "j": ("real", [0.5, -math.inf, 0.0]),
    "k": ("double precision", [1 / 7, 0.0, -0.0]),
    "l": ("boolean", [True, False, True]),
    "m": ("timestamp with time zone", [FAR, EARLY, datetime(2026, 1, 1, tzinfo=UTC)]),
    "n": ("timestamp(6)", [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999), datetime(2000, 1, 1)]),  # noqa: DTZ001
    "o": ("date", [date(1, 1, 1), date(9999, 12, 31), date(2000, 1, 1)]),
    "p": (
        "inet",
        [ipaddress.ip_interface("192.0.2.0/24"), ipaddress.ip_address("2001:db8::1"), ipaddress.ip_interface("::/0")],
    ),
    "q": ("mood", ["glad", "sad", "sad"]),
    "r": ("domain", ["x", "y", "z"]),
}


@pytest.fixture
async def raw(postgres_empty: Place) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a database with types of its own."""
    await postgres_empty.execute("CREATE TYPE mood AS ENUM ('glad', 'sad')", "CREATE DOMAIN domain AS varchar(20)")
    url = make_url(postgres_empty.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def laid_out(place: Place, columns: dict[str, str]) -> tuple[Layout, InspectedTable]:
    """Make a table with *columns* and look at it."""
    await place.execute(
        f"CREATE TABLE kept (number serial, {', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    )
    async with place.admin.connect() as connection:
        found = await connection.run_sync(inspect_now, TableName("", "kept"))
    return Layout(
        name="", table=TableName("", "kept"), columns=tuple(columns), key=(), rows=lambda entries: [()] * len(entries)
    ), found


async def copied(
    raw: asyncpg.Connection[asyncpg.Record], layout: Layout, encode: Encoder, rows: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Send *rows* by COPY and return what is in the table then."""
    batch = entries(len(rows))
    make = one_by_one(lambda entry: rows[(entry.writer_seq or 0) - 1])
    chunks = copy_chunks(batch, make, encode, gives_up_interpreter=len(rows) % 2 == 0)
    await raw.copy_to_table("kept", columns=layout.columns, source=chunks, format="binary")
    return [tuple(row) for row in await raw.fetch(f"SELECT {', '.join(layout.columns)} FROM kept ORDER BY number")]


def seen(value: Any) -> Any:
    """Return what tells *value* from all others, also 0.0 from -0.0."""
    return repr(value) if isinstance(value, float) else value


async def test_what_is_copied_comes_back(postgres_empty: Place, raw: asyncpg.Connection[asyncpg.Record]) -> None:
    """A value of every known type, and NULL in each column, comes back as it was sent, alone and among others."""
    layout, found = await laid_out(postgres_empty, {name: kind for name, (kind, _) in VALUES.items()})
    encode = row_encoder(layout, found)
    assert encode is not None
    full = [tuple(values[number] for _, values in VALUES.values()) for number in range(3)]
    rows = [*full, (None,) * len(VALUES), *full * 70]
    assert await copied(raw, layout, encode, rows) == rows
    assert [seen(row["k"]) for row in await raw.fetch("SELECT k FROM kept ORDER BY number LIMIT 3")] == [
        seen(value) for value in VALUES["k"][1]
    ]


@pytest.mark.parametrize("count", [1, 250])
async def test_a_column_of_one_value_comes_back(
    postgres_empty: Place, raw: asyncpg.Connection[asyncpg.Record], count: int
) -> None:
    """Columns that are the same for all rows of a slice are no others than those that are not."""
    layout, found = await laid_out(postgres_empty, {name: kind for name, (kind, _) in VALUES.items()})
    encode = row_encoder(layout, found)
    assert encode is not None
    rows = [tuple(values[0] for _, values in VALUES.values())] * count
    assert await copied(raw, layout, encode, rows) == rows


async def test_json_may_be_an_entrys_bytes(postgres_empty: Place, raw: asyncpg.Connection[asyncpg.Record]) -> None:
    """JSON as an entry has it is sent as it is, and NULL where it has none."""
    layout, found = await laid_out(postgres_empty, {"a": "json", "b": "jsonb"})
    encode = row_encoder(layout, found)
    assert encode is not None
    rows = [(msgspec.Raw(text), msgspec.Raw(text)) for text in (b'{"a":"\xc3\xbc"}', b"", b"[]")]
    assert await copied(raw, layout, encode, rows) == [('{"a":"ü"}', '{"a": "ü"}'), (None, None), ("[]", "[]")]


def encoder_of(*kinds: str) -> Encoder | None:
    """Return the encoder for a table with a column of each of *kinds*."""
    columns = tuple(InspectedColumn(f"c{number}", kind, True, False) for number, kind in enumerate(kinds))
    found = InspectedTable(schema=None, dialect="postgresql", name="kept", columns=columns)
    names = tuple(column.name for column in columns)
    return row_encoder(
        Layout(name="", table=TableName("", "kept"), columns=names, key=(), rows=lambda entries: [()] * len(entries)),
        found,
    )


@pytest.mark.parametrize("kind", ["numeric", "text[]", "bytea", "cidr", "interval", "money", "time without time zone"])
def test_a_type_that_is_not_known_is_left_to_the_driver(kind: str) -> None:
    """No guess is made at how a type is sent."""
    assert encoder_of("text", "uuid") is not None
    assert encoder_of("text", kind) is None


def test_zeros_keep_their_sign() -> None:
    """Values that are equal and not the same are sent as what they are."""
    encode = encoder_of("double precision")
    assert encode is not None
    assert encode([(0.0,), (-0.0,), (0.0,)]) == encode([(0.0,)]) + encode([(-0.0,)]) + encode([(0.0,)])
    assert encode([(0.0,)]) != encode([(-0.0,)])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smallint", 2**15),
        ("integer", 2**31),
        ("bigint", -(2**63) - 1),
        ("integer", "1"),
        ("real", 1e300),
        ("text", 1),
        ("text", "\ud800"),
        ("timestamp without time zone", FAR),
        ("timestamp with time zone", datetime(2026, 1, 1)),  # noqa: DTZ001
        ("inet", "nowhere"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_value_of_another_type_is_a_fault_of_the_row(kind: str, value: object, count: int) -> None:
    """What does not fit its column raises what stands for that, and is not sent as something else."""
    encode = encoder_of(kind)
    assert encode is not None
    with pytest.raises((TypeError, ValueError, OverflowError)):
        encode([(value,)] * count)
    assert encode([(None,)]) == b"\x00\x01\xff\xff\xff\xff"
