"""`audit-async stats`: how every process of this machine stands, by what each says beside its journal files."""

from __future__ import annotations

import json as json_module
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from audit_async.cli.console import (
    INTERRUPTED,
    OK,
    JournalDirectory,
    app,
    check_rights,
    escape,
    journal_directory,
    out,
)
from audit_async.config import MIB, MOST_BYTES, WATCH_SECONDS
from audit_async.diagnostics import one_line
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from audit_async.status import Seen

_COUNTS = ("accepted", "stored", "pending", "quarantined", "dropped", "refused", "journal_bytes")
_HEADINGS = ("service", "pid", "state", "health", *_COUNTS[:-1], "journal", "oldest", "as of")
_FIRST_NUMBER = 4
_COLOURS = {
    "living": "green",
    "stale": "red",
    "unknown": "magenta",
    "closed": "yellow",
    "dead": "yellow",
    "ok": "green",
    "degraded": "yellow",
    "failing": "red",
    "unreadable": "magenta",
    "no status yet": "magenta",
}


@app.command
def stats(
    *,
    journal_dir: JournalDirectory = None,
    service: Annotated[str | None, Parameter(help="Only processes of it; else all.")] = None,
    json: Annotated[bool, Parameter(help="As JSON, for programs.", negative="", show_default=False)] = False,
    watch: Annotated[bool, Parameter(help="Again and again, until interrupted.", negative="")] = False,
) -> int:
    """Show how each process of this machine stands: a line for each, and the sum. Asks no database and no process."""
    directory = _directory(journal_dir)
    with journal_directory(directory):
        check_rights(directory, os.R_OK | os.X_OK)
    try:
        while True:
            _look(directory, service, as_json=json, clears=watch and out.is_terminal)
            if not watch:
                return OK
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return INTERRUPTED


def _directory(journal_dir: Path | None) -> Path:
    # Where the directory is named no database has to be, not even by a right address.
    given = journal_dir or os.environ.get("AUDIT_JOURNAL_DIR")
    return Path(given).absolute() if given else read_settings().journal_dir


def _look(directory: Path, service: str | None, *, as_json: bool, clears: bool) -> None:
    from audit_async.journal.file_set import service_slug
    from audit_async.status import look_around

    seen = look_around(directory, None if service is None else service_slug(service))
    if as_json:
        print(json_module.dumps(_as_data(directory, seen)), flush=True)
        return
    if clears:
        out.clear()
    if not seen:
        out.print(f"No process has journal files in {escape(str(directory))}", soft_wrap=True)
        return
    out.print(f"[dim]{escape(str(directory))}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC[/]", soft_wrap=True)
    for line in _lines(seen):
        out.print(line, soft_wrap=True)
    for one in seen:
        _print_reasons(one)


def _as_data(directory: Path, seen: list[Seen]) -> dict[str, Any]:
    import msgspec

    return {
        "journal_dir": str(directory),
        "totals": _totals(seen),
        "processes": [
            {
                "service": one.service,
                "writer_id": one.writer_id,
                "state": one.state,
                "fault": one.fault,
                "status": msgspec.to_builtins(one.status),
            }
            for one in seen
        ],
    }


def _totals(seen: list[Seen]) -> dict[str, int]:
    return {name: sum(getattr(one.status.stats, name) for one in seen if one.status) for name in _COUNTS}


def _lines(seen: list[Seen]) -> Iterator[Text]:
    """Yield lines that are never cut: another program finds every number whole, however narrow the terminal."""
    rows = [list(_HEADINGS), *(_row(one) for one in seen)]
    if len(seen) > 1:
        rows.append(["all", "", "", "", *_counts(_totals(seen)), "", ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        line = Text(style="bold" if row[0] in ("service", "all") and row[2] in ("state", "") else "")
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padded = cell.rjust(width) if column >= _FIRST_NUMBER else cell.ljust(width)
            line.append(f"{padded}  ", style=_COLOURS.get(cell, "") if column in (2, 3) else "")
        line.rstrip()
        yield line


def _row(one: Seen) -> list[str]:
    from audit_async.status import age_seconds

    if one.status is None:
        return [one.service, "", one.state, (one.fault or "").partition(" (")[0], *("" for _ in _HEADINGS[4:])]
    stats = one.status.stats
    return [
        one.service,
        str(one.status.pid),
        one.state,
        one_line(one.status.health.status)[:20],
        *_counts({name: getattr(stats, name) for name in _COUNTS}),
        _duration(stats.oldest_pending_seconds) if stats.pending else "",
        f"{_duration(age_seconds(one.status))} ago",
    ]


def _counts(counts: dict[str, int]) -> list[str]:
    # A file may say any number, and one that no disk has is none to stumble over.
    kept = min(counts["journal_bytes"], MOST_BYTES)
    return [f"{counts[name]:,}" for name in _COUNTS[:-1]] + [f"{kept / MIB:.1f} MiB"]


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _print_reasons(one: Seen) -> None:
    """Say what is wrong with a process, and what its state means where that is not plain."""
    where = f"[bold]{one.service}[/] {one.status.pid if one.status else one.writer_id[:8]}"
    if one.fault:
        out.print(f"{where}: {escape(one.fault)}", soft_wrap=True)
    for reason in one.status.health.reasons if one.status else ():
        out.print(f"{where}: {escape(reason)}", soft_wrap=True)
    if one.state in _MEANINGS:
        out.print(f"{where}: [dim]{_MEANINGS[one.state]}[/]", soft_wrap=True)


_MEANINGS = {
    "stale": "it lives and has events pending, but has written nothing for a while: its disk, or it, hangs",
    "closed": "it ended in order; its events wait for the next process, or for `audit-async drain`",
    "dead": "it ended without closing; what waits is delivered by the next process, or by `audit-async drain`",
    "unknown": "its lock may not be looked at: run this as the user of the service",
}
