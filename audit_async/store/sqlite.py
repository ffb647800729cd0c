"""SQLite through aiosqlite: the embedded default, one file beside the application."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from audit_async.config import FORK_SECONDS, ROWS_AT_ONCE, SQLITE_LOOK_SECONDS
from audit_async.diagnostics import describe
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults import Place, raise_verdict, translate
from audit_async.inspection import TableName, inspect_through, quoted_name
from audit_async.loading import close_in_forks
from audit_async.store import StoreOptions
from audit_async.store.engine import OwnEngine, close_hard, end_thread, raw_connection
from audit_async.store.hush import hush
from audit_async.store.revision import revise
from audit_async.table.connection import make_private
from audit_async.table.creation import create
from audit_async.table_map.layout import Layout
from audit_async.table_map.tables import Layouts, Part, Tables, not_delivered

if TYPE_CHECKING:
    import aiosqlite

_T = TypeVar("_T")

_IN_MEMORY = ("", ":memory:")
_Identity = tuple[int, int]
_NULL = math.nan
"""Bound in the place of None: SQLite takes it for NULL, and a row costs a fifth less. Python's module asks None, as all
but texts, numbers and bytearrays, whether it is to be adapted, which on 3.11 takes an error's text each time.

Source: SQLite's `sqlite3VdbeMemSetDouble`, which every bound number goes through; CPython's `need_adapt`.
"""
_ADAPTED_FLOATS = (float, sqlite3.PrepareProtocol)
_MOST_VARIABLES = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999
"""In one statement, unless SQLite was built for more.

Source: "Implementation Limits For SQLite", 9.
"""
_SETTINGS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")


class SqliteStore:
    """A table in a SQLite file, for one event loop; its connection is made by the first batch."""

    def __init__(self, options: StoreOptions) -> None:
        self._url = make_url(options.url)
        self._tables = Tables.read(options.table)
        self._file = self._url.database or ""
        self._place = Place.of(self._url, self._tables)
        self._may_create = options.may_create
        self._lock_seconds = options.timing.lock_seconds
        self._timing = options.timing
        self._engine = OwnEngine(self._new_engine, options.timing)
        # Whose threads may still be at work, also where a cancelled batch has let go of them.
        self._made: list[aiosqlite.Connection] = []
        # What the connection has open: the file, and SQLite's log beside it once that is there.
        self._opened: _Identity | None = None
        self._opened_log: _Identity | None = None
        self._layouts: Layouts | None = None
        self._statements: dict[tuple[TableName, int], str] = {}
        # Held during a batch, by the thread of its loop: a fork waits for it. See `close_before_fork`.
        self._batch_lock = threading.RLock()
        self._is_in_batch = False
        self._is_awaited_by_fork = False
        self._is_abandoned = False
        close_in_forks(self)

    def __repr__(self) -> str:
        state = "connected" if self._engine.raw is not None else "not connected"
        return f"<SqliteStore {self._file} {self._tables}, {state}>"

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none. As `Store.insert`.

        A replay takes the same way: the key is named as the target, since a conflict clause without one, and
        `OR IGNORE` all the more, would pass over other faults of a row.
        """
        with self._batch_lock:
            self._is_in_batch = True
            try:
                async with self._connection() as (raw, layouts):
                    await self._insert(raw, layouts.parts(entries))
                    await self._see_where_it_went(raw)
            except DataStoreError as refusal:
                raise await self._revised(refusal, entries) from None
            finally:
                self._is_in_batch = False

    async def _insert(self, raw: aiosqlite.Connection, parts: list[Part]) -> None:
        # Begun as a reader, a transaction that then writes would be refused at once.
        await self._when_free(partial(raw.execute, "BEGIN IMMEDIATE"))
        # An application may have said what is to become of its floats, NaN among them.
        null = None if _ADAPTED_FLOATS in sqlite3.adapters else _NULL
        try:
            for layout, entries in parts:
                fresh = entries
                if layout.delivered is not None:
                    fresh = await _mark_delivered(raw, layout.delivered, entries)
                for some in _slices(fresh, _sizes(layout)):
                    row_values = [null if value is None else value for row in layout.rows(some) for value in row]
                    await raw.execute(self._statements[layout.table, len(some)], row_values)
            await raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                await raw.execute("ROLLBACK")
            raise

    async def _see_where_it_went(self, raw: aiosqlite.Connection) -> None:
        """See that what was committed is in the file that others find.

        SQLite goes on with a file that was deleted or replaced, and commits what nobody will read. A batch that is
        refused here comes again, by a new connection.

        Source: "How To Corrupt An SQLite Database File", on files that are unlinked or renamed while in use.
        """
        if self._opened is None:
            return
        if self._opened != _identity(self._file):
            raise TransientStoreError(f"{self._place.server} was moved away, or replaced, under way")
        log = _identity(f"{self._file}-wal")
        if self._opened_log is None:
            self._opened_log = log
        if self._opened_log != log:
            # Older batches may be in the log alone.
            await raw.execute("PRAGMA wal_checkpoint(FULL)")
            raise TransientStoreError(f"{self._place.server}-wal was removed under way")

    async def _revised(self, refusal: DataStoreError, entries: Sequence[Entry]) -> StoreError:
        verdict = await revise(refusal, entries, self._engine.get(), self._tables, self._layouts, self._place)
        if verdict is not refusal:
            self._layouts = None
        return verdict

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises.

        Past SQLAlchemy, which tells the application's log of every close that is cut short: on a slow disk this one
        may take longer than anybody waits.
        """
        self._engine.forget()
        for raw in self._living():
            end_thread(raw, self._timing)
        while self._living():  # noqa: ASYNC110 -- a thread tells no loop of its end
            await asyncio.sleep(SQLITE_LOOK_SECONDS)

    def abandon(self) -> None:
        """Forget the connection. As `Store.abandon`."""
        self._is_abandoned = True
        self._engine.abandon()
        # Their threads answer to our loop, which may be about to close.
        for raw in self._living():
            close_hard(raw, self._timing)

    def close_before_fork(self) -> bool:
        """Wait for the batch that is under way, and leave nothing of SQLite open. The next batch opens it again.

        SQLite keeps its locks on a file in the memory of the process, for all connections to that file together. A
        child that is forked in the middle of a transaction has a copy that says "locked", and never gets in again; one
        that is forked while the file is open believes to hold locks that it does not have.
        """
        if self._is_abandoned:
            return False
        deadline = time.monotonic() + FORK_SECONDS
        self._is_awaited_by_fork = True
        is_held = self._batch_lock.acquire(timeout=FORK_SECONDS)
        self._is_awaited_by_fork = False
        if is_held and not self._is_in_batch and self._file not in _IN_MEMORY:
            self._engine.forget()
            for raw in self._living():
                end_thread(raw, self._timing)
                raw._thread.join(max(0.0, deadline - time.monotonic()))
        return is_held

    def go_on_after_fork(self) -> None:
        """Let batches begin again."""
        self._batch_lock.release()

    def _living(self) -> list[aiosqlite.Connection]:
        """Return the connections whose threads are there."""
        return [raw for raw in self._made if raw._thread.is_alive()]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[aiosqlite.Connection, Layouts]]:
        """Give the raw connection of a short-lived session; turn every error into one of ours."""
        is_connecting = True
        try:
            self._see_to_file()
            if self._opened is not None and self._opened != _identity(self._file):
                await self.close()
            engine = self._engine.get()
            layouts = self._layouts or await self._look_at_tables(engine)
            async with AsyncSession(engine) as session:
                connection = await session.connection()
                raw: aiosqlite.Connection = await raw_connection(connection)
                is_connecting = False
                try:
                    if raw is not self._engine.raw:
                        hush(raw)
                        for setting in _SETTINGS:
                            await self._when_free(partial(raw.execute, setting))
                        self._engine.raw = raw
                    yield raw, layouts
                except BaseException as error:
                    is_about_row = isinstance(self._verdict(error), (DataStoreError, DuplicateStoreError))
                    if not is_about_row and self._file not in _IN_MEMORY:
                        self._engine.raw = None
                        await connection.invalidate()
                    raise
        except Exception as error:
            verdict = self._verdict(error, is_connecting)
            if isinstance(verdict, DuplicateStoreError):
                # Not our key, which the statement passes over: a row is refused for what is in it.
                culprit = describe(error).rpartition(".")[2]
                verdict = DataStoreError(
                    f"table {self._tables} refuses a row: its {culprit} is there already", culprit=culprit
                )
            if isinstance(verdict, ConfigStoreError):
                # Somebody will mend the table: look at it anew.
                self._layouts = None
            if verdict is None:
                raise
            raise_verdict(verdict, error)

    async def _when_free(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Return what *work* does; another process's transaction is waited for, for `lock_seconds`.

        SQLite's own waiting is not used: it cannot be cancelled, and looks so seldom that a busy writer starves the
        others.
        """
        deadline = time.monotonic() + self._lock_seconds
        while True:
            try:
                return await work()
            except (sqlite3.OperationalError, DBAPIError) as error:
                cause = error.orig if isinstance(error, DBAPIError) else error
                is_busy = str(getattr(cause, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
                # A fork in another thread waits for this batch.
                if not is_busy or self._is_awaited_by_fork or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(random.uniform(0, 2 * SQLITE_LOOK_SECONDS))

    def _see_to_file(self) -> None:
        """Make the file for ourselves alone, the first time and if we may; later a missing one is a fault."""
        if not self._is_on_disk():
            return
        if not self._may_create and not Path(self._file).exists():
            raise ConfigStoreError(
                f"there is no SQLite file {Path(self._file).absolute()}",
                hint="restore it, or make it with `audit-async init URL`",
            )
        make_private(self._file)

    def _is_on_disk(self) -> bool:
        return self._file not in _IN_MEMORY and not self._file.startswith("file:")

    def _new_engine(self) -> AsyncEngine:
        return create_async_engine(
            self._url,
            # Transactions are begun and ended by our own statements.
            connect_args={
                "isolation_level": None,
                "timeout": SQLITE_LOOK_SECONDS,
                "async_creator_fn": self._connect,
            },
            poolclass=AsyncAdaptedQueuePool,
            pool_size=1,
            max_overflow=0,
            pool_reset_on_return=None,
            hide_parameters=True,
        )

    def _connect(self, *arguments: Any, **options: Any) -> aiosqlite.Connection:
        """Do what the dialect would, and remember the connection from its first moment on."""
        import aiosqlite

        self._opened = _identity(self._file) if self._is_on_disk() else None
        self._opened_log = None
        raw = aiosqlite.connect(*arguments, **options)
        raw._thread.daemon = True
        self._made = [*self._living(), raw]
        return raw

    async def _look_at_tables(self, engine: AsyncEngine) -> Layouts:
        layouts = await self._when_free(partial(self._lay_out, engine))
        self._statements = {
            (layout.table, size): _insert_statement(layout, size) for layout in layouts.all for size in _sizes(layout)
        }
        # A table that is missing from now on was taken away, and its rows with it: that needs somebody's eye.
        self._may_create = False
        self._layouts = layouts
        return layouts

    async def _lay_out(self, engine: AsyncEngine) -> Layouts:
        async with engine.connect() as connection:
            if self._may_create and not self._tables.maps:
                await self._create_missing(connection)
            return await connection.run_sync(self._tables.lay_out)

    async def _create_missing(self, connection: AsyncConnection) -> None:
        if (await inspect_through(connection, self._tables.name)).exists:
            return
        try:
            await create(connection, self._tables.name)
            await connection.commit()
        except DBAPIError:
            await connection.rollback()
            # Another process may have made it in this very moment.
            if not (await inspect_through(connection, self._tables.name)).exists:
                raise

    def _verdict(self, error: BaseException, is_connecting: bool = False) -> StoreError | None:
        return translate(error, self._place, connecting=is_connecting) if isinstance(error, Exception) else None


async def _mark_delivered(raw: aiosqlite.Connection, delivered: TableName, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Note the ids of *entries* beside a table that has no key, and return those that were not noted yet."""
    ids = json.dumps([entry.id for entry in entries])
    found = await raw.execute_fetchall(
        f"SELECT id FROM {delivered.quoted()} WHERE id IN (SELECT value FROM json_each(?))", [ids]
    )
    fresh = not_delivered(entries, {row[0] for row in found})
    ids = json.dumps([entry.id for entry in fresh])
    await raw.execute(f"INSERT INTO {delivered.quoted()} (id) SELECT value FROM json_each(?)", [ids])
    return fresh


def _identity(file: str) -> _Identity | None:
    """Return what tells the file that is at a path from any other one; None if there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _insert_statement(layout: Layout, rows: int) -> str:
    columns = ", ".join(map(quoted_name, layout.columns))
    values = f"({', '.join('?' * len(layout.columns))})"
    into = f"INSERT INTO {layout.table.quoted()} ({columns}) VALUES {', '.join([values] * rows)}"
    return f"{into} ON CONFLICT ({', '.join(map(quoted_name, layout.key))}) DO NOTHING" if layout.key else into


def _sizes(layout: Layout) -> list[int]:
    """Return how many rows of *layout* there are in its statements, the most first; one at last."""
    return [size for size in ROWS_AT_ONCE if size == 1 or size * len(layout.columns) <= _MOST_VARIABLES]


def _slices(entries: Sequence[Entry], sizes: Sequence[int]) -> Iterator[Sequence[Entry]]:
    """Yield *entries* in slices of the *sizes* there are statements for, the largest that fits first."""
    start = 0
    while start < len(entries):
        size = next(size for size in sizes if size <= len(entries) - start)
        yield entries[start : start + size]
        start += size
