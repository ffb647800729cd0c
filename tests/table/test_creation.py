"""Our table: what is made, what is looked at, and what is left alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url, text

from audit_async.config import PARTITION_MONTHS_AHEAD
from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError, ConfigurationError, TransientStoreError
from audit_async.inspection import TableName, async_url
from audit_async.table import creation
from audit_async.table.columns import COLUMNS, is_ours
from audit_async.table.creation import create_table, inspect_table
from audit_async.table.ddl import ddl
from audit_async.table.partitions import months
from tests.store.conftest import Place, add_role, empty, mariadb_empty, postgres_empty  # noqa: F401 -- fixtures
from tests.store.entries import entries


def test_the_columns_are_the_fields_of_an_entry() -> None:
    """Every field has its column, in its place."""
    assert tuple(COLUMNS) == Entry.__struct_fields__


async def test_a_table_is_made_once(empty: Place) -> None:  # noqa: F811
    """The second call says that it is there, and changes nothing."""
    first = await create_table(empty.url)
    await empty.open().insert(entries(3))
    second = await create_table(empty.url)
    assert (first.is_new, second.is_new, second.partitions) == (True, False, ())
    assert await empty.count() == 3
    assert is_ours(await inspect_table(empty.url))


async def test_two_processes_make_it_at_once(postgres_empty: Place) -> None:  # noqa: F811
    """One makes it, the other finds it."""
    done = await asyncio.gather(*(create_table(postgres_empty.url) for _ in range(3)))
    assert sorted(made.is_new for made in done) == [False, False, True]


async def test_two_processes_make_it_at_once_on_mariadb(mariadb_empty: Place) -> None:  # noqa: F811
    """Each CREATE ends its transaction there: one waits for the other's lock."""
    done = await asyncio.gather(*(create_table(mariadb_empty.url) for _ in range(3)))
    assert sorted(made.is_new for made in done) == [False, False, True]


async def test_a_lock_that_does_not_come_is_an_error_on_mariadb(
    mariadb_empty: Place,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside a process that is still making the table nothing is made, and the error says what to do."""
    monkeypatch.setattr(creation, "CREATE_LOCK_SECONDS", 0)
    async with mariadb_empty.admin.connect() as other:
        assert 1 == (await other.execute(text("SELECT GET_LOCK('audit_async.create_table', 30)"))).scalar()
        with pytest.raises(TransientStoreError, match="let it end"):
            await create_table(mariadb_empty.url)
        assert [] == await mariadb_empty.rows("SHOW TABLES")
    assert (await create_table(mariadb_empty.url)).is_new


async def test_listings_of_a_tenant_or_user_need_no_sorting(mariadb_empty: Place) -> None:  # noqa: F811
    """The indexes hold whole ids, so that what they find is in the order of the log."""
    await create_table(mariadb_empty.url)
    await mariadb_empty.open().insert(entries(500))
    for name, value in (("tenant_id", "t1"), ("user_id", "u7"), ("action", "order.paid")):
        (plan,) = await mariadb_empty.rows(
            f"EXPLAIN SELECT * FROM audit_logs FORCE INDEX (audit_logs_{name}_created_at_idx)"
            f" WHERE {name} = :value ORDER BY created_at DESC LIMIT 10",
            value=value,
        )
        assert (name, plan.key) == (name, f"audit_logs_{name}_created_at_idx")
        assert "filesort" not in (plan.Extra or "")


@pytest.mark.parametrize(("dialect", "version"), [("mariadb", (10, 2, 44)), ("mysql", (8, 0, 16)), ("mysql", (5, 7))])
def test_a_server_that_is_too_old_is_said(dialect: str, version: tuple[int, ...]) -> None:
    """What the table needs is named with the version that has it."""
    with pytest.raises(ConfigurationError, match=r"too old\nHINT: MariaDB 10.3, MySQL 8.0.17"):
        ddl(TableName(None, "audit_logs"), dialect, version)


def test_mysql_compares_ids_by_bytes_as_well() -> None:
    """It has another name for the collation."""
    (statement,) = ddl(TableName("app", "audit_logs"), "mysql", (8, 4, 3))
    assert "CREATE TABLE `app`.`audit_logs`" in statement
    assert statement.endswith("COLLATE utf8mb4_0900_bin")


async def test_partitions_reach_two_years_ahead(postgres_empty: Place) -> None:  # noqa: F811
    """One a month from now on; those that are missing are made by the next call."""
    made = await create_table(postgres_empty.url)
    assert len(made.partitions) == PARTITION_MONTHS_AHEAD + 1
    now = datetime.now(UTC)
    assert made.partitions[0] == f"audit_logs_{now:%Y_%m}"
    await postgres_empty.execute(f"DROP TABLE {made.partitions[5]}", f"DROP TABLE {made.partitions[-1]}")
    again = await create_table(postgres_empty.url)
    assert again.partitions == (made.partitions[5], made.partitions[-1])

    await postgres_empty.open().insert(entries(20))
    counted = await postgres_empty.rows("SELECT DISTINCT tableoid::regclass::text FROM audit_logs")
    assert [row[0] for row in counted] == [made.partitions[0]]


async def test_rows_outside_the_months_go_to_the_default_partition(postgres_empty: Place) -> None:  # noqa: F811
    """No time is refused."""
    await create_table(postgres_empty.url)
    await postgres_empty.open().insert(entries(1, created_at=datetime(1999, 1, 1, tzinfo=UTC)))
    assert await postgres_empty.count("audit_logs_default") == 1


async def test_the_database_adds_commit_order_and_clock(empty: Place) -> None:  # noqa: F811
    """One batch is one transaction id, a later one has a larger."""
    await create_table(empty.url)
    store = empty.open()
    await store.insert(entries(20))
    await store.insert(entries(20))
    order = {"sqlite": "rowid", "mysql": "seq"}.get(empty.dialect, "xact_id")
    found = await empty.rows(f"SELECT DISTINCT {order} FROM audit_logs WHERE recorded_at > '2020-01-01'")
    assert len(found) == (2 if order == "xact_id" else 40)


async def test_a_foreign_table_is_left_alone(empty: Place) -> None:  # noqa: F811
    """No silent IF NOT EXISTS: the error names what is there, the hint what to do."""
    await empty.execute("CREATE TABLE audit_logs (id integer PRIMARY KEY, message text)")
    with pytest.raises(ConfigurationError, match="--table"):
        await create_table(empty.url)
    found = await inspect_table(empty.url)
    assert [column.name for column in found.columns] == ["id", "message"]
    assert (await create_table(empty.url, table="audit_events")).is_new


async def test_another_name_and_schema(postgres_empty: Place) -> None:  # noqa: F811
    """Names are quoted: upper case, hyphens and reserved words are names like others."""
    await postgres_empty.execute('CREATE SCHEMA "my-Schema"')
    for name in ("my-Schema.order", "Group"):
        await create_table(postgres_empty.url, table=name)
        store = postgres_empty.open(table=name)
        for count in (1, 20):
            batch = entries(count)
            await store.insert(batch)
            await store.insert(batch, is_replay=True)
        assert await postgres_empty.count(TableName.parse(name).quoted()) == 21


async def test_an_insert_only_role_sees_the_columns(postgres_empty: Place) -> None:  # noqa: F811
    """What one may write one has to be able to look at."""
    await create_table(postgres_empty.url)
    url = await add_role(postgres_empty, "GRANT INSERT ON audit_logs TO {role}")
    found = await inspect_table(url)
    assert is_ours(found)
    assert found.column("details").type == "json"  # type: ignore[union-attr]
    assert not found.column("id").is_nullable  # type: ignore[union-attr]
    assert found.column("xact_id").has_default  # type: ignore[union-attr]


async def test_a_missing_table_has_no_columns(empty: Place) -> None:  # noqa: F811
    """Looking makes nothing."""
    assert not (await inspect_table(empty.url, "nowhere")).exists


@pytest.mark.parametrize("name", ["", "a.b.c", 'a"b', "a'b", "a;b", "a\nb", "x" * 64, "a\\b", "."])
def test_names_that_are_none(name: str) -> None:
    """What could end a quoted name is refused."""
    with pytest.raises(ConfigurationError):
        TableName.parse(name)


def test_months_cross_the_year() -> None:
    """Begin and end in UTC, each end the next one's begin."""
    spans = months(datetime(2026, 11, 21, 11, tzinfo=UTC), 2)
    assert [(a.isoformat()[:10], b.isoformat()[:10]) for a, b in spans] == [
        ("2026-11-01", "2026-12-01"),
        ("2026-12-01", "2027-01-01"),
        ("2027-01-01", "2027-02-01"),
    ]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql://u@h/d", "postgresql+asyncpg://"),
        ("postgresql+psycopg2://u@h/d", "postgresql+asyncpg://"),
        ("postgres://u:s3cret@h/d", "postgresql+asyncpg://"),
        ("sqlite:///x.db", "sqlite+aiosqlite://"),
        ("mysql+aiomysql://u@h/d", "pip install aiomysql"),
        ("mysql://u@h/d", "mysql+asyncmy://"),
        ("nonsense s3cret", "postgresql+asyncpg://"),
        ("", "postgresql+asyncpg://"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_to_write(url: str, hint: str) -> None:
    """A sync driver, a missing package, no URL at all: the hint is what to write; no password is told."""
    with pytest.raises(ConfigurationError) as caught:
        async_url(url)
    assert hint in str(caught.value.hint)
    assert "s3cret" not in str(caught.value)


async def test_unsupported_databases_are_listed(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    """Where we make no table, the message lists where we do."""
    from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

    monkeypatch.setattr(SQLiteDialect_aiosqlite, "name", "otherbase")
    with pytest.raises((ConfigurationError, ConfigStoreError), match="aiosqlite"):
        await create_table(sqlite_url)
    assert make_url(sqlite_url)
