"""A connection that cannot write, with a bound on how long a question may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import URL, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from audit_async.config import CANCEL_SECONDS, READER_CONNECTIONS, SQLITE_WATCH_STEPS
from audit_async.errors import AuditError, ConfigStoreError, StoreError, TransientStoreError
from audit_async.faults import Place, translate
from audit_async.inspection import TableName, async_url
from audit_async.table.connection import make_private
from audit_async.table.ddl import MYSQL
from audit_async.table.sessions import MYSQL_SETTINGS, asyncmy_arguments, asyncpg_arguments, has_pooler

_TIMED_OUT = {"57014", "1969", "3024", "interrupted"}


class QueryTimeoutError(TransientStoreError):
    """A question took longer than the reader waits; nothing of it is left on the server."""


class ReadOnlyDatabase:
    """Connections to a database that cannot change it, kept between questions.

    Args:
        url: its address.
        name: of the table, for messages.
        statement_seconds: that the server may take for one statement.

    Raises:
        ConfigurationError: *url* is no address that can be used.
    """

    def __init__(self, url: str | URL, name: TableName, statement_seconds: float) -> None:
        self.url = async_url(url)
        self._seconds = statement_seconds
        self._place = Place.of(self.url, name, "read")
        self._engine: AsyncEngine | None = None
        self._unwanted: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close the connections. What is asked afterwards opens new ones."""
        if self._unwanted:
            _, late = await asyncio.wait(self._unwanted, timeout=CANCEL_SECONDS)
            for task in late:
                task.cancel()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads, and end it; what the database says becomes an error of ours.

        Args:
            tenant: whose rows are read, for a table with row-level security.

        Raises:
            QueryTimeoutError: the time is over.
            StoreError: the database is away, refuses, or has no such table.
        """
        is_connecting = True
        try:
            async with self._connected() as connection:
                is_connecting = False
                await self._begin(connection, tenant)
                async with asyncio.timeout(self._seconds + CANCEL_SECONDS):
                    yield connection
                # Nothing was changed; to end it is all there is to do.
                await connection.rollback()
        except AuditError:
            raise
        except TimeoutError as error:
            raise self._too_slow() from error
        except OverflowError as error:
            raise ConfigStoreError(
                f"a row of table {self._place.table} has a time outside of the years 1 to 9999",
                hint="ask for a time within them: since= and until=",
            ) from error
        except Exception as error:
            if not is_connecting and not isinstance(error, (SQLAlchemyError, OSError)):
                raise
            verdict = translate(error, self._place, connecting=is_connecting)
            raise (self._too_slow() if _is_timeout(verdict, error) else verdict) from error

    def _too_slow(self) -> StoreError:
        return QueryTimeoutError(
            f"the question took longer than {self._seconds:g} s at {self._place.server}",
            hint="narrow it: since= and until=, a tenant, a user or an action; or give it more time: --timeout, "
            "statement_seconds=",
        )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            self._engine = self._new_engine()
        connecting = asyncio.create_task(_connect(self._engine), name="audit connect")
        try:
            connection = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # asyncpg tells the loop of an error that nobody can get at where it is cancelled while TLS is asked for.
            unwanted = asyncio.create_task(_close_when_made(connecting), name="audit disconnect")
            self._unwanted.add(unwanted)
            unwanted.add_done_callback(self._unwanted.discard)
            raise
        try:
            yield connection
        finally:
            await asyncio.shield(asyncio.create_task(connection.close(), name="audit disconnect"))

    async def _begin(self, connection: AsyncConnection, tenant: str | None) -> None:
        if connection.dialect.name == "sqlite":
            await self._watch(connection)
        if connection.dialect.name != "postgresql":
            return
        connection = await connection.execution_options(postgresql_readonly=True)
        if has_pooler(self.url):
            # Its sessions are shared, so that a setting has to end with the transaction.
            milliseconds = {"ms": str(_milliseconds(self._seconds))}
            await connection.execute(text("SELECT set_config('statement_timeout', :ms, true)"), milliseconds)
        if tenant is not None:
            await connection.execute(text("SELECT set_config('audit.tenant_id', :tenant, true)"), {"tenant": tenant})

    async def _watch(self, connection: AsyncConnection) -> None:
        """Have SQLite ask from time to time whether anybody still waits: its thread would go on for nobody."""
        raw = (await connection.get_raw_connection()).driver_connection
        task, ends_at = asyncio.current_task(), time.monotonic() + self._seconds

        def is_over() -> bool:
            # A task that is cancelled cannot say so itself: it is waiting for this very statement.
            return time.monotonic() > ends_at or (task is not None and task.cancelling() > 0)

        assert raw is not None
        await raw.set_progress_handler(is_over, SQLITE_WATCH_STEPS)

    def _new_engine(self) -> AsyncEngine:
        url = self.url
        arguments: dict[str, Any] = {}
        options: dict[str, Any] = {}
        backend = url.get_backend_name()
        if url.get_driver_name() == "asyncpg":
            settings = {
                "default_transaction_read_only": "on",
                "statement_timeout": str(_milliseconds(self._seconds)),
                "idle_in_transaction_session_timeout": str(int((self._seconds + CANCEL_SECONDS) * 1000)),
            }
            url, arguments = asyncpg_arguments(url, settings)
            # JSON as text, of which each row tells what cannot be read; in the driver it would end the listing.
            options["json_deserializer"] = str
        elif url.get_driver_name() == "asyncmy":
            arguments = {**asyncmy_arguments(url), "init_command": MYSQL_SETTINGS}
        elif backend == "sqlite":
            make_private(url.database or "", makes_file=False)
        engine = create_async_engine(
            url,
            connect_args=arguments,
            hide_parameters=True,
            pool_size=READER_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            **options,
        )
        if backend == "sqlite" or backend in MYSQL:
            event.listen(engine.sync_engine, "connect", _only_reading(backend, self._seconds))
        return engine


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _close_when_made(connecting: asyncio.Task[AsyncConnection]) -> None:
    """Let a connection come for which nobody waits any more, and close it."""
    with suppress(Exception):
        await (await connecting).close()


def _only_reading(backend: str, seconds: float) -> Any:
    def set_up(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        if backend == "sqlite":
            # A text that is no UTF-8, in a table that others fill, would end every listing that comes to it.
            connection.driver_connection.text_factory = _visibly
            cursor.execute("PRAGMA query_only = ON")
            cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        else:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute("SHOW SESSION VARIABLES WHERE Variable_name IN ('max_statement_time', 'max_execution_time')")
            names = {row[0] for row in cursor.fetchall()}
            if "max_statement_time" in names:
                cursor.execute(f"SET SESSION max_statement_time = {seconds:g}")
            elif names:
                cursor.execute(f"SET SESSION max_execution_time = {_milliseconds(seconds)}")
        cursor.close()

    return set_up


def _visibly(text: bytes) -> str:
    return text.decode(errors="replace")


def _milliseconds(seconds: float) -> int:
    # None of them would be no limit at all.
    return max(1, int(seconds * 1000))


def _is_timeout(verdict: StoreError, error: Exception) -> bool:
    native = getattr(error, "orig", None) or error
    codes = {verdict.sqlstate, str(next(iter(getattr(native, "args", ())), ""))}
    return bool(codes & _TIMED_OUT)
