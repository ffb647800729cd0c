"""Rows that are put in by hand, in transactions that stay open, and what a follower gives of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import anyio
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.reading.follow import Follower
from tests.reading.log import START
from tests.store.conftest import Place

LAST = "last"
WAIT_SECONDS = 20  # far above what anything here takes


def insert(
    place: Place, row_id: str, *, at: datetime = START, tenant: str | None = "t1", table: str = "audit_logs"
) -> str:
    """Return the statement that puts a row of that id into our table."""
    moment = at.isoformat(timespec="microseconds").replace("+00:00", "")
    moment += "" if place.dialect in ("mysql", "mariadb") else "Z"
    tenant_id = "NULL" if tenant is None else f"'{tenant}'"
    return (
        f"INSERT INTO {table} (id, created_at, action, category, severity, outcome, tenant_id, details, metadata, tags)"
        f" VALUES ('{row_id}', '{moment}', 'app.done', 'system', 'low', 'success', {tenant_id}, '{{}}', '{{}}', '[]')"
    )


@contextlib.asynccontextmanager
async def transaction(place: Place) -> AsyncIterator[AsyncConnection]:
    """Give a connection in a transaction that its user ends."""
    async with place.admin.connect() as connection:
        if place.dialect == "sqlite":
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


async def put(connection: AsyncConnection, *statements: str) -> None:
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def taken(follower: Follower, count: int) -> list[str]:
    """Return the ids of the next *count* events."""
    with anyio.fail_after(WAIT_SECONDS):
        return [(await anext(follower)).id for _ in range(count)]


async def rest(follower: Follower, place: Place, **options: Any) -> list[str]:
    """Put in a last row, and return the ids of what comes before it."""
    await place.execute(insert(place, LAST, **options))
    found: list[str] = []
    with anyio.fail_after(WAIT_SECONDS):
        async for event in follower:
            if event.id == LAST:
                break
            found.append(event.id)
    return found
