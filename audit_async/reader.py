"""A query goes in, events come out: the reading end of the log."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy import URL, Select

from audit_async.address import fingerprint
from audit_async.config import (
    EXPORT_PAGE_EVENTS,
    FOLLOW_IDLE_SECONDS,
    MAX_STATEMENT_SECONDS,
    PAGE_EVENTS,
    READER_STATEMENT_SECONDS,
)
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.events.fields import InvalidValueError, to_id
from audit_async.events.identifier import time_of
from audit_async.exports import suffix_of
from audit_async.inspection import TableName
from audit_async.reading.analysis import Analysis
from audit_async.reading.conditions import conditions, in_scope, one_of
from audit_async.reading.connection import ReadOnlyDatabase
from audit_async.reading.cursor import Cursor
from audit_async.reading.export import Batch, Export, Exported, OnExport, Row
from audit_async.reading.follow import Follower
from audit_async.reading.moments import read_moment
from audit_async.reading.opening import open_view
from audit_async.reading.pages import Listing, Page
from audit_async.reading.query import Query
from audit_async.reading.scope import Scope
from audit_async.reading.view import View
from audit_async.table_map.mapping import TableMap

_NOT_SAID: Any = object()


class AuditReader(Analysis):
    """Reads a table of events, ours or one that is mapped, through connections of its own that cannot write.

        async with AuditReader(url, tenant="t-1") as reader:
            page = await reader.search(Query(actions="auth.*", outcome="failure", since="24h"))

    Whose events it may show has to be said, and cannot be widened later: by no query, and by no cursor.

    Args:
        url: address of the database, with an async driver.
        tenant: a tenant's id, several, or a `Scope`; None for events without a tenant; `Scope.all()` for everything.
        table: its name, or its map.
        statement_seconds: that one question may take.
        on_export: is told of every export, to log it as `audit.export`: the reader itself logs nothing.

    Raises:
        ConfigurationError: an address that is none, no tenant was said, or a time that no question can take.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        tenant: Any = _NOT_SAID,
        table: str | TableMap | None = None,
        statement_seconds: float = READER_STATEMENT_SECONDS,
        on_export: OnExport | None = None,
    ) -> None:
        if tenant is _NOT_SAID:
            raise ConfigurationError(
                "a reader was not told whose events it may show",
                hint="tenant='t-1' for one tenant's, tenant=None for those without one, tenant=Scope.all() for all",
            )
        if not 0 < statement_seconds <= MAX_STATEMENT_SECONDS:
            raise ConfigurationError(
                f"no question can take {statement_seconds:g} s",
                hint=f"give seconds, more than 0 and up to {MAX_STATEMENT_SECONDS:,}",
            )
        self.scope = Scope.read(tenant)
        self._table = table if isinstance(table, TableMap) else TableName.parse(table or "audit_logs")
        name = TableName.parse(table.table) if isinstance(table, TableMap) else self._table
        assert isinstance(name, TableName)
        self._name = name
        self._database = ReadOnlyDatabase(url, name, statement_seconds)
        self.on_export = on_export
        self._view: View | None = None
        self._followers: weakref.WeakSet[Follower] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        """Look at the table, so that what is wrong with it is told here.

        Raises:
            StoreError: the database is away, refuses, or has no such table.
            ConfigurationError: the table cannot be read by this map, or not in this scope.
        """
        try:
            await self._look()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop what follows, and close the connections."""
        for follower in list(self._followers):
            await follower.aclose()
        await self._database.close()

    def __repr__(self) -> str:
        return f"<AuditReader of {self._name}, {self.scope}>"

    # --- questions -------------------------------------------------------------------------------------

    async def search(self, query: Query | None = None, cursor: str | None = None) -> Page:
        """Return a page of the events that *query* asks for, the newest first.

        A page far behind costs what the first one costs. Events that come meanwhile move nothing: a page goes on where
        the one before ended.

        Args:
            cursor: of the page before or behind; None for the first.

        Raises:
            ConfigurationError: a cursor of another query, or what this table cannot be asked.
            QueryTimeoutError: it took too long; the next question may be asked at once.
            StoreError: the database is away, or refuses.
        """
        query = query or Query()
        listing = await self._listing(query)
        at = None if cursor is None else Cursor.read(cursor, listing.bound_to)
        rows = await self._listed(listing, at, query.limit + 1)
        return listing.page(at, rows, query.limit)

    async def get(self, event_id: Any) -> AuditEvent | None:
        """Return the event of that id, or None: there is none, or it is another tenant's.

        Raises:
            ConfigurationError: the table keeps no id, and its key is more than one column.
            StoreError: the database is away, or refuses.
        """
        try:
            key = to_id(event_id)
        except InvalidValueError:
            return None
        view = await self._look()
        moment = time_of(key)
        found = [one_of(view, "id", (key,)), *in_scope(self.scope, view)]
        if moment is not None:
            # Its time leads to its place in the index; an event that was given another time is looked for everywhere.
            at = view.order[0].column == view.bound("created_at", moment)
            rows = await self._rows(sa.select(*view.columns).where(at, *found).limit(1))
            if rows:
                return next(iter(view.shown(rows)), None)
        rows = await self._rows(sa.select(*view.columns).where(*found).limit(1))
        return next(iter(view.shown(rows)), None)

    async def count(self, query: Query | None = None) -> int:
        """Return how many events *query* asks for, on all pages.

        Raises:
            QueryTimeoutError: there are too many to count in the time.
            StoreError: the database is away, or refuses.
        """
        listing = await self._listing(query or Query())
        rows = await self._rows(sa.select(sa.func.count()).select_from(listing.view.source).where(*listing.where))
        return int(rows[0][0])

    async def history(self, resource_type: str, resource_id: Any, *, limit: int = PAGE_EVENTS) -> Page:
        """Return what happened to one resource, from its beginning. Further pages are those of the same search."""
        return await self.search(Query(**self._of_resource(resource_type, resource_id, limit)))

    async def timeline(self, user_id: Any, *, since: Any = None, until: Any = None, limit: int = PAGE_EVENTS) -> Page:
        """Return what a user has to do with, in the order of time: did, or had done to, about or for them.

        Further pages are those of `search(Query(involving=user_id, oldest_first=True, ...))`.
        """
        return await self.search(Query(involving=user_id, since=since, until=until, oldest_first=True, limit=limit))

    async def events(self, query: Query | None = None) -> AsyncGenerator[AuditEvent, None]:
        """Yield every event that *query* asks for, over all pages, in constant memory.

        Between two pages nothing is held open; one page is read ahead. Raises as `search`.
        """
        listing = await self._listing(query or Query())
        async with aclosing(self._batches(listing, None)) as pages:
            async for rows, _ in pages:
                for event in listing.view.shown(rows):
                    yield event

    async def export(
        self,
        query: Query | None = None,
        *,
        format: str = "jsonl",
        path: str | os.PathLike[str] | None = None,
        file: BinaryIO | None = None,
        may_replace: bool = False,
        on_progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> Exported:
        """Write every event that *query* asks for to a file, in constant memory.

        The file has its name when it is whole; before it is `PATH.part`, with a note of how far it has come beside it.
        After an interruption the same export goes on from there, with nothing missing and nothing twice (Parquet begins
        again). Where `24h` was asked for, it still counts from the first beginning.

        Args:
            format: `jsonl`, `csv`, `parquet`, `ocsf`, `cef` or `syslog`.
            path: of the file, for its owner alone; or
            file: an open one for bytes, which stays open; the event loop waits while it is written to.
            may_replace: a file of that name.
            on_progress: is told the number of events written so far.
            options: of the format, as `bom=True` of CSV.

        Raises:
            ConfigurationError: no such format or option, no such folder, a file of that name, or as `search`.
            AuditError: the file cannot be written.
            StoreError: the database is away, or refuses. What there is stays, to be continued.
        """
        if (path is None) == (file is None):
            raise ConfigurationError("an export needs a file", hint="give path=, or file= for one that is open")
        suffix_of(format)  # says which formats there are, before anything is opened
        query = query or Query()
        listing = await self._listing(query)

        async def batches(moment: datetime, after: str | None) -> AsyncGenerator[Batch, None]:
            pinned = await self._listing(query, moment)
            at = None if after is None else Cursor.read(after, pinned.bound_to)
            async with aclosing(self._batches(pinned, at)) as pages:
                async for rows, behind in pages:
                    yield rows, None if behind is None else behind.write(pinned.bound_to)

        export = Export(
            query=query,
            format=format,
            scope=str(self.scope),
            tenant_id=self.scope.only,
            table=str(self._name),
            bound_to=fingerprint(f"{format} {sorted(options.items())} {self._database.url!r} {listing.bound_to}"),
            batches=batches,
            shown=listing.view.shown,
            on_export=self.on_export,
            on_progress=on_progress,
        )
        if file is not None:
            return await export.to_file(file, options)
        return await export.to_path(Path(path or ""), options, may_replace=may_replace)

    # What can be counted beside: `Analysis`.

    def follow(
        self,
        query: Query | None = None,
        *,
        position: str | None = None,
        since: Any = None,
        idle_seconds: float = FOLLOW_IDLE_SECONDS,
    ) -> Follower:
        """Return an iterator of the events of *query* that become visible from now on, which ends when you stop.

            async for event in reader.follow(Query(outcome="failure")):
                ...

        Each comes once, in the order in which they become visible, also those that are committed late. What holds on
        which database, and how to go on after a restart, is in `docs/following.md`.

        Args:
            query: its limit and order mean nothing here.
            position: of a follower of the same query; this one goes on behind it.
            since: a time, or how long ago (`1h`): events from then on that are there already come first, in the order
                of time; where there is no *position*.
            idle_seconds: between two looks, at most, while nothing comes.

        Raises:
            ConfigurationError: *since* is no time, or *idle_seconds* no number above 0.
        """
        if not 0 < idle_seconds < float("inf"):
            raise ConfigurationError(f"idle_seconds is {idle_seconds!r:.100}", hint="give seconds, more than 0")
        follower = Follower(
            self._look,
            lambda: self._database.transaction(self.scope.only),
            query=query or Query(),
            scope=self.scope,
            position=position,
            since=None if since is None else read_moment("since", since),
            idle_seconds=idle_seconds,
        )
        self._followers.add(follower)
        return follower

    # --- how -------------------------------------------------------------------------------------------

    @staticmethod
    def _of_resource(resource_type: str, resource_id: Any, limit: int) -> dict[str, Any]:
        return {"resource_type": resource_type, "resource_id": resource_id, "oldest_first": True, "limit": limit}

    async def _look(self) -> View:
        if self._view is None:
            async with self._database.transaction(self.scope.only) as connection:
                self._view = await open_view(connection, self._table, self.scope)
        return self._view

    async def _batches(
        self, listing: Listing, cursor: Cursor | None
    ) -> AsyncGenerator[tuple[Sequence[Row], Cursor | None], None]:
        """Yield the rows behind *cursor* in large pages, each with the cursor behind it; None behind the last.

        The next page is on its way while one is worked on.
        """
        ahead = asyncio.ensure_future(self._listed(listing, cursor, EXPORT_PAGE_EVENTS))
        try:
            while True:
                rows = await ahead
                if len(rows) < EXPORT_PAGE_EVENTS:
                    yield rows, None
                    return
                cursor = Cursor(listing.position(rows[-1]))
                ahead = asyncio.ensure_future(self._listed(listing, cursor, EXPORT_PAGE_EVENTS))
                yield rows, cursor
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _listing(self, query: Query, now: datetime | None = None) -> Listing:
        view = await self._look()
        asked = {**query.to_dict(), "limit": None}
        bound_to = msgspec.json.encode([str(view.name), self.scope.to_list(), asked], order="deterministic").decode()
        where = conditions(query, self.scope, view, now)
        return Listing(view=view, where=where, is_ascending=query.oldest_first, bound_to=bound_to)

    async def _listed(self, listing: Listing, cursor: Cursor | None, rows: int) -> Sequence[Sequence[Any]]:
        found = await self._rows(listing.statement(cursor, rows))
        rest = listing.rest(cursor, rows - len(found)) if len(found) < rows else None
        return found if rest is None else [*found, *await self._rows(rest)]

    async def _rows(self, statement: Select[Any]) -> Sequence[Sequence[Any]]:
        async with self._database.transaction(self.scope.only) as connection:
            rows: Sequence[Sequence[Any]] = (await connection.execute(statement)).all()
        return rows
