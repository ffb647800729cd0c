"""The engine of a MariaDB or MySQL store: one connection, its settings, and what its server allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from audit_async.config import MARIADB_IDLE_SHARE
from audit_async.inspection import TableName
from audit_async.table.sessions import asyncmy_arguments
from audit_async.timing import Timing

# TRADITIONAL is strict: what does not fit is an error, never a shorter value with a warning. Other modes, which an
# administrator may have set for all, are off with it.
_SETTINGS = (
    "SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00',"
    " innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}"
)
_SETTINGS_MARIADB = "SET SESSION max_statement_time = {statement:g}, idle_transaction_timeout = {idle}"
# MySQL ends no idle transaction, only an idle connection.
_SETTINGS_MYSQL = "SET SESSION wait_timeout = {idle}"
# SHOW leaves out what a relative of MySQL does not have; naming it in a SELECT would be an error.
_VARIABLES = (
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'wait_timeout',"
    " 'idle_transaction_timeout', 'innodb_flush_log_at_trx_commit')"
)
_NARROW_COLUMNS = (
    "SELECT column_name, character_set_name FROM information_schema.columns"
    " WHERE table_schema = coalesce(%s, database()) AND table_name = %s"
    " AND character_set_name NOT IN ('utf8mb4', 'utf16', 'utf16le', 'utf32', 'gb18030')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a server allows a session.

    Attributes:
        packet_bytes: of one statement with all that belongs to it; a longer one it does not read, but hangs up.
        idle_seconds: after which a connection is not to be trusted any more.
        forgets_commits: it is told not to write them to its disk, so that a crash takes what we have confirmed.
    """

    packet_bytes: int
    idle_seconds: float
    forgets_commits: bool


def new_engine(url: URL, timing: Timing) -> AsyncEngine:
    """Return an engine with one connection at most, not made yet."""
    arguments: dict[str, Any] = {
        **asyncmy_arguments(url, connect_timeout=timing.connect_seconds),
        # These time-outs are whole seconds, and 0 is to give up at once.
        "init_command": _SETTINGS.format(lock=math.ceil(timing.lock_seconds)),
        # Each batch begins and ends its own transaction; nothing else is to leave one open.
        "autocommit": True,
    }
    return create_async_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timing.connect_seconds,
        pool_reset_on_return=None,
    )


async def meet(raw: Any, timing: Timing) -> Server:
    """Give a new session the settings that its server has, and return what that allows."""
    variables = dict(await rows_of(raw, _VARIABLES))
    ends_idle_transactions = "idle_transaction_timeout" in variables
    settings = _SETTINGS_MARIADB if ends_idle_transactions else _SETTINGS_MYSQL
    own_idle = math.ceil(timing.idle_in_transaction_seconds)
    await raw.query(settings.format(statement=timing.statement_seconds, idle=own_idle))
    idle = float(variables.get("wait_timeout", own_idle))
    return Server(
        packet_bytes=int(variables["max_allowed_packet"]),
        idle_seconds=MARIADB_IDLE_SHARE * (idle if ends_idle_transactions else own_idle),
        forgets_commits=variables.get("innodb_flush_log_at_trx_commit") == "0",
    )


async def narrow_columns(raw: Any, table: TableName, columns: Sequence[str]) -> list[str]:
    """Return those of *columns* whose character set cannot hold every character."""
    found = await rows_of(raw, _NARROW_COLUMNS, (table.schema, table.name))
    return [name for name, _ in found if name in columns]


async def rows_of(raw: Any, statement: str, values: tuple[Any, ...] | None = None) -> Sequence[tuple[Any, ...]]:
    """Return what a query gives."""
    async with raw.cursor() as cursor:
        await cursor.execute(statement, values)
        rows: Sequence[tuple[Any, ...]] = await cursor.fetchall()
    return rows
