"""A table of a good many rows, and the plans of the questions that a reader asks it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async import AuditReader

ROWS = 50_000
USERS, TENANTS, ADDRESSES = 500, 50, 1000

_FIELDS = "id, created_at, action, category, severity, outcome, user_id, tenant_id, ip_address, details, metadata, tags"
_ACTIONS = ("sso.login", "api.request", "auth.login", "data.read", "data.update", "role.assign", "api.request", "app.x")
_ACTION = " ".join(f"WHEN {number} THEN '{action}'" for number, action in enumerate(_ACTIONS))
_VALUES = f"""
  CASE (number * 7919 / 13) % {len(_ACTIONS)} {_ACTION} END, 'security', 'low',
  CASE WHEN number % 7 = 0 THEN 'failure' ELSE 'success' END,
  'u' || ((number * 7919) % {USERS}), 't' || ((number * 7919) % {TENANTS}),
  '10.0.0.' || ((number * 1013) % {ADDRESSES}),
  '{{"provider_type": "feishu", "provider_user_id": "ou_7dab8a3d3cdcc9da365777c7ad500000"}}', '{{}}', '[]'
"""
# One in a hundred seconds: 58 days.
FILL_POSTGRES = f"""
INSERT INTO audit_logs ({_FIELDS})
SELECT 'e' || number, now() - number * interval '100 seconds', {_VALUES} FROM generate_series(1, {ROWS}) AS number
""".replace("'{", "json '{").replace("'[]'", "json '[]'")
FILL_SQLITE = f"""
WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {ROWS})
INSERT INTO audit_logs ({_FIELDS})
SELECT 'e' || number, strftime('%Y-%m-%dT%H\\:%M\\:%f', 'now', '-' || (number * 100) || ' seconds') || '000Z', {_VALUES}
  FROM numbers
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that a reader sent."""

    text: str
    values: Any


@contextmanager
def statements(reader: AuditReader) -> Iterator[list[Asked]]:
    """Give the statements on its table that *reader* sends meanwhile."""
    engine = reader._database._engine
    assert engine is not None
    found: list[Asked] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if "audit_logs" in statement:
            found.append(Asked(statement, values))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def plan_of(connection: AsyncConnection, asked: Asked, options: str = "") -> Any:
    """Return the plan as PostgreSQL tells it; with *options* like `ANALYZE, ` also what it did."""
    rows = await connection.exec_driver_sql(f"EXPLAIN ({options}FORMAT JSON) {asked.text}", asked.values)
    found: Any = rows.scalar()
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each step of *plan*."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield of each scan in *plan* its kind, its table, and its index."""
    for node in nodes(plan):
        if "Scan" in node["Node Type"]:
            yield node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")


def scanned(steps: Iterable[dict[str, Any]]) -> int:
    """Return how many rows were taken from the table in *steps* that were really gone, kept or not."""
    taken = [node for node in steps if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Index Scan"]
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) for node in taken
    )


async def sqlite_plan(connection: AsyncConnection, asked: Asked) -> list[str]:
    """Return the lines of SQLite's plan."""
    rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.text}", asked.values)
    return [row[-1] for row in rows]


async def mariadb_plan(connection: AsyncConnection, asked: Asked) -> list[dict[str, Any]]:
    """Return the steps of MariaDB's plan."""
    rows = await connection.exec_driver_sql(f"EXPLAIN {asked.text}", asked.values)
    return [dict(row) for row in rows.mappings()]
