"""MariaDB and MySQL through asyncmy: prepared inserts of many rows.

A first attempt is a plain INSERT, for which the right to insert suffices. `ON DUPLICATE KEY UPDATE` wants the right
to update on both servers, on MariaDB for every column that is filled, which nobody should have on an audit log; it
fires triggers that guard against updates; and it passes over every unique key alike. So only a replay tries it, in
tables with no further unique key, and goes row by row where it is refused. `INSERT IGNORE` is never used: it
shortens values in silence.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asyncmy.errors import Error
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from audit_async.diagnostics import report
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults import Place, raise_verdict, translate
from audit_async.faults.mysql import duplicate_key, value_is_taken
from audit_async.inspection import TableName, quoted_name
from audit_async.store import StoreOptions
from audit_async.store.encryption import warn_of_weakness
from audit_async.store.engine import OwnEngine, close_hard, looking
from audit_async.store.mariadb_engine import Server, meet, narrow_columns, new_engine
from audit_async.store.mariadb_inserts import Inserts, Into
from audit_async.store.revision import revise, still_valid
from audit_async.table_map.layout import Layout, Row
from audit_async.table_map.tables import Layouts, Part, Tables


class MariadbStore:
    """A table on a MariaDB or MySQL server, for one event loop; its connection is made by the first batch."""

    def __init__(self, options: StoreOptions) -> None:
        self._url = make_url(options.url)
        self._timing = options.timing
        self._tables = Tables.read(options.table)
        self._place = Place.of(self._url, self._tables)
        self._engine = OwnEngine(lambda: new_engine(self._url, options.timing), options.timing)
        self._layouts: Layouts | None = None
        self._server: Server | None = None
        self._inserts: Inserts | None = None
        self._used_at = 0.0

    def __repr__(self) -> str:
        state = "connected" if self._engine.raw is not None else "not connected"
        return f"<MariadbStore {self._place.server}/{self._place.database} {self._tables}, {state}>"

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none. As `Store.insert`."""
        try:
            await self._insert(entries, is_replay=is_replay)
        except DataStoreError as refusal:
            raise await self._revised(refusal, entries) from None

    async def _insert(self, entries: Sequence[Entry], *, is_replay: bool) -> None:
        if is_replay:
            self._layouts = await still_valid(self._engine.get(), self._tables, self._layouts, self._place)
        async with self._connection() as (raw, inserts, layouts):
            parts = layouts.parts(entries)
            await raw.begin()
            for part in parts:
                await self._insert_part(inserts, part, is_replay=is_replay)
            await raw.commit()

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises."""
        await self._engine.close()

    def abandon(self) -> None:
        """Forget the connection without a word to the server. As `Store.abandon`."""
        self._engine.abandon()

    # --- the way of a batch ------------------------------------------------------------------------------

    async def _insert_part(self, inserts: Inserts, part: Part, *, is_replay: bool) -> None:
        layout, entries = part
        if layout.delivered is not None:
            entries = await self._mark_delivered(inserts, layout.delivered, entries, is_replay=is_replay)
        into, rows = Into(layout.table, layout.columns), layout.rows(entries)
        if is_replay and layout.key:
            await self._insert_missing(inserts, layout, rows)
            return
        try:
            await inserts.insert(into, rows)
        except Error as error:
            other = None if layout.key else duplicate_key(error, layout.table.name)
            if other is None:
                raise
            raise value_is_taken(layout.table, other) from None

    async def _mark_delivered(
        self, inserts: Inserts, delivered: TableName, entries: Sequence[Entry], *, is_replay: bool
    ) -> Sequence[Entry]:
        """Note the ids of *entries* beside a table that has no key, and return those that were not noted yet."""
        into = Into(delivered, ("id",))
        if not is_replay:
            await inserts.insert(into, [(entry.id,) for entry in entries])
            return entries
        return [entry for entry in entries if await _taken_key(inserts, into, (entry.id,)) is None]

    async def _insert_missing(self, inserts: Inserts, layout: Layout, rows: Iterable[Row]) -> None:
        """Insert those of *rows* that are not there."""
        into, key = Into(layout.table, layout.columns), quoted_name(layout.key[-1], "`")
        for group in inserts.groups(rows):
            if not layout.has_other_keys:
                try:
                    await inserts.insert_group(into, group, f" ON DUPLICATE KEY UPDATE {key} = {key}")
                except Error as error:
                    # The statement alone is undone. Whatever is wrong but the way it was put shows row by row.
                    if isinstance(translate(error, self._place), TransientStoreError):
                        raise
                else:
                    continue
            for row in group:
                other = await _taken_key(inserts, into, row)
                if (
                    other is not None
                    and layout.has_other_keys
                    and not await self._is_there(inserts, layout, row, other)
                ):
                    raise value_is_taken(layout.table, other)

    async def _is_there(self, inserts: Inserts, layout: Layout, row: Row, named: str) -> bool:
        """Say whether our key of *row* is there, and not only the value of the unique key that was *named*."""
        matches = " AND ".join(f"{quoted_name(name, '`')} = ?" for name in layout.key)
        # A reading that locks sees what others have committed meanwhile.
        statement = f"SELECT 1 FROM {layout.table.quoted('`')} WHERE {matches} LOCK IN SHARE MODE"
        try:
            found = await inserts.execute(statement, tuple(row[layout.columns.index(name)] for name in layout.key))
        except Error as error:
            if not isinstance(translate(error, self._place), ConfigStoreError):
                raise
            # Without the right to read. The primary key is looked at first, and is nearly always ours.
            return named == "PRIMARY"
        return bool(found.rows)

    # --- the connection ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[Any, Inserts, Layouts]]:
        """Give the raw connection of a short-lived session; turn every error into one of ours."""
        is_connecting = True
        try:
            if self._server is not None and time.monotonic() - self._used_at > self._server.idle_seconds:
                await self._engine.close()
            engine = self._engine.get()
            layouts = self._layouts or await self._look_at_tables(engine)
            session = AsyncSession(engine)
            raw: Any = None
            lent: Any = None
            try:
                lent = await session.run_sync(_lent_connection)
                raw = lent.driver_connection
                is_connecting = False
                if raw is not self._engine.raw or self._inserts is None:
                    self._inserts = await self._greet(raw, layouts)
                yield raw, self._inserts, layouts
                self._used_at = time.monotonic()
            except BaseException as error:
                about_row = isinstance(self._verdict(error), (DataStoreError, DuplicateStoreError))
                if raw is not None and not (about_row and raw.connected):
                    # A cancelled read would hand the next query what this one left unread.
                    self._engine.raw = None
                    close_hard(raw, self._timing)
                    session.sync_session.invalidate()
                raise
            finally:
                try:
                    # It rolls back what was not committed.
                    await session.close()
                except Exception:
                    # Else the pool would take it for lent out until the collector finds it.
                    if lent is not None and lent.is_valid:
                        lent.invalidate()
                    raise
        except Exception as error:
            verdict = self._verdict(error, is_connecting)
            if isinstance(verdict, ConfigStoreError):
                # Somebody will mend the table: look at it anew.
                self._layouts = None
            if verdict is None:
                raise
            raise_verdict(verdict, error)

    async def _look_at_tables(self, engine: AsyncEngine) -> Layouts:
        async with looking(engine) as connection:
            layouts = await connection.run_sync(self._tables.lay_out)
        self._layouts, self._inserts = layouts, None
        return layouts

    async def _revised(self, refusal: DataStoreError, entries: Sequence[Entry]) -> StoreError:
        verdict = await revise(refusal, entries, self._engine.get(), self._tables, self._layouts, self._place)
        if verdict is not refusal:
            self._layouts = None
        return verdict

    async def _greet(self, raw: Any, layouts: Layouts) -> Inserts:
        """Give a new session its settings, and say what of its server or tables is a danger to the log."""
        self._server = await meet(raw, self._timing)
        self._engine.raw, self._used_at = raw, time.monotonic()
        server = self._place.server
        if self._server.forgets_commits:
            report("durability", f"{server} does not write commits to its disk: innodb_flush_log_at_trx_commit is 0")
        warn_of_weakness(raw, server, "?ssl_ca=FILE")
        for layout in layouts.all:
            if narrow := await narrow_columns(raw, layout.table, layout.columns):
                report(
                    "charset",
                    f"table {layout.table} takes not every character in {', '.join(narrow)}, and refuses events with "
                    f"others: ALTER TABLE {layout.table} CONVERT TO CHARACTER SET utf8mb4",
                )
        return Inserts(raw, self._server.packet_bytes)

    def _verdict(self, error: BaseException, is_connecting: bool = False) -> StoreError | None:
        return translate(error, self._place, connecting=is_connecting) if isinstance(error, Exception) else None


async def _taken_key(inserts: Inserts, into: Into, row: Row) -> str | None:
    """Insert *row*, and return None; or the name of the unique key that has its value already."""
    try:
        await inserts.insert_group(into, [row])
    except Error as error:
        name = duplicate_key(error, into.table.name)
        if name is None:
            raise
        return name
    return None


def _lent_connection(session: Session) -> Any:
    return session.connection().connection
