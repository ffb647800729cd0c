"""Who may do what with our table: an owner, a writer, a reader, an auditor, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import LOCK_SECONDS
from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName, inspect_through, is_name
from audit_async.maintenance.mysql_rights import mysql_rights
from audit_async.maintenance.postgres_rights import (
    OTHERS,
    postgres_ownership,
    postgres_rights,
    postgres_roles,
    postgres_tenants,
)
from audit_async.table.columns import is_ours
from audit_async.table.connection import connected, run_as_written
from audit_async.table.ddl import MYSQL
from audit_async.table.guard import guard_statements
from audit_async.table.transactions import begin_on_sqlite

_NO_RIGHT = "42501"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNames:
    """The roles' names.

    Attributes:
        owner: owns the table and cannot log in; whoever maintains the table is a member of it.
        writer: what the application logs in as. It adds rows, and sees none.
        reader: sees rows, with tenant isolation one tenant's.
        auditor: sees all rows.

    Raises:
        ConfigurationError: one of them is no name, or two are the same.
    """

    owner: str = "audit_owner"
    writer: str = "audit_writer"
    reader: str = "audit_reader"
    auditor: str = "audit_auditor"

    def __post_init__(self) -> None:
        for name in self.all:
            if not is_name(name) or name.startswith("pg_") or name in ("public", "none"):
                raise ConfigurationError(
                    f"{name[:100]!r} is no name for a role",
                    hint="give 1 to 63 characters without quotes, not beginning with pg_",
                )
        if len(set(self.all)) < len(self.all):
            raise ConfigurationError(
                f"two of the roles have one name: {', '.join(self.all)}",
                hint="give each its own, or leave the defaults",
            )

    @property
    def all(self) -> tuple[str, str, str, str]:
        return self.owner, self.writer, self.reader, self.auditor


class Step(NamedTuple):
    """A statement, and what it is for."""

    comment: str
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRoles:
    """What `apply_roles` did.

    Attributes:
        steps: what was run.
        others: further roles that have rights on the table, each with what it may.
    """

    steps: tuple[Step, ...]
    others: tuple[str, ...] = ()


def roles_statements(
    name: TableName, dialect: str, roles: RoleNames | None = None, *, tenant_isolation: bool = False
) -> list[Step]:
    """Return what gives our table *name* its guard and each role its rights. It may run again, in one transaction.

    Args:
        name: the table; on PostgreSQL its partitions are found by the server.
        dialect: `postgresql`, `sqlite`, `mysql` or `mariadb`.
        roles: their names; on MariaDB and MySQL accounts, which must be there.
        tenant_isolation: readers see the rows of the tenant in `audit.tenant_id`; on PostgreSQL.

    Raises:
        ConfigurationError: *dialect* cannot do that.
    """
    roles = roles or RoleNames()
    if tenant_isolation and dialect != "postgresql":
        raise ConfigurationError(f"{dialect} has no row-level security", hint="leave --tenant-isolation out")
    guard = [Step("", statement) for statement in guard_statements(name, dialect)]
    guard[0] = Step("The guard: rows are added, and neither changed nor removed.", guard[0].statement)
    if dialect == "sqlite":
        return guard
    if dialect in MYSQL:
        return guard + [Step(*step) for step in mysql_rights(name, roles.writer, roles.reader, roles.auditor)]
    steps = [
        *postgres_roles(name, *roles.all),
        *guard,
        *postgres_ownership(name, roles.owner),
        *postgres_rights(name, roles.writer, roles.reader, roles.auditor),
        *(postgres_tenants(name, roles.writer, roles.reader, roles.auditor) if tenant_isolation else ()),
    ]
    return [Step(*step) for step in steps]


async def apply_roles(
    url: str, *, table: str = "audit_logs", roles: RoleNames | None = None, tenant_isolation: bool = False
) -> AppliedRoles:
    """Run what `roles_statements` returns, on PostgreSQL and SQLite in one transaction.

    Writers wait until it ends. On PostgreSQL an administrator does it, or a role that owns the table and may create
    roles; that role becomes a member of the owner.

    Raises:
        ConfigurationError: *url* cannot be used, or *table* is none of ours.
        StoreError: the database is away, or refuses.
    """
    name = TableName.parse(table)
    try:
        async with connected(url, name, "set the rights of") as connection:
            return await _apply(connection, name, roles or RoleNames(), tenant_isolation)
    except ConfigStoreError as error:
        if error.sqlstate != _NO_RIGHT:
            raise
        raise ConfigStoreError(
            error.message,
            hint="connect as an administrator, or as one who owns the table and its schema and may create roles",
            sqlstate=error.sqlstate,
        ) from error


async def _apply(
    connection: AsyncConnection, name: TableName, roles: RoleNames, tenant_isolation: bool
) -> AppliedRoles:
    dialect = connection.dialect.name
    steps = roles_statements(name, dialect, roles, tenant_isolation=tenant_isolation)
    found = await inspect_through(connection, name)
    if not is_ours(found):
        is_there = "is none of ours" if found.exists else "is not there"
        raise ConfigurationError(f"table {name} {is_there}", hint="make it with `audit-async init URL`")
    if dialect == "postgresql":
        await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f}")
    await begin_on_sqlite(connection)
    for step in steps:
        await run_as_written(connection, step.statement)
    others = await _others(connection, name, roles) if dialect == "postgresql" else ()
    await connection.commit()
    return AppliedRoles(steps=tuple(steps), others=others)


async def _others(connection: AsyncConnection, name: TableName, roles: RoleNames) -> tuple[str, ...]:
    found = await connection.execute(text(OTHERS), {"table": name.quoted(), "known": list(roles.all)})
    return tuple(f"{row.role}: {row.rights}" for row in found)
