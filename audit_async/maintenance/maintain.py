"""The table is looked after: months ahead, strays of the default partition, and what is old enough to go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import (
    LONG_STATEMENT_SECONDS,
    MAX_MONTHS_AHEAD,
    PARTITION_MONTHS_AHEAD,
    STRAY_MONTHS_BACK,
    STRAY_ROWS,
)
from audit_async.errors import ConfigStoreError, ConfigurationError, StoreError, TransientStoreError
from audit_async.faults import Place, translate
from audit_async.inspection import TableName
from audit_async.maintenance.clock import agreed_time
from audit_async.maintenance.maintained import Maintained, Moved, Purged
from audit_async.maintenance.notes import Notes
from audit_async.maintenance.purge import Purge
from audit_async.maintenance.retention import Condition, Retention, conditions
from audit_async.maintenance.summaries import summarise
from audit_async.table.connection import connected
from audit_async.table.ddl import MYSQL, holds_table
from audit_async.table.ownership import owned
from audit_async.table.partitions import (
    NAME_IS_TAKEN,
    Month,
    Partition,
    add_month,
    find_partitions,
    missing_months,
    months,
    partition_of,
)
from audit_async.table.transactions import taking_turns
from audit_async.table.versions import SCHEMA_VERSION, require_version, version_of


async def maintain(
    url: str,
    *,
    months_ahead: int = PARTITION_MONTHS_AHEAD,
    retention: Sequence[Retention] = (),
    dry_run: bool = False,
    detach: bool = False,
    table: str = "audit_logs",
) -> Maintained:
    """Look after our table, as its owner, beside writers at work: once a day is well, and twice at once is safe.

    On PostgreSQL monthly partitions are made *months_ahead*, and rows in the default partition move to one of their
    own month. Then what no rule of *retention* keeps any longer goes, apart from what a legal hold keeps: a partition
    of which every row may go as a whole, other rows in batches. Each purge leaves an event `audit.purge` in its own
    transaction. What is old goes by the server's clock. At last the index by transaction, which followers use, is
    brought up to date. Everything is done in short transactions; killed at any moment, the next run goes on.

    Args:
        dry_run: change nothing, and say what would be done.
        detach: a partition that may go as a whole is detached and kept, for an archive, instead of dropped.

    Raises:
        ConfigurationError: a value cannot be meant, or the table is none of ours, or older than what is asked for.
        StoreError: the database is away, or refuses; or the role is not the table's owner; or our clock and the
            server's differ by minutes.
    """
    if type(months_ahead) is not int or not 0 <= months_ahead <= MAX_MONTHS_AHEAD:
        raise ConfigurationError(
            f"months_ahead={months_ahead!r} cannot be meant", hint=f"give months, 0 to {MAX_MONTHS_AHEAD}"
        )
    name = TableName.parse(table)
    async with connected(
        url, name, "maintain", makes_file=False, statement_seconds=LONG_STATEMENT_SECONDS
    ) as connection:
        now = await agreed_time(connection)
        rules = conditions(retention, now, connection.dialect.name)
        where = await owned(connection, name, "maintain")
        if (version := await version_of(connection, where)) > SCHEMA_VERSION:
            raise ConfigurationError(
                f"table {name} has version {version} of the schema, newer than the {SCHEMA_VERSION} of this program",
                hint="bring this program up to date",
            )
        if rules:
            await require_version(connection, where, 2, "retention")
            await _see_every_row(connection, where)
        place = Place.of(connection.engine.url, name, "maintain")
        run = _Run(connection, where, place, now, Maintained(table=str(name), is_dry_run=dry_run))
        async with taking_turns(connection, where):
            async with run.reading():
                partitions = await run.find_partitions()
            if partitions:
                await run.add_months(months(now, months_ahead))
                await run.move_strays()
            if rules:
                await run.purge(rules, detaches=detach)
            await run.count_left()
            if partitions and not dry_run:
                notes = await summarise(connection, where, place)
                run.done = replace(run.done, notes=tuple(notes))
        return run.done


class _Run:
    """One run: what it has done so far."""

    def __init__(
        self, connection: AsyncConnection, name: TableName, place: Place, now: datetime, done: Maintained
    ) -> None:
        self.done = done
        self._connection = connection
        self._name = name
        self._place = place
        self._now = now

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Look, in a transaction that can change nothing."""
        if self._connection.dialect.name == "postgresql":
            await self._connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            await self._connection.exec_driver_sql("SET LOCAL row_security = off")
        elif self._connection.dialect.name in MYSQL:
            await self._connection.exec_driver_sql("START TRANSACTION READ ONLY")
        try:
            yield
        finally:
            await self._connection.rollback()

    async def find_partitions(self) -> list[Partition]:
        """Return the table's partitions; none on a database that has none."""
        if self._connection.dialect.name != "postgresql":
            return []
        return await find_partitions(self._connection, self._name)

    async def add_months(self, wanted: Sequence[Month]) -> None:
        """Make those of the *wanted* months that are missing, up to the first one whose locks cannot be had."""
        async with self.reading():
            partitions = await self.find_partitions()
            strays = await self._strays(partitions)
        for month in missing_months(partitions, wanted):
            failure = await self._add_month(month, strays.get(month, 0))
            if failure is not None:
                self._note(f"partition {partition_of(self._name, month[0])}", failure)
            if isinstance(failure, TransientStoreError):
                # Whoever holds the lock holds it for the other months as well.
                break

    async def move_strays(self) -> None:
        """Give the rows of the default partition a partition of their month, where that is worth one."""
        async with self.reading():
            partitions = await self.find_partitions()
            strays = await self._strays(partitions)
        this = self._now.year * 12 + self._now.month
        would_be = {partition for partition in self.done.partitions if self.done.is_dry_run}
        for month in missing_months(partitions, list(strays)):
            if str(partition_of(self._name, month[0])) in would_be:
                continue
            is_near = this - (month[0].year * 12 + month[0].month) <= STRAY_MONTHS_BACK and month[0] <= self._now
            if not (is_near or strays[month] >= STRAY_ROWS):
                continue
            failure = await self._add_month(month, strays[month])
            # A month that was detached has its name still; late rows of it stay where they are.
            if failure is not None and failure.sqlstate != NAME_IS_TAKEN:
                self._note(f"partition {partition_of(self._name, month[0])}", failure)

    async def count_left(self) -> None:
        """Count what is in the default partition in the end, or would be."""
        async with self.reading():
            strays = await self._strays(await self.find_partitions())
        left = sum(strays.values())
        if self.done.is_dry_run:
            left -= sum(each.rows for each in self.done.moved)
        self.done = replace(self.done, left_in_default=max(0, left))

    async def _add_month(self, month: Month, strays: int) -> StoreError | None:
        """Make the partition of *month*; return why it cannot be made."""
        if self.done.is_dry_run:
            self._made(partition_of(self._name, month[0]), strays)
            return None
        try:
            made = await add_month(self._connection, self._name, month)
        except (StoreError, DBAPIError) as error:
            return self._verdict(error)
        if made is not None:
            self._made(made.partition, made.moved)
        return None

    def _made(self, partition: TableName, strays: int) -> None:
        moved = (Moved(partition=str(partition), rows=strays),) if strays else ()
        self.done = replace(
            self.done,
            partitions=tuple(sorted((*self.done.partitions, str(partition)))),
            moved=(*self.done.moved, *moved),
        )

    async def _strays(self, partitions: Sequence[Partition]) -> dict[Month, int]:
        """Return how many rows of which months are in the default partition."""
        counted: dict[Month, int] = {}
        for default in (each for each in partitions if each.is_default):
            rows = await self._connection.execute(
                text(
                    "SELECT date_trunc('month', created_at AT TIME ZONE 'UTC') AS month, count(*) AS rows"
                    f" FROM {default.name.in_text()} WHERE created_at >= '0002-01-01' AND created_at < '9999-12-01'"
                    " GROUP BY 1 ORDER BY 1"
                )
            )
            counted |= {months(row.month, 0)[0]: int(row.rows) for row in rows}
        return counted

    async def purge(self, rules: Sequence[Condition], *, detaches: bool) -> None:
        """Remove what the *rules* let go."""
        async with self.reading():
            notes = await Notes.open(self._connection, self._name)
            partitions: Sequence[Partition | None] = await self.find_partitions() or [None]
        purge = Purge(self._connection, self._name, rules, notes, detaches=detaches)
        for partition in partitions:
            if partition is not None and partition.starts is not None and partition.starts >= purge.newest:
                continue
            try:
                await self._purge_part(purge, rules, partition)
            except (StoreError, DBAPIError) as error:
                part = self._name if partition is None else partition.name
                self._note(f"retention of {part}", self._verdict(error))

    async def _purge_part(self, purge: Purge, rules: Sequence[Condition], partition: Partition | None) -> None:
        async with self.reading():
            survey = await purge.look(self._name if partition is None else partition.name)
        self.done = replace(self.done, held=self.done.held + survey.held)
        if partition is not None and purge.may_go_whole(partition, survey):
            if self.done.is_dry_run:
                self._purged(purge.whole(partition, survey))
                return
            gone = await purge.remove_whole(partition)
            self._purged(gone)
            if gone is not None:
                return
        for rule, span in zip(rules, survey.going, strict=True):
            if span.rows and self.done.is_dry_run:
                self._purged(purge.deleted(rule, span, partition))
            elif span.rows:
                async for deleted in purge.delete(rule, partition):
                    self._purged(deleted)

    def _purged(self, purged: Purged | None) -> None:
        """Take *purged* to what was done; batches of one rule in one partition are told as one."""
        if purged is None:
            return
        earlier = list(self.done.purged)
        if earlier and earlier[-1].is_continued_by(purged):
            purged = earlier.pop().with_more(purged)
        self.done = replace(self.done, purged=(*earlier, purged))

    def _verdict(self, error: Exception) -> StoreError:
        """Return why something could not be done, so that the rest goes on.

        Raises:
            StoreError: the connection is gone, and nothing more can be done.
        """
        verdict = translate(error, self._place)
        is_away = isinstance(verdict, TransientStoreError) and not verdict.sqlstate
        if is_away or self._connection.invalidated or self._connection.closed:
            raise verdict from error
        return verdict

    def _note(self, what: str, failure: StoreError) -> None:
        advice = f"; {failure.hint}" if failure.hint else ""
        self.done = replace(self.done, failures=(*self.done.failures, f"{what}: {failure.message}{advice}"))


async def _see_every_row(connection: AsyncConnection, name: TableName) -> None:
    """Make sure that no policy hides rows: they would count as rows that are not there.

    Raises:
        ConfigStoreError: one does.
    """
    if connection.dialect.name != "postgresql":
        return
    hidden = await connection.execute(
        text(
            "SELECT relid::regclass::text AS name, current_user AS role"
            "  FROM (SELECT to_regclass(:holds) UNION SELECT to_regclass(:table)"
            "         UNION SELECT relid FROM pg_partition_tree(to_regclass(:table))) AS ours (relid)"
            " WHERE row_security_active(relid) LIMIT 1"
        ),
        {"table": name.quoted(), "holds": holds_table(name).quoted()},
    )
    if row := hidden.one_or_none():
        raise ConfigStoreError(
            f"row-level security hides rows of {row.name} from role {row.role}, so that it cannot be told what may go",
            hint=f"ALTER ROLE {row.role} BYPASSRLS, or ALTER TABLE {row.name} NO FORCE ROW LEVEL SECURITY",
        )
