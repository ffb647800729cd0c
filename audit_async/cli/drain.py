"""`audit-async drain`: what waits on this machine is delivered."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from audit_async.cli.console import FINDING, INTERRUPTED, OK, USAGE, Address, Url, app, err, escape, out
from audit_async.config import DRAIN_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.settings import read_settings
from audit_async.stats import Stats
from audit_async.table_map.mapping import TableMap


@app.command
def drain(
    address: Address = None,
    /,
    *,
    url: Url = None,
    journal_dir: Annotated[Path | None, Parameter(help="Where events wait; else as the application finds it.")] = None,
    service: Annotated[str | None, Parameter(help="For the names of this process's own files.")] = None,
    table: Annotated[
        str | None, Parameter(help="Name of the table, optionally with its schema; else audit_logs.")
    ] = None,
    map_file: Annotated[
        list[Path] | None,
        Parameter(name="--map", help="The map that the application has; several, in its order, by repetition."),
    ] = None,
    once: Annotated[
        bool, Parameter(help="Stop when nothing is left: the default.", negative="", show_default=False)
    ] = False,
    follow: Annotated[bool, Parameter(help="Go on until interrupted.", negative="")] = False,
    adopt: Annotated[
        bool,
        Parameter(help="Also take what was meant for another database, or left by another host.", negative=""),
    ] = False,
    timeout: Annotated[float, Parameter(help="Seconds to try without --follow.")] = DRAIN_SECONDS,
) -> int:
    """Upload what other processes of this machine have journalled: dead ones, and those with writer="none"."""
    from audit_async.drain import drain as upload

    if once and follow:
        raise ConfigurationError("--once and --follow exclude each other", hint="give one of them, or none for --once")
    settings = read_settings(
        address or url, journal_dir=journal_dir, service=service, table=_tables(table, map_file or [])
    )
    if not settings.journal_dir.is_dir():
        err.print(f"[red]There is no journal directory {escape(str(settings.journal_dir))}[/]", soft_wrap=True)
        err.print("  HINT: name it by --journal-dir")
        return USAGE
    out.print(
        f"From [bold]{escape(str(settings.journal_dir))}[/] to [bold]{escape(str(settings.address))}[/]", soft_wrap=True
    )
    progress = _Progress()
    drained = _wait(upload(settings, follow=follow, adopt_any=adopt, timeout_seconds=timeout, on_progress=progress))
    if drained is None:
        out.print(_drained(progress.stats))
        return OK if follow else INTERRUPTED
    stats = drained.stats
    out.print(_drained(stats))
    if not drained.is_complete:
        why = stats.last_error or f"{timeout:g} s were not enough"
        err.print(f"[yellow]Not all of it arrived:[/] {escape(why)}", soft_wrap=True)
        return FINDING
    return FINDING if stats.adopted_quarantined or stats.adopted_dropped else OK


def _tables(table: str | None, files: list[Path]) -> str | list[TableMap] | None:
    """Return the `table=` of the application whose events are delivered: they are found by the tables' names."""
    if table is not None and files:
        raise ConfigurationError("--table and --map exclude each other", hint="the map names its table")
    return [TableMap.load(file) for file in files] or table


class _Progress:
    """Prints a line whenever more was uploaded, where a person watches."""

    def __init__(self) -> None:
        self.stats = Stats()
        self._last = 0

    def __call__(self, stats: Stats) -> None:
        self.stats = stats
        if out.is_terminal and stats.adopted_stored != self._last:
            self._last = stats.adopted_stored
            out.print(f"  {stats.adopted_stored:,} uploaded", end="\r")


def _drained(stats: Stats) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("[green]uploaded[/]", f"{stats.adopted_stored:,}")
    if stats.adopted_quarantined:
        table.add_row("[yellow]in quarantine[/]", f"{stats.adopted_quarantined:,}")
    if stats.adopted_dropped:
        table.add_row("[red]lost to damage[/]", f"{stats.adopted_dropped:,}")
    return table


def _wait(work: Coroutine[Any, Any, Any]) -> Any:
    """Run *work*; None when the user, or the service manager, interrupts it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        out.print("\nInterrupted; what is left stays where it is.")
        return None
