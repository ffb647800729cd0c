"""`audit-async roles`: who may do what with the table."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from audit_async.cli.console import OK, Address, TableName, Url, app, escape, out
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.maintenance.roles import AppliedRoles, Step


@app.command
def roles(
    address: Address = None,
    /,
    *,
    url: Url = None,
    table: TableName = "audit_logs",
    apply: Annotated[bool, Parameter(help="Run it, in one transaction.", negative="")] = False,
    owner: Annotated[str, Parameter(help="Owns the table; nobody logs in as it.")] = "audit_owner",
    writer: Annotated[str, Parameter(help="Adds rows: the application logs in as it.")] = "audit_writer",
    reader: Annotated[str, Parameter(help="Reads rows.")] = "audit_reader",
    auditor: Annotated[str, Parameter(help="Reads the rows of every tenant.")] = "audit_auditor",
    tenant_isolation: Annotated[
        bool, Parameter(help="The reader sees one tenant's rows, by row-level security.", negative="")
    ] = False,
) -> int:
    """Print the SQL that makes the table append-only and gives each role its least rights.

    Nothing is connected to unless --apply is given: the address says for which database the SQL is.
    """
    from audit_async.inspection import TableName
    from audit_async.maintenance.roles import RoleNames, apply_roles, roles_statements

    settings = read_settings(address or url, table=table)
    names = RoleNames(owner=owner, writer=writer, reader=reader, auditor=auditor)
    if not apply:
        kind = settings.address.kind
        steps = roles_statements(TableName.parse(table), kind, names, tenant_isolation=tenant_isolation)
        print(_script(kind, steps), end="")
        return OK
    done = asyncio.run(apply_roles(settings.address.url, table=table, roles=names, tenant_isolation=tenant_isolation))
    out.print(f"[green]OK[/] {escape(table)} is append-only", soft_wrap=True)
    out.print(f"   [dim]in {escape(str(settings.address))}[/]", soft_wrap=True)
    if settings.address.is_file:
        out.print("   A file has no roles: who may write to it may remove it. Its mode and its owner are the rights")
    else:
        _print_roles(names.all, done, tenant_isolation)
    return OK


def _print_roles(names: tuple[str, str, str, str], done: AppliedRoles, tenant_isolation: bool) -> None:
    owner, writer, reader, auditor = names
    reads = "reads the rows of the tenant in audit.tenant_id" if tenant_isolation else "reads"
    for name, may in (
        (owner, "owns it, and cannot log in"),
        (writer, "adds rows, and sees none"),
        (reader, reads),
        (auditor, "reads all rows"),
    ):
        out.print(f"   {escape(name)} {may}", soft_wrap=True)
    for other in done.others:
        out.print(f"   [yellow]But[/] there is also {escape(other)}", soft_wrap=True)
    out.print(f"   [dim]Next: give {escape(writer)} a password, and the application its address[/]", soft_wrap=True)


def _script(kind: str, steps: list[Step]) -> str:
    """Return *steps* as the database's own client reads them."""
    is_transaction = kind in ("postgresql", "sqlite")
    # The client of MariaDB would end a trigger at the first semicolon in it.
    end = ";" if is_transaction else "//"
    lines = ["BEGIN;"] if is_transaction else ["DELIMITER //"]
    for step in steps:
        if step.comment:
            lines += ["", *(f"-- {line}" for line in step.comment.splitlines())]
        lines.append(f"{step.statement}{end}")
    lines += ["", "COMMIT;" if is_transaction else "DELIMITER ;"]
    return "\n".join(lines) + "\n"
