"""How a database means to answer: the plan of a statement, as each one tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement

from audit_async import AuditReader

_EXPLAIN = {
    "postgresql": "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ",
    "sqlite": "EXPLAIN QUERY PLAN ",
    "mysql": "EXPLAIN ",
}


class Explain(Executable, ClauseElement):
    """A statement whose plan is asked for."""

    inherit_cache = False

    def __init__(self, statement: Any) -> None:
        self.statement = statement


@compiles(Explain)
def _explain(element: Explain, compiler: Any, **options: Any) -> str:
    dialect = compiler.dialect.name
    return _EXPLAIN["mysql" if dialect == "mariadb" else dialect] + str(compiler.process(element.statement, **options))


async def plan_of(reader: AuditReader, statement: Any) -> list[dict[str, Any]]:
    """Return the steps in which *statement* is answered; on PostgreSQL it is answered, and they have their rows."""
    async with reader._database.transaction(reader.scope.only) as connection:
        rows = [dict(row) for row in (await connection.execute(Explain(statement))).mappings()]
        if connection.dialect.name != "postgresql":
            return rows
    plan = rows[0]["QUERY PLAN"]
    return list(_nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def scanned(nodes: list[dict[str, Any]]) -> int:
    """Return how many rows PostgreSQL took from the table, kept or not."""
    scans = [node for node in nodes if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Index Scan"]
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) for node in scans
    )
