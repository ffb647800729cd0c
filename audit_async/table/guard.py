"""The guard of our table: triggers that refuse every change of a row that is there.

Three ways lead past a simple trigger, and each has its answer here.

On PostgreSQL a row trigger reaches every partition, also one that is made or attached later, and what a
replication applies; but it lets a TRUNCATE pass, and a statement that happens to touch no row. A statement
trigger stops both, but only for the relation that the statement names, so each partition gets its own. A
superuser's `session_replication_role = replica` skips triggers, save those that are ENABLE ALWAYS.

On SQLite `INSERT OR REPLACE` removes a row without a word to the triggers for DELETE. A trigger for INSERT
passes over a key that is there, as our own statement does.

On MariaDB and MySQL dropping a trigger would end the transaction, and would show to everybody. So the triggers
ask a variable of the session, which dies with it. It stops mistakes only: whoever has the right to update or
delete rows can set it. The writer has no such right.

No trigger stops a DROP, a DETACH or an ALTER, by which whoever owns the table lifts the guard as well; on
MariaDB and MySQL a TRUNCATE is one of these. That is for the rights to forbid, see `maintenance.roles`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from audit_async.errors import ConfigurationError
from audit_async.faults.mysql import is_savepoint_gone
from audit_async.inspection import TableName
from audit_async.table.connection import run_as_written
from audit_async.table.ddl import MYSQL
from audit_async.table.transactions import begin_on_sqlite
from audit_async.table.triggers import (
    BODY,
    IS_GUARDED,
    MYSQL_PUT_BACK,
    ROW_TRIGGER,
    STATEMENT_TRIGGER,
    mysql_lift,
    mysql_trigger,
    mysql_triggers,
    postgres_guard,
    postgres_lift,
    postgres_partition_guard,
    postgres_partition_rights,
    sqlite_triggers,
)


def guard_statements(name: TableName, dialect: str) -> list[str]:
    """Return what guards our table *name*, on PostgreSQL with all its partitions. It may run again.

    Raises:
        ConfigurationError: *dialect* is of no database that our table is made on.
    """
    if dialect == "postgresql":
        return [postgres_guard(name)]
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {quoted}" for quoted in sqlite_triggers(name)] + list(
            sqlite_triggers(name).values()
        )
    if dialect in MYSQL:
        return [f"DROP TRIGGER IF EXISTS {quoted}" for quoted in mysql_triggers(name)] + list(
            mysql_triggers(name).values()
        )
    raise ConfigurationError(f"no table can be guarded on {dialect}", hint="use PostgreSQL, SQLite or MariaDB")


def guard_partition_statements(name: TableName, partition: TableName) -> list[str]:
    """Return what a new *partition* of the guarded table *name* needs on PostgreSQL, once it is made or attached.

    Its row trigger comes from *name*; it lacks the one against a TRUNCATE, and the owner of *name*. Rights that
    default privileges gave on it are taken back: rows are reached through *name*, with its rights and policies.
    """
    qualified = TableName(partition.schema or name.schema, partition.name)
    return [postgres_partition_guard(qualified), postgres_partition_rights(name, qualified)]


async def is_guarded(connection: AsyncConnection, name: TableName) -> bool:
    """Say whether the table *name* and each of its partitions refuse every change, as made by `guard`."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        bound = {"table": name.quoted(), "row": ROW_TRIGGER, "statement": STATEMENT_TRIGGER, "body": BODY}
        return bool((await connection.execute(text(IS_GUARDED), bound)).scalar())
    if dialect == "sqlite":
        master = TableName(name.schema, "sqlite_master").quoted()
        found = await connection.exec_driver_sql(f"SELECT sql FROM {master} WHERE type = 'trigger'")
        return set(sqlite_triggers(name).values()) <= set(found.scalars())
    return set(mysql_triggers(name).values()) <= await _mysql_triggers(connection, name)


async def has_guard(connection: AsyncConnection, name: TableName) -> bool:
    """Say whether *name* was ever guarded: a partition of it, or a trigger, may be missing by now."""
    if connection.dialect.name != "postgresql":
        return await is_guarded(connection, name)
    statement = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :ours)"
    bound = {"table": name.quoted(), "ours": STATEMENT_TRIGGER}
    return bool((await connection.execute(text(statement), bound)).scalar())


async def guard(connection: AsyncConnection, name: TableName) -> None:
    """Guard the table *name* and all its partitions in the open transaction; do nothing where they are.

    On PostgreSQL writers wait until that transaction ends.
    """
    if await is_guarded(connection, name):
        return
    for statement in guard_statements(name, connection.dialect.name):
        await run_as_written(connection, statement)


@asynccontextmanager
async def unguarded(connection: AsyncConnection, name: TableName) -> AsyncIterator[None]:
    """Lift the guard of *name* for the open transaction alone, and put it back before the block ends.

    A table that is not guarded stays so. *name* may be one partition: then the table itself, through which
    writers insert, is not locked. The block is a savepoint: an exception undoes all of it, and a crash leaves the guard
    on. On PostgreSQL and SQLite nobody else can write to *name* until the transaction ends.

    Raises:
        ConfigurationError: the block ended the transaction itself; the guard was off meanwhile, and is on again.
    """
    # MySQL shows triggers only to those who may make some. The variable says nothing where there are none.
    if connection.dialect.name not in MYSQL and not await has_guard(connection, name):
        yield
        return
    await begin_on_sqlite(connection)
    nested = await connection.begin_nested()
    try:
        for statement in _lifting(name, connection.dialect.name):
            await run_as_written(connection, statement)
        yield
    except BaseException:
        if nested.is_active:
            await _end_session(connection)
            await _undo(nested)
        else:
            await _put_back(connection, name)
            await connection.commit()
        raise
    await _put_back(connection, name)
    if not nested.is_active:
        await connection.commit()
        raise ConfigurationError(
            f"the transaction in which {name} is unguarded ended too early", hint="commit behind the block"
        )
    await nested.commit()


def _lifting(name: TableName, dialect: str) -> list[str]:
    if dialect in MYSQL:
        return [mysql_lift(name)]
    if dialect == "sqlite":
        return [f"DROP TRIGGER {quoted}" for quoted in sqlite_triggers(name)]
    return [postgres_lift(name)]


async def _put_back(connection: AsyncConnection, name: TableName) -> None:
    await _end_session(connection)
    if connection.dialect.name not in MYSQL:
        await guard(connection, name)


async def _undo(nested: AsyncTransaction) -> None:
    """Roll the savepoint back, unless it went with the whole transaction: by a deadlock on MariaDB and MySQL."""
    try:
        await nested.rollback()
    except DBAPIError as error:
        if not is_savepoint_gone(error):
            raise


async def _end_session(connection: AsyncConnection) -> None:
    """Forget on MariaDB and MySQL what no savepoint undoes: that this session may change rows."""
    if connection.dialect.name in MYSQL and not connection.invalidated:
        await connection.exec_driver_sql(MYSQL_PUT_BACK)


async def _mysql_triggers(connection: AsyncConnection, name: TableName) -> set[str]:
    """Return the statements that would make the triggers of *name* as they are."""
    statement = (
        "SELECT trigger_name AS name, action_timing AS timing, event_manipulation AS event, action_statement AS body"
        " FROM information_schema.triggers"
        " WHERE event_object_table = :table AND event_object_schema = coalesce(:schema, database())"
    )
    found = await connection.execute(text(statement), {"table": name.name, "schema": name.schema})
    return {
        mysql_trigger(name, TableName(name.schema, row.name).quoted("`"), f"{row.timing} {row.event}", row.body)
        for row in found
    }
