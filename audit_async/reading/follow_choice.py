"""Which way of following is for the table that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.reading.conditions import Condition
from audit_async.reading.follow_numbers import Numbers
from audit_async.reading.follow_rowids import Rowids, rowid_of
from audit_async.reading.follow_snapshots import Snapshots
from audit_async.reading.follow_times import Times
from audit_async.reading.follow_way import Way
from audit_async.reading.scope import Scope
from audit_async.reading.view import View


async def way_of(connection: AsyncConnection, view: View, where: Sequence[Condition], scope: Scope) -> Way[Any]:
    """Return how *view* is followed; four cases, the most exact one first."""
    if view.commit is not None and connection.dialect.name == "postgresql":
        return Snapshots(view, where, view.commit, scope)
    if connection.dialect.name == "sqlite" and (rowid := await _rowid(connection, view)) is not None:
        return Rowids(view, where, rowid)
    if view.number is not None:
        return Numbers(view, where, view.number)
    return Times(view, where)


async def _rowid(connection: AsyncConnection, view: View) -> sa.ColumnElement[Any] | None:
    rowid = rowid_of(view.source)
    if rowid is None:
        return None
    try:
        await connection.execute(sa.select(rowid).select_from(view.source).limit(0))
    except DBAPIError:
        # A table WITHOUT ROWID, or no table at all but a view.
        return None
    return rowid
