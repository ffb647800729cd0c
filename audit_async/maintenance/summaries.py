"""The small index by transaction, on PostgreSQL: it knows new pages only when they are summarised.

VACUUM does that, which comes to a table that only grows when a fifth of it is new. Until then a follower reads those
pages whole.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import StoreError
from audit_async.faults import Place, translate
from audit_async.inspection import TableName
from audit_async.table.transactions import short_transaction

_INDEXES = """
SELECT part.relid::regclass::text AS partition, link.indexrelid::bigint AS number
  FROM pg_partition_tree(to_regclass(:table)) AS part
  JOIN pg_index AS link ON link.indrelid = part.relid AND link.indisvalid
  JOIN pg_class AS class ON class.oid = link.indexrelid
  JOIN pg_am AS method ON method.oid = class.relam AND method.amname = 'brin'
 WHERE part.isleaf
 ORDER BY 1
"""


async def summarise(connection: AsyncConnection, name: TableName, place: Place) -> list[str]:
    """Bring the index of each partition of *name* up to date; return why that could not be done, a sentence each.

    Each has a transaction of its own, which stops no writer, and waits shortly for whoever vacuums the partition.
    """
    notes: list[str] = []
    try:
        async with short_transaction(connection):
            indexes = (await connection.execute(text(_INDEXES), {"table": name.quoted()})).all()
        for index in indexes:
            try:
                await _summarise(connection, index.number)
            except DBAPIError as error:
                if connection.invalidated:
                    raise
                notes.append(_note(index.partition, translate(error, place)))
    except (StoreError, DBAPIError) as error:
        notes.append(_note(str(name), error if isinstance(error, StoreError) else translate(error, place)))
    return notes


async def _summarise(connection: AsyncConnection, index: int) -> None:
    async with short_transaction(connection):
        await connection.execute(
            text("SELECT brin_summarize_new_values(CAST(CAST(:index AS oid) AS regclass))"), {"index": index}
        )


def _note(table: str, failure: StoreError) -> str:
    return f"the index by transaction of {table} was not brought up to date, followers read more: {failure.message}"
