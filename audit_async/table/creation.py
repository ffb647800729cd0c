"""Our table is made, and a table that is there is looked at."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigurationError
from audit_async.inspection import (
    MAX_NAME_BYTES,
    SUPPORTED,
    InspectedTable,
    TableName,
    inspect_through,
)
from audit_async.table.columns import is_ours, lacking
from audit_async.table.connection import connected
from audit_async.table.ddl import ddl
from audit_async.table.partitions import create_partitions

_LONGEST_SUFFIX = "_tenant_id_created_at_idx"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTable:
    """What `create_table` did.

    Attributes:
        is_new: False if our table was there already.
        partitions: names of those that were made now.
    """

    name: str
    is_new: bool
    partitions: tuple[str, ...] = ()

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
    """Make our table, in one transaction; on PostgreSQL with its partitions, those that are missing.

    A table of ours that is there already is left as it is, apart from missing partitions.

    Raises:
        ConfigurationError: the database is none of the supported ones, or there is a table of that name and
            another shape.
        StoreError: the database is away, or refuses.
    """
    name = TableName.parse(table)
    if len(f"{name.name}{_LONGEST_SUFFIX}") > MAX_NAME_BYTES:
        raise ConfigurationError(
            f"table name {table!r} is too long for the names of its indexes and partitions",
            hint=f"use at most {MAX_NAME_BYTES - len(_LONGEST_SUFFIX)} characters",
        )
    async with connected(url, name, "make") as connection:
        made = await create(connection, name)
        await connection.commit()
        return made


async def create(connection: AsyncConnection, name: TableName) -> CreatedTable:
    """Make our table through an open connection, in its transaction. As `create_table`."""
    dialect = connection.dialect.name
    if dialect not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"no table can be made on {dialect}", hint=f"supported: {SUPPORTED}")
    if dialect == "postgresql":
        # Two processes that start together make the table one after the other.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('audit_async.create_table'))"))
    found = await inspect_through(connection, name)
    if found.exists and not is_ours(found):
        raise ConfigurationError(
            f"there is a table {name} ({_named(found)}) of another shape: it lacks {_few(lacking(found)) or 'our key'}",
            hint="give ours another name: --table, and table= in the program",
        )
    if not found.exists:
        for statement in ddl(name, dialect, _version(connection)):
            await connection.exec_driver_sql(statement)
    if dialect != "postgresql" or (found.exists and not found.is_partitioned):
        return CreatedTable(name=str(name), is_new=not found.exists)
    partitions = await create_partitions(connection, name)
    return CreatedTable(name=str(name), is_new=not found.exists, partitions=partitions)


def _named(found: InspectedTable) -> str:
    return _few(tuple(column.name for column in found.columns))


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{', '.join(names[:6])}{more}"


def _version(connection: AsyncConnection) -> tuple[int, ...]:
    version = connection.dialect.server_version_info
    if version is None:
        return sqlite3.sqlite_version_info
    return tuple(int(part) for part in version)
