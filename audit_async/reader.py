"""A query goes in, events come out: the reading end of the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy import URL, Select

from audit_async.config import EXPORT_PAGE_EVENTS, PAGE_EVENTS, READER_STATEMENT_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.events.fields import InvalidValueError, to_id
from audit_async.events.identifier import time_of
from audit_async.inspection import TableName
from audit_async.reading.conditions import conditions, in_scope, one_of
from audit_async.reading.connection import ReadOnlyDatabase
from audit_async.reading.cursor import Cursor
from audit_async.reading.opening import open_view
from audit_async.reading.pages import Listing, Page
from audit_async.reading.query import Query
from audit_async.reading.scope import Scope
from audit_async.reading.view import View
from audit_async.table_map.mapping import TableMap

_NOT_SAID: Any = object()


class AuditReader:
    """Reads a table of events, ours or one that is mapped, through connections of its own that cannot write.

        async with AuditReader(url, tenant="t-1") as reader:
            page = await reader.search(Query(actions="auth.*", outcome="failure", since="24h"))

    Whose events it may show has to be said, and cannot be widened later: by no query, and by no cursor.

    Args:
        url: address of the database, with an async driver.
        tenant: a tenant's id, several, or a `Scope`; None for events without a tenant; `Scope.all()` for everything.
        table: its name, or its map.
        statement_seconds: that one question may take.

    Raises:
        ConfigurationError: an address that is none, or no tenant was said.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        tenant: Any = _NOT_SAID,
        table: str | TableMap | None = None,
        statement_seconds: float = READER_STATEMENT_SECONDS,
    ) -> None:
        if tenant is _NOT_SAID:
            raise ConfigurationError(
                "a reader was not told whose events it may show",
                hint="tenant='t-1' for one tenant's, tenant=None for those without one, tenant=Scope.all() for all",
            )
        self.scope = Scope.read(tenant)
        self._table = table if isinstance(table, TableMap) else TableName.parse(table or "audit_logs")
        name = TableName.parse(table.table) if isinstance(table, TableMap) else self._table
        assert isinstance(name, TableName)
        self._name = name
        self._database = ReadOnlyDatabase(url, name, statement_seconds)
        self._view: View | None = None

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
        """Close the connections."""
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
        rows = await self._rows(listing.statement(at, query.limit + 1))
        return listing.page(at, rows, query.limit)

    async def get(self, event_id: Any) -> AuditEvent | None:
        """Return the event of that id, or None: there is none, or it is another tenant's.

        Raises:
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
                return view.event(rows[0])
        rows = await self._rows(sa.select(*view.columns).where(*found).limit(1))
        return view.event(rows[0]) if rows else None

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

    async def events(self, query: Query | None = None) -> AsyncIterator[AuditEvent]:
        """Yield every event that *query* asks for, over all pages, in constant memory.

        Between two pages nothing is held open. Raises as `search`.
        """
        listing = await self._listing(query or Query())
        cursor: Cursor | None = None
        while True:
            rows = await self._rows(listing.statement(cursor, EXPORT_PAGE_EVENTS))
            for row in rows:
                yield listing.view.event(row)
            if len(rows) < EXPORT_PAGE_EVENTS:
                return
            cursor = Cursor(listing.position(rows[-1]))

    # --- how -------------------------------------------------------------------------------------------

    @staticmethod
    def _of_resource(resource_type: str, resource_id: Any, limit: int) -> dict[str, Any]:
        return {"resource_type": resource_type, "resource_id": resource_id, "oldest_first": True, "limit": limit}

    async def _look(self) -> View:
        if self._view is None:
            async with self._database.transaction(self.scope.only) as connection:
                self._view = await open_view(connection, self._table, self.scope)
        return self._view

    async def _listing(self, query: Query) -> Listing:
        view = await self._look()
        asked = {**query.to_dict(), "limit": None}
        bound_to = msgspec.json.encode([str(view.name), str(self.scope), asked], order="deterministic").decode()
        where = conditions(query, self.scope, view)
        return Listing(view=view, where=where, is_ascending=query.oldest_first, bound_to=bound_to)

    async def _rows(self, statement: Select[Any]) -> Sequence[Sequence[Any]]:
        async with self._database.transaction(self.scope.only) as connection:
            rows: Sequence[Sequence[Any]] = (await connection.execute(statement)).all()
        return rows
