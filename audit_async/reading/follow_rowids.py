"""Following a table on SQLite: by rowid, since one transaction writes at a time.

So rows become visible in the order of their numbers. But a number is used again once the last rows were deleted, as
retention does with late events. That is seen by the row that was looked at last: it is gone, or is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import EXPORT_PAGE_EVENTS, FOLLOW_STRETCH_ROWS
from audit_async.reading.conditions import Condition
from audit_async.reading.follow_way import Look, Row, Way
from audit_async.reading.view import View

_DIGEST_BYTES = 12


@dataclass(frozen=True, slots=True)
class Last:
    """The row that was looked at last, whosever it is.

    Attributes:
        number: 0 where there was none.
        digest: of its key.
        recorded: when it was recorded, where the table says so.
    """

    number: int = 0
    digest: str = ""
    recorded: str | None = None


class Rowids(Way[Last]):
    """By the numbers that SQLite gives its rows."""

    name = "rowids"

    def __init__(self, view: View, where: Sequence[Condition], rowid: sa.ColumnElement[Any]) -> None:
        super().__init__(view, where)
        self._rowid = rowid
        recorded = view.expression("recorded_at")
        self._recorded: sa.ColumnElement[Any] = sa.null() if recorded is None else recorded
        self._mark = (*(key.column for key in view.order), self._recorded, rowid)

    async def begin(self, connection: AsyncConnection, since: datetime | None) -> Last:
        await _one_view(connection)
        return await self._last(connection)

    def was_there(self, state: Last) -> Condition:
        there: Condition = self._rowid <= state.number
        return there

    async def look(self, connection: AsyncConnection, state: Last) -> Look[Last]:
        await _one_view(connection)
        newest = await self._last(connection)
        if newest == state:
            return Look((), lambda _: state, state)
        known = state if await self._is_there(connection, state) else await self._rewound(connection, state)
        # Of a follower that was away a stretch at a time, or a filter that keeps little would be looked for in all.
        reached = await self._reached(connection, known, newest)
        statement = (
            sa.select(*self.view.columns, *self._mark)
            .where(*self.where, self._rowid > known.number, self._rowid <= reached.number)
            .order_by(self._rowid)
            .limit(EXPORT_PAGE_EVENTS)
        )
        rows: Sequence[Row] = (await connection.execute(statement)).all()
        is_cut = len(rows) == EXPORT_PAGE_EVENTS

        def at(index: int) -> Last:
            return _mark(rows[index][-len(self._mark) :])

        return Look(rows, at, at(len(rows) - 1) if is_cut else reached, is_cut or reached != newest)

    async def _reached(self, connection: AsyncConnection, known: Last, newest: Last) -> Last:
        """Return the row up to which is looked now: numbers may have gaps, so that rows are counted."""
        if newest.number <= known.number + FOLLOW_STRETCH_ROWS:
            return newest
        behind = sa.select(*self._mark).select_from(self.view.source).where(self._rowid > known.number)
        end = behind.order_by(self._rowid).offset(FOLLOW_STRETCH_ROWS - 1).limit(1)
        found = (await connection.execute(end)).one_or_none()
        return newest if found is None else _mark(found)

    async def _last(self, connection: AsyncConnection, *where: Condition) -> Last:
        """Return the last row of all: its number and a digest of its key, which show nobody's event."""
        statement = sa.select(*self._mark).select_from(self.view.source).where(*where)
        found = (await connection.execute(statement.order_by(self._rowid.desc()).limit(1))).one_or_none()
        return Last() if found is None else _mark(found)

    async def _is_there(self, connection: AsyncConnection, state: Last) -> bool:
        return state.number == 0 or await self._last(connection, self._rowid == state.number) == state

    async def _rewound(self, connection: AsyncConnection, state: Last) -> Last:
        """Return the last row that is still what it was when *state* was: numbers behind it were used again."""
        if state.recorded is None:
            return await self._last(connection, self._rowid < state.number)
        return await self._last(connection, self._rowid <= state.number, self._recorded <= state.recorded)

    def write(self, state: Last) -> str:
        return msgspec.json.encode([state.number, state.digest, state.recorded]).decode()

    def read(self, text: str) -> Last:
        return Last(*msgspec.json.decode(text, type=tuple[int, str, str | None]))


def rowid_of(source: sa.TableClause) -> sa.ColumnElement[Any] | None:
    """Return the name under which a table has its row numbers; None where its own columns have all those names."""
    taken = {column.name.lower() for column in source.columns}
    free = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
    return sa.column(free[0], sa.BigInteger) if free else None


def _mark(values: Sequence[Any]) -> Last:
    *key, recorded, number = values
    digest = hashlib.blake2b(repr(key).encode(errors="replace"), digest_size=_DIGEST_BYTES).hexdigest()
    return Last(number, digest, None if recorded is None else str(recorded))


async def _one_view(connection: AsyncConnection) -> None:
    # The driver begins nothing for statements that only read: each would see another state of the table.
    await connection.exec_driver_sql("BEGIN")
