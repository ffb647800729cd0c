"""`audit-async export`: what was found, as a file for somebody else; and the log says that it was handed over."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from audit_async.cli.console import (
    FINDING,
    OK,
    READING,
    Address,
    JournalDirectory,
    app,
    end_as_interrupted,
    err,
    escape,
    user_name,
)
from audit_async.cli.filters import EVERY_EVENT, Filters
from audit_async.cli.source import NOTHING_SAID, Source, ask, tell_nothing
from audit_async.cli.visible import counted
from audit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from audit_async.reader import AuditReader
    from audit_async.reading.export import Exported
    from audit_async.reading.query import Query
    from audit_async.settings import Settings


@app.command(group=READING)
def export(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    filters: Filters = EVERY_EVENT,
    format: Annotated[
        str | None, Parameter(help="jsonl, csv, parquet, ocsf, cef or syslog; else as the file is called, or jsonl.")
    ] = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="The file; else standard output.")] = None,
    replace: Annotated[bool, Parameter(help="Replace a file of that name.", negative="", show_default=False)] = False,
    oldest_first: Annotated[bool, Parameter(help="In the order of time.", negative="", show_default=False)] = False,
    bom: Annotated[
        bool, Parameter(help="CSV: begin with the mark by which Excel knows UTF-8.", negative="", show_default=False)
    ] = False,
    delimiter: Annotated[str | None, Parameter(help="CSV: between cells; else a comma.")] = None,
    sd_id: Annotated[
        str | None, Parameter(help="syslog: name and enterprise number of the structured data, as audit@12345.")
    ] = None,
    host: Annotated[str | None, Parameter(help="syslog: the machine that sends; else -.")] = None,
    app_name: Annotated[str | None, Parameter(help="syslog: the application that sends; else audit-async.")] = None,
    max_bytes: Annotated[int | None, Parameter(help="syslog: of a line; else 8192.")] = None,
    journal_dir: JournalDirectory = None,
    quiet_log: Annotated[
        bool, Parameter(help="Log no event about the export itself.", negative="", show_default=False)
    ] = False,
) -> int:
    """Hand events over as a file, whole or not at all.

    Interrupted, it leaves FILE.part; the same command goes on from there. The log itself gets an `audit.export`
    event: who, what was asked for, how many. For example:

        audit-async export URL --tenant t-1 --since 2026-03-01 --until 2026-03-31 -o march.jsonl
        audit-async export URL --all-tenants --action 'role.*' --format csv --bom -o roles.csv
        audit-async export URL --tenant t-1 --since 24h --format ocsf | gzip > day.ocsf.jsonl.gz

    Exit codes: 0 a file was written, 1 there are no such events, 2 wrong use.
    """
    from audit_async.exports import format_of

    if output is None and replace:
        raise ConfigurationError("--replace is about a file", hint="name it: --output FILE")
    options: dict[str, Any] = {"bom": bom or None, "delimiter": delimiter}
    options |= {"sd_id": sd_id, "host": host, "app_name": app_name, "max_bytes": max_bytes}
    given = {name: value for name, value in options.items() if value is not None}
    query = filters.query(oldest_first=oldest_first)
    reader = source.reader(address)
    # What had left by then is in the log as well.
    end_as_interrupted()
    settings = None if quiet_log else source.settings(address, journal_dir)
    kind = format or format_of(output.name if output is not None else "")
    exported = ask(reader, lambda: _export(reader, query, settings, kind, output, replace, given))
    if not exported.events:
        tell_nothing(reader, query)
    where = f" in {escape(str(output))}" if output is not None else ""
    err.print(f"[green]{counted(exported.events, 'event')}[/]{where}", soft_wrap=True)
    return OK if exported.events else FINDING


async def _export(
    reader: AuditReader,
    query: Query,
    settings: Settings | None,
    format: str,
    output: Path | None,
    may_replace: bool,
    options: dict[str, Any],
) -> Exported:
    where: dict[str, Any] = {"path": output, "may_replace": may_replace}
    if output is None:
        where = {"file": sys.stdout.buffer}
    with _counter(format) as on_progress:
        told: list[Exported] = []
        reader.on_export = told.append
        try:
            return await reader.export(query, format=format, on_progress=on_progress, **where, **options)
        finally:
            if settings is not None and told:
                await _log(settings, told[0])


async def _log(settings: Settings, exported: Exported) -> None:
    """Log the export; where the table cannot be written from here, the event waits on this machine for who can."""
    from audit_async.context import audit_context, system_actor
    from audit_async.logger import AuditLogger

    async with AuditLogger.of(dataclasses.replace(settings, service=f"{settings.service}_export")) as logger:
        with system_actor("audit-async.export"), audit_context(on_behalf_of=user_name()):
            receipt = await logger.write(exported.event())
    if not receipt.is_stored:
        err.print(
            "[yellow]The event that tells of this export waits on this machine.[/]\n"
            "  [dim]HINT:[/] `audit-async drain`, as a role that may insert, brings it in",
            soft_wrap=True,
        )


@contextmanager
def _counter(format: str) -> Iterator[Callable[[int], None] | None]:
    """Show how many there are so far, where a person watches."""
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,} events"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(f"Exporting as {escape(format)}", total=None)
        yield lambda events: progress.update(task, completed=events)
