"""Rows that are old enough go, with their whole partition or in small batches; legal holds keep theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import PURGE_ROWS
from audit_async.inspection import TableName
from audit_async.maintenance.maintained import Purged
from audit_async.maintenance.notes import Notes
from audit_async.maintenance.retention import Condition, moment_of, not_held
from audit_async.table.ddl import MYSQL, holds_table, quote_of
from audit_async.table.guard import unguarded
from audit_async.table.partitions import Partition
from audit_async.table.transactions import patiently


@dataclass(frozen=True, slots=True)
class Span:
    """How many rows there are, and from when to when."""

    rows: int = 0
    since: Any = None
    until: Any = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in a part of the table.

    Attributes:
        rows: all that are older than the newest time before which any rule lets rows go.
        going: those that may go, rule by rule.
        held: those that a legal hold keeps from going.
    """

    rows: int
    going: tuple[Span, ...]
    held: int

    @property
    def rows_going(self) -> int:
        return sum(span.rows for span in self.going)


class Purge:
    """Removes what the rules let go from one part of the table after another: a partition, or all of it.

    Args:
        rules: the most specific first.
        detaches: partitions that may go as a whole are detached and kept, instead of dropped.
    """

    def __init__(
        self, connection: AsyncConnection, name: TableName, rules: Sequence[Condition], notes: Notes, *, detaches: bool
    ) -> None:
        self._connection = connection
        self._name = name
        self._rules = rules
        self._notes = notes
        self._detaches = detaches
        self._dialect = connection.dialect.name

    @property
    def newest(self) -> datetime:
        """The time from which on no row may go."""
        return max(rule.before for rule in self._rules)

    @property
    def oldest(self) -> datetime | None:
        """The time before which every row that is not held may go; None if some are kept for ever."""
        if any(rule.rule.rank == 0 for rule in self._rules):
            return min(rule.before for rule in self._rules)
        return None

    def may_go_whole(self, partition: Partition | None, survey: Survey) -> bool:
        """Say whether every row of *partition* may go, as *survey* counted them."""
        if partition is None or partition.is_default or partition.ends is None or partition.ends > self.newest:
            return False
        if survey.rows == 0 and not survey.held:
            return self.oldest is not None and partition.ends <= self.oldest
        return survey.rows == survey.rows_going

    async def look(self, part: TableName) -> Survey:
        """Count in the open transaction what may go of *part*."""
        held = not_held(self._name, part, self._dialect)
        columns, bound = [], dict[str, Any]()
        for rule in self._rules:
            goes = f"CASE WHEN {rule.sql} AND {held} THEN created_at END"
            columns += [f"count({goes})", f"min({goes})", f"max({goes})"]
            bound |= rule.bound
        any_rule = " OR ".join(rule.sql for rule in self._rules)
        latest = max(self._rules, key=lambda rule: rule.before)
        newest = next(name for name, value in latest.bound.items() if name.startswith("before_"))
        statement = (
            f"SELECT count(*), count(CASE WHEN ({any_rule}) AND NOT ({held}) THEN 1 END), {', '.join(columns)}"
            f" FROM {self._quoted(part)} WHERE created_at < :{newest}"
        )
        rows, kept, *spans = (await self._connection.execute(text(statement), bound)).one()
        going = (Span(*spans[at : at + 3]) for at in range(0, len(spans), 3))
        return Survey(int(rows), tuple(going), int(kept))

    async def remove_whole(self, partition: Partition) -> Purged | None:
        """Drop or detach *partition* in a short transaction, if under lock every row of it may still go.

        For a moment nobody can use the table: PostgreSQL locks all of it to take a partition away.
        """
        purged = await patiently(self._connection, lambda: self._remove_whole(partition))
        if purged is not None:
            self._notes.settle()
        return purged

    async def _remove_whole(self, partition: Partition) -> Purged | None:
        await self._hold_still()
        part = partition.name.quoted()
        await self._connection.exec_driver_sql(f"LOCK TABLE {part} IN SHARE ROW EXCLUSIVE MODE")
        survey = await self.look(partition.name)
        if not self.may_go_whole(partition, survey):
            return None
        purged = self.whole(partition, survey)
        await self._note(purged)
        if self._detaches:
            statement = f"ALTER TABLE {self._name.quoted()} DETACH PARTITION {part}"
        else:
            statement = f"DROP TABLE {part}"
        await self._connection.exec_driver_sql(statement)
        return purged

    def whole(self, partition: Partition, survey: Survey) -> Purged:
        """Return what it is to take *partition* away."""
        spans = [span for span in survey.going if span.rows]
        rules = [str(rule.rule) for rule, span in zip(self._rules, survey.going, strict=True) if span.rows]
        return Purged(
            way="detached" if self._detaches else "dropped",
            rule="; ".join(rules) or "; ".join(str(rule.rule) for rule in self._rules if rule.rule.rank == 0),
            partition=str(partition.name),
            rows=survey.rows_going,
            since=moment_of(min((span.since for span in spans), default=None)),
            until=moment_of(max((span.until for span in spans), default=None)),
        )

    def deleted(self, rule: Condition, span: Span, partition: Partition | None) -> Purged:
        """Return what it is to delete the rows of *span*."""
        return Purged(
            way="deleted",
            rule=str(rule.rule),
            partition=None if partition is None else str(partition.name),
            rows=span.rows,
            since=moment_of(span.since),
            until=moment_of(span.until),
        )

    async def delete(self, rule: Condition, partition: Partition | None) -> AsyncIterator[Purged]:
        """Delete by *rule*, in short transactions of about `PURGE_ROWS` each; yield what each of them did."""
        since: Any = None
        while span := await patiently(self._connection, partial(self._delete_some, rule, partition, since)):
            self._notes.settle()
            since = span.until
            yield self.deleted(rule, span, partition)

    async def _delete_some(self, rule: Condition, partition: Partition | None, since: Any) -> Span | None:
        await self._hold_still()
        part = self._name if partition is None else partition.name
        table = self._quoted(part)
        goes = f"{rule.sql} AND {not_held(self._name, part, self._dialect)}"
        later, bound = (
            ("", rule.bound) if since is None else (" AND created_at >= :since", rule.bound | {"since": since})
        )
        some = f"SELECT created_at FROM {table} WHERE {goes}{later} ORDER BY created_at LIMIT {PURGE_ROWS}"
        found = await self._connection.execute(
            text(f"SELECT count(*), min(created_at), max(created_at) FROM ({some}) AS batch"), bound
        )
        rows, first, last = found.one()
        if not rows:
            return None
        async with unguarded(self._connection, part):
            statement = f"{self._delete_from(table)} WHERE {goes} AND created_at >= :first AND created_at <= :last"
            gone = await self._connection.execute(text(statement), rule.bound | {"first": first, "last": last})
        if not gone.rowcount:
            # A trigger of the application keeps them; asking again would never end.
            return None
        span = Span(gone.rowcount, first, last)
        await self._note(self.deleted(rule, span, partition))
        return span

    def _delete_from(self, table: str) -> str:
        if self._dialect in MYSQL:
            # By the key, so that no row is locked beyond the last one of the batch, where writers add theirs.
            return f"DELETE {table} FROM {table} FORCE INDEX (PRIMARY)"
        return f"DELETE FROM {table}"

    def _quoted(self, table: TableName) -> str:
        return table.in_text(quote_of(self._dialect))

    async def _hold_still(self) -> None:
        """Let nobody place or release a legal hold until the transaction ends. SQLite has one writer at a time."""
        holds = holds_table(self._name)
        if self._dialect == "postgresql":
            await self._connection.exec_driver_sql(f"LOCK TABLE {holds.quoted()} IN SHARE MODE")
        elif self._dialect in MYSQL:
            # Every row, and the gaps between them, in which a new one would be.
            await self._connection.execute(text(f"SELECT id FROM {self._quoted(holds)} LOCK IN SHARE MODE"))

    async def _note(self, purged: Purged) -> None:
        details = {
            "from": purged.since and purged.since.isoformat(timespec="microseconds"),
            "to": purged.until and purged.until.isoformat(timespec="microseconds"),
            "count": purged.rows,
            "partitions": [purged.partition] if purged.partition else [],
            "way": purged.way,
            "rule": purged.rule,
            "root": None,
        }
        await self._notes.leave(self._connection, "audit.purge", details)
