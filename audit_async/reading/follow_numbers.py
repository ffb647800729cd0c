"""Following a table by numbers that the database hands out: in the order in which rows were begun, not committed.

So every number that is left out on the way up is waited for: its row may be committed later. Most of such gaps stay
empty, since a number is lost with what is rolled back or replayed; after `FOLLOW_GAP_SECONDS` a gap is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import EXPORT_PAGE_EVENTS, FOLLOW_BEGIN_NUMBERS, FOLLOW_GAP_SECONDS, FOLLOW_GAPS
from audit_async.diagnostics import report
from audit_async.reading.conditions import Condition
from audit_async.reading.follow_way import Look, Way
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
    """What is known: every number up to *top* but those in *gaps*."""

    top: int
    gaps: tuple[Gap, ...] = ()

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
        return Numbered(top, (*kept, *old))

    def aged(self, now: int) -> Numbered:
        """Return the state without gaps that were waited for long enough."""
        return Numbered(self.top, tuple(gap for gap in self.gaps if now - gap.since < FOLLOW_GAP_SECONDS))


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
        statement = self._numbers().order_by(self._number.desc()).limit(FOLLOW_BEGIN_NUMBERS)
        numbers = sorted((await connection.execute(statement)).scalars())
        is_whole = len(numbers) < FOLLOW_BEGIN_NUMBERS
        start = Numbered(min([0, *(number - 1 for number in numbers[:1])]) if is_whole else numbers[0] - 1)
        return start.taken(numbers, int(self._clock()))

    def was_there(self, state: Numbered) -> Condition:
        return sa.and_(self._number <= state.top, *(sa.not_(self._within(gap)) for gap in state.gaps))

    async def look(self, connection: AsyncConnection, state: Numbered) -> Look[Numbered]:
        now = int(self._clock())
        state = self._bounded(state.aged(now))
        new = sa.or_(self._number > state.top, *(self._within(gap) for gap in state.gaps))
        # Every row's number, so that one of another tenant's is no gap to wait for; it shows nothing of the row.
        seen = self._numbers().where(new).order_by(self._number).limit(EXPORT_PAGE_EVENTS)
        numbers = list((await connection.execute(seen)).scalars())
        if not numbers:
            return Look((), lambda _: state, state)
        statement = (
            sa.select(*self.view.columns, self._number)
            .where(*self.where, new, self._number <= numbers[-1])
            .order_by(self._number)
        )
        # Where each statement sees a state of its own, a row of which the first one knew nothing has its turn later.
        known = set(numbers)
        rows = [row for row in (await connection.execute(statement)).all() if row[-1] in known]

        def at(index: int) -> Numbered:
            return state.taken((number for number in numbers if number <= rows[index][-1]), now)

        return Look(rows, at, state.taken(numbers, now), len(numbers) == EXPORT_PAGE_EVENTS)

    def _numbers(self) -> sa.Select[Any]:
        return sa.select(self._number).select_from(self.view.source)

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
        return Numbered(state.top, state.gaps[-FOLLOW_GAPS:])

    def write(self, state: Numbered) -> str:
        gaps = [[state.top - gap.first, gap.last - gap.first, gap.since] for gap in state.gaps]
        return msgspec.json.encode([state.top, gaps]).decode()

    def read(self, text: str) -> Numbered:
        top, gaps = msgspec.json.decode(text, type=tuple[int, list[tuple[int, int, int]]])
        return Numbered(top, tuple(Gap(top - behind, top - behind + more, since) for behind, more, since in gaps))
