"""`audit-async map`: a map for a table that is there already, proposed and checked. The table is never changed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from audit_async.cli.console import FINDING, OK, USAGE, Address, Url, app, err, escape, out
from audit_async.errors import ConfigurationError, StoreError
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.table_map.mapping import TableMap
    from audit_async.table_map.probe import Probe
    from audit_async.table_map.review import Finding

maps = App(name="map", help="Write to a table that is there already: propose a map for it, and check it.")
app.command(maps)

_COLOURS = {"error": "red", "warning": "yellow", "unknown": "magenta", "info": "blue"}
_HEADINGS = {
    "error": "Errors: no event gets into the table until they are mended",
    "warning": "Warnings: some events are refused, or lose something",
    "unknown": "Unknown: it could not be looked at",
    "info": "Good to know: nothing is lost",
}


@maps.command
def propose(
    address: Address = None,
    table: Annotated[str | None, Parameter(help="Name of the table, optionally with its schema.")] = None,
    /,
    *,
    url: Url = None,
) -> int:
    """Print a map for a table as TOML: `audit-async map propose URL TABLE > map.toml`."""
    from audit_async.table_map.survey import propose as propose_map

    if table is None:
        # With the database from elsewhere, the only word is the table.
        address, table = (None, address) if address is None or "://" not in address else (address, None)
    if table is None:
        raise ConfigurationError("the table is missing", hint="audit-async map propose URL TABLE > map.toml")
    settings = read_settings(address or url)
    proposed = asyncio.run(propose_map(settings.address.url, table))
    sys.stdout.write(proposed.toml)
    problems = len(proposed.probe.problems)
    err.print(
        f"A map for [bold]{escape(table)}[/] with {problems} thing{'' if problems == 1 else 's'} to look at: read the "
        "comments in it, then `audit-async map check URL --map FILE`",
        soft_wrap=True,
    )
    return OK


@maps.command
def check(
    address: Address = None,
    /,
    *,
    url: Url = None,
    map_file: Annotated[Path | None, Parameter(name="--map", help="A map, as `map propose` prints it.")] = None,
    ready: Annotated[str | None, Parameter(help="Name of a ready map; see `map ready`.")] = None,
    table: Annotated[str | None, Parameter(help="Another name of the table than the map has.")] = None,
) -> int:
    """Say what becomes of events in a table: what is refused, cut or lost, what the role lacks. Changes nothing.

    Exit codes: 0 events can be written and lose nothing, 1 there is something to look at, 2 it could not be told.
    """
    from audit_async.table_map.survey import check as look

    if map_file is not None and ready is not None:
        raise ConfigurationError("--map and --ready exclude each other", hint="give one of them")
    table_map = _given(map_file, ready, table)
    settings = read_settings(address or url)
    try:
        probe = asyncio.run(look(settings.address.url, table_map or table or "audit_logs"))
    except StoreError as error:
        err.print(f"[red]Cannot tell:[/] {escape(error.message)}", soft_wrap=True)
        if error.hint:
            err.print(f"  [dim]HINT:[/] {escape(error.hint)}", soft_wrap=True)
        return USAGE
    out.print(f"Table [bold]{escape(probe.table)}[/] in {escape(str(settings.address))}", soft_wrap=True)
    _show(probe)
    if probe.problems:
        return FINDING
    return OK if probe.is_certain else USAGE


@maps.command
def ready(name: Annotated[str | None, Parameter(help="Print this one as TOML.")] = None, /) -> int:
    """List the ready maps, or print one."""
    from audit_async.table_map.mapping import TableMap
    from audit_async.table_map.ready import READY

    if name is not None:
        sys.stdout.write(TableMap.ready(name).to_toml())
        return OK
    for each in sorted(READY):
        columns = ", ".join(READY[each]["columns"])
        out.print(f"[bold]{each}[/]  table {READY[each]['table']}\n    [dim]{columns}[/]", soft_wrap=True)
    return OK


def _given(map_file: Path | None, ready: str | None, table: str | None) -> TableMap | None:
    from audit_async.table_map.mapping import TableMap

    if ready is not None:
        return TableMap.ready(ready, table=table)
    if map_file is None:
        return None
    table_map = TableMap.load(map_file)
    return table_map if table is None else table_map.on_table(table)


def _show(probe: Probe) -> None:
    for level, heading in _HEADINGS.items():
        findings = [finding for finding in probe.findings if finding.level == level]
        if not findings:
            continue
        out.print(f"\n[{_COLOURS[level]} bold]{heading}[/]")
        for finding in findings:
            _show_one(finding)
    out.print()
    errors = [finding for finding in probe.findings if finding.level == "error"]
    if errors:
        columns = ", ".join(dict.fromkeys(finding.column for finding in errors if finding.column))
        what = f"column {columns}" if columns else errors[0].message
        out.print(f"[red bold]STOP[/] events cannot be written: {escape(what)}", soft_wrap=True)
    elif probe.problems:
        out.print("[yellow bold]OK[/] events can be written; the warnings say what happens to some of them")
    else:
        out.print("[green bold]OK[/] events can be written")


def _show_one(finding: Finding) -> None:
    column = f"[bold]{escape(finding.column)}[/] " if finding.column else ""
    out.print(f"  {column}{escape(finding.message)}", soft_wrap=True)
    if finding.hint:
        out.print(f"      [dim]{escape(finding.hint)}[/]", soft_wrap=True)
