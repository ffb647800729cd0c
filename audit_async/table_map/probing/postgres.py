"""What PostgreSQL says of a mapped table: of what sort it is, whether it can be written now, and its partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, Row

from audit_async.config import PARTITION_WARNING_DAYS
from audit_async.inspection import InspectedTable, TableName
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked
from audit_async.table_map.probing.rights import delivered_ids, rights
from audit_async.table_map.probing.rules import rules
from audit_async.table_map.review import ERROR, INFO, UNKNOWN, WARNING, Finding, key_of
from audit_async.table_map.source import paths_of

_SESSION = """
SELECT pg_is_in_recovery() AS is_standby,
       current_setting('default_transaction_read_only') = 'on' AS is_read_only,
       current_setting('server_encoding') AS encoding,
       current_user::text AS role
"""

_RELATION = """
SELECT relation.relkind::text AS kind,
       relation.relpersistence::text AS persistence,
       pg_relation_is_updatable(relation.oid::regclass, true) & 8 <> 0 AS takes_rows
  FROM pg_class AS relation
 WHERE relation.oid = to_regclass(:table)
"""

_SCHEMA = """
SELECT has_schema_privilege(oid, 'USAGE') AS may_use FROM pg_namespace WHERE nspname = :schema
"""

_ELSEWHERE = """
SELECT namespace.nspname AS schema
  FROM pg_class AS relation
  JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relname = :name AND relation.relkind IN ('r', 'p', 'v', 'f')
 ORDER BY namespace.nspname
"""

_PARTITIONS = """
SELECT pg_get_expr(part.relpartbound, part.oid) AS bound
  FROM pg_inherits AS link
  JOIN pg_class AS part ON part.oid = link.inhrelid
 WHERE link.inhparent = to_regclass(:table)
"""

_PARTITION_KEY = """
SELECT partition.partstrat::text AS strategy, partition.partnatts AS parts, attribute.attname AS column
  FROM pg_partitioned_table AS partition
  LEFT JOIN pg_attribute AS attribute
    ON attribute.attrelid = partition.partrelid AND attribute.attnum = partition.partattrs[0]
 WHERE partition.partrelid = to_regclass(:table)
"""

_RANGE = re.compile(r"FROM \((?:'([^']*)'|(MINVALUE))\) TO \((?:'([^']*)'|(MAXVALUE))\)")
_ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def begin(connection: Connection) -> None:
    """See that nothing can be changed through *connection*."""
    connection.execute(text("SET TRANSACTION READ ONLY"))
    # Bounds of partitions without a time zone are compared with the times that are written, in UTC.
    connection.execute(text("SET LOCAL TimeZone = 'UTC'"))


def schema(connection: Connection, name: TableName) -> Iterator[Finding]:
    """Yield what keeps the role from even seeing the table."""
    if name.schema is None:
        return
    found = connection.execute(text(_SCHEMA), {"schema": name.schema}).one_or_none()
    if found is None:
        yield Finding(ERROR, "", f"there is no schema {name.schema}", "correct the map, or make the schema")
    elif not found.may_use:
        role = connection.scalar(text("SELECT current_user::text"))
        quoted = TableName(None, name.schema).quoted()
        yield Finding(
            ERROR,
            "",
            f"{role} may not use schema {name.schema}, in which the table is",
            f'GRANT USAGE ON SCHEMA {quoted} TO "{role}"',
        )


def elsewhere(connection: Connection, name: TableName) -> list[str]:
    """Return the schemas in which there is a table of that name."""
    return list(connection.scalars(text(_ELSEWHERE), {"name": name.name}))


def look(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    """Yield what the database says of the table *found*; what may not be looked at is said as well."""
    session = connection.execute(text(_SESSION)).one()
    yield from _of_session(session)
    table = TableName(found.schema, found.name).quoted()
    yield from looked(connection, "its sort", lambda: _of_relation(connection, table_map, found, table))
    yield from rights(connection, table_map, found, session.role)
    if table_map.delivered_ids is not None and not key_of(table_map, found):
        yield from looked(
            connection, "delivered_ids", lambda: delivered_ids(connection, table_map.delivered_ids or "", session.role)
        )
    yield from rules(connection, table_map, found)
    if found.is_partitioned:
        yield from looked(connection, "its partitions", lambda: _of_partitions(connection, table_map, table))


def _of_session(session: Row[Any]) -> Iterator[Finding]:
    if session.is_standby:
        yield Finding(
            ERROR, "", "the server is a standby, which takes no rows: events wait", "give the URL of the primary"
        )
    elif session.is_read_only:
        yield Finding(
            ERROR,
            "",
            f"transactions of {session.role} are read-only (default_transaction_read_only): events wait",
            f'ALTER ROLE "{session.role}" SET default_transaction_read_only = off; see the database and the server '
            "as well",
        )
    if session.encoding != "UTF8":
        yield Finding(
            WARNING,
            "",
            f"the database keeps text as {session.encoding}: an event with a character that it has not goes to "
            "quarantine",
            "use a database with the encoding UTF8",
        )


def _of_relation(connection: Connection, table_map: TableMap, found: InspectedTable, table: str) -> Iterator[Finding]:
    """Yield what follows from the table's sort; five sorts."""
    relation = connection.execute(text(_RELATION), {"table": table}).one()
    if relation.persistence == "u":
        yield Finding(
            WARNING,
            "",
            "the table is unlogged: a crash of the server empties it, and its events are gone",
            f"ALTER TABLE {table} SET LOGGED",
        )
    if relation.kind == "m" or (relation.kind in "vf" and not relation.takes_rows):
        sort = {"m": "a materialized view", "v": "a view", "f": "a foreign table"}[relation.kind]
        yield Finding(ERROR, "", f"{found.name} is {sort} that takes no rows", "map the table behind it")
    elif relation.kind == "v":
        yield Finding(
            WARNING,
            "",
            f"{found.name} is a view: what of a row arrives, and whether it is there already, only the table behind "
            "it knows",
            "map the table behind it",
        )
    elif relation.kind == "f":
        yield Finding(
            WARNING,
            "",
            f"{found.name} is a foreign table: its rows go to another server, whose rules are not seen from here",
            "map the table there, with that server's URL",
        )


def _of_partitions(connection: Connection, table_map: TableMap, table: str) -> Iterator[Finding]:
    """Yield whether there is a partition for the rows of today and of the time to come."""
    bounds = list(connection.scalars(text(_PARTITIONS), {"table": table}))
    if any(bound == "DEFAULT" for bound in bounds):
        return
    key = connection.execute(text(_PARTITION_KEY), {"table": table}).one()
    source = table_map.sources.get(key.column) if key.column else None
    is_of_time = source is not None and paths_of(source) == ("created_at",)
    if key.strategy != "r" or key.parts != 1 or not is_of_time:
        if key.strategy != "h":
            yield Finding(
                WARNING,
                key.column or "",
                "decides the partition, and there is no default one: events for which there is no partition are "
                "refused and go to quarantine",
                f"CREATE TABLE ... PARTITION OF {table} DEFAULT",
            )
        return
    yield from _of_ranges(connection, key.column, [_RANGE.search(bound) for bound in bounds], table)


def _of_ranges(
    connection: Connection, column: str, ranges: list[re.Match[str] | None], table: str
) -> Iterator[Finding]:
    if not all(ranges):
        yield Finding(UNKNOWN, column, "the bounds of its partitions cannot be read", "see that there is one for today")
        return
    spans = [
        tuple(
            _ALWAYS[place]
            if bound is None
            else connection.scalar(text("SELECT cast(cast(:b AS text) AS timestamptz)"), {"b": bound})
            for place, bound in enumerate((each.group(1), each.group(3)))
        )
        for each in ranges
        if each
    ]
    now = connection.scalar(text("SELECT now()"))
    hint = f"make it: CREATE TABLE ... PARTITION OF {table} FOR VALUES FROM (...) TO (...), and one that is DEFAULT"
    if not any(start <= now < end for start, end in spans):
        yield Finding(ERROR, column, f"there is no partition for today, {now:%Y-%m-%d}, and no default one", hint)
        return
    last = max(end for _, end in spans)
    if last - now < timedelta(days=PARTITION_WARNING_DAYS):
        yield Finding(WARNING, column, f"the last partition ends on {last:%Y-%m-%d}, and there is no default one", hint)
    yield Finding(
        INFO,
        column,
        f"the first partition begins on {min(start for start, _ in spans):%Y-%m-%d}: older events are refused"
        if min(start for start, _ in spans) > _ALWAYS[0]
        else "has partitions for all of the past",
    )
