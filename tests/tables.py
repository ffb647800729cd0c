"""Reading what is in a table, with nothing of the library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


async def run_sql(url: str, *statements: str) -> list[dict[str, Any]]:
    """Run *statements* in one transaction and return the rows of the last one; JSON columns are parsed."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            rows = [dict(row) for row in result.mappings()] if result.returns_rows else []
    finally:
        await engine.dispose()
    return [parsed(row) for row in rows]


async def all_rows(url: str, table: str = "audit_logs") -> list[dict[str, Any]]:
    """Return every row, in the order of the log."""
    return await run_sql(url, f"SELECT * FROM {table} ORDER BY created_at, id")


async def count_rows(url: str, table: str = "audit_logs") -> int:
    """Return how many rows there are; 0 where there is no table yet."""
    try:
        return int((await run_sql(url, f"SELECT count(*) AS n FROM {table}"))[0]["n"])
    except Exception as error:
        if "no such table" in str(error) or "does not exist" in str(error):
            return 0
        raise


def parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with its JSON columns as objects, and its times in UTC."""
    return {name: _parsed(name, value) for name, value in row.items()}


def _parsed(name: str, value: Any) -> Any:
    if name in ("details", "metadata", "old_values", "new_values", "tags") and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)  # as MariaDB gives it
    return value
