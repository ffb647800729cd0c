"""What maintenance says of itself: events in the table itself, in the very transaction that they are about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.entry import decode, encode
from audit_async.events import custom
from audit_async.events.identifier import random_uuid
from audit_async.inspection import TableName, inspect_through
from audit_async.redact import redact
from audit_async.table.columns import COLUMNS
from audit_async.table.ddl import quote_of
from audit_async.table_map.layout import Layout
from audit_async.table_map.recognition import recognise


class Notes:
    """Leaves events of one run in the table; a writer of its own, whose numbers have no gap."""

    def __init__(self, layout: Layout, dialect: str) -> None:
        self._layout = layout
        self._writer_id = random_uuid()
        self._number = 0
        values = ", ".join(
            f"CAST(:{name} AS json)" if dialect == "postgresql" and COLUMNS[name].startswith("json") else f":{name}"
            for name in layout.columns
        )
        table = layout.table.in_text(quote_of(dialect))
        self._insert = text(f"INSERT INTO {table} ({', '.join(layout.columns)}) VALUES ({values})")

    @classmethod
    async def open(cls, connection: AsyncConnection, name: TableName) -> Notes:
        """Look at the table, whose rows they will be."""
        return cls(recognise(await inspect_through(connection, name)), connection.dialect.name)

    async def leave(
        self, connection: AsyncConnection, action: str, details: dict[str, Any], *, actor_id: str | None = None
    ) -> None:
        """Insert the event of *action* in the open transaction. Call `settle` once it has committed."""
        event = custom(
            action,
            category="security",
            severity="medium",
            actor_type="system" if actor_id is None else "user",
            actor_id=actor_id,
            details=details,
        )
        entry = decode(encode(redact(event)), self._writer_id, self._number + 1)
        await connection.execute(self._insert, dict(zip(self._layout.columns, self._layout.row(entry), strict=True)))

    def settle(self) -> None:
        """Take note that the event's transaction has committed: its number is used."""
        self._number += 1
