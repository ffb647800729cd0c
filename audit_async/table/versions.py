"""Which version the schema of our table has.

1  as first made: the table, its partitions and indexes; it says nothing of its version
2  beside it the table of legal holds, and `audit_schema`, which says the version
"""

from __future__ import annotations

from sqlalchemy import Dialect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName, inspect_through
from audit_async.table.columns import is_ours
from audit_async.table.ddl import quote_of, versions_table

SCHEMA_VERSION = 2
"""The version that this program makes, and upgrades to."""

_COLUMNS = {"table_name", "version", "upgraded_at"}


async def version_of(connection: AsyncConnection, name: TableName) -> int:
    """Return the schema's version of our table *name*. One that was made before there were versions has 1.

    Raises:
        ConfigStoreError: there is no table of that name.
        ConfigurationError: the table, or the one of versions, is none of ours.
    """
    found = await inspect_through(connection, name)
    if not found.exists:
        raise ConfigStoreError(f"there is no table {name}", hint="make it with `audit-async init URL`")
    if not is_ours(found):
        raise ConfigurationError(f"table {name} is none of ours", hint="name the right one: --table")
    versions = versions_table(name)
    there = await inspect_through(connection, versions)
    if not there.exists:
        return 1
    if not {column.name for column in there.columns} >= _COLUMNS:
        raise ConfigurationError(
            f"there is a table {versions} of another shape", hint=f"ours needs that name: give table {versions} another"
        )
    statement = text(
        f"SELECT version FROM {versions.in_text(quote_of(connection.dialect.name))} WHERE table_name = :name"
    )
    version = (await connection.execute(statement, {"name": name.name})).scalar()
    return 1 if version is None else int(version)


async def require_version(connection: AsyncConnection, name: TableName, least: int, purpose: str) -> None:
    """Make sure that the schema of *name* has at least the version that *purpose* needs.

    Raises:
        ConfigurationError: it is older.
    """
    version = await version_of(connection, name)
    if version < least:
        raise ConfigurationError(
            f"table {name} has version {version} of the schema, and {purpose} needs {least}",
            hint="run `audit-async upgrade URL` first",
        )


def server_kind(connection: AsyncConnection) -> str:
    """Return which database is behind *connection*: a `mysql` address may lead to a MariaDB."""
    return kind_of(connection.dialect)


def kind_of(dialect: Dialect) -> str:
    """Return which database *dialect* speaks to, as far as is known: before it has connected the address says it."""
    return "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name


def server_version(connection: AsyncConnection) -> tuple[int, ...]:
    """Return the version of the database behind *connection*."""
    version = connection.dialect.server_version_info
    return tuple(int(part) for part in version or ())
