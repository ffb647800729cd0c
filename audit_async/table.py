"""Our table: its columns, how it is made, and how a table that is there is looked at."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from audit_async.config import PARTITION_MONTHS_AHEAD
from audit_async.errors import AuditError, ConfigStoreError, ConfigurationError
from audit_async.faults import Place, translate
from audit_async.inspection import (
    MAX_NAME_BYTES,
    SUPPORTED,
    InspectedTable,
    TableName,
    async_url,
    inspect_through,
)

KEY = ("created_at", "id")
"""The order of the log. It begins with the time, so that new rows touch the index at one end only."""

COLUMNS: dict[str, str] = {
    "id": "text NOT NULL",
    "created_at": "time NOT NULL",
    "action": "text NOT NULL",
    "category": "text NOT NULL",
    "severity": "text NOT NULL",
    "outcome": "text NOT NULL",
    "description": "text",
    "actor_type": "text",
    "actor_id": "text",
    "actor_name": "text",
    "on_behalf_of": "text",
    "user_id": "text",
    "agent_id": "text",
    "api_key_id": "text",
    "tenant_id": "text",
    "organization_id": "text",
    "resource_type": "text",
    "resource_id": "text",
    "ip_address": "text",
    "user_agent": "text",
    "session_id": "text",
    "request_id": "text",
    "trace_id": "text",
    "span_id": "text",
    "status_code": "integer",
    "duration_ms": "double precision",
    "error_message": "text",
    "details": "json NOT NULL",
    "metadata": "json NOT NULL",
    "old_values": "json",
    "new_values": "json",
    "tags": "json NOT NULL",
    "writer_id": "text",
    "writer_seq": "bigint",
}
"""The columns that an entry fills, in its own order; each database adapts the types."""

_POSTGRES_TYPES = {"time": "timestamptz"}
_SQLITE_TYPES = {"time": "TEXT", "json": "TEXT", "double precision": "REAL", "bigint": "INTEGER"}
_SQLITE_STRICT_SINCE = (3, 37)
_POSTGRES_SINCE = (13,)
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
    async with _connected(url, name, "look at") as connection:
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
    async with _connected(url, name, "make") as connection:
        made = await create(connection, name)
        await connection.commit()
        return made


@asynccontextmanager
async def _connected(url: str, name: TableName, purpose: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection of its own, and turn what the database says into errors of ours."""
    parsed = async_url(url)
    engine = create_async_engine(parsed, poolclass=NullPool, hide_parameters=True)
    is_connecting = True
    try:
        if parsed.get_backend_name() == "sqlite":
            make_private(parsed.database or "")
        async with engine.connect() as connection:
            is_connecting = False
            yield connection
    except AuditError:
        raise
    except Exception as error:
        raise translate(error, Place.of(parsed, name, purpose), connecting=is_connecting) from error
    finally:
        await engine.dispose()


def make_private(file: str) -> None:
    """Make a SQLite file that is not there yet for its owner alone: SQLite itself would let everybody read it.

    Raises:
        OSError: it cannot be made.
        ConfigStoreError: its folder is not there.
    """
    path = Path(file)
    if file in ("", ":memory:") or file.startswith("file:") or path.exists():
        return
    if not path.parent.is_dir():
        raise ConfigStoreError(
            f"there is no folder {path.parent.absolute()} for the SQLite file {path.name}",
            hint="make it, or correct the URL",
        )
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


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
    partitions = await _create_partitions(connection, name)
    return CreatedTable(name=str(name), is_new=not found.exists, partitions=partitions)


def _named(found: InspectedTable) -> str:
    return _few(tuple(column.name for column in found.columns))


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{', '.join(names[:6])}{more}"


def ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the statements that make our table, without its monthly partitions.

    Raises:
        ConfigurationError: the server is too old.
    """
    if dialect == "sqlite":
        return _sqlite_ddl(name, version)
    if version < _POSTGRES_SINCE:
        raise ConfigurationError(
            f"PostgreSQL {version[0]} is too old",
            hint="13 and later have the transaction ids that the table keeps",
        )
    columns = _columns(_POSTGRES_TYPES)
    quoted = name.quoted()
    return [
        f"CREATE TABLE {quoted} ({columns},"
        " recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
        " xact_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),"
        " PRIMARY KEY (created_at, id)) PARTITION BY RANGE (created_at)",
        f"CREATE TABLE {name.beside('_default').quoted()} PARTITION OF {quoted} DEFAULT",
        f"{_index(name, 'tenant_id_created_at')} (tenant_id, created_at)",
        f"{_index(name, 'user_id_created_at')} (user_id, created_at) INCLUDE (action)",
        f"{_index(name, 'action_created_at')} (action, created_at)",
        # The commit order, for those who follow the log. Rows lie nearly in it, so a small BRIN is enough.
        f"{_index(name, 'xact_id')} USING brin (xact_id)",
    ]


def _sqlite_ddl(name: TableName, version: tuple[int, ...]) -> list[str]:
    columns = _columns(_SQLITE_TYPES)
    strict = " STRICT" if version >= _SQLITE_STRICT_SINCE else ""
    return [
        # With a rowid: it is the order of commits here, since there is one writer at a time.
        f"CREATE TABLE {name.quoted()} ({columns},"
        " recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),"
        f" PRIMARY KEY (created_at, id)){strict}",
        f"{_index(name, 'tenant_id_created_at')} (tenant_id, created_at)",
        f"{_index(name, 'user_id_created_at')} (user_id, created_at, action)",
        f"{_index(name, 'action_created_at')} (action, created_at)",
    ]


def _columns(types: dict[str, str]) -> str:
    lines = []
    for name, kind in COLUMNS.items():
        base = kind.removesuffix(" NOT NULL")
        lines.append(f"{name} {types.get(base, base)}{kind[len(base) :]}")
    return ", ".join(lines)


def _index(name: TableName, suffix: str) -> str:
    return f'CREATE INDEX "{name.name}_{suffix}_idx" ON {name.quoted()}'


async def _create_partitions(connection: AsyncConnection, name: TableName) -> tuple[str, ...]:
    """Make the monthly partitions that no existing one covers, from this month on."""
    there = [
        (row.starts, row.ends)
        for row in await connection.execute(text(_PARTITION_BOUNDS), {"table": name.quoted()})
        if row.starts and row.ends
    ]
    made = []
    for first, after in months(datetime.now(UTC), PARTITION_MONTHS_AHEAD):
        if any(starts < after and first < ends for starts, ends in there):
            continue
        partition = name.beside(f"_{first:%Y_%m}")
        await connection.exec_driver_sql(
            f"CREATE TABLE {partition.quoted()} PARTITION OF {name.quoted()}"
            f" FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
        )
        made.append(str(partition))
    return tuple(made)


_PARTITION_BOUNDS = r"""
SELECT (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS starts,
       (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS ends
  FROM pg_inherits AS link
  JOIN pg_class AS part ON part.oid = link.inhrelid
 CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
 WHERE link.inhparent = to_regclass(:table)
"""


def months(now: datetime, ahead: int) -> list[tuple[datetime, datetime]]:
    """Return begin and end of *now*'s month (UTC) and of the *ahead* ones after it."""
    counted = [now.year * 12 + now.month - 1 + number for number in range(ahead + 2)]
    begins = [datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC) for count in counted]
    return list(itertools.pairwise(begins))


def lacking(found: InspectedTable) -> tuple[str, ...]:
    """Return the columns of our table that *found* has not."""
    there = {column.name for column in found.columns}
    return tuple(name for name in COLUMNS if name not in there)


def is_ours(found: InspectedTable) -> bool:
    """Say whether *found* is our table: all its columns, and its key."""
    return not lacking(found) and found.primary_key == KEY


def _version(connection: AsyncConnection) -> tuple[int, ...]:
    version = connection.dialect.server_version_info
    if version is None:
        return sqlite3.sqlite_version_info
    return tuple(int(part) for part in version)
