"""The guard: rows of our table are added, and neither changed nor removed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.creation import create_table
from audit_async.table.guard import guard, guard_statements, is_guarded, unguarded
from tests.store.conftest import Place, empty, place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries

NAME = TableName.parse("audit_logs")
REFUSED = "append-only"


async def put_guard(where: Place, name: TableName = NAME) -> None:
    async with where.admin.begin() as connection:
        await guard(connection, name)


async def has_it(where: Place, name: TableName = NAME) -> bool:
    async with where.admin.connect() as connection:
        return await is_guarded(connection, name)


async def is_refused(where: Place, *statements: str) -> None:
    with pytest.raises(DBAPIError, match=REFUSED):
        await where.execute(*statements)


@asynccontextmanager
async def transaction(where: Place) -> AsyncIterator[AsyncConnection]:
    async with where.admin.connect() as connection:
        yield connection
        await connection.commit()


async def relations(where: Place) -> list[str]:
    found = await where.rows("SELECT relid::regclass::text FROM pg_partition_tree('audit_logs')")
    return [row[0] for row in found]


async def run(connection: AsyncConnection, *statements: str) -> None:
    for statement in statements:
        await connection.execute(text(statement))


async def test_no_row_is_changed_or_removed(place: Place) -> None:  # noqa: F811
    """UPDATE and DELETE of a row are refused, and inserting goes on."""
    await place.open().insert(entries(3))
    await put_guard(place)
    await is_refused(place, "UPDATE audit_logs SET action = 'forged'")
    await is_refused(place, "DELETE FROM audit_logs")
    await place.open().insert(entries(20))
    assert await place.count() == 23


async def test_a_replay_passes_the_guard(place: Place) -> None:  # noqa: F811
    """What is in the table already is passed over, as without a guard."""
    await put_guard(place)
    batch = entries(20)
    await place.open().insert(batch)
    await place.open().insert([*batch, *entries(1)], is_replay=True)
    assert await place.count() == 21


async def test_a_guard_twice_is_a_guard_once(place: Place) -> None:  # noqa: F811
    """The table is guarded after the first time, and by running the statements again."""
    assert not await has_it(place)
    await put_guard(place)
    await put_guard(place)
    await place.execute(*guard_statements(NAME, place.dialect))
    assert await has_it(place)


async def test_the_guard_is_lifted_for_one_transaction(place: Place) -> None:  # noqa: F811
    """Within the block rows can be removed; behind it they cannot, in the same transaction or in another."""
    await place.open().insert(entries(2))
    await put_guard(place)
    async with transaction(place) as connection:
        async with unguarded(connection, NAME):
            await run(connection, "DELETE FROM audit_logs")
        await run(connection, insert_one("'x'"))
        behind = await connection.begin_nested()
        with pytest.raises(DBAPIError, match=REFUSED):
            await run(connection, "UPDATE audit_logs SET action = 'forged'")
        await behind.rollback()
    await is_refused(place, "DELETE FROM audit_logs")
    assert await place.count() == 1
    assert await has_it(place)


async def emptied_in_vain(connection: AsyncConnection) -> None:
    async with unguarded(connection, NAME):
        await run(connection, "DELETE FROM audit_logs", "SELECT * FROM no_such_table")


async def test_an_exception_in_the_block_undoes_it(place: Place) -> None:  # noqa: F811
    """What was done before the exception is undone, the guard is on, and the transaction goes on."""
    await place.open().insert(entries(2))
    await put_guard(place)
    async with transaction(place) as connection:
        with pytest.raises(DBAPIError, match="no_such_table"):
            await emptied_in_vain(connection)
        assert await is_guarded(connection, NAME)
    assert await place.count() == 2
    assert await has_it(place)


async def test_a_commit_in_the_block_is_an_error_that_leaves_the_guard_on(place: Place) -> None:  # noqa: F811
    """Who ends the transaction inside is told, and the guard is on again."""
    await put_guard(place)
    with pytest.raises(ConfigurationError, match="behind the block"):
        async with transaction(place) as connection, unguarded(connection, NAME):
            await connection.commit()
    assert await has_it(place)


async def test_a_table_without_a_guard_stays_without(place: Place) -> None:  # noqa: F811
    """Lifting what is not there puts nothing there."""
    async with transaction(place) as connection, unguarded(connection, NAME):
        await run(connection, "DELETE FROM audit_logs")
    assert not await has_it(place)


def insert_one(identifier: str, *, at: str = "'2001-01-01T00:00:00.000000Z'", verb: str = "INSERT") -> str:
    columns = "id, created_at, action, category, severity, outcome, details, metadata, tags"
    return f"{verb} INTO audit_logs ({columns}) VALUES ({identifier}, {at}, 'a', 'b', 'c', 'd', '{{}}', '{{}}', '[]')"


# --- SQLite --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["BEGIN END", "SET @audit_unguarded = OLD.id"])
@pytest.mark.parametrize("empty", ["mariadb"], indirect=True)
async def test_a_trigger_of_our_name_is_no_guard_by_itself(place: Place, body: str) -> None:  # noqa: F811
    """On MariaDB one that does something else counts as none, and is made anew."""
    await put_guard(place)
    trigger = "audit_logs_append_only_delete"
    await place.execute(
        f"DROP TRIGGER {trigger}", f"CREATE TRIGGER {trigger} BEFORE DELETE ON audit_logs FOR EACH ROW {body}"
    )
    assert not await has_it(place)
    await place.open().insert(entries(1))
    await put_guard(place)
    await is_refused(place, "DELETE FROM audit_logs")
    assert await has_it(place)


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_sqlite_replaces_no_row(place: Place) -> None:  # noqa: F811
    """`INSERT OR REPLACE` leaves the row that is there, by its key and by its rowid."""
    await place.execute(insert_one("'first'"), "UPDATE audit_logs SET description = 'true'")
    await put_guard(place)
    await place.execute(insert_one("'first'", verb="INSERT OR REPLACE"))
    by_rowid = insert_one("'other'", verb="INSERT OR REPLACE").replace("(id,", "(rowid, id,").replace("('", "(1, '")
    await is_refused(place, by_rowid)
    assert [("first", "true")] == [tuple(row) for row in await place.rows("SELECT id, description FROM audit_logs")]


# --- PostgreSQL ----------------------------------------------------------------------------------------------

CHANGES = ["UPDATE {0} SET action = 'forged'", "DELETE FROM {0}", "TRUNCATE {0}"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("session", ["SELECT 1", "SET LOCAL session_replication_role = replica"])
async def test_a_superuser_is_refused_everywhere(postgres_place: Place, change: str, session: str) -> None:  # noqa: F811
    """The table and each partition, empty or not, refuse also the superuser who skips triggers."""
    await postgres_place.open().insert(entries(2))
    await put_guard(postgres_place)
    for relation in await relations(postgres_place):
        await is_refused(postgres_place, session, change.format(relation))
    assert await postgres_place.count() == 2


@pytest.mark.parametrize("change", CHANGES)
async def test_a_later_partition_is_guarded(postgres_place: Place, change: str) -> None:  # noqa: F811
    """A partition that `create_table` makes after the guard refuses as the others."""
    await put_guard(postgres_place)
    last = (await relations(postgres_place))[-1]
    await postgres_place.execute(f"DROP TABLE {last}")
    made = await create_table(postgres_place.url)
    assert [last] == list(made.partitions)
    await is_refused(postgres_place, "SET LOCAL session_replication_role = replica", change.format(last))
    assert await has_it(postgres_place)


async def test_a_partition_made_by_hand_is_noticed(postgres_place: Place) -> None:  # noqa: F811
    """Its rows are safe at once; that it can be emptied as a whole is seen, and mended by another `guard`."""
    await put_guard(postgres_place)
    by_hand = "CREATE TABLE by_hand PARTITION OF audit_logs FOR VALUES FROM ('1990-01-01') TO ('1991-01-01')"
    await postgres_place.execute(by_hand, insert_one("'x'", at="'1990-05-05'"))
    await is_refused(postgres_place, "SET LOCAL session_replication_role = replica", "DELETE FROM by_hand")
    assert not await has_it(postgres_place)
    await put_guard(postgres_place)
    assert await has_it(postgres_place)
    await is_refused(postgres_place, "TRUNCATE by_hand")


@pytest.mark.parametrize(
    "sabotage",
    [
        "ALTER TABLE audit_logs ENABLE TRIGGER audit_append_only",
        "ALTER TABLE audit_logs_default DISABLE TRIGGER audit_append_only",
        "DROP TRIGGER audit_append_only_statement ON audit_logs_default",
        "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end'",
        "DROP TRIGGER audit_append_only ON audit_logs;; CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE"
        " ON audit_logs FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_refuse_change();;"
        " ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER audit_append_only",
    ],
)
async def test_a_weakened_guard_is_noticed_and_mended(postgres_place: Place, sabotage: str) -> None:  # noqa: F811
    """A trigger that is off, gone, empty or never meant is no guard, and `guard` makes it one."""
    await put_guard(postgres_place)
    await postgres_place.execute(*sabotage.split(";; "))
    assert not await has_it(postgres_place)
    await put_guard(postgres_place)
    assert await has_it(postgres_place)


async def test_an_unlocked_table_is_locked_for_others(postgres_place: Place) -> None:  # noqa: F811
    """While one transaction lifts the guard no other can change a row; while one partition is unguarded, others
    insert through the table."""
    await postgres_place.open().insert(entries(2))
    await put_guard(postgres_place)
    rest = TableName.parse("audit_logs_default")
    written = (await postgres_place.rows("SELECT tableoid::regclass::text FROM audit_logs"))[0][0]
    async with transaction(postgres_place) as connection, unguarded(connection, rest):
        await is_refused(postgres_place, f"UPDATE {written} SET action = 'forged'")
        await postgres_place.open().insert(entries(20))
        await run(connection, "DELETE FROM audit_logs_default")
        async with unguarded(connection, NAME):
            with pytest.raises(DBAPIError, match="lock timeout"):
                await postgres_place.execute("SET LOCAL lock_timeout = 10", "DELETE FROM audit_logs")
    await is_refused(postgres_place, "DELETE FROM audit_logs_default")
    assert await has_it(postgres_place)


async def test_partitions_made_in_the_block_are_guarded(postgres_place: Place) -> None:  # noqa: F811
    """What was made and attached while the guard was off is guarded when the block ends."""
    await put_guard(postgres_place)
    async with transaction(postgres_place) as connection, unguarded(connection, NAME):
        for statement in (
            "CREATE TABLE made PARTITION OF audit_logs FOR VALUES FROM ('1990-01-01') TO ('1991-01-01')",
            "CREATE TABLE attached (LIKE audit_logs INCLUDING ALL)",
            "ALTER TABLE audit_logs ATTACH PARTITION attached FOR VALUES FROM ('1991-01-01') TO ('1992-01-01')",
        ):
            await run(connection, statement)
    for relation in ("made", "attached"):
        await is_refused(postgres_place, f"TRUNCATE {relation}")
        await is_refused(postgres_place, f"DELETE FROM {relation}")
    assert await has_it(postgres_place)


async def killed_in_the_block(where: Place) -> None:
    async with transaction(where) as connection, unguarded(connection, NAME):
        await run(connection, "DELETE FROM audit_logs")
        pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar()
        await where.rows("SELECT pg_terminate_backend(:pid)", pid=pid)
        await run(connection, "SELECT 1")


async def test_a_killed_session_leaves_the_guard_on(postgres_place: Place) -> None:  # noqa: F811
    """The server process that dies within the block takes its lifting along."""
    await postgres_place.open().insert(entries(2))
    await put_guard(postgres_place)
    with pytest.raises((DBAPIError, asyncpg.PostgresError)):
        await killed_in_the_block(postgres_place)
    await is_refused(postgres_place, "DELETE FROM audit_logs")
    assert (True, 2) == (await has_it(postgres_place), await postgres_place.count())


async def test_a_detached_partition_can_be_attached_again(postgres_place: Place) -> None:  # noqa: F811
    """Off and on again, a partition is guarded as before; off, it can be dropped."""
    await put_guard(postgres_place)
    detach = "ALTER TABLE audit_logs DETACH PARTITION audit_logs_default"
    await postgres_place.execute(detach, "ALTER TABLE audit_logs ATTACH PARTITION audit_logs_default DEFAULT")
    assert await has_it(postgres_place)
    await postgres_place.execute(detach, "DROP TABLE audit_logs_default")


@pytest.mark.parametrize("hostile", ["a$audit$ $audit_$", "Sel ect", "ünïcode", "a:b{x}"])
async def test_a_hostile_name_is_only_a_name(empty: Place, hostile: str) -> None:  # noqa: F811
    """Dollars, colons, braces and blanks in a table's name stay in it."""
    name = TableName.parse(hostile)
    await create_table(empty.url, table=hostile)
    await put_guard(empty, name)
    assert await has_it(empty, name)


@pytest.mark.parametrize("hostile", ['a"b', "a'b", "a;b", "a\\b", "a`b"])
def test_a_name_with_quotes_is_none(hostile: str) -> None:
    """What could end a name is refused before a statement is made of it."""
    with pytest.raises(ConfigurationError, match=re.escape("is no table name")):
        TableName.parse(hostile)


async def test_a_partition_with_a_hostile_name_is_guarded(postgres_place: Place) -> None:  # noqa: F811
    """A partition's name comes from the catalogue, quoted."""
    hostile = '"x""; DROP TABLE audit_logs; --\' $audit$"'
    bounds = f"FROM ('{datetime(1990, 1, 1, tzinfo=UTC)}') TO ('{datetime(1991, 1, 1, tzinfo=UTC)}')"
    await postgres_place.execute(f"CREATE TABLE {hostile} PARTITION OF audit_logs FOR VALUES {bounds}")
    await put_guard(postgres_place)
    assert await has_it(postgres_place)
    await is_refused(postgres_place, f"TRUNCATE {hostile}")
