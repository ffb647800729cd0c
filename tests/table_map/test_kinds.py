"""Any value of an event fits any column, or what becomes of it is settled: no row raises, every row is taken."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from audit_async import TableMap, events, inspect_table
from audit_async.entry import Entry
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.kinds import kind_of
from audit_async.table_map.rows import MappedRows
from tests.store.conftest import Place, _place
from tests.store.entries import entry_of

WEST = timezone(timedelta(hours=-10))
POSTGRES_TYPES = (
    *(
        "text",
        "varchar",
        "varchar(1)",
        "varchar(7)",
        "varchar(36)",
        "char(5)",
        "char(32)",
        "uuid",
        "smallint",
        "integer",
    ),
    *("bigint", "real", "double precision", "numeric", "numeric(5, 2)", "numeric(3)", "boolean", "json", "jsonb"),
    *("timestamp", "timestamptz", "timestamp(0)", "timestamptz(3)", "date", "time", "interval", "inet", "cidr"),
    *("bytea", "text[]", "integer[]", "uuid[]", "varchar(3)[]", "jsonb[]", "bit(3)", "xml", "macaddr", "money"),
    *("citext_like", "mood", "int4range", "tsvector", "point", "oid"),
)
SQLITE_TYPES = (
    *("text", "varchar(7)", "char(32)", "uuid", "integer", "int", "bigint", "real", "numeric", "numeric(5, 2)"),
    *("boolean", "json", "jsonb", "datetime", "timestamp", "date", "blob", "", "anything"),
)
PATHS = (
    *("id", "created_at", "action", "user_id", "ip_address", "outcome", "success", "result", "family", "severity"),
    *("description", "duration_ms", "status_code", "details", "tags", "old_values", "details.x", "event", "trace_id"),
    *("created_at.epoch", "created_at.epoch_ms", "metadata"),
)

texts = st.one_of(
    st.text(max_size=50),
    st.sampled_from(["", "fe80::1%eth0", "::1", "10.0.0.0/8", "10.0.0.1/8", "1e400", "-0", "nan", "inf", "٣", "1_000"]),
    st.sampled_from(["🎉🎉🎉🎉🎉🎉🎉", "x" * 7, "é" * 8, "{}", "null", "0001-01-01", "9999-12-31T23:59:59.999999"]),
    st.sampled_from([str(2**31), str(2**63), str(-(2**63) - 1), "{" + str(uuid.uuid4()) + "}", "infinity", "a\tb\n"]),
)
moments = st.sampled_from(
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 28, 12, 0, 0, 999999, tzinfo=UTC),
    ]
)
values = st.recursive(
    st.one_of(
        texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), moments
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry, as it comes out of the journal, with anything that a caller can put in."""
    fields = {name: draw(texts) for name in ("user_id", "ip_address", "description", "trace_id") if draw(st.booleans())}
    action = draw(st.sampled_from(["auth.login", "x" * 128, "Ä ö", "sso_login"]))
    return entry_of(
        events.custom(
            action,
            **fields,
            id=draw(st.one_of(st.none(), texts.filter(bool))),
            created_at=draw(st.one_of(st.none(), moments)),
            outcome=draw(st.sampled_from(["success", "failure", "partial", "unknown"])),
            status_code=draw(st.one_of(st.none(), st.integers(), texts)),
            duration_ms=draw(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), texts)),
            details=draw(st.dictionaries(st.sampled_from(["x", "y", ""]), values, max_size=3)),
            old_values=draw(st.dictionaries(texts, values, max_size=2)),
            tags=draw(st.lists(texts, max_size=3)),
        )
    )


def rows_for(types: tuple[str, ...], dialect: str, path: str, found: InspectedTable | None = None) -> MappedRows:
    """Return what fills a column of every type from *path*, and folds the rest."""
    columns = tuple(InspectedColumn(f"c{n}", kind, True, False) for n, kind in enumerate(types))
    table = found or InspectedTable(schema=None, name="t", dialect=dialect, columns=columns)
    table_map = TableMap(table="t", columns={column.name: path for column in table.columns if column.name != "number"})
    return MappedRows(table_map, table, ())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("types", "dialect"),
    [(POSTGRES_TYPES, "postgresql"), (SQLITE_TYPES, "sqlite"), ((*POSTGRES_TYPES, "year", "binary(16)"), "mysql")],
)
@settings(max_examples=25, deadline=None)
@given(made=entries())
def test_making_a_row_never_raises(path: str, types: tuple[str, ...], dialect: str, made: Entry) -> None:
    """Whatever is in an event, and whatever columns there are, a row comes out."""
    (row,) = rows_for(types, dialect, path).make([made])
    assert len(types) == len(row)


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Place]:
    """PostgreSQL with a column of every type."""
    async for place in _place(postgres_url):
        columns = ", ".join(f"c{n} {kind}" for n, kind in enumerate(POSTGRES_TYPES))
        await place.execute(
            "CREATE DOMAIN citext_like AS text",
            "CREATE TYPE mood AS ENUM ('SUCCESS', 'info', 'auth')",
            f"CREATE TABLE t ({columns})",
        )
        yield place


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Place]:
    """SQLite with a column of every type."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        columns = ", ".join(f"c{n} {kind}" for n, kind in enumerate(SQLITE_TYPES))
        await place.execute(f"CREATE TABLE t ({columns})")
        yield place


def samples(count: int) -> list[Entry]:
    """Return entries of every sort that hypothesis thinks of."""
    found: list[Entry] = []

    @seed(count)
    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(made=entries())
    def collect(made: Entry) -> None:
        found.append(made)

    collect()
    return found


async def _check_rows(place: Place, path: str, count: int) -> None:
    """Write a row of each sample, in batches, past no store: nothing but the adapters stands in between."""
    found = await inspect_table(place.url, "t")
    # That a number takes no id is an error which stops the map.
    takes_numbers = path != "id"
    columns = {c.name: path for c in found.columns if takes_numbers or kind_of(c, found.dialect).name != "int"}
    store = place.open(table=TableMap(table="t", columns=columns))
    made = samples(count)
    for start in range(0, count, 100):
        await store.insert(made[start : start + 100])
    await store.insert(made[:3])
    assert len(made) + 3 == await place.count("t")


@pytest.mark.parametrize("path", PATHS)
async def test_postgres_takes_every_row(path: str, server: Place) -> None:
    """Whatever a column is filled from, no value of an event makes PostgreSQL refuse the row."""
    await _check_rows(server, path, 300)


@pytest.mark.parametrize("path", PATHS)
async def test_sqlite_takes_every_row(path: str, lite: Place) -> None:
    """Whatever a column is filled from, no value of an event makes SQLite refuse the row."""
    await _check_rows(lite, path, 100)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("date", date(2026, 1, 2), date(2026, 1, 2)),
        ("timestamp with time zone", date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),
        ("integer", Decimal("7.0"), 7),
        *(("integer", Decimal(given), None) for given in ("7.5", "1E+999999", "NaN")),
        ("text", datetime.max.replace(tzinfo=WEST), "9999-12-31T23:59:59.999999-10:00"),
        ("boolean", datetime.max.replace(tzinfo=WEST), None),
    ],
)
def test_what_a_function_of_the_program_returns_fits_its_column(kind: str, given: Any, kept: Any) -> None:
    """A day where days are kept, a whole number where there are no others."""
    columns = (InspectedColumn("made", kind, True, False),)
    found = InspectedTable(schema=None, name="t", dialect="postgresql", columns=columns)
    rows = MappedRows(TableMap(table="t", columns={"made": lambda event: given}), found, ())
    assert [(kept,)] == list(rows.make([entry_of(events.custom("x.y"))]))
