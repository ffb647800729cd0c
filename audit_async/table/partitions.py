"""The monthly partitions that our table has on PostgreSQL."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import PARTITION_MONTHS_AHEAD
from audit_async.inspection import TableName
from audit_async.table.guard import guard_partition_statements, has_guard


async def create_partitions(connection: AsyncConnection, name: TableName) -> tuple[str, ...]:
    """Make the monthly partitions that no existing one covers, from this month on."""
    there = [
        (row.starts, row.ends)
        for row in await connection.execute(text(_PARTITION_BOUNDS), {"table": name.quoted()})
        if row.starts and row.ends
    ]
    made = []
    is_guarded = await has_guard(connection, name)
    for first, after in months(datetime.now(UTC), PARTITION_MONTHS_AHEAD):
        if any(starts < after and first < ends for starts, ends in there):
            continue
        partition = name.beside(f"_{first:%Y_%m}")
        await connection.exec_driver_sql(
            f"CREATE TABLE {partition.quoted()} PARTITION OF {name.quoted()}"
            f" FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
        )
        for statement in guard_partition_statements(name, partition) if is_guarded else ():
            await connection.exec_driver_sql(statement)
        made.append(str(partition))
    return tuple(made)


_PARTITION_BOUNDS = r"""
SELECT (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS starts,
       (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS ends
  FROM pg_inherits AS link
  JOIN pg_class AS part ON part.oid = link.inhrelid
 CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
 WHERE link.inhparent = to_regclass(:table)
"""


def months(now: datetime, ahead: int) -> list[tuple[datetime, datetime]]:
    """Return begin and end of *now*'s month (UTC) and of the *ahead* ones after it."""
    counted = [now.year * 12 + now.month - 1 + number for number in range(ahead + 2)]
    begins = [datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC) for count in counted]
    return list(itertools.pairwise(begins))
