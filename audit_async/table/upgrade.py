"""An older table of ours is brought to the present version of its schema, in short steps, while writers go on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import LONG_STATEMENT_SECONDS
from audit_async.inspection import TableName, inspect_through
from audit_async.table.connection import connected, run_as_written
from audit_async.table.ddl import MYSQL, holds_table, mysql_resource_index, versions_table
from audit_async.table.ownership import own_like, owned
from audit_async.table.partitions import find_partitions
from audit_async.table.script import beside_statements
from audit_async.table.transactions import patiently, taking_turns
from audit_async.table.versions import SCHEMA_VERSION, server_kind, server_version, version_of

RESOURCE_INDEX = "resource_type, resource_id, created_at"
"""The columns of the index by choice, for those who ask what happened to a thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What `upgrade_table` did.

    Attributes:
        found: the version that the table had.
        version: the one that it has now.
        steps: what was done, one sentence each.
    """

    table: str
    found: int
    version: int
    steps: tuple[str, ...] = ()

    @property
    def is_newer(self) -> bool:
        """Whether the table is of a version that this program does not know, and was left alone."""
        return self.version > SCHEMA_VERSION

    def __str__(self) -> str:
        if self.is_newer:
            return (
                f"Table {self.table} has version {self.version} of the schema, newer than the {SCHEMA_VERSION} of "
                "this program; it is left as it is"
            )
        if not self.steps:
            return f"Table {self.table} has version {self.version} of the schema already; nothing to do"
        came = f" from {self.found}" if self.found != self.version else ""
        return "\n".join([f"Table {self.table}: version {self.version} of the schema{came}", *self.steps])


async def upgrade_table(url: str, *, table: str = "audit_logs", resource_index: bool = False) -> Upgraded:
    """Bring our table to the present version of its schema, as its owner; again, after a crash, it goes on.

    Writers go on meanwhile. A table of a newer version is left alone.

    Args:
        resource_index: also make the index by resource and time; on PostgreSQL concurrently, one partition after
            another, on MariaDB and MySQL beside writers as well.

    Raises:
        ConfigurationError: *url* or *table* cannot be meant, or the table is none of ours.
        StoreError: the database is away, or refuses; or the role is not the table's owner.
    """
    name = TableName.parse(table)
    async with connected(
        url, name, "upgrade", makes_file=False, statement_seconds=LONG_STATEMENT_SECONDS
    ) as connection:
        where = await owned(connection, name, "upgrade")
        async with taking_turns(connection, where):
            found = await version_of(connection, where)
            if found > SCHEMA_VERSION:
                return Upgraded(table=str(name), found=found, version=found)
            steps: list[str] = []
            if found < 2:
                await patiently(connection, lambda: _to_version_2(connection, where))
                steps.append(f"made tables {holds_table(where)} and {versions_table(where)}")
            if resource_index:
                steps += await _make_resource_index(connection, where)
            return Upgraded(table=str(name), found=found, version=SCHEMA_VERSION, steps=tuple(steps))


async def _to_version_2(connection: AsyncConnection, name: TableName) -> None:
    made = [holds_table(name)]
    if not (await inspect_through(connection, versions_table(name))).exists:
        made.append(versions_table(name))
    for statement in beside_statements(name, server_kind(connection), server_version(connection)):
        await run_as_written(connection, statement)
    if connection.dialect.name == "postgresql":
        for each in made:
            await own_like(connection, name, each)


# --- the index by choice -----------------------------------------------------------------------------


async def _make_resource_index(connection: AsyncConnection, name: TableName) -> list[str]:
    index = name.beside("_resource_idx")
    if connection.dialect.name in MYSQL:
        bound = {"schema": name.schema, "name": name.name, "index": index.name}
        if (await connection.execute(text(_MYSQL_INDEX), bound)).scalar():
            return []
        await patiently(connection, lambda: run_as_written(connection, mysql_resource_index(name, index.name)))
        return [f"made index {index.name}"]
    if connection.dialect.name != "postgresql":
        there = await connection.execute(
            text("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = :name"), {"name": index.name}
        )
        if there.scalar():
            return []
        statement = f'CREATE INDEX "{index.name}" ON {name.quoted()} ({RESOURCE_INDEX})'
        await patiently(connection, lambda: connection.exec_driver_sql(statement))
        return [f"made index {index.name}"]
    if await _is_valid(connection, index):
        return []
    await patiently(
        connection,
        # Of the whole alone: that touches no row, and is over at once.
        lambda: connection.exec_driver_sql(
            f'CREATE INDEX IF NOT EXISTS "{index.name}" ON ONLY {name.quoted()} ({RESOURCE_INDEX})'
        ),
    )
    partitions = await find_partitions(connection, name)
    await connection.commit()
    for partition in partitions:
        await _index_partition(connection, index, partition.name)
    return [f"made index {index.name} on {len(partitions)} partitions"]


async def _index_partition(connection: AsyncConnection, index: TableName, partition: TableName) -> None:
    """Make the index of one partition without a lock that writers feel, and attach it."""
    part = partition.beside("_resource_idx")
    if await _is_attached(connection, index, partition):
        return
    if not await _is_valid(connection, part):
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            # What an interrupted attempt left is no index; it is made anew.
            await alone.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {part.quoted()}")
            await alone.exec_driver_sql(
                f'CREATE INDEX CONCURRENTLY "{part.name}" ON {partition.quoted()} ({RESOURCE_INDEX})'
            )
        finally:
            await connection.rollback()
            connection = await connection.execution_options(isolation_level="READ COMMITTED")
    await patiently(
        connection,
        lambda: connection.exec_driver_sql(f"ALTER INDEX {index.quoted()} ATTACH PARTITION {part.quoted()}"),
    )


_MYSQL_INDEX = """
SELECT count(*) FROM information_schema.statistics
 WHERE table_schema = coalesce(:schema, database()) AND table_name = :name AND index_name = :index
"""
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)"
_IS_ATTACHED = """
SELECT count(*) > 0
  FROM pg_inherits AS link
  JOIN pg_index AS part ON part.indexrelid = link.inhrelid
 WHERE link.inhparent = to_regclass(:index) AND part.indrelid = to_regclass(:partition)
"""


async def _is_valid(connection: AsyncConnection, index: TableName) -> bool:
    valid = bool((await connection.execute(text(_IS_VALID), {"index": index.quoted()})).scalar())
    await connection.commit()
    return valid


async def _is_attached(connection: AsyncConnection, index: TableName, partition: TableName) -> bool:
    bound = {"index": index.quoted(), "partition": partition.quoted()}
    attached = bool((await connection.execute(text(_IS_ATTACHED), bound)).scalar())
    await connection.commit()
    return attached
