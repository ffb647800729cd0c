"""PostgreSQL through asyncpg: COPY for many rows, an INSERT for few and for what may be there already.

Every batch opens a session of its own on the one connection of an engine of our own, and speaks to the raw asyncpg
connection under it: SQLAlchemy's bulk insert takes twice as long. The connection stays borrowed from the engine's pool
between batches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from audit_async.config import CHECK_AGAIN_SECONDS, CHECK_SECONDS, COPY_ROWS, LOOK_AGAIN_SECONDS, TERMINATED_SECONDS
from audit_async.diagnostics import report
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    MissingPartitionError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults import Place, raise_verdict, translate
from audit_async.inspection import TableName, quoted_name
from audit_async.store import StoreOptions
from audit_async.store.copying import Encoder, copy_chunks, row_encoder
from audit_async.store.encryption import warn_of_weakness
from audit_async.store.engine import OwnEngine, looking
from audit_async.store.pacing import rows_giving_up, rows_letting_loop_run, slices
from audit_async.store.partitions import warn_of_missing
from audit_async.store.postgres_engine import new_engine, set_timeouts
from audit_async.store.revision import revise, still_valid
from audit_async.table.sessions import has_pooler
from audit_async.table_map.layout import Layout
from audit_async.table_map.tables import Layouts, Part, Tables, not_delivered

if TYPE_CHECKING:
    RawConnection = asyncpg.Connection[asyncpg.Record]


# Where the server is told not to wait for its disk at a commit, a crash takes rows that we have confirmed and
# whose journal is gone. Any other setting is the administrator's choice.
_GREETING = """
SELECT set_config('application_name', $1, $2),
       CASE WHEN current_setting('synchronous_commit') = 'off'
            THEN set_config('synchronous_commit', 'on', $2) END
"""
_END_OWN_SESSIONS = """
SELECT count(pg_terminate_backend(pid))
  FROM pg_stat_activity
 WHERE application_name = $1 AND usename = current_user AND datname = current_database()
   AND pid <> pg_backend_pid()
"""


# Row-level security takes no COPY; neither do column types without a binary format, nor views.
_COPY_REFUSED = (asyncpg.FeatureNotSupportedError, asyncpg.InternalClientError, asyncpg.WrongObjectTypeError)


class PostgresStore:
    """A table on a PostgreSQL server, for one event loop; its connection is made by the first batch."""

    def __init__(self, options: StoreOptions) -> None:
        self._options = options
        self._url = make_url(options.url)
        self._tables = Tables.read(options.table)
        self._place = Place.of(self._url, self._tables)
        self._has_pooler = has_pooler(self._url)
        self._engine = OwnEngine(lambda: new_engine(self._url, options.timing), options.timing)
        self._layouts: Layouts | None = None
        self._statements: dict[tuple[TableName, bool], str] = {}
        self._encoders: dict[TableName, Encoder | None] = {}
        self._copy_is_refused = False
        self._carries = ""
        self._look_ahead_at = 0.0

    def __repr__(self) -> str:
        state = "connected" if self._engine.raw is not None else "not connected"
        return f"<PostgresStore {self._place.server}/{self._place.database} {self._tables}, {state}>"

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none. As `Store.insert`."""
        try:
            await self._insert(entries, is_replay=is_replay)
        except DataStoreError as refusal:
            raise await self._revised(refusal, entries) from None

    async def _insert(self, entries: Sequence[Entry], *, is_replay: bool) -> None:
        if is_replay:
            self._layouts = await still_valid(self._engine.get(), self._tables, self._layouts, self._place)
        name = self._options.session_name or f"audit/{entries[0].writer_id}"
        await self._in_session(name, lambda raw, layouts: self._put(raw, layouts.parts(entries), is_replay=is_replay))

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises."""
        await self._engine.close()

    def abandon(self) -> None:
        """Forget the connection without a word to the server. As `Store.abandon`."""
        self._engine.abandon()

    # --- the way of a batch ------------------------------------------------------------------------------

    async def _put(self, raw: RawConnection, parts: list[Part], *, is_replay: bool) -> None:
        """Put each part into its table, with COPY where that is quicker, and allowed."""
        if is_replay:
            await self._end_own_sessions(raw)
        with_copy = not is_replay and not self._copy_is_refused
        if with_copy and any(len(part) >= COPY_ROWS for _, part in parts):
            try:
                await self._insert_parts(raw, parts, with_copy=True)
            except _COPY_REFUSED as error:
                if isinstance(error, asyncpg.InvalidCachedStatementError):
                    raise
                self._copy_is_refused = True
            else:
                return
        try:
            await self._insert_parts(raw, parts, with_copy=False, is_replay=is_replay)
        except asyncpg.UniqueViolationError as error:
            if not is_replay and any(layout.key or layout.delivered for layout, _ in parts):
                raise
            # Not our key, which a replay passes over: a row is refused for what is in it.
            raise self._other_key(error.constraint_name) from None

    async def _insert_parts(
        self, raw: RawConnection, parts: list[Part], *, with_copy: bool, is_replay: bool = False
    ) -> None:
        """Put each part into its table, in one transaction."""
        (layout, entries), *others = parts
        if not others and layout.delivered is None:
            if with_copy:
                await self._copy(raw, layout, entries)
            else:
                await self._insert_rows(raw, layout, entries, is_replay=is_replay)
            return
        async with self._transaction(raw):
            for layout, entries in parts:
                fresh = entries
                if layout.delivered is not None:
                    fresh = await self._mark_delivered(raw, layout.delivered, entries, is_replay=is_replay)
                if with_copy and len(fresh) >= COPY_ROWS:
                    await self._copy_rows(raw, layout, fresh)
                elif fresh:
                    await self._execute_rows(raw, layout, fresh, is_replay=is_replay)

    async def _copy(self, raw: RawConnection, layout: Layout, entries: Sequence[Entry]) -> None:
        """Copy all or none. By itself a COPY is a transaction of its own: to begin and end one are two round trips.

        The server has all of it before it answers, and may carry out what was given up. Brought in again it is passed
        over by the key of our table; that of another one may be no more than a trigger makes of it, so that there an
        attempt ends with its transaction.
        """
        if self._has_pooler or not (layout.is_ours and layout.key):
            async with self._transaction(raw):
                await self._copy_rows(raw, layout, entries)
        else:
            await self._copy_rows(raw, layout, entries)

    async def _copy_rows(self, raw: RawConnection, layout: Layout, entries: Sequence[Entry]) -> None:
        table, gives_up = layout.table, self._options.gives_up_interpreter
        encode = self._encoders[table]
        if encode is not None:
            chunks = copy_chunks(entries, layout.bare_rows or layout.rows, encode, gives_up_interpreter=gives_up)
            await raw.copy_to_table(
                table.name, schema_name=table.schema, columns=layout.columns, format="binary", source=chunks
            )
            return
        rows: Any = (rows_giving_up if gives_up else rows_letting_loop_run)(entries, layout.rows)
        await raw.copy_records_to_table(table.name, schema_name=table.schema, columns=layout.columns, records=rows)

    async def _insert_rows(
        self, raw: RawConnection, layout: Layout, entries: Sequence[Entry], *, is_replay: bool
    ) -> None:
        """Insert what is not there yet. Each statement below is a transaction of its own, all or none."""
        statement = self._statements[layout.table, is_replay]
        if self._has_pooler or not (self._options.gives_up_interpreter or len(entries) < COPY_ROWS):
            async with self._transaction(raw):
                await self._execute_rows(raw, layout, entries, is_replay=is_replay)
        elif len(entries) == 1:
            await raw.execute(statement, *layout.row(entries[0]))
        else:
            await raw.executemany(statement, rows_giving_up(entries, layout.rows))

    async def _execute_rows(
        self, raw: RawConnection, layout: Layout, entries: Sequence[Entry], *, is_replay: bool
    ) -> None:
        """Insert what is not there yet, in slices, in the transaction that is open."""
        for part in slices(entries):
            await raw.executemany(self._statements[layout.table, is_replay], layout.rows(part))

    async def _mark_delivered(
        self, raw: RawConnection, delivered: TableName, entries: Sequence[Entry], *, is_replay: bool
    ) -> Sequence[Entry]:
        """Note the ids of *entries* beside a table that has no key, and return those that were not noted yet.

        The first attempt notes them blindly: a violated key means a replay, which then looks first.
        """
        if is_replay:
            found = await raw.fetch(
                f"SELECT id FROM {delivered.quoted()} WHERE id = ANY($1::text[])", [entry.id for entry in entries]
            )
            entries = not_delivered(entries, {row["id"] for row in found})
        await raw.execute(
            f"INSERT INTO {delivered.quoted()} (id) SELECT unnest($1::text[])", [entry.id for entry in entries]
        )
        return entries

    @asynccontextmanager
    async def _transaction(self, raw: RawConnection) -> AsyncIterator[None]:
        async with raw.transaction():
            if self._has_pooler:
                # A pooler hands every transaction another connection, which carries no settings of ours.
                await raw.execute(set_timeouts(self._options.timing))
                await raw.execute(_GREETING, self._carries, True)
            yield

    async def _end_own_sessions(self, raw: RawConnection) -> None:
        """End what is left of earlier attempts for these entries, and return when it is gone.

        A client that vanished in the middle of a COPY leaves a session that holds its keys; neither a
        time-out of the server nor a cancel request ends it.
        """
        try:
            async with asyncio.timeout(TERMINATED_SECONDS):
                while await raw.fetchval(_END_OWN_SESSIONS, self._carries):  # noqa: ASYNC110 -- it tells nobody
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise TransientStoreError(
                f"an earlier session {self._carries} at {self._place.server} does not end",
                hint="end it with pg_terminate_backend, as its role or as an administrator",
            ) from None

    # --- the connection ----------------------------------------------------------------------------------

    async def _in_session(
        self, application_name: str, work: Callable[[RawConnection, Layouts], Awaitable[None]]
    ) -> None:
        """Do *work* with the raw connection of a short-lived session; turn every error into one of ours."""
        is_connecting = True
        try:
            layouts = self._layouts or await self._look_at_tables()
            if self._engine.raw is None or self._engine.raw.is_closed():
                self._engine.give_back()
            borrowed = await self._engine.borrow()
            session = AsyncSession(borrowed)
            raw: Any = None
            try:
                # It is there, so that there is nothing to wait for: the greenlet to wait in costs a tenth of what a
                # single row does. Nor is there a transaction to begin, since no statement goes through the session.
                raw = _raw_connection(session.sync_session)
                is_connecting = False
                if raw is not self._engine.raw or application_name != self._carries:
                    await self._greet(raw, application_name)
                if time.monotonic() > self._look_ahead_at and layouts.are_ours:
                    remark = await warn_of_missing(raw, layouts.all[0].table)
                    self._look_ahead_at = time.monotonic() + (CHECK_AGAIN_SECONDS if remark else CHECK_SECONDS)
                    self._options.on_remark(remark)
                await work(raw, layouts)
            except BaseException as error:
                about_row = isinstance(self._verdict(error), (DataStoreError, DuplicateStoreError))
                if not is_connecting and (raw.is_closed() or not about_row):
                    raw.terminate()
                    self._engine.invalidate(borrowed)
                raise
            finally:
                # It knows of no transaction, so closing it speaks to no server. As a coroutine it would cost
                # a task of its own, a tenth of a single row's time.
                session.sync_session.close()
                self._engine.end_use(borrowed)
        except Exception as error:
            if is_connecting:
                self._engine.raw = None
            verdict = self._verdict(error, is_connecting)
            if isinstance(verdict, ConfigStoreError):
                # Somebody will mend the table: look at it anew.
                self._layouts = None
            if verdict is None:
                raise
            raise_verdict(verdict, error)

    async def _look_at_tables(self) -> Layouts:
        async with looking(self._engine.get()) as connection:
            layouts = await connection.run_sync(self._tables.lay_out)
        self._statements = {
            (layout.table, is_replay): _insert_statement(layout, is_replay=is_replay)
            for layout in layouts.all
            for is_replay in (False, True)
        }
        self._encoders = {
            layout.table: row_encoder(layout, found) for layout, found in zip(layouts.all, layouts.found, strict=True)
        }
        self._copy_is_refused = False
        self._layouts = layouts
        for layout in layouts.all:
            if layout.name == "clawith":
                report(
                    "layout",
                    f"table {layout.table} is the six-column one: actions keep their old spelling, "
                    "and what has no column goes into details",
                    level="INFO",
                )
        return layouts

    async def _revised(self, refusal: DataStoreError, entries: Sequence[Entry]) -> StoreError:
        verdict = await revise(refusal, entries, self._engine.get(), self._tables, self._layouts, self._place)
        if verdict is not refusal:
            self._layouts = None
        return verdict

    async def _greet(self, raw: RawConnection, application_name: str) -> None:
        """Give the session its name, by which a later one can end it, and see that its commits last."""
        self._engine.raw, self._carries = raw, application_name
        if not self._has_pooler:
            await raw.execute(_GREETING, application_name, False)
        warn_of_weakness(raw, self._place.server, "?ssl=verify-full&sslrootcert=FILE")

    def _verdict(self, error: BaseException, is_connecting: bool = False) -> StoreError | None:
        if (
            isinstance(error, asyncpg.CheckViolationError)
            and error.constraint_name is None
            and error.table_name in {name.name for name in self._tables.names}
        ):
            # Any other check has a name, and one of a partition that name: the time of the row has no partition.
            return MissingPartitionError(
                f"table {self._tables} has no partition for a row",
                culprit="partition",
                sqlstate=error.sqlstate,
                hint="make it: `audit-async maintain URL`, or what makes that table's partitions",
            )
        return translate(error, self._place, connecting=is_connecting) if isinstance(error, Exception) else None

    def _other_key(self, constraint: str | None) -> DataStoreError:
        return DataStoreError(
            f"table {self._tables} refuses a row: its value for {constraint} is there already [23505]",
            sqlstate="23505",
            culprit=constraint,
        )


def _insert_statement(layout: Layout, *, is_replay: bool) -> str:
    """Return the statement for one row of *layout*; of a replay it passes over what is there already."""
    columns = ", ".join(map(quoted_name, layout.columns))
    values = ", ".join(f"${number + 1}" for number in range(len(layout.columns)))
    into = f"INSERT INTO {layout.table.quoted()} ({columns}) VALUES ({values})"
    if not (layout.key and is_replay):
        return into
    # Without a target a role that may only insert suffices; but it would pass over other keys as well.
    target = f" ({', '.join(map(quoted_name, layout.key))})" if layout.has_other_keys else ""
    return f"{into} ON CONFLICT{target} DO NOTHING"


def _raw_connection(session: Session) -> Any:
    bind = session.get_bind()
    assert isinstance(bind, Connection)  # what the session was made with
    return bind.connection.driver_connection
