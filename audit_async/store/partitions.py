"""Look ahead whether there will be a partition for what is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_async.config import CHECK_SECONDS, PARTITION_WARNING_DAYS
from audit_async.diagnostics import report, settle_down
from audit_async.inspection import TableName

if TYPE_CHECKING:
    import asyncpg


# The newest end of a range; nothing where the table has no ranges, or one without an end.
_LAST_DAY = r"""
SELECT max((regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz) AS ends,
       bool_or(bound LIKE '%TO (MAXVALUE)%') IS TRUE AS is_endless,
       count(*) > 0 AS is_partitioned
  FROM pg_inherits AS link
  JOIN pg_class AS part ON part.oid = link.inhrelid
 CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
 WHERE link.inhparent = to_regclass($1)
"""


async def warn_of_missing(raw: asyncpg.Connection[asyncpg.Record], table: TableName) -> str | None:
    """Warn when the partitions of *table* end within `PARTITION_WARNING_DAYS`; return what is to be said, or None."""
    row = await raw.fetchrow(
        f"SELECT *, ends < now() + interval '{PARTITION_WARNING_DAYS} days' IS NOT FALSE AS ends_soon"
        f" FROM ({_LAST_DAY}) AS found",
        table.quoted(),
    )
    if row is None or not row["is_partitioned"] or row["is_endless"] or not row["ends_soon"]:
        settle_down("partitions")
        return None
    ends = f"end on {row['ends']:%Y-%m-%d}" if row["ends"] else "are missing"
    remark = f"the partitions of table {table} {ends}; later rows go to its default partition"
    report("partitions", f"{remark}. Run `audit-async maintain URL`", every_seconds=CHECK_SECONDS / 2)
    return f"{remark}: run `audit-async maintain URL`"
