"""The monthly partitions that our table has on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigStoreError
from audit_async.inspection import TableName
from audit_async.table.guard import guard_partition_statements, has_guard, unguarded
from audit_async.table.ownership import own_like
from audit_async.table.transactions import patiently

Month = tuple[datetime, datetime]

NAME_IS_TAKEN = "42P07"
"""What the SQL standard calls a table that is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition as it is.

    Attributes:
        starts: None where it has no begin, or is the default one.
        ends: as `starts`; not in it any more.
    """

    name: TableName
    starts: datetime | None
    ends: datetime | None
    is_default: bool

    def overlaps(self, month: Month) -> bool:
        """Say whether it takes rows of *month*; the default one counts for none."""
        if self.is_default:
            return False
        return (self.starts is None or self.starts < month[1]) and (self.ends is None or month[0] < self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedMonth:
    """A partition that was made.

    Attributes:
        moved: rows that were in the default partition before.
    """

    partition: TableName
    moved: int = 0


def months(now: datetime, ahead: int) -> list[Month]:
    """Return begin and end of *now*'s month (UTC) and of the *ahead* ones after it."""
    counted = [now.year * 12 + now.month - 1 + number for number in range(ahead + 2)]
    begins = [datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC) for count in counted]
    return list(itertools.pairwise(begins))


def missing_months(there: Iterable[Partition], wanted: Sequence[Month]) -> list[Month]:
    """Return those of the *wanted* months that no partition takes rows of."""
    found = tuple(there)
    return [month for month in wanted if not any(partition.overlaps(month) for partition in found)]


async def find_partitions(connection: AsyncConnection, name: TableName) -> list[Partition]:
    """Return the partitions of *name* in the order of their begin, the default one last."""
    rows = await connection.execute(text(_PARTITIONS), {"table": name.quoted()})
    return [
        Partition(
            name=TableName(name.schema if row.is_beside else row.schema, row.name),
            starts=row.starts,
            ends=row.ends,
            is_default=row.is_default,
        )
        for row in rows
    ]


_PARTITIONS = r"""
SELECT part.relname::text AS name, home.nspname::text AS schema,
       part.relnamespace = whole.relnamespace AS is_beside, bound = 'DEFAULT' AS is_default,
       (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS starts,
       (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS ends
  FROM pg_inherits AS link
  JOIN pg_class AS part ON part.oid = link.inhrelid
  JOIN pg_class AS whole ON whole.oid = link.inhparent
  JOIN pg_namespace AS home ON home.oid = part.relnamespace
 CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
 WHERE link.inhparent = to_regclass(:table)
 ORDER BY is_default, starts NULLS FIRST
"""


async def add_month(connection: AsyncConnection, name: TableName, month: Month) -> AddedMonth | None:
    """Make the partition of *month* beside writers at work; None if another process made it meanwhile.

    In a short transaction of its own the partition is made as a table like *name*, gets the rows of that month that
    are in the default partition, and is attached. Writers go on: of *name* itself nothing is locked that an INSERT
    needs, as `CREATE TABLE ... PARTITION OF` would. Whoever writes into the default partition waits until the rows
    are moved and PostgreSQL has seen that none is left.

    Raises:
        ConfigStoreError: there is a table of that name which is no partition.
        TransientStoreError: others held the locks for too long; nothing was done.
    """
    return await patiently(connection, lambda: _add_month(connection, name, month))


async def _add_month(connection: AsyncConnection, name: TableName, month: Month) -> AddedMonth | None:
    await connection.exec_driver_sql(f"LOCK TABLE ONLY {name.quoted()} IN SHARE UPDATE EXCLUSIVE MODE")
    there = await find_partitions(connection, name)
    if not missing_months(there, [month]):
        return None
    partition = partition_of(name, month[0])
    if (await connection.execute(text("SELECT to_regclass(:table)"), {"table": partition.quoted()})).scalar():
        raise ConfigStoreError(
            f"table {partition} is there, and is no partition of {name}",
            hint="attach it again, or give it another name",
            sqlstate=NAME_IS_TAKEN,
        )
    await connection.exec_driver_sql(
        f"CREATE TABLE {partition.quoted()} (LIKE {name.quoted()} INCLUDING ALL EXCLUDING INDEXES)"
    )
    await own_like(connection, name, partition)
    moved = 0
    for default in (each for each in there if each.is_default):
        moved += await _move(connection, default.name, partition, month)
    await connection.exec_driver_sql(
        f"ALTER TABLE {name.quoted()} ATTACH PARTITION {partition.quoted()} {values_of(month)}"
    )
    if await has_guard(connection, name):
        for statement in guard_partition_statements(name, partition):
            await connection.exec_driver_sql(statement)
    return AddedMonth(partition=partition, moved=moved)


async def _move(connection: AsyncConnection, default: TableName, partition: TableName, month: Month) -> int:
    """Move the rows of *month* as they are; nobody puts more of them into *default* until the transaction ends."""
    await connection.exec_driver_sql(f"LOCK TABLE {default.quoted()} IN ACCESS EXCLUSIVE MODE")
    found = await connection.execute(
        text(
            f"SELECT EXISTS (SELECT FROM {default.in_text()} WHERE created_at >= :first AND created_at < :after),"
            " (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
            "   WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped)"
        ),
        {"first": month[0], "after": month[1], "table": partition.quoted()},
    )
    has_any, columns = found.one()
    if not has_any:
        return 0
    columns = columns.replace(":", "\\:")
    async with unguarded(connection, default):
        moved = await connection.execute(
            text(
                f"WITH moved AS (DELETE FROM {default.in_text()} WHERE created_at >= :first AND created_at < :after"
                f" RETURNING {columns}) INSERT INTO {partition.in_text()} ({columns}) SELECT {columns} FROM moved"
            ),
            {"first": month[0], "after": month[1]},
        )
    return moved.rowcount


def partition_of(name: TableName, first: datetime) -> TableName:
    """Return the name of the partition for the month that begins with *first*."""
    return name.beside(f"_{first:%Y_%m}")


def values_of(month: Month) -> str:
    """Return the bounds of *month* for a statement."""
    first, after = month
    return f"FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
