"""Our table is made, and a table that is there is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import CREATE_LOCK_SECONDS, PARTITION_MONTHS_AHEAD
from audit_async.errors import ConfigurationError, TransientStoreError
from audit_async.inspection import (
    SUPPORTED,
    InspectedTable,
    TableName,
    inspect_through,
)
from audit_async.table.columns import is_ours, lacking
from audit_async.table.connection import connected, run_as_written
from audit_async.table.ddl import MYSQL
from audit_async.table.ownership import owned
from audit_async.table.partitions import add_month, find_partitions, missing_months, months
from audit_async.table.script import checked_name, make_statements, new_partitions
from audit_async.table.transactions import begin_on_sqlite
from audit_async.table.versions import SCHEMA_VERSION, server_kind, server_version, version_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTable:
    """What `create_table` did.

    Attributes:
        is_new: False if our table was there already.
        partitions: names of those that were made now.
        version: of the table's schema.
    """

    name: str
    is_new: bool
    partitions: tuple[str, ...] = ()
    version: int = SCHEMA_VERSION

    @property
    def advice(self) -> str | None:
        """What is left to do for the table, or None."""
        if self.version < SCHEMA_VERSION:
            return f"it has version {self.version} of the schema, of {SCHEMA_VERSION}: run `audit-async upgrade URL`"
        if self.version > SCHEMA_VERSION:
            return f"it has version {self.version} of the schema, newer than the {SCHEMA_VERSION} of this program"
        return None

    def __str__(self) -> str:
        if not self.is_new and not self.partitions:
            return f"Table {self.name} is there already; nothing to do"
        done = f"Made table {self.name}" if self.is_new else f"Table {self.name} is there already; made"
        if not self.partitions:
            return done
        first, last = self.partitions[0][-7:].replace("_", "-"), self.partitions[-1][-7:].replace("_", "-")
        return f"{done}{' with' if self.is_new else ''} {len(self.partitions)} monthly partitions, {first} to {last}"


async def inspect_table(url: str, table: str = "audit_logs") -> InspectedTable:
    """Look at the table *table* as it is, through a connection of its own.

    On PostgreSQL a role that may only insert sees enough. A table that is missing has no columns.

    Raises:
        ConfigurationError: *url* is no address that can be used.
        StoreError: the database is away, or refuses.
    """
    name = TableName.parse(table)
    async with connected(url, name, "look at") as connection:
        return await inspect_through(connection, name)


async def create_table(url: str, *, table: str = "audit_logs") -> CreatedTable:
    """Make our table, in one transaction; on PostgreSQL with its partitions.

    A table of ours that is there already is left as it is, apart from missing partitions, which are made beside
    writers at work; `upgrade_table` brings an older one to the present version.

    Raises:
        ConfigurationError: the database is none of the supported ones, or there is a table of that name and
            another shape.
        StoreError: the database is away, or refuses.
    """
    name = checked_name(table)
    async with connected(url, name, "make") as connection:
        made = await create(connection, name)
        await connection.commit()
        if made.is_new or connection.dialect.name != "postgresql":
            return made
        return replace(made, partitions=await _add_missing(connection, name))


async def create(connection: AsyncConnection, name: TableName) -> CreatedTable:
    """Make our table through an open connection, in its transaction, if it is not there.

    Raises:
        ConfigurationError: as `create_table`.
        TransientStoreError: another process is at it for too long; nothing was made.
    """
    dialect = server_kind(connection)
    if dialect not in ("postgresql", "sqlite", *MYSQL):
        raise ConfigurationError(f"no table can be made on {dialect}", hint=f"supported: {SUPPORTED}")
    # Two processes that start together make the table one after the other.
    if dialect == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('audit_async.create_table'))"))
    elif dialect == "sqlite":
        await begin_on_sqlite(connection)
    else:
        # Held until the connection is closed, since every CREATE ends its transaction.
        lock = text(f"SELECT GET_LOCK('audit_async.create_table', {CREATE_LOCK_SECONDS})")
        if (await connection.execute(lock)).scalar() != 1:
            raise TransientStoreError(
                f"another process has been making a table for over {CREATE_LOCK_SECONDS} s; {name} was not made",
                hint="let it end, or end its session in SHOW PROCESSLIST, and run this again",
            )
    found = await inspect_through(connection, name)
    if found.exists and not is_ours(found):
        raise ConfigurationError(
            f"there is a table {name} ({_named(found)}) of another shape: it lacks {_few(lacking(found)) or 'our key'}",
            hint="give ours another name: --table, and table= in the program",
        )
    if found.exists:
        return CreatedTable(name=str(name), is_new=False, version=await version_of(connection, name))
    for statement in make_statements(name, dialect, server_version(connection)):
        await run_as_written(connection, statement)
    partitions = new_partitions(name) if dialect == "postgresql" else {}
    return CreatedTable(name=str(name), is_new=True, partitions=tuple(map(str, partitions)))


async def _add_missing(connection: AsyncConnection, name: TableName) -> tuple[str, ...]:
    there = await find_partitions(connection, name)
    if not there:
        return ()
    missing = missing_months(there, months(datetime.now(UTC), PARTITION_MONTHS_AHEAD))
    where = await owned(connection, name, "add partitions to") if missing else name
    made = [await add_month(connection, where, month) for month in missing]
    return tuple(str(added.partition) for added in made if added is not None)


def _named(found: InspectedTable) -> str:
    return _few(tuple(column.name for column in found.columns))


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{', '.join(names[:6])}{more}"
