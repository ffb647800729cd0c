"""A month is made beside writers at work, and is what it would have been from the start."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigStoreError, TransientStoreError
from audit_async.inspection import TableName
from audit_async.table.creation import create_table
from audit_async.table.guard import guard, is_guarded
from audit_async.table.partitions import Month, add_month, find_partitions, months
from tests.polling import eventually
from tests.store.conftest import Place, add_role, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries
from tests.table.catalogue import catalogue

NAME = TableName.parse("audit_logs")
NEXT = months(datetime.now(UTC), 1)[1]
NEXT_NAME = f"audit_logs_{NEXT[0]:%Y_%m}"


@pytest.fixture(autouse=True)
def next_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next month be that of now: the tests may have been collected in another one."""
    month = months(datetime.now(UTC), 1)[1]
    monkeypatch.setitem(globals(), "NEXT", month)
    monkeypatch.setitem(globals(), "NEXT_NAME", f"audit_logs_{month[0]:%Y_%m}")


async def insert_again(connection: AsyncConnection) -> None:
    """Insert into the table what is in this month already; reading the whole would be another thing."""
    rows = f"SELECT * FROM audit_logs_{datetime.now(UTC):%Y_%m}"
    await connection.execute(text(f"INSERT INTO audit_logs {rows} ON CONFLICT DO NOTHING"))


async def add(place: Place, month: Month | None = None, name: TableName = NAME) -> int | None:
    """Make *month*, by default the next one, and return how many rows moved there, None if it is there already."""
    async with place.admin.connect() as connection:
        added = await add_month(connection, name, month or NEXT)
        return None if added is None else added.moved


async def test_a_month_that_is_attached_is_one_made_from_the_start(postgres_place: Place) -> None:  # noqa: F811
    """Columns, defaults, indexes and constraints are the same to the letter, and its names too."""
    made_from_start = await catalogue(postgres_place.url)
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    assert made_from_start != await catalogue(postgres_place.url)
    assert await add(postgres_place) == 0
    assert made_from_start == await catalogue(postgres_place.url)


async def test_a_month_that_is_there_is_not_made_again(postgres_place: Place) -> None:  # noqa: F811
    """Whoever comes second finds it made, and changes nothing."""
    before = await catalogue(postgres_place.url)
    assert await add(postgres_place) is None
    assert before == await catalogue(postgres_place.url)


async def test_writers_in_the_middle_of_a_transaction_are_not_waited_for(postgres_place: Place) -> None:  # noqa: F811
    """Neither does the month wait for an INSERT that has not committed, nor the next INSERT for the month."""
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    await postgres_place.open().insert(entries(1))
    async with postgres_place.admin.connect() as writer:
        await insert_again(writer)
        assert await add(postgres_place) == 0
        await insert_again(writer)


async def test_strays_move_as_they_are(postgres_place: Place) -> None:  # noqa: F811
    """A row of the default partition gets to its month with every column unchanged, the database's own as well."""
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    store = postgres_place.open()
    await store.insert(entries(20, created_at=NEXT[0]))
    await store.insert(entries(20, created_at=NEXT[1] - timedelta(microseconds=1)))
    await store.insert(entries(3, created_at=NEXT[0] - timedelta(days=4000)))
    whole = "SELECT to_jsonb(audit_logs) FROM audit_logs ORDER BY created_at, id"
    before = await postgres_place.rows(whole)
    assert await postgres_place.count("audit_logs_default") == 43
    assert await add(postgres_place) == 40
    assert (40, 3) == (await postgres_place.count(NEXT_NAME), await postgres_place.count("audit_logs_default"))
    assert before == await postgres_place.rows(whole)


async def test_strays_of_a_guarded_table_move_too(postgres_place: Place) -> None:  # noqa: F811
    """The guard is lifted for the move alone: it is on afterwards, on the new month as well."""
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    async with postgres_place.admin.begin() as connection:
        await guard(connection, NAME)
    await postgres_place.open().insert(entries(20, created_at=NEXT[0]))
    assert await add(postgres_place) == 20
    async with postgres_place.admin.connect() as connection:
        assert await is_guarded(connection, NAME)
    for statement in (f"TRUNCATE {NEXT_NAME}", f"DELETE FROM {NEXT_NAME}", "DELETE FROM audit_logs"):
        with pytest.raises(DBAPIError, match="append-only"):
            await postgres_place.execute(statement)


async def test_a_new_month_belongs_to_the_owner_of_the_table(postgres_place: Place) -> None:  # noqa: F811
    """Also when an administrator makes it."""
    url = await add_role(postgres_place, "GRANT ALL ON SCHEMA public TO {role}")
    owner = url.split("//")[1].split(":")[0]
    await postgres_place.execute(f"ALTER TABLE audit_logs OWNER TO {owner}", f"DROP TABLE {NEXT_NAME}")
    assert await add(postgres_place) == 0
    found = await postgres_place.rows("SELECT tableowner FROM pg_tables WHERE tablename = :name", name=NEXT_NAME)
    assert [owner] == [row[0] for row in found]


async def test_a_table_that_has_the_name_is_left_alone(postgres_place: Place) -> None:  # noqa: F811
    """A month that was detached keeps its name: that is said, and nothing is made."""
    await postgres_place.execute(f"ALTER TABLE audit_logs DETACH PARTITION {NEXT_NAME}")
    before = await catalogue(postgres_place.url)
    with pytest.raises(ConfigStoreError, match="no partition of audit_logs"):
        await add(postgres_place)
    assert before == await catalogue(postgres_place.url)


async def test_partitions_of_other_spans_are_seen(postgres_empty: Place) -> None:  # noqa: F811
    """A month that a longer partition covers is not made; odd names and other schemas are no obstacle."""
    await postgres_empty.execute('CREATE SCHEMA "Old ones"', 'CREATE SCHEMA "my-Schema"')
    await create_table(postgres_empty.url, table="my-Schema.Order")
    await postgres_empty.execute(
        'CREATE TABLE "Old ones"."twenties %" PARTITION OF "my-Schema"."Order"'
        " FOR VALUES FROM ('2020-01-01 00:00Z') TO ('2025-01-01 00:00Z')"
    )
    name = TableName.parse("my-Schema.Order")
    async with postgres_empty.admin.connect() as connection:
        first = (await find_partitions(connection, name))[0]
        assert ("Old ones", "twenties %", 2020) == (first.name.schema, first.name.name, (first.starts or NEXT[0]).year)
    assert await add(postgres_empty, months(datetime(2022, 2, 2, tzinfo=UTC), 0)[0], name) is None
    assert await add(postgres_empty, months(datetime(2019, 2, 2, tzinfo=UTC), 0)[0], name) == 0


async def test_init_adds_months_beside_writers(postgres_place: Place) -> None:  # noqa: F811
    """`create_table` on a table that is there makes what is missing in the same way: no writer is waited for."""
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    await postgres_place.open().insert(entries(1))
    async with postgres_place.admin.connect() as writer:
        await insert_again(writer)
        made = await create_table(postgres_place.url)
        await insert_again(writer)
    assert (False, (NEXT_NAME,)) == (made.is_new, made.partitions)


async def test_a_row_under_way_to_the_default_partition_comes_again(postgres_place: Place) -> None:  # noqa: F811
    """PostgreSQL refuses a row whose month was made while it waited: no poison, the same batch goes in next time."""
    await postgres_place.execute(f"DROP TABLE {NEXT_NAME}")
    store, batch = postgres_place.open(), entries(1, created_at=NEXT[0])
    await store.insert(entries(1))
    async with postgres_place.admin.connect() as maker:
        await maker.exec_driver_sql("LOCK TABLE audit_logs_default IN ACCESS EXCLUSIVE MODE")
        inserting = asyncio.ensure_future(store.insert(batch))

        async def waits() -> bool:
            locked = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'audit_logs_default'::regclass"
            return bool((await maker.exec_driver_sql(locked)).all())

        await eventually(waits)
        first, after = (moment.isoformat() for moment in NEXT)
        await maker.exec_driver_sql(f"CREATE TABLE {NEXT_NAME} (LIKE audit_logs INCLUDING ALL)")
        await maker.exec_driver_sql(
            f"ALTER TABLE audit_logs ATTACH PARTITION {NEXT_NAME} FOR VALUES FROM ('{first}') TO ('{after}')"
        )
        await maker.commit()
    with pytest.raises(TransientStoreError, match="partition"):
        await inserting
    await store.insert(batch, is_replay=True)
    assert 1 == await postgres_place.count(NEXT_NAME)
