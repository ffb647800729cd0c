"""A row is refused: is it the row, or has somebody changed the table since it was looked at?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from audit_async.config import PARTITION_NEAR_DAYS
from audit_async.entry import Entry
from audit_async.errors import DataStoreError, StoreError, TransientStoreError
from audit_async.faults import Place, raise_verdict, translate
from audit_async.table_map.tables import Layouts, Tables


async def revise(
    refusal: DataStoreError, engine: AsyncEngine, tables: Tables, layouts: Layouts | None, place: Place
) -> StoreError:
    """Return *refusal*, or an error that says to look at the tables anew since they are others than *layouts* are for.

    A type that was changed, or a column that was added, refuses rows which the table as it was would have taken.
    """
    try:
        async with engine.connect() as connection:
            if layouts is not None and not await connection.run_sync(tables.have_changed, layouts):
                return refusal
    except Exception as error:
        return translate(error, place, connecting=True)
    return TransientStoreError(f"table {tables} was changed under way: {refusal.message}", sqlstate=refusal.sqlstate)


def is_near(entry: Entry) -> bool:
    """Return whether a table without a partition for *entry* lacks one; a time far from now is the row's own fault."""
    return abs(entry.created_at - datetime.now(UTC)) < timedelta(days=PARTITION_NEAR_DAYS)


async def still_valid(engine: AsyncEngine, tables: Tables, layouts: Layouts | None, place: Place) -> Layouts | None:
    """Return *layouts*, or None where the tables are others by now.

    For a replay: what it passes over has to be a row of ours, and another unique key may be new.
    """
    if layouts is None or not layouts.found:
        return layouts
    try:
        async with engine.connect() as connection:
            return None if await connection.run_sync(tables.have_changed, layouts) else layouts
    except Exception as error:
        raise_verdict(translate(error, place, connecting=True), error)
