"""The terminal tool: `audit-async init URL`, `audit-async drain`, `audit-async catalog`.

Exit codes: 0 done, 1 something remains or was found, 2 wrong use or a setting that cannot be meant, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit_async import __version__
from audit_async.config import DRAIN_SECONDS
from audit_async.errors import AuditError, ConfigurationError
from audit_async.settings import read_settings
from audit_async.stats import Stats

if TYPE_CHECKING:
    from audit_async.events.catalogue import Item
    from audit_async.inspection import InspectedTable

OK, FINDING, USAGE, INTERRUPTED = 0, 1, 2, 130

app = App(
    name="audit-async",
    help="Who did what: make the table, deliver what waits on this machine, show what can be said.",
    version=__version__,
    result_action="return_value",
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Url = Annotated[
    str | None,
    Parameter(name=["--url"], help="Database address with an async driver; else AUDIT_DATABASE_URL."),
]
TableName = Annotated[str, Parameter(help="Name of the table, optionally with its schema.")]


@app.command
def init(
    address: Annotated[str | None, Parameter(help="Database address, e.g. postgresql+asyncpg://app@db/app.")] = None,
    /,
    *,
    url: Url = None,
    table: TableName = "audit_logs",
) -> int:
    """Make the audit table, its indexes and its monthly partitions. What is there already is left as it is."""
    from audit_async.table import create_table, inspect_table, is_ours
    from audit_async.table_map import recognise

    settings = read_settings(address or url, table=table)
    found = asyncio.run(inspect_table(settings.address.url, table))
    if found.exists and not is_ours(found) and _is_known(recognise, found):
        out.print(f"[green]OK[/] {escape(table)} is the six-column table; it is written as it is. Nothing to do")
    else:
        made = asyncio.run(create_table(settings.address.url, table=table))
        out.print(f"[green]OK[/] {escape(str(made))}", soft_wrap=True)
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


@app.command
def drain(
    address: Annotated[str | None, Parameter(help="Database address, e.g. postgresql+asyncpg://app@db/app.")] = None,
    /,
    *,
    url: Url = None,
    journal_dir: Annotated[Path | None, Parameter(help="Where events wait; else as the application finds it.")] = None,
    service: Annotated[str | None, Parameter(help="For the names of this process's own files.")] = None,
    table: TableName = "audit_logs",
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
    settings = read_settings(address or url, journal_dir=journal_dir, service=service, table=table)
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


@app.command
def catalog(
    word: Annotated[
        str | None, Parameter(help="Only actions with it in their name, builder, category or an old spelling.")
    ] = None,
    /,
    *,
    json: Annotated[bool, Parameter(help="As JSON, for programs.", negative="", show_default=False)] = False,
    md: Annotated[bool, Parameter(help="As Markdown.", negative="", show_default=False)] = False,
) -> int:
    """Show every known action: category, severity, outcome, OCSF class, details, old spellings."""
    from audit_async.events.catalogue import as_json, find
    from audit_async.events.reference import as_markdown

    if json and md:
        raise ConfigurationError("--json and --md exclude each other", hint="give one of them")
    items = find(word or "")
    if json:
        print(as_json(items))
    elif not items:
        err.print(
            f"No action has {escape(repr(word))} in it.\n  HINT: any action is legal; `audit-async catalog` shows the "
            "known ones"
        )
    elif md:
        print(as_markdown(items, is_whole=not word), end="")
    else:
        for builder in dict.fromkeys(item.builder for item in items):
            _print_builder(builder, [item for item in items if item.builder == builder])
    return OK if items else FINDING


def _print_builder(builder: str, items: list[Item]) -> None:
    """Print lines that are never cut: a narrow terminal folds them, and another program finds them whole."""
    keys = dict.fromkeys(key for item in items for key in item.detail_keys)
    details = f"  [dim]details: {', '.join(keys)}[/]" if keys else ""
    out.print(f"[bold]events.{builder}[/]{details}", soft_wrap=True)
    for item in items:
        weight = f"{item.category}, {' / '.join(item.severities)}"
        ocsf = f"{item.ocsf_class_uid}/{item.ocsf_activity_id}"
        out.print(f"  {item.action:27} {weight:24} {ocsf:8} {' / '.join(item.outcomes)}", soft_wrap=True)
        if item.all_spellings:
            out.print(f"      [dim]of old: {', '.join(item.all_spellings)}[/]", soft_wrap=True)
    out.print()


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


def run(arguments: list[str] | None = None) -> int:
    """Run the tool and return its exit code; errors are told in two lines, what and what to do."""
    from loguru import logger

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character is no reason to fail.
            stream.reconfigure(errors="replace")
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="<level>{level: <8}</level> {message}")
    call: Callable[..., Any] = app
    try:
        result = call(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has seen enough. What is still in the buffer goes nowhere, and not into a traceback at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
    except ConfigurationError as error:
        return _say(error, USAGE)
    except AuditError as error:
        return _say(error, FINDING)
    return result if isinstance(result, int) else OK


def _say(error: AuditError, code: int) -> int:
    err.print(f"[red]Failed:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"  [dim]HINT:[/] {escape(error.hint)}", soft_wrap=True)
    return code
