"""`audit-async drain`: what waits on this machine is delivered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from audit_async.cli.console import (
    FINDING,
    INTERRUPTED,
    OK,
    Address,
    JournalDirectory,
    MapFiles,
    OtherTable,
    Url,
    app,
    check_rights,
    end_as_interrupted,
    err,
    escape,
    journal_directory,
    named_tables,
    out,
)
from audit_async.cli.visible import visible
from audit_async.config import DRAIN_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.settings import read_settings
from audit_async.stats import Stats

if TYPE_CHECKING:
    from audit_async.drain import Drained
    from audit_async.journal.survey import Surveyed


@app.command
def drain(
    address: Address = None,
    /,
    *,
    url: Url = None,
    journal_dir: JournalDirectory = None,
    service: Annotated[str | None, Parameter(help="For the names of this process's own files.")] = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
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
        address or url, journal_dir=journal_dir, service=service, table=named_tables(table, map_file)
    )
    if timeout < 0:
        raise ConfigurationError(f"--timeout {timeout:g} is less than nothing", hint="give seconds, or --follow")
    with journal_directory(settings.journal_dir):
        # Without these rights nothing would be found, which is not the same as that nothing waits.
        check_rights(settings.journal_dir, os.R_OK | os.W_OK | os.X_OK)
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
    _tell_others(drained.others)
    if drained.is_complete:
        return FINDING if stats.adopted_quarantined or stats.adopted_dropped else OK
    err.print(f"[yellow]Not all of it arrived:[/] {escape(_why(drained, timeout))}", soft_wrap=True)
    return FINDING


def _why(drained: Drained, timeout_seconds: float) -> str:
    if drained.stats.last_error is not None:
        return drained.stats.last_error
    if drained.waits_for_rows:
        return f"{_events(drained.waits_for_rows)} for a foreign key: the row that it points to is not there yet"
    return f"{timeout_seconds:g} s were not enough"


def _events(count: int) -> str:
    return "1 event waits" if count == 1 else f"{count:,} events wait"


def _tell_others(others: Sequence[Surveyed]) -> None:
    """Say what lies beside, in one line for each way to deliver it."""
    versions = [each for each in others if each.is_of_other_format]
    foreign = [each for each in others if not each.is_of_other_format]
    for group, what, way in (
        (
            foreign,
            "journals that hold events for another database, or of another host",
            "Drain with that database's address, or bring them into this one with --adopt",
        ),
        (versions, "journals of another version of audit_async", "Drain with that version"),
    ):
        if group:
            err.print(f"[yellow]Left where they are:[/] {what}: {escape(_names(group))}. {way}", soft_wrap=True)


def _names(others: Iterable[Surveyed]) -> str:
    """Return service, writer and host of each."""
    return ", ".join(
        f"{each.file_set.service} {each.writer_id[:8]}" + (f" on {visible(each.header.host)}" if each.header else "")
        for each in others
    )


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
    end_as_interrupted()
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        out.print("\nInterrupted; what is left stays where it is.")
        return None
