"""New events as they come: looks at the table again and again, and gives each event once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import (
    BACKOFF_FIRST_SECONDS,
    CANCEL_SECONDS,
    EXPORT_PAGE_EVENTS,
    FOLLOW_BACKOFF_MAX_SECONDS,
    FOLLOW_LEAST_SECONDS,
    FOLLOW_LOOK_SHARE,
    MAX_POSITION_CHARS,
)
from audit_async.diagnostics import describe, report, settle_down
from audit_async.errors import ConfigurationError, TransientStoreError
from audit_async.events import AuditEvent
from audit_async.reading.conditions import conditions
from audit_async.reading.cursor import Cursor
from audit_async.reading.follow_choice import way_of
from audit_async.reading.follow_way import Way
from audit_async.reading.moments import Moment, resolved
from audit_async.reading.pages import Listing
from audit_async.reading.query import Query
from audit_async.reading.scope import Scope
from audit_async.reading.view import View

_LONGER = 1.5

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a follower is.

    Attributes:
        state: of its way.
        since: from when on what was there before is read first; None when that is done.
        past: the key up to which it was read.
    """

    state: Any
    since: datetime | None = None
    past: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found.

    Attributes:
        events: each with what says where a follower is after it.
        after: where the next look begins.
        has_more: whether it may begin at once.
    """

    events: Sequence[tuple[AuditEvent, Callable[[], Mark]]]
    after: Mark
    has_more: bool


class Follower(AsyncIterator[AuditEvent]):
    """Gives the events that become visible in a table, each once, in the order in which they do; made by a reader.

        async with reader.follow(Query(actions="auth.*")) as follower:
            async for event in follower:
                handle(event)
                save(follower.position)

    It ends when its caller stops. Between two looks no transaction and no connection is held. Whoever gives up waiting
    loses nothing, and may ask again. What holds on which database is in `docs/following.md`.

    Args:
        look: gives the table.
        transaction: opens one that only reads.
        position: of another follower of the same query, scope and table, after whose last event this one goes on.
        since: from then on events that are there already come first; where there is no *position*.
        idle_seconds: between two looks at most.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[View]],
        transaction: Transaction,
        *,
        query: Query,
        scope: Scope,
        position: str | None,
        since: Moment | None,
        idle_seconds: float,
    ) -> None:
        self._look = look
        self._transaction = transaction
        self._query = query
        self._scope = scope
        self._given = position
        self._since = since
        self._idle_seconds = idle_seconds
        self._way: Way[Any] | None = None
        self._bound_to = ""
        self._ready: deque[tuple[AuditEvent, Callable[[], Mark]]] = deque()
        self._at: Callable[[], Mark] | None = None
        self._from = Mark(None)
        self._interval = min(FOLLOW_LEAST_SECONDS, idle_seconds)
        self._due = 0.0
        self._backoff = 0.0
        self._is_open = True
        self._closed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    # --- life ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin: what becomes visible from now on will be given.

        Raises:
            ConfigurationError: *position* is of another query, scope or table.
            StoreError: the database refuses, or has no such table. For one that is away it waits.
        """
        async with self._turn:
            while self._is_open and self._way is None:
                await self._step()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop: whoever waits for the next event gets the end of the iteration. Closing the reader does the same."""
        self._is_open = False
        self._closed.set()
        looking, self._looking = self._looking, None
        if looking is None:
            return
        # Drivers lose connections that are cancelled while they are made; a look takes milliseconds.
        _, late = await asyncio.wait({looking}, timeout=CANCEL_SECONDS)
        if late:
            looking.cancel()
            await asyncio.wait({looking})
        if not looking.cancelled():
            looking.exception()

    def __repr__(self) -> str:
        way = "not begun" if self._way is None else f"by {self._way.name}"
        return f"<Follower of {self._scope}, {way}{'' if self._is_open else ', closed'}>"

    @property
    def position(self) -> str | None:
        """Where the last event that was given is: text for `follow(position=...)`. None before it has begun.

        Kept after an event was handled, it leads to the next one: nothing is missed, and nothing comes twice but what
        was handled after the position was kept.
        """
        if self._at is None or self._way is None:
            return self._given
        mark = self._at()
        since = None if mark.since is None else mark.since.isoformat()
        return Cursor((self._way.name, self._way.write(mark.state), since, *mark.past)).write(self._bound_to)

    # --- events ----------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AuditEvent:
        """Return the next event, when there is one.

        Raises:
            ConfigurationError: as on entering, where it was not entered.
            StoreError: the database refuses, or the table is gone. For one that is away it waits.
        """
        async with self._turn:
            while self._is_open:
                if self._ready:
                    event, self._at = self._ready.popleft()
                    return event
                await self._step()
        raise StopAsyncIteration

    async def _step(self) -> None:
        """Wait until it is time, and begin, or look.

        A caller who gives up waiting leaves the look under way to whoever waits next: else one who is less patient than
        the database is slow would never get an event.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), max(0.0, self._due - time.monotonic()))
        if not self._is_open:
            return
        if self._looking is None:
            self._looking = asyncio.create_task(self._try(), name="audit follow")
        looking = self._looking
        await asyncio.wait({looking})
        self._looking = None
        if self._is_open:
            looking.result()

    async def _try(self) -> None:
        """Begin, or look; where the database is away, see when the next try is due."""
        try:
            if self._way is None:
                await self._begin()
            else:
                await self._fill(self._way)
        except TransientStoreError as error:
            self._backoff = min(2 * self._backoff or BACKOFF_FIRST_SECONDS, FOLLOW_BACKOFF_MAX_SECONDS)
            self._due = time.monotonic() + random.uniform(0, self._backoff)
            report("follow", f"a follower waits for the database: {describe(error)}")
        else:
            if self._backoff:
                self._backoff = 0.0
                settle_down("follow")

    async def _begin(self) -> None:
        view = await self._look()
        where = conditions(self._query, self._scope, view)
        bound_to = self._binding(view)
        since = None if self._since is None else resolved(self._since, datetime.now(UTC))
        async with self._transaction() as connection:
            way = await way_of(connection, view, where, self._scope)
        if self._given is not None:
            mark = self._read(self._given, way, bound_to)
        else:
            async with self._transaction() as connection:
                mark = Mark(await way.begin(connection, since), since)
        self._way, self._bound_to, self._from, self._at = way, bound_to, mark, lambda: mark

    def _binding(self, view: View) -> str:
        asked = {**self._query.to_dict(), "limit": None}
        asked.pop("oldest_first", None)
        whole = ["follow", str(view.name), self._scope.to_list(), asked]
        return msgspec.json.encode(whole, order="deterministic").decode()

    def _read(self, position: str, way: Way[Any], bound_to: str) -> Mark:
        hint = "take the position of a follower of this very query, or begin without one, by since="
        try:
            name, state, since, *past = Cursor.read(position, bound_to, MAX_POSITION_CHARS).position
        except (ConfigurationError, ValueError):
            raise ConfigurationError(
                "the position is damaged, or of another query, scope or table", hint=hint
            ) from None
        if name != way.name:
            raise ConfigurationError(
                f"the position is one by {name}, and the table is followed by {way.name}", hint=hint
            )
        try:
            return Mark(way.read(state), None if since is None else datetime.fromisoformat(since), tuple(past))
        except (ValueError, TypeError, msgspec.MsgspecError):
            raise ConfigurationError("the position is damaged", hint=hint) from None

    async def _fill(self, way: Way[Any]) -> None:
        """Look once, and see when the next look is due."""
        started = time.monotonic()
        async with self._transaction() as connection:
            found = await (self._past if self._from.since is not None else self._new)(connection, way, self._from)
        taken = time.monotonic() - started
        self._ready.extend(found.events)
        self._from = found.after
        if not found.events:
            self._at = lambda: found.after
        if found.has_more:
            return
        longer = FOLLOW_LEAST_SECONDS if found.events else self._interval * _LONGER
        self._interval = min(longer, self._idle_seconds)
        self._due = time.monotonic() + max(self._interval, taken * (1 / FOLLOW_LOOK_SHARE - 1))

    async def _past(self, connection: AsyncConnection, way: Way[Any], mark: Mark) -> Found:
        """Return a page of what was there when it began."""
        time_of = way.view.order[0].column
        where = [*way.where, way.was_there(mark.state), time_of >= way.view.bound("created_at", mark.since)]
        listing = Listing(view=way.view, where=where, is_ascending=True, bound_to="")
        cursor = Cursor(mark.past) if mark.past else None
        rows = (await connection.execute(listing.statement(cursor, EXPORT_PAGE_EVENTS))).all()
        marks = [replace(mark, past=listing.position(row)) for row in rows]
        is_last = len(rows) < EXPORT_PAGE_EVENTS
        after = Mark(mark.state) if is_last else marks[-1]
        events = [
            (event, partial(_same, each))
            for row, each in zip(rows, marks, strict=True)
            for event in way.view.shown([row])
        ]
        # What came meanwhile is looked for at once.
        return Found(events, after, has_more=True)

    async def _new(self, connection: AsyncConnection, way: Way[Any], mark: Mark) -> Found:
        """Return what is new."""
        look = await way.look(connection, mark.state)

        def at(index: int) -> Mark:
            return Mark(look.at(index))

        events = [
            (event, partial(at, index))
            for index, row in enumerate(look.rows)
            for event in way.view.shown([way.event_row(row)])
        ]
        return Found(events, Mark(look.after), has_more=look.has_more)


def _same(mark: Mark) -> Mark:
    return mark
