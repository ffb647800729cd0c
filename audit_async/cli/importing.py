"""`audit-async import`: what other logs have recorded comes into this one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from audit_async.cli.console import (
    FINDING,
    INTERRUPTED,
    OK,
    JournalDirectory,
    MapFiles,
    OtherTable,
    Several,
    Url,
    app,
    end_as_interrupted,
    err,
    escape,
    named_tables,
    out,
    user_name,
)
from audit_async.cli.counted import print_counted
from audit_async.cli.visible import counted, visible, visible_json
from audit_async.config import CLOSE_SECONDS, EXIT_SECONDS, IMPORT_WAIT_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.importing import Report, Seen
    from audit_async.settings import Settings


@app.command(name="import")
def import_(
    file: Annotated[Path, Parameter(help="What to import; what gzip has packed is unpacked.")],
    /,
    *,
    format: Annotated[str, Parameter(help="m365, jsonl, csv, ocsf or seed003-ndjson.")],
    url: Url = None,
    journal_dir: JournalDirectory = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
    tenant: Annotated[str | None, Parameter(help="Tenant of records that name none.")] = None,
    zone: Annotated[
        str | None, Parameter(help="Zone of times that name none, e.g. Europe/Berlin; else UTC, or this machine's.")
    ] = None,
    field: Annotated[
        Several,
        Parameter(help='A column, or key, for a field: "when=created_at"; several by repetition.', negative=""),
    ] = None,
    rejects: Annotated[Path | None, Parameter(help="Write refused records there as they are, for mending.")] = None,
    replace: Annotated[
        bool, Parameter(help="Replace a file that --rejects names.", negative="", show_default=False)
    ] = False,
    timeout: Annotated[float, Parameter(help="Seconds to wait while no event arrives.")] = IMPORT_WAIT_SECONDS,
    dry_run: Annotated[
        bool, Parameter(help="Log nothing; say what would become of the file.", negative="", show_default=False)
    ] = False,
    quiet_log: Annotated[
        bool, Parameter(help="Log no event about the import itself.", negative="", show_default=False)
    ] = False,
    json: Annotated[bool, Parameter(help="As JSON, for programs.", negative="", show_default=False)] = False,
) -> int:
    """Bring the records of a file into the log, each once: interrupted and started again, it goes on where it was.

    Exit code 0: all of it is in the table. 1: some records were refused, or not all arrived. 2: wrong use.
    """
    if not timeout >= 0:
        raise ConfigurationError(f"--timeout {timeout:g} is no time to wait", hint="give seconds, 0 or more")
    if replace and rejects is None:
        raise ConfigurationError("--replace is about a file of refused records", hint="name it: --rejects FILE")
    settings = read_settings(url, journal_dir=journal_dir, table=named_tables(table, map_file), when_full="block")
    options: dict[str, Any] = {
        "tenant_id": tenant,
        "zone": None if zone is None else _zone(zone),
        "columns": _columns(field or []),
        "rejects": rejects,
        "may_replace": replace,
        "dry_run": dry_run,
        "logs_itself": not quiet_log,
        "wait_seconds": timeout,
    }
    end_as_interrupted()
    try:
        with _bar(file) as on_progress:
            report = asyncio.run(_import(settings, file, format, {**options, "on_progress": on_progress}))
    except KeyboardInterrupt:
        err.print("Interrupted. Start it again, and it goes on where it was.")
        return INTERRUPTED
    if json:
        print(visible_json(report.to_dict(), is_ascii=True))
    else:
        _show(report, settings)
    return OK if report.is_complete else FINDING


async def _import(settings: Settings, file: Path, format: str, options: dict[str, Any]) -> Report:
    from audit_async.context import audit_context, system_actor
    from audit_async.importing import import_file
    from audit_async.logger import AuditLogger

    if options["dry_run"]:
        return await import_file(file, format, **options)
    logger = AuditLogger.of(dataclasses.replace(settings, service=f"{settings.service}_import"))
    async with logger:
        try:
            with system_actor("audit-async.import"), audit_context(on_behalf_of=user_name()):
                report = await import_file(file, format, audit=logger, **options)
        except BaseException:
            # Who interrupts it waits no longer than at the end of a program; what is pending is on disk.
            await logger.close(EXIT_SECONDS)
            raise
        await logger.close(CLOSE_SECONDS if report.stopped is None else 0.0)
    return report


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ConfigurationError(
            f"--zone {name[:100]!r} is no time zone", hint="write one such as Europe/Berlin, or UTC"
        ) from None


def _columns(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        column, equals, name = each.rpartition("=")
        if not equals or not column or not name:
            raise ConfigurationError(f"--field {each[:100]!r} names no field", hint='write "when=created_at"')
        if column in found:
            raise ConfigurationError(
                f"--field {column[:100]!r} is said to be {found[column][:100]!r} and {name[:100]!r}",
                hint="say one of them",
            )
        found[column] = name
    return found


@contextmanager
def _bar(file: Path) -> Iterator[Callable[[Seen], None] | None]:
    """Show how far it is, where a person watches."""
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(escape(file.name), total=file.stat().st_size if file.is_file() else 0)

        def show(seen: Seen) -> None:
            progress.update(task, total=seen.bytes_total, completed=seen.bytes_read)

        yield show


# --- what is shown ---------------------------------------------------------------------------------------


def _show(report: Report, settings: Settings) -> None:
    mapped = [(each.count, [visible(each.operation.strip()), visible(each.action)]) for each in report.mappings]
    if mapped:
        print_counted(("records", "operation", "action"), mapped)
        out.print()
    if report.folded:
        names = ", ".join(f"{escape(name)} {count:,}" for name, count in report.folded)
        out.print(f"Folded into details: {names}", soft_wrap=True)
    out.print(_summed(report), soft_wrap=True)
    if report.mapped and not report.is_dry_run:
        out.print(f"   [dim]in {escape(str(settings.address))}[/]", soft_wrap=True)
    for refused in report.rejected:
        err.print(f"[yellow]Refused[/] line {refused.line:,}: {escape(refused.reason)}", soft_wrap=True)
    if report.refused > len(report.rejected):
        err.print(f"[yellow]Refused[/] {report.refused - len(report.rejected):,} more", soft_wrap=True)
    if report.quarantined:
        err.print(f"[yellow]In quarantine[/] {report.quarantined:,}: see `audit-async quarantine ls`", soft_wrap=True)
    if report.stopped is not None:
        err.print(f"[red]Stopped:[/] {escape(report.stopped)}", soft_wrap=True)
        hint = "what was logged waits on this machine; `audit-async doctor` says more. Started again, "
        hint += "it goes on where it was"
        err.print(f"  [dim]HINT:[/] {hint}", soft_wrap=True)


def _summed(report: Report) -> str:
    count = f"{counted(report.records, 'record')}: [green]{report.mapped:,} mapped[/]"
    repeated = f" ({report.repeated:,} of them the same as one before)" if report.repeated else ""
    refused = f", [red]{report.refused:,} refused[/]" if report.refused else ""
    if report.is_dry_run:
        return f"{count}{repeated}{refused}. Nothing was logged"
    earlier = f", {report.earlier:,} of them by an earlier run" if report.earlier else ""
    have = "has" if report.confirmed == 1 else "have"
    return f"{count}{repeated}{refused}; {report.confirmed:,} {have} arrived{earlier}"
