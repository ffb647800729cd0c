"""Following our table on PostgreSQL: by what one snapshot sees that an earlier one did not.

A row has the number of the transaction that put it there, and a snapshot says which numbers are done: all below its
`xmax` that it does not list as running. So a row is new to a snapshot exactly if the one before did not see its
transaction as done. A transaction that stays open, in whatever database of the cluster, is a number in that list: it
holds up nobody, and its rows are new when it ends. Nothing has to be remembered of single rows.

Source: PostgreSQL, "Transaction ID and Snapshot Information Functions"; the numbers are those of whole transactions,
never of savepoints, in the table as in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import EXPORT_PAGE_EVENTS, FOLLOW_TRANSACTIONS
from audit_async.diagnostics import report
from audit_async.reading.conditions import Condition, in_scope
from audit_async.reading.follow_way import Look, Row, Way
from audit_async.reading.scope import Scope
from audit_async.reading.view import View

_NOW = sa.text("SELECT pg_current_snapshot()::text, pg_is_in_recovery()")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions are done.

    Attributes:
        xmax: those from here on are not.
        running: nor are these below it.
    """

    xmax: int
    running: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str, *, is_standby: bool = False) -> Snapshot:
        """Return what `xmin:xmax:running,running` says.

        A standby lists nothing of what runs on the primary: there only what is below `xmin` is known to be done.

        Raises:
            ValueError: it says nothing.
        """
        xmin, xmax, running = text.split(":")
        if is_standby:
            return cls(int(xmin))
        return cls(int(xmax), frozenset(int(each) for each in running.split(",") if each))

    def follows(self, before: Snapshot) -> bool:
        """Return whether all that was done *before* is done here."""
        undone = {each for each in self.running if each < before.xmax}
        return self.xmax >= before.xmax and undone <= before.running

    def within(self, transactions: int, before: Snapshot) -> Snapshot:
        """Return what is known here of no more than *transactions* beyond those that were known *before*."""
        xmax = min(self.xmax, before.xmax + transactions)
        return Snapshot(xmax, frozenset(each for each in self.running if each < xmax))

    def __str__(self) -> str:
        running = sorted(self.running)
        return f"{min((*running, self.xmax))}:{self.xmax}:{','.join(map(str, running))}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known: all that *seen* sees, and of what *upto* sees beyond it the rows up to *key*.

    Attributes:
        key: transaction, time and id of a row.
        restored: the time up to which rows were recorded on another server, whose numbers mean nothing on this one.
    """

    seen: Snapshot
    upto: Snapshot | None = None
    key: tuple[int, datetime, str] | None = None
    restored: datetime | None = None


class Snapshots(Way[Seen]):
    """By what one snapshot sees that an earlier one did not."""

    name = "snapshots"

    def __init__(self, view: View, where: Sequence[Condition], commit: sa.ColumnElement[Any], scope: Scope) -> None:
        super().__init__(view, where)
        self._commit: sa.ColumnElement[Any] = sa.type_coerce(commit, sa.BigInteger)
        self._scope = scope
        self._recorded: sa.ColumnElement[Any] = view.source.c.recorded_at
        self._stride = FOLLOW_TRANSACTIONS
        self._key = (self._commit, *(key.column for key in view.order))

    async def begin(self, connection: AsyncConnection, since: datetime | None) -> Seen:
        seen, _ = await self._snapshot(connection)
        return Seen(seen, restored=await self._restored(connection, seen))

    def was_there(self, state: Seen) -> Condition:
        done = _done(self._commit, state.seen)
        return done if state.restored is None else sa.or_(done, self._recorded <= state.restored)

    async def look(self, connection: AsyncConnection, state: Seen) -> Look[Seen]:
        if state.upto is None:
            upto, is_standby = await self._snapshot(connection)
            if not upto.follows(state.seen):
                if is_standby:
                    # It lags behind the server that was asked before.
                    return Look((), lambda _: state, state)
                state = await self._went_back(connection, state, upto)
            if upto == state.seen:
                return Look((), lambda _: state, state)
            state = replace(state, upto=upto.within(self._stride, state.seen))
            has_more = is_part = state.upto != upto
        else:
            has_more, is_part = True, False
        # A look that takes too long is repeated with less to look through.
        stride, self._stride = self._stride, max(1, self._stride // 2)
        rows: Sequence[Row] = (await connection.execute(self.statement(state))).all()
        is_full = len(rows) == EXPORT_PAGE_EVENTS
        if not is_full:
            self._stride = 2 * stride if is_part else stride
        assert state.upto is not None
        done = Seen(state.upto, restored=state.restored)

        def at(index: int) -> Seen:
            is_last = index == len(rows) - 1 and not is_full
            return done if is_last else replace(state, key=self._key_of(rows[index]))

        return Look(rows, at, at(len(rows) - 1) if is_full else done, has_more or is_full)

    def statement(self, state: Seen) -> sa.Select[Any]:
        """Return the statement for the next rows that `upto` sees and `seen` does not."""
        assert state.upto is not None
        # Those that ended meanwhile come by their numbers: the index is asked for them, and not for all since.
        ended = sorted(each for each in state.seen.running - state.upto.running if each < state.upto.xmax)
        new: Condition = self._commit >= state.seen.xmax
        if ended:
            new = sa.or_(new, self._commit == sa.any_(_numbers(ended)))
        found = [*self.where, new, _done(self._commit, state.upto)]
        if state.restored is not None:
            found.append(self._recorded > state.restored)
        if state.key is not None:
            found.append(self._commit >= state.key[0])
            found.append(sa.tuple_(*self._key) > sa.tuple_(*map(sa.literal, state.key)))
        statement = sa.select(*self.view.columns, self._commit).where(*found).order_by(*self._key)
        return statement.limit(EXPORT_PAGE_EVENTS)

    def _key_of(self, row: Row) -> tuple[int, datetime, str]:
        moment, event_id = (row[key.place] for key in self.view.order)
        return row[-1], moment, event_id

    @staticmethod
    async def _snapshot(connection: AsyncConnection) -> tuple[Snapshot, bool]:
        text, is_standby = (await connection.execute(_NOW)).one()
        return Snapshot.parse(text, is_standby=is_standby), is_standby

    async def _restored(self, connection: AsyncConnection, now: Snapshot) -> datetime | None:
        """Return when the last row was recorded that another server wrote, None where there is none to be seen.

        Such rows came in by a dump, and their numbers may be reached here one day. What this server writes is
        recorded later.
        """
        beyond = sa.func.pg_snapshot_xmax(sa.func.pg_current_snapshot())
        reached = sa.cast(sa.cast(beyond, sa.Text), sa.BigInteger)
        statement = sa.select(sa.func.max(self._recorded), sa.func.clock_timestamp()).where(
            *in_scope(self._scope, self.view), self._commit >= now.xmax, self._commit >= reached
        )
        last, present = (await connection.execute(statement)).one()
        # Nobody hides what is to come behind a row that he puts in with a time to come.
        found: datetime | None = None if last is None else min(last, present)
        if found is not None:
            report(
                "follow restored",
                f"table {self.view.name} was restored from another server: its rows recorded until"
                f" {found:%Y-%m-%d %H:%M:%S} UTC have transaction numbers of that one; a follower takes those recorded"
                " later for new",
            )
        return found

    async def _went_back(self, connection: AsyncConnection, state: Seen, now: Snapshot) -> Seen:
        """Return the state for a server that has not come as far as the one before had."""
        restored = await self._restored(connection, now)
        report(
            "follow went back",
            f"the transaction numbers behind table {self.view.name} went back from {state.seen.xmax:,} to"
            f" {now.xmax:,}: the server crashed, was restored, or another one took over; what it had lost and was"
            " given already is not taken back",
        )
        if restored is not None and restored != state.restored:
            return Seen(Snapshot(0), restored=restored)
        return state

    def write(self, state: Seen) -> str:
        key = None if state.key is None else (state.key[0], state.key[1].isoformat(), state.key[2])
        upto = None if state.upto is None else str(state.upto)
        restored = None if state.restored is None else state.restored.isoformat()
        return msgspec.json.encode([str(state.seen), upto, key, restored]).decode()

    def read(self, text: str) -> Seen:
        seen, upto, key, restored = msgspec.json.decode(
            text, type=tuple[str, str | None, tuple[int, str, str] | None, str | None]
        )
        return Seen(
            Snapshot.parse(seen),
            None if upto is None else Snapshot.parse(upto),
            None if key is None else (key[0], datetime.fromisoformat(key[1]), key[2]),
            None if restored is None else datetime.fromisoformat(restored),
        )


def _done(commit: sa.ColumnElement[Any], snapshot: Snapshot) -> Condition:
    below: Condition = commit < snapshot.xmax
    if not snapshot.running:
        return below
    return sa.and_(below, commit != sa.all_(_numbers(sorted(snapshot.running))))


def _numbers(numbers: Sequence[int]) -> sa.BindParameter[Any]:
    # One parameter, however many there are: a statement for each length would fill the driver's cache.
    return sa.bindparam(None, list(numbers), type_=ARRAY(sa.BigInteger), unique=True)
