"""What a kind of server is set to, as far as it bears on events: that a commit lasts, that text fits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.address import Address
from audit_async.checkup.finding import Finding
from audit_async.config import (
    KIB,
    LEAST_PACKET_BYTES,
    LEAST_POSTGRES,
    MAPPED_FILE_SYSTEMS,
    NETWORK_FILE_SYSTEMS,
    SQLITE_WAL_MENDED,
)
from audit_async.journal.place import file_system

_POSTGRES = """
SELECT current_setting('server_version_num')::int / 10000 AS major,
       current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes
"""

_MYSQL = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('sql_mode', 'max_allowed_packet', 'innodb_flush_log_at_trx_commit')"
)


async def of_server(connection: AsyncConnection, address: Address) -> list[Finding]:
    """Return what is to be said of the server, or of the file, behind *connection*."""

    def look(connection: Connection) -> list[Finding]:
        match connection.dialect.name:
            case "postgresql":
                return list(_of_postgres(connection))
            case "sqlite":
                return list(_of_sqlite(connection, Path(address.database)))
            case "mysql" | "mariadb":
                return list(_of_mysql(connection))
        return []

    return await connection.run_sync(look)


def _of_postgres(connection: Connection) -> Iterator[Finding]:
    found = connection.execute(text(_POSTGRES)).one()
    if found.major < LEAST_POSTGRES:
        yield Finding("warning", "server", f"PostgreSQL {found.major} is older than {LEAST_POSTGRES}", "upgrade it")
    off = [name for name in ("fsync", "full_page_writes") if getattr(found, name) == "off"]
    if off:
        yield Finding(
            "warning",
            "server",
            f"{' and '.join(off)} off: a crash of the server's machine takes rows whose journal is gone",
            f"{'; '.join(f'ALTER SYSTEM SET {name} = on' for name in off)}; SELECT pg_reload_conf()",
        )


def _of_mysql(connection: Connection) -> Iterator[Finding]:
    variables: dict[str, Any] = {row[0]: row[1] for row in connection.execute(text(_MYSQL))}
    charset = connection.scalar(text("SELECT @@character_set_database"))
    if "STRICT" not in str(variables.get("sql_mode")):
        yield Finding("note", "server", "its sql_mode is not strict; the writer's own sessions set TRADITIONAL")
    if charset != "utf8mb4":
        yield Finding(
            "note",
            "server",
            f"the database's character set is {charset}: tables made by others cannot hold every character",
            "ALTER DATABASE ... CHARACTER SET utf8mb4",
        )
    packet = int(variables.get("max_allowed_packet", LEAST_PACKET_BYTES))
    if packet < LEAST_PACKET_BYTES:
        yield Finding(
            "warning",
            "server",
            f"max_allowed_packet is {packet // KIB} KiB: large events are refused and go to quarantine",
            f"SET GLOBAL max_allowed_packet = {LEAST_PACKET_BYTES}, and in the server's configuration",
        )
    flushes = variables.get("innodb_flush_log_at_trx_commit")
    if flushes in ("0", "2"):
        whose = "the server's machine" if flushes == "2" else "the server"
        yield Finding(
            "warning",
            "server",
            f"innodb_flush_log_at_trx_commit is {flushes}: a crash of {whose} takes rows whose journal is gone",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        )


def _of_sqlite(connection: Connection, file: Path) -> Iterator[Finding]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    kind = file_system(os.stat(file).st_dev)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding(
            "warning",
            "file",
            f"the file is on {kind}, whose locks cannot be relied on: two machines that write can destroy it",
            "move it to a local disk, or use a server",
        )
    else:
        where = f"on {kind}" if kind in MAPPED_FILE_SYSTEMS else f"on the file system {kind or 'unknown'}"
        yield Finding("ok", "file", f"journal mode {mode}, {where}")
    if sqlite3.sqlite_version_info < SQLITE_WAL_MENDED:
        yield Finding(
            "note",
            "file",
            f"SQLite {sqlite3.sqlite_version} can damage a database that several processes write and checkpoint in the "
            "same moment (the WAL-reset fault)",
            f"use {'.'.join(map(str, SQLITE_WAL_MENDED))} or later, or let one process write",
        )
