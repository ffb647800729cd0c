"""A connection of its own to the database of a table, for as long as something is looked at or made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from audit_async.config import ADMIN_STATEMENT_SECONDS
from audit_async.errors import AuditError, ConfigStoreError
from audit_async.faults import Place, translate
from audit_async.inspection import TableName, async_url
from audit_async.table.sessions import MYSQL_SETTINGS, asyncmy_arguments, asyncpg_arguments, connect_seconds


@asynccontextmanager
async def connected(
    url: str,
    name: TableName,
    purpose: str,
    *,
    makes_file: bool = True,
    statement_seconds: float = ADMIN_STATEMENT_SECONDS,
) -> AsyncIterator[AsyncConnection]:
    """Open a connection of its own, and turn what the database says into errors of ours.

    Args:
        makes_file: whether a SQLite file that is not there is made; else that is an error.
        statement_seconds: by our own clock, after which a statement of asyncpg or asyncmy is given up, and with it its
            connection.
    """
    parsed = async_url(url)
    is_connecting = True
    engine: AsyncEngine | None = None
    try:
        engine = _new_engine(parsed, statement_seconds)
        if parsed.get_backend_name() == "sqlite":
            make_private(parsed.database or "", makes_file=makes_file)
        async with asyncio.timeout(connect_seconds(parsed)) as deadline, engine.connect() as connection:
            deadline.reschedule(None)
            is_connecting = False
            if parsed.get_backend_name() in ("mysql", "mariadb"):
                await connection.exec_driver_sql(MYSQL_SETTINGS)
            yield connection
    except AuditError:
        raise
    except Exception as error:
        raise translate(error, Place.of(parsed, name, purpose), connecting=is_connecting) from error
    finally:
        if engine is not None:
            await engine.dispose()


def _new_engine(url: URL, statement_seconds: float) -> AsyncEngine:
    """Return an engine whose statements are given up after *statement_seconds*.

    Raises:
        ValueError: a number in the URL is none.
    """
    arguments: dict[str, Any] = {}
    if url.get_driver_name() == "asyncpg":
        url, arguments = asyncpg_arguments(url, {}, command_timeout=statement_seconds)
    elif url.get_driver_name() == "asyncmy":
        # Before SQLAlchemy asks for the mode: it quotes names as that says.
        arguments = {**asyncmy_arguments(url, read_timeout=statement_seconds), "init_command": MYSQL_SETTINGS}
    # SQLAlchemy drops the connection at a time-out, so that no roll-back behind it waits as long once more.
    return create_async_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)


async def run_as_written(connection: AsyncConnection, statement: str) -> None:
    """Run *statement* without parameters, in which a name may hold what its driver takes for the mark of one."""
    if connection.dialect.paramstyle in ("format", "pyformat"):
        statement = statement.replace("%", "%%")
    await connection.exec_driver_sql(statement)


def make_private(file: str, *, makes_file: bool = True) -> None:
    """Make a SQLite file that is not there yet for its owner alone: SQLite itself would let everybody read it.

    Raises:
        OSError: it cannot be made.
        ConfigStoreError: its folder is not there, it is a link to nothing, or it is not there and must be.
    """
    path = Path(file)
    if file in ("", ":memory:") or file.startswith("file:") or path.exists():
        return
    if path.is_symlink():
        raise ConfigStoreError(
            f"the SQLite file {path.absolute()} is a symbolic link to nothing",
            hint="remove it, or make the file that it is to lead to, for its owner alone",
        )
    if not makes_file:
        raise ConfigStoreError(
            f"there is no SQLite file {path.absolute()}", hint="correct the URL, or make it with `audit-async init URL`"
        )
    if not path.parent.is_dir():
        raise ConfigStoreError(
            f"there is no folder {path.parent.absolute()} for the SQLite file {path.name}",
            hint="make it, or correct the URL",
        )
    with suppress(FileExistsError):
        # By another process just now.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
