"""The table: its version, what the role may do with it beyond adding rows, and how long its partitions last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.checkup.finding import Finding
from audit_async.config import PARTITION_WARNING_DAYS
from audit_async.errors import AuditError
from audit_async.faults.place import making
from audit_async.inspection import InspectedTable, TableName, inspect_through
from audit_async.table.columns import is_ours
from audit_async.table.ddl import MYSQL
from audit_async.table.guard import is_guarded
from audit_async.table.partitions import find_partitions
from audit_async.table.versions import SCHEMA_VERSION, version_of
from audit_async.table_map.probing.mysql import read_grants

_RIGHTS = """
SELECT current_user::text AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
       pg_has_role(relation.relowner, 'MEMBER') AS is_owner,
       has_any_column_privilege(relation.oid, 'INSERT') AS may_insert,
       has_any_column_privilege(relation.oid, 'UPDATE') AS may_update,
       has_table_privilege(relation.oid, 'DELETE') AS may_delete,
       has_table_privilege(relation.oid, 'TRUNCATE') AS may_truncate
  FROM pg_class AS relation
 WHERE relation.oid = to_regclass(:table)
"""

_APPLY = "`audit-async roles URL --apply`, and let the application log in as the writer"


async def of_table(connection: AsyncConnection, name: TableName) -> list[Finding]:
    """Return what is to be said of the table *name*, before an event is mapped to it."""
    found = await inspect_through(connection, name)
    dialect = connection.dialect.name
    if not found.exists:
        if dialect == "sqlite":
            return [Finding("note", "table", f"there is no table {name} yet: the first event makes it")]
        return [Finding("error", "table", f"there is no table {name}", f"`{making(name)}`, or correct --table")]
    findings = await _of_version(connection, name, found)
    if dialect == "postgresql":
        findings += await connection.run_sync(_of_postgres_rights, name)
        findings += await _of_partitions(connection, name, found)
    elif dialect in MYSQL:
        findings += await connection.run_sync(_of_mysql_rights, name)
    if is_ours(found) and dialect in ("postgresql", "sqlite"):
        findings += await _of_guard(connection, name)
    return findings


async def _of_version(connection: AsyncConnection, name: TableName, found: InspectedTable) -> list[Finding]:
    if not is_ours(found):
        return [Finding("ok", "table", f"{name} is there, and is the application's own")]
    try:
        # A refusal would end the transaction in which the rest is looked at.
        async with connection.begin_nested():
            version = await version_of(connection, name)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return [Finding("note", "table", f"{name} is there; its version may not be read by this role")]
    except AuditError as error:
        return [Finding("warning", "table", error.message, error.hint)]
    if version < SCHEMA_VERSION:
        return [
            Finding(
                "warning",
                "table",
                f"{name} has version {version} of the schema, this program makes {SCHEMA_VERSION}",
                "`audit-async upgrade URL`",
            )
        ]
    if version > SCHEMA_VERSION:
        return [
            Finding(
                "note", "table", f"{name} has version {version} of the schema, newer than this program", "upgrade it"
            )
        ]
    return [Finding("ok", "table", f"{name} is there, version {version} of the schema")]


def _of_postgres_rights(connection: Connection, name: TableName) -> list[Finding]:
    row = connection.execute(text(_RIGHTS), {"table": name.quoted()}).one()
    if row.is_superuser:
        return [Finding("warning", "rights", f"{row.role} is a superuser: it may change and remove every row", _APPLY)]
    if row.is_owner:
        return [
            Finding(
                "warning",
                "rights",
                f"{row.role} owns the table: it may change, remove and drop what it has logged",
                _APPLY,
            )
        ]
    beyond = [right for right in ("UPDATE", "DELETE", "TRUNCATE") if getattr(row, f"may_{right.lower()}")]
    if beyond:
        return [_beyond(row.role, beyond, f'REVOKE {", ".join(beyond)} ON {name.quoted()} FROM "{row.role}"')]
    if row.may_insert:
        return [Finding("ok", "rights", f"{row.role} may add rows, and neither change nor remove any")]
    # Looking at the table as events see it says so, with what to do.
    return []


def _beyond(role: str, beyond: list[str], hint: str) -> Finding:
    return Finding("warning", "rights", f"{role} may {', '.join(beyond)}: it can change what it has logged", hint)


def _of_mysql_rights(connection: Connection, name: TableName) -> list[Finding]:
    role = str(connection.scalar(text("SELECT current_user()")))
    database = name.schema or connection.scalar(text("SELECT database()"))
    granted = read_grants(list(connection.scalars(text("SHOW GRANTS"))), database, name.name)
    # DROP is what a TRUNCATE asks for there.
    beyond = [right for right in ("UPDATE", "DELETE", "DROP", "ALTER") if granted.may(right)]
    if beyond:
        return [_beyond(role, beyond, f"give it INSERT alone; {_APPLY}")]
    if granted.has_unread_roles:
        return [Finding("note", "rights", f"what {role} may do depends on its roles, whose grants are not shown to it")]
    return [Finding("ok", "rights", f"{role} may neither change nor remove rows")]


async def _of_partitions(connection: AsyncConnection, name: TableName, found: InspectedTable) -> list[Finding]:
    if not is_ours(found) or not found.is_partitioned_by_range:
        return []
    ends = [each.ends for each in await find_partitions(connection, name) if each.ends is not None]
    last = max(ends, default=None)
    if last is None or last < datetime.now(UTC) + timedelta(days=PARTITION_WARNING_DAYS):
        until = f"end on {last:%Y-%m-%d}" if last else "are missing"
        return [Finding("warning", "partitions", f"they {until}; later rows go to the default one", _MAINTAIN)]
    return [Finding("ok", "partitions", f"there are some until {last:%Y-%m-%d}")]


_MAINTAIN = "`audit-async maintain URL`, once a day"


async def _of_guard(connection: AsyncConnection, name: TableName) -> list[Finding]:
    if await is_guarded(connection, name):
        return [Finding("ok", "guard", "rows that are there cannot be changed or removed by mistake")]
    return [Finding("note", "guard", f"{name} is not guarded against changes of rows that are there", _APPLY)]
