"""`audit-async init`: the table is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from audit_async.cli.console import OK, Address, TableName, Url, app, escape, out
from audit_async.errors import AuditError
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.inspection import InspectedTable


@app.command
def init(
    address: Address = None,
    /,
    *,
    url: Url = None,
    table: TableName = "audit_logs",
) -> int:
    """Make the audit table, its indexes and its monthly partitions. What is there already is left as it is."""
    from audit_async.table.columns import is_ours
    from audit_async.table.creation import create_table, inspect_table
    from audit_async.table_map.recognition import recognise

    settings = read_settings(address or url, table=table)
    found = asyncio.run(inspect_table(settings.address.url, table))
    if found.exists and not is_ours(found) and _is_known(recognise, found):
        out.print(f"[green]OK[/] {escape(table)} is the six-column table; it is written as it is. Nothing to do")
    else:
        made = asyncio.run(create_table(settings.address.url, table=table))
        out.print(f"[green]OK[/] {escape(str(made))}", soft_wrap=True)
        if made.advice:
            out.print(f"   [yellow]But[/] {escape(made.advice)}", soft_wrap=True)
    out.print(f"   [dim]in {escape(str(settings.address))}[/]", soft_wrap=True)
    if not settings.address.is_file:
        out.print(f"   [dim]Next: GRANT INSERT ON {escape(table)} TO the application's role[/]")
    return OK


def _is_known(recognise: Callable[[InspectedTable], object], found: InspectedTable) -> bool:
    try:
        recognise(found)
    except AuditError:
        return False
    return True
