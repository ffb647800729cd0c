"""`audit-async doctor`: what keeps events from the table, and what to do."""

from __future__ import annotations

import asyncio
import json as json_module
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from audit_async.cli.console import (
    FINDING,
    OK,
    Address,
    JournalDirectory,
    MapFiles,
    OtherTable,
    Url,
    app,
    escape,
    named_tables,
    out,
)
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.checkup.finding import Finding

_COLOURS = {"ok": "green", "note": "blue", "warning": "yellow", "error": "red"}


@app.command
def doctor(
    address: Address = None,
    /,
    *,
    url: Url = None,
    journal_dir: JournalDirectory = None,
    service: Annotated[str | None, Parameter(help="As the application has it.")] = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
    json: Annotated[bool, Parameter(help="As JSON, for programs.", negative="", show_default=False)] = False,
) -> int:
    """Look at settings, database, table, rights and journal, and say what to do. Changes nothing.

    Exit codes: 0 all is well, 1 there is a warning or an error, 2 wrong use.
    """
    from audit_async.checkup.examine import examine
    from audit_async.checkup.settings import find_origins

    tables = named_tables(table, map_file)
    settings = read_settings(address or url, journal_dir=journal_dir, service=service, table=tables)
    origins = find_origins(url=address or url, journal_dir=journal_dir, service=service, table=tables)
    found = asyncio.run(examine(settings, origins))
    if json:
        print(json_module.dumps(found.to_dict()))
        return OK if found.is_well else FINDING
    for finding in found.findings:
        out.print(_line(finding), soft_wrap=True)
    count = sum(finding.level in ("warning", "error") for finding in found.findings)
    out.print()
    if found.is_well:
        out.print("[green bold]OK[/] all is well")
        return OK
    out.print(f"[red bold]{count} thing{'' if count == 1 else 's'} to see to[/]")
    return FINDING


def _line(finding: Finding) -> str:
    hint = f" [dim]-> {escape(finding.hint)}[/]" if finding.hint else ""
    return (
        f"[{_COLOURS[finding.level]}]{finding.level:8}[/] [bold]{finding.about:10}[/] {escape(finding.message)}{hint}"
    )
