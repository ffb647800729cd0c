"""A row is refused: is it the row, or has somebody changed the table since it was looked at?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from audit_async.config import PARTITION_NEAR_DAYS
from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError, DataStoreError, MissingPartitionError, StoreError, TransientStoreError
from audit_async.faults import Place, raise_verdict, translate
from audit_async.store.engine import looking
from audit_async.table_map.tables import Layouts, Tables


async def revise(
    refusal: DataStoreError,
    entries: Sequence[Entry],
    engine: AsyncEngine,
    tables: Tables,
    layouts: Layouts | None,
    place: Place,
) -> StoreError:
    """Return *refusal*, which came of *entries*, or what it really is.

    A type that was changed, or a column that was added, refuses rows which the table as it was would have taken: then
    the tables are to be looked at anew, since they are others than *layouts* are for. A partition that is missing for
    the present time is a fault of the table as well.
    """
    try:
        async with looking(engine) as connection:
            has_changed = layouts is None or await connection.run_sync(tables.have_changed, layouts)
    except Exception as error:
        return translate(error, place, connecting=True)
    if has_changed:
        message = f"table {tables} was changed under way: {refusal.message}"
        return TransientStoreError(message, sqlstate=refusal.sqlstate)
    if isinstance(refusal, MissingPartitionError) and _is_by_time(layouts) and all(map(_is_near, entries)):
        return ConfigStoreError(refusal.message, hint=refusal.hint, sqlstate=refusal.sqlstate)
    return refusal


def _is_by_time(layouts: Layouts | None) -> bool:
    """Return whether it may be for its time that a row has no partition, and not for a word that it has alone."""
    found = layouts.found if layouts is not None else ()
    return not any(table.is_partitioned for table in found) or any(table.is_partitioned_by_range for table in found)


def _is_near(entry: Entry) -> bool:
    """Return whether a table without a partition for *entry* lacks one; a time far from now is the row's own fault."""
    return abs(entry.created_at - datetime.now(UTC)) < timedelta(days=PARTITION_NEAR_DAYS)


async def still_valid(engine: AsyncEngine, tables: Tables, layouts: Layouts | None, place: Place) -> Layouts | None:
    """Return *layouts*, or None where the tables are others by now.

    For a replay: what it passes over has to be a row of ours, and another unique key may be new.
    """
    if layouts is None or not layouts.found:
        return layouts
    try:
        async with looking(engine) as connection:
            return None if await connection.run_sync(tables.have_changed, layouts) else layouts
    except Exception as error:
        raise_verdict(translate(error, place, connecting=True), error)
