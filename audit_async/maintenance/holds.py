"""Legal holds: rows that stay, whatever the rules of retention say, until somebody releases them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigurationError
from audit_async.events.identifier import new_id
from audit_async.inspection import TableName
from audit_async.maintenance.notes import Notes
from audit_async.maintenance.retention import as_stored, known_category, moment_for, moment_of
from audit_async.table.connection import connected
from audit_async.table.ddl import holds_table, quote_of
from audit_async.table.ownership import owned
from audit_async.table.transactions import patiently
from audit_async.table.versions import require_version

_COLUMNS = ("id", "tenant_id", "category", "user_id", "since", "until", "reason", "placed_at", "placed_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold: the rows that meet all of what is given stay. What is None holds any.

    Attributes:
        since, until: of the rows' own times; `until` is not held any more.
        reason: why, for whoever wonders later.
        placed_at: by the clock of whoever placed it.
    """

    id: str
    tenant_id: str | None
    category: str | None
    user_id: str | None
    since: datetime | None
    until: datetime | None
    reason: str
    placed_at: datetime
    placed_by: str | None

    @property
    def what(self) -> str:
        """The rows that are held, in words."""
        parts = [
            f"{name}={value}"
            for name, value in (("tenant", self.tenant_id), ("category", self.category), ("user", self.user_id))
            if value is not None
        ]
        parts += [f"{name}={moment:%Y-%m-%d}" for name, moment in self._span if moment is not None]
        return ",".join(parts) or "all"

    @property
    def _span(self) -> tuple[tuple[str, datetime | None], ...]:
        return (("since", self.since), ("until", self.until))

    def __str__(self) -> str:
        by = f" by {self.placed_by}" if self.placed_by else ""
        return f"{self.id}  {self.what}  {self.reason} (placed {self.placed_at:%Y-%m-%d}{by})"


async def place_hold(
    url: str,
    *,
    reason: str,
    tenant_id: object = None,
    category: object = None,
    user_id: object = None,
    since: datetime | None = None,
    until: datetime | None = None,
    placed_by: str | None = None,
    table: str = "audit_logs",
) -> Hold:
    """Place a legal hold, as the table's owner; leave an event `audit.hold` in the same transaction.

    On return no purge that begins or goes on takes a row that is held.

    Raises:
        ConfigurationError: a value cannot be meant, or there is no reason.
        StoreError: the database is away, or refuses; or the role is not the table's owner.
    """
    hold_id, now = new_id()
    hold = Hold(
        id=hold_id,
        tenant_id=None if tenant_id is None else as_stored("tenant_id", tenant_id),
        category=None if category is None else known_category(category),
        user_id=None if user_id is None else as_stored("user_id", user_id),
        since=_aware(since),
        until=_aware(until),
        reason=reason.strip(),
        placed_at=now,
        placed_by=placed_by,
    )
    if not hold.reason:
        raise ConfigurationError("a legal hold needs a reason", hint='say why it is placed: --reason "..."')
    async with _holding(url, table) as (connection, name):
        notes = await Notes.open(connection, name)

        async def place() -> None:
            values = {column: getattr(hold, column) for column in _COLUMNS}
            for column in ("since", "until", "placed_at"):
                if values[column] is not None:
                    values[column] = moment_for(connection.dialect.name, values[column])
            statement = f"INSERT INTO {_quoted_holds(connection, name)} ({', '.join(_COLUMNS)}) VALUES ("
            await connection.execute(text(f"{statement}{', '.join(f':{column}' for column in _COLUMNS)})"), values)
            await _leave(connection, notes, "audit.hold", hold, placed_by)

        await patiently(connection, place)
    return hold


async def release_hold(url: str, hold_id: str, *, released_by: str | None = None, table: str = "audit_logs") -> Hold:
    """Release the legal hold *hold_id*, as the table's owner; leave an event `audit.release` with what it was.

    Raises:
        ConfigurationError: there is no such hold.
        StoreError: as `place_hold`.
    """
    async with _holding(url, table) as (connection, name):
        notes = await Notes.open(connection, name)

        async def release() -> Hold:
            found = [hold for hold in await _holds(connection, name) if hold.id == hold_id]
            statement = text(f"DELETE FROM {_quoted_holds(connection, name)} WHERE id = :id")
            if not found or (await connection.execute(statement, {"id": hold_id})).rowcount != 1:
                raise ConfigurationError(
                    f"there is no legal hold {hold_id[:100]!r} on table {table}",
                    hint="`audit-async maintain URL --holds` lists them",
                )
            await _leave(connection, notes, "audit.release", found[0], released_by)
            return found[0]

        return await patiently(connection, release)


async def find_holds(url: str, *, table: str = "audit_logs") -> list[Hold]:
    """Return the legal holds on *table*, the oldest first.

    Raises:
        ConfigurationError, StoreError: as `place_hold`.
    """
    async with _holding(url, table) as (connection, name):
        return await _holds(connection, name)


@asynccontextmanager
async def _holding(url: str, table: str) -> AsyncIterator[tuple[AsyncConnection, TableName]]:
    name = TableName.parse(table)
    async with connected(url, name, "maintain", makes_file=False) as connection:
        where = await owned(connection, name, "place or see legal holds on")
        await require_version(connection, where, 2, "legal holds")
        yield connection, where


async def _holds(connection: AsyncConnection, name: TableName) -> list[Hold]:
    statement = f"SELECT {', '.join(_COLUMNS)} FROM {_quoted_holds(connection, name)} ORDER BY placed_at, id"
    rows: list[dict[str, Any]] = [
        {
            column: moment_of(value) if column in ("since", "until", "placed_at") else value
            for column, value in row.items()
        }
        for row in (await connection.execute(text(statement))).mappings()
    ]
    return [Hold(**row) for row in rows]


def _quoted_holds(connection: AsyncConnection, name: TableName) -> str:
    return holds_table(name).in_text(quote_of(connection.dialect.name))


async def _leave(connection: AsyncConnection, notes: Notes, action: str, hold: Hold, actor: str | None) -> None:
    # What is held stands in the details alone: a tenant need not learn from its own log that it is looked at.
    details = {
        "hold": hold.id,
        "tenant": hold.tenant_id,
        "category": hold.category,
        "user": hold.user_id,
        "since": hold.since and hold.since.isoformat(),
        "until": hold.until and hold.until.isoformat(),
        "reason": hold.reason,
    }
    await notes.leave(connection, action, details, actor_id=actor)


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ConfigurationError(f"{moment} has no time zone", hint="give an aware time, such as with tzinfo=UTC")
    return moment.astimezone(UTC)
