"""Following a table that has nothing but times: what is new is within a window that is looked through again and again.

A row that becomes visible when its time lies farther back than the window is not seen. Which rows of the window are
known is remembered by digests of their keys.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import EXPORT_PAGE_EVENTS, FOLLOW_OVERLAP_SECONDS, FOLLOW_POSITION_KEYS, FOLLOW_WINDOW_KEYS
from audit_async.diagnostics import report
from audit_async.reading.conditions import Condition
from audit_async.reading.cursor import Cursor
from audit_async.reading.follow_way import Look, Row, Way
from audit_async.reading.pages import Listing
from audit_async.reading.view import View

_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Window:
    """What is known.

    Attributes:
        looked: when the window was last looked through to its end; it begins `FOLLOW_OVERLAP_SECONDS` before.
        given: digests of the keys in it that are known, in their order.
    """

    looked: datetime
    given: tuple[bytes, ...] = ()

    @property
    def starts(self) -> datetime:
        return self.looked - timedelta(seconds=FOLLOW_OVERLAP_SECONDS)


class Times(Way[Window]):
    """By times, with an overlap.

    Args:
        clock: says what time it is.
    """

    name = "times"

    def __init__(
        self, view: View, where: Sequence[Condition], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(view, where)
        self._clock = clock

    async def begin(self, connection: AsyncConnection, since: datetime | None) -> Window:
        window = Window(self._clock())
        before = [] if since is None else [self.view.order[0].column < self.view.bound("created_at", since)]
        keys = await self._keys(connection, window, *before)
        return Window(window.looked, tuple(map(_digest, keys)))

    def was_there(self, state: Window) -> Condition:
        there: Condition = self.view.order[0].column < self.view.bound("created_at", state.starts)
        return there

    async def look(self, connection: AsyncConnection, state: Window) -> Look[Window]:
        now = self._clock()
        if now < state.looked:
            state = await self._set_back(connection, state, now)
        keys = await self._keys(connection, state)
        digests = list(map(_digest, keys))
        known = set(state.given)
        new = [place for place, digest in enumerate(digests) if digest not in known]
        has_more = len(new) > EXPORT_PAGE_EVENTS
        wanted = {digests[place] for place in new[:EXPORT_PAGE_EVENTS]}
        rows = await self._rows(connection, [keys[place] for place in new[:EXPORT_PAGE_EVENTS]], wanted)
        found = [self._digest_of(row) for row in rows]

        def at(index: int) -> Window:
            return Window(state.looked, (*state.given, *found[: index + 1]))

        if has_more:
            return Look(rows, at, at(len(rows) - 1) if rows else state, has_more)
        given = set(found) | known
        # A row that went away between both statements is not known, should it come again.
        return Look(rows, at, Window(now, tuple(digest for digest in digests if digest in given)))

    async def _set_back(self, connection: AsyncConnection, state: Window, now: datetime) -> Window:
        """Return the state for a clock that was set back: what lies before the window was given, or came too late."""
        earlier = Window(now)
        before = self.view.order[0].column < self.view.bound("created_at", state.starts)
        keys = await self._keys(connection, earlier, before)
        return Window(now, tuple(dict.fromkeys((*map(_digest, keys), *state.given))))

    async def _keys(self, connection: AsyncConnection, state: Window, *where: Condition) -> list[Row]:
        """Return the keys in the window, page by page, of the newest as many as are remembered."""
        order = [key.column for key in self.view.order]
        within = order[0] >= self.view.bound("created_at", state.starts)
        statement = (
            sa.select(*order)
            .select_from(self.view.source)
            .where(*self.where, within, *where)
            .order_by(*(column.desc() for column in order))
            .limit(FOLLOW_WINDOW_KEYS + 1)
        )
        keys: list[Row] = list((await connection.execute(statement)).all())
        if len(keys) > FOLLOW_WINDOW_KEYS:
            del keys[FOLLOW_WINDOW_KEYS:]
            report(
                "follow window",
                f"table {self.view.name} has more than {FOLLOW_WINDOW_KEYS:,} rows of the last"
                f" {FOLLOW_OVERLAP_SECONDS:g} s: a row that comes later than these will not be followed",
            )
        keys.reverse()
        return keys

    async def _rows(self, connection: AsyncConnection, keys: Sequence[Row], wanted: set[bytes]) -> list[Row]:
        if not keys:
            return []
        time = self.view.order[0].column
        where = [*self.where, time >= keys[0][0], time <= keys[-1][0]]
        listing = Listing(view=self.view, where=where, is_ascending=True, bound_to="")
        found: list[Row] = []
        cursor: Cursor | None = None
        while True:
            rows = (await connection.execute(listing.statement(cursor, EXPORT_PAGE_EVENTS))).all()
            found += [row for row in rows if self._digest_of(row) in wanted]
            if len(rows) < EXPORT_PAGE_EVENTS:
                return found
            cursor = Cursor(listing.position(rows[-1]))

    def _digest_of(self, row: Row) -> bytes:
        return _digest([row[key.place] for key in self.view.order])

    def write(self, state: Window) -> str:
        kept = state.given[-FOLLOW_POSITION_KEYS:]
        return msgspec.json.encode([state.looked.isoformat(), base64.b64encode(b"".join(kept)).decode()]).decode()

    def read(self, text: str) -> Window:
        looked, given = msgspec.json.decode(text, type=tuple[str, str])
        raw = base64.b64decode(given)
        digests = (raw[at : at + _DIGEST_BYTES] for at in range(0, len(raw), _DIGEST_BYTES))
        return Window(datetime.fromisoformat(looked), tuple(digests))


def _digest(key: Sequence[Any]) -> bytes:
    return hashlib.blake2b(repr(tuple(key)).encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
