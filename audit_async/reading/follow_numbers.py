"""Following a table by numbers that the database hands out: in the order in which rows were begun, not committed.

So every number that is left out on the way up is waited for: its row may be committed later. Most of such gaps stay
empty, since a number is lost with what is rolled back or replayed; after `FOLLOW_GAP_SECONDS` a gap is given up.
Numbers begin anew where a table was emptied by TRUNCATE. That is seen by rows that were looked at: see `Marks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import EXPORT_PAGE_EVENTS, FOLLOW_BEGIN_NUMBERS, FOLLOW_GAP_SECONDS, FOLLOW_GAPS
from audit_async.diagnostics import report
from audit_async.reading.conditions import Condition
from audit_async.reading.follow_marks import NO_MARKS, Marks, digest
from audit_async.reading.follow_way import Look, Row, Way
from audit_async.reading.view import View


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers in a row that no visible row has.

    Attributes:
        since: when that was seen first, in seconds of the epoch.
    """

    first: int
    last: int
    since: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """What is known: every number up to *top* but those in *gaps*, and of some rows which they are."""

    top: int
    gaps: tuple[Gap, ...] = ()
    marks: Marks = NO_MARKS

    def taken(self, numbers: Iterable[int], now: int) -> Numbered:
        """Return the state in which *numbers*, in their order and new to this one, are known as well."""
        old = list(self.gaps)
        kept: list[Gap] = []
        top = self.top
        for number in numbers:
            if number > top:
                if number > top + 1:
                    old.append(Gap(top + 1, number - 1, now))
                top = number
                continue
            while old and old[0].last < number:
                kept.append(old.pop(0))
            if old and old[0].first <= number:
                gap = old.pop(0)
                if gap.first < number:
                    kept.append(Gap(gap.first, number - 1, gap.since))
                if number < gap.last:
                    old.insert(0, Gap(number + 1, gap.last, gap.since))
        return Numbered(top, (*kept, *old), self.marks)

    def seen(self, rows: Sequence[tuple[int, str]], now: int) -> Numbered:
        """Return the state in which *rows*, their numbers and digests, are known as well."""
        known = self.taken((number for number, _ in rows), now)
        return replace(known, marks=self.marks.with_rows(rows))

    def until(self, number: int) -> Numbered:
        """Return the state in which nothing behind *number*, which is known, is known any more."""
        return Numbered(number, tuple(gap for gap in self.gaps if gap.last < number), self.marks.until(number))

    def aged(self, now: int) -> Numbered:
        """Return the state without gaps that were waited for long enough."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if now - gap.since < FOLLOW_GAP_SECONDS))


class Numbers(Way[Numbered]):
    """By the numbers that the database hands out.

    Args:
        number: the column.
        clock: says what time it is.
    """

    name = "numbers"

    def __init__(
        self,
        view: View,
        where: Sequence[Condition],
        number: sa.ColumnElement[Any],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(view, where)
        self._number = number
        self._clock = clock

    async def begin(self, connection: AsyncConnection, since: datetime | None) -> Numbered:
        # One statement sees one state of the table. Who has begun, and is this far behind, is not waited for.
        newest = self._marked().order_by(self._number.desc()).limit(FOLLOW_BEGIN_NUMBERS)
        rows = await self._marks(connection, newest)
        rows.reverse()
        is_whole = len(rows) < FOLLOW_BEGIN_NUMBERS
        start = _before(rows[0][0] if rows else None) if is_whole else Numbered(rows[0][0] - 1)
        return start.seen(rows, int(self._clock()))

    def was_there(self, state: Numbered) -> Condition:
        return sa.and_(self._number <= state.top, *(sa.not_(self._within(gap)) for gap in state.gaps))

    async def look(self, connection: AsyncConnection, state: Numbered) -> Look[Numbered]:
        now = int(self._clock())
        state = self._bounded(state.aged(now))
        new = sa.or_(self._number > state.top, *(self._within(gap) for gap in state.gaps))
        # Every row's number, so that one of another tenant's is no gap to wait for; it shows nothing of the row.
        marked = self._marked().where(new).order_by(self._number).limit(EXPORT_PAGE_EVENTS)
        seen = await self._marks(connection, marked)
        rows: Sequence[Row] = ()
        if seen:
            statement = (
                sa.select(*self.view.columns, self._number)
                .where(*self.where, new, self._number <= seen[-1][0])
                .order_by(self._number)
            )
            # Where each statement sees a state of its own, a row that the first one did not see has its turn later.
            known = {number for number, _ in seen}
            rows = [row for row in (await connection.execute(statement)).all() if row[-1] in known]
        # What is as it was in the end was so when the others were read.
        if (before := await self._rewound(connection, state)) is not None:
            return Look((), lambda _: before, before, has_more=True)
        if not seen:
            return Look((), lambda _: state, state)

        def at(index: int) -> Numbered:
            return state.seen([row for row in seen if row[0] <= rows[index][-1]], now)

        return Look(rows, at, state.seen(seen, now), len(seen) == EXPORT_PAGE_EVENTS)

    async def _rewound(self, connection: AsyncConnection, state: Numbered) -> Numbered | None:
        """Return the state in which numbers that are used again are new; None where none are."""
        last = state.marks.last
        if not last.rows or tuple(await self._there(connection, last)) == last.rows:
            return None
        reached = state.marks.reached(await self._there(connection, state.marks))
        if reached == state.top:
            return None
        before = await self._anew(connection) if reached is None else state.until(reached)
        if before is None:
            # Nothing is there to be given twice, and the numbers may as well go on.
            return _before(None)
        report(
            "follow numbers",
            f"numbers of table {self.view.name} behind {before.top:,}, of {state.top:,} that were seen, are used again:"
            " it was emptied or restored; a follower takes the rows that have them now for new",
        )
        return before

    async def _anew(self, connection: AsyncConnection) -> Numbered | None:
        """Return the state in which all that is there is new; None where nothing is."""
        first = (await connection.execute(sa.select(sa.func.min(self._number)))).scalar()
        return None if first is None else _before(first)

    async def _there(self, connection: AsyncConnection, marks: Marks) -> list[tuple[int, str]]:
        return await self._marks(connection, self._marked().where(self._number.in_(marks.numbers)))

    def _marked(self) -> sa.Select[Any]:
        keys = (key.column for key in self.view.order)
        return sa.select(self._number, *keys).select_from(self.view.source)

    @staticmethod
    async def _marks(connection: AsyncConnection, statement: sa.Select[Any]) -> list[tuple[int, str]]:
        return [(number, digest(key)) for number, *key in (await connection.execute(statement)).all()]

    def _within(self, gap: Gap) -> Condition:
        if gap.first == gap.last:
            single: Condition = self._number == gap.first
            return single
        return self._number.between(gap.first, gap.last)

    def _bounded(self, state: Numbered) -> Numbered:
        if len(state.gaps) <= FOLLOW_GAPS:
            return state
        given_up = state.gaps[: len(state.gaps) - FOLLOW_GAPS]
        report(
            "follow gaps",
            f"table {self.view.name} has more than {FOLLOW_GAPS:,} gaps in its numbers within {FOLLOW_GAP_SECONDS:g} s:"
            f" rows up to number {given_up[-1].last:,} that are committed from now on will not be followed",
        )
        return replace(state, gaps=state.gaps[-FOLLOW_GAPS:])

    def write(self, state: Numbered) -> str:
        gaps = [[state.top - gap.first, gap.last - gap.first, gap.since] for gap in state.gaps]
        marks = [[state.top - number, digest] for number, digest in state.marks.rows]
        return msgspec.json.encode([state.top, gaps, marks]).decode()

    def read(self, text: str) -> Numbered:
        top, gaps, marks = msgspec.json.decode(text, type=tuple[int, list[tuple[int, int, int]], list[tuple[int, str]]])
        return Numbered(
            top,
            tuple(Gap(top - behind, top - behind + more, since) for behind, more, since in gaps),
            Marks(tuple((top - behind, digest) for behind, digest in marks)),
        )


def _before(first: int | None) -> Numbered:
    """Return the state in which nothing is known of a table with that first number, or with none."""
    return Numbered(0 if first is None else min(0, first - 1))
