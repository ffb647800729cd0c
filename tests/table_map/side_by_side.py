"""A call of the system that came before, and the same call here: both rows, and where they differ."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import MetaData, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Session

from audit_async import TableMap
from audit_async.entry import Entry, decode, encode
from audit_async.events import AuditEvent
from tests.store.conftest import Place

Row = dict[str, Any]
Differences = dict[str, tuple[Any, Any]]

JSON_COLUMNS = ("details", "metadata", "event_metadata", "tags", "old_values", "new_values")
NULL_IN_JSON = "the JSON value null"
NOT_COMPARED = ("id", "created_at", "login_time")
"""Every row has its own."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call.

    Attributes:
        theirs: makes it as of old, on an open connection.
        ours: the event that the same call makes here.
        traps: columns in which the rows are meant to differ, and their values: theirs, ours.
    """

    name: str
    theirs: Callable[[AsyncConnection], Awaitable[None]]
    ours: AuditEvent
    traps: Differences = field(default_factory=dict)


def by_session(call: Callable[[Session], Any]) -> Callable[[AsyncConnection], Awaitable[None]]:
    """Return *call*, which adds to a session, as one that is made on a connection."""

    async def made(connection: AsyncConnection) -> None:
        async with AsyncSession(connection) as session:
            await session.run_sync(call)
            await session.commit()

    return made


def of_model(row: DeclarativeBase) -> Callable[[AsyncConnection], Awaitable[None]]:
    """Return how *row* is added."""
    return by_session(lambda session: session.add(row))


async def make_tables(place: Place, metadata: MetaData, *statements: str) -> None:
    async with place.admin.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await place.execute(*statements)


class Look:
    """A table, looked at past the store, over one connection.

    Attributes:
        connection: commits by itself.
    """

    def __init__(self, connection: AsyncConnection, table: str, columns: Sequence[str]) -> None:
        self.connection = connection
        self._table = table
        self._columns = columns

    async def rows(self) -> list[Row]:
        """Return every row, by nothing but the driver; JSON is parsed here, so that what is null in it shows."""
        kind = "char" if self.connection.dialect.name == "mysql" else "text"
        chosen = ", ".join(f"CAST({name} AS {kind})" if name in JSON_COLUMNS else name for name in self._columns)
        found = await self.connection.execute(text(f"SELECT {chosen} FROM {self._table}"))
        return [{name: _parsed(name, value) for name, value in zip(self._columns, row, strict=True)} for row in found]

    async def take(self) -> Row:
        """Return the one row that there is, and take it out."""
        (row,) = await self.rows()
        await self.connection.execute(text(f"DELETE FROM {self._table}"))
        return row


@asynccontextmanager
async def look(place: Place, table: str = "audit_logs") -> AsyncIterator[Look]:
    async with place.admin.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns(table))
        yield Look(connection, table, [column["name"] for column in columns])


async def differences(place: Place, calls: Sequence[Call], table: TableMap) -> dict[str, Differences]:
    """Return in what the two rows of each call differ, by its name."""
    store, found = place.open(table=table), {}
    async with look(place, table.table) as looked:
        for call in calls:
            await call.theirs(looked.connection)
            theirs = await looked.take()
            await store.insert([entry_of(call.ours)])
            found[call.name] = differing(theirs, await looked.take())
    return found


def differing(theirs: Row, ours: Row) -> Differences:
    """Return the columns that differ, with both values."""
    compared = [name for name in theirs if name not in NOT_COMPARED]
    return {name: (theirs[name], ours[name]) for name in compared if theirs[name] != ours[name]}


async def rows_of(place: Place, table: str = "audit_logs") -> list[Row]:
    """Return every row, as `Look.rows`."""
    async with look(place, table) as looked:
        return await looked.rows()


async def through_model(place: Place, model: type[DeclarativeBase]) -> list[Any]:
    """Return every row as the model of the system itself reads it."""
    async with AsyncSession(place.admin) as session:
        return list((await session.scalars(select(model))).all())


def entry_of(event: AuditEvent, number: int = 1) -> Entry:
    return decode(encode(event), "0" * 32, number)


def _parsed(name: str, value: Any) -> Any:
    if name not in JSON_COLUMNS or value is None:
        return value
    parsed = json.loads(value)
    return NULL_IN_JSON if parsed is None else parsed
