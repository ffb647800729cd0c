"""Who may change our table, and where it is."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.ddl import MYSQL

# The name of a schema only where the search path would make new tables somewhere else.
_OWNER = """
SELECT current_user AS role, owner.rolname::text AS owner, pg_has_role(owner.oid, 'USAGE') AS is_owner,
       home.nspname::text AS schema, home.nspname = current_schema() IS TRUE AS is_here
  FROM pg_class AS relation
  JOIN pg_roles AS owner ON owner.oid = relation.relowner
  JOIN pg_namespace AS home ON home.oid = relation.relnamespace
 WHERE relation.oid = to_regclass(:table)
"""


async def owned(connection: AsyncConnection, name: TableName, purpose: str) -> TableName:
    """Make sure that the role of *connection* owns *name*; return the name with its schema where it needs one.

    SQLite, MariaDB and MySQL know no owners; there the rights decide, statement by statement.

    Raises:
        ConfigurationError: the database is none that this can be done on.
        ConfigStoreError: there is no such table, or the role does not own it.
    """
    if connection.dialect.name in ("sqlite", *MYSQL):
        return name
    if connection.dialect.name != "postgresql":
        raise ConfigurationError(
            f"no tool of ours can {purpose} a table on {connection.dialect.name}",
            hint="use PostgreSQL, SQLite or MariaDB",
        )
    row = (await connection.execute(text(_OWNER), {"table": name.quoted()})).one_or_none()
    if row is None:
        raise ConfigStoreError(f"there is no table {name}", hint="make it with `audit-async init URL`")
    if not row.is_owner:
        raise ConfigStoreError(
            f"role {row.role} may not {purpose} table {name}: it belongs to role {row.owner}",
            hint=f"connect as {row.owner}, or as a member of it",
        )
    return name if name.schema or row.is_here else TableName(row.schema, name.name)


async def own_like(connection: AsyncConnection, name: TableName, made: TableName) -> None:
    """Give *made* to the owner of *name*, where another role makes it for him."""
    owner = await connection.execute(
        text(
            "SELECT quote_ident(rolname) FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner"
            " WHERE pg_class.oid = to_regclass(:table) AND rolname <> current_user"
        ),
        {"table": name.quoted()},
    )
    if other := owner.scalar():
        await connection.exec_driver_sql(f"ALTER TABLE {made.quoted()} OWNER TO {other}")
