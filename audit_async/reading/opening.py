"""Which view is for the table that is there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import InspectedTable, TableName, inspect_through
from audit_async.reading.mapped_view import MappedView
from audit_async.reading.own_view import OwnView
from audit_async.reading.scope import Scope
from audit_async.reading.view import View
from audit_async.table.columns import is_ours
from audit_async.table.versions import server_version
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.recognition import recognise


async def open_view(connection: AsyncConnection, table: TableName | TableMap, scope: Scope) -> View:
    """Look at the table through an open connection, and return it as something to read.

    Raises:
        ConfigStoreError: there is no such table, or none that is known without a map.
        ConfigurationError: the map does not fit it, or row-level security would hide what *scope* holds.
    """
    name = TableName.parse(table.table) if isinstance(table, TableMap) else table
    found = await inspect_through(connection, name)
    if not found.exists:
        raise ConfigStoreError(
            f"there is no table {name} to read",
            hint="name the right one: --table, table=; or make it: audit-async init URL",
        )
    await _see_rows(connection, name, scope)
    view = _view_of(table, found, server_version(connection))
    view.scope = scope
    return view


def _view_of(table: TableName | TableMap, found: InspectedTable, version: tuple[int, ...]) -> View:
    if isinstance(table, TableMap):
        return MappedView(_fitting(table, found), found, version)
    if is_ours(found):
        return OwnView(found, version)
    name = TableName(found.schema, found.name)
    return MappedView(TableMap.ready(recognise(found).name, table=str(name)), found, version)


def _fitting(table_map: TableMap, found: InspectedTable) -> TableMap:
    """Return the map without optional columns that are not there.

    Raises:
        ConfigurationError: the table lacks others, or the map does not say what the column is that it folds into.
    """
    table_map = table_map.of_table(found)
    into = table_map.fold_into
    missing = [name for name in table_map.sources if found.column(name) is None]
    if missing:
        raise ConfigurationError(
            f"the map does not fit table {table_map.table}, which has no column {', '.join(missing)}",
            hint="correct the map: `audit-async map check` says all",
        )
    if into is not None and into not in table_map.sources:
        raise ConfigurationError(
            f"the map of table {table_map.table} folds into column {into}, and does not fill it",
            hint=f'add it to the map: {into} = "details"',
        )
    return table_map


# Whether a policy by the tenant, as `audit-async roles --tenant-isolation` makes it, is for this role.
_HIDES_ROWS = """
SELECT row_security_active(to_regclass(:table)) AND EXISTS (
       SELECT FROM pg_policy
        WHERE polrelid = to_regclass(:table) AND polcmd IN ('*', 'r')
          AND pg_get_expr(polqual, polrelid) LIKE '%audit.tenant_id%'
          AND (polroles = '{0}' OR EXISTS (
              SELECT FROM unnest(polroles) AS role WHERE pg_has_role(current_user, role, 'MEMBER'))))
"""


async def _see_rows(connection: AsyncConnection, name: TableName, scope: Scope) -> None:
    """Refuse a scope of which row-level security would show a part, as if it were the whole.

    Raises:
        ConfigurationError: the role sees the rows of one tenant at a time, and *scope* is not one tenant.
    """
    if connection.dialect.name != "postgresql" or scope.only is not None or scope.tenants == frozenset():
        return
    bound: dict[str, Any] = {"table": name.quoted()}
    if (await connection.execute(text(_HIDES_ROWS), bound)).scalar():
        raise ConfigurationError(
            f"row-level security shows this role one tenant's rows of {name} at a time, and the scope is {scope}",
            hint="read one tenant: tenant='...', or connect as the auditor's role, who sees all",
        )
