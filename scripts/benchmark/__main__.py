"""Measure this library beside the ways it replaces, both in one run. Called by `scripts/bench`.

Without a row: P1 to P16, the list of targets. `all`: everything there is. The end is 1 where a row ended with an
error, and 0 else, whatever was missed: this is no test.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import loguru

from scripts.benchmark import changes, page, saved
from scripts.benchmark.against_peers import peers
from scripts.benchmark.backlog import by_pending
from scripts.benchmark.calls import against_logging, against_loguru, beside_cpu_bound, redaction
from scripts.benchmark.comparison import Comparison, table
from scripts.benchmark.disks import group_commit
from scripts.benchmark.exporting import export
from scripts.benchmark.filled import by_rows
from scripts.benchmark.following import follow
from scripts.benchmark.footprint import footprint
from scripts.benchmark.growth import by_size, by_tasks, by_tenants, by_threads
from scripts.benchmark.indexes import our_indexes
from scripts.benchmark.jobs import job_scope
from scripts.benchmark.latency import under_load
from scripts.benchmark.machine import commit, load, machine
from scripts.benchmark.outages import outage, under_faults
from scripts.benchmark.pipelines import busy_application, waiting_tasks
from scripts.benchmark.pythons import side_by_side
from scripts.benchmark.reading import behavior, pages
from scripts.benchmark.running import LIMIT_SECONDS, Ended, Measurement, run, stay_deaf
from scripts.benchmark.saved import Run
from scripts.benchmark.series import series_table
from scripts.benchmark.stalls import heartbeat
from scripts.benchmark.stores import batches, embedded, mapped, one_row
from scripts.benchmark.transactions import added
from scripts.benchmark.upkeep import upkeep
from scripts.benchmark.web import requests

ROWS: dict[str, Measurement] = {
    "P1": against_logging,
    "P1b": beside_cpu_bound,
    "P2": against_loguru,
    "P3": batches,
    "P4": batches,
    "P5": busy_application,
    "P6": busy_application,
    "P7": waiting_tasks,
    "P8": waiting_tasks,
    "P9": one_row,
    "P10": heartbeat,
    "P11": group_commit,
    "P12": our_indexes,
    "P13": behavior,
    "P14": pages,
    "P15": embedded,
    "P16": outage,
    "R": redaction,
    "faults": under_faults,
    "add": added,
    "job": job_scope,
    "maintain": upkeep,
    "follow": follow,
    "export": export,
    "mapped": mapped,
    "web": requests,
    "growth-size": by_size,
    "growth-threads": by_threads,
    "growth-tasks": by_tasks,
    "growth-rows": by_rows,
    "growth-tenants": by_tenants,
    "growth-backlog": by_pending,
    "latency": under_load,
    "footprint": footprint,
    "pythons": side_by_side,
    "peers": peers,
}
_ALL = "all"
_QUICK, _FULL = (3, 0.1), (5, 1.0)
"""Rounds, and the share of a full run's events in each."""


def main() -> None:
    """Read the command line and do what it says."""
    given = _arguments(sys.argv[1:])
    try:
        code = _done(given)
    except (saved.SavedRunError, page.PageError, OSError) as error:
        raise SystemExit(f"scripts/bench: {error}") from error
    except Ended as end:
        stay_deaf()
        _say("ended by a signal; everything is removed, nothing is saved")
        code = int(end.code or 1)
    sys.stdout.flush()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(code)  # a measurement that was interrupted may have left one that never ends
    sys.exit(code)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"of {', '.join(ROWS)}; {_ALL}; P1 to P16 where none is named; of rows a-b and a-c a is both",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where the run is saved; else in .bench/ of this checkout"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OLD.json",
        help="run the rows of that run again, and print what changed; with a second file: do not run, compare the two",
    )
    parser.add_argument(
        "--page", type=Path, metavar="PAGE", help="do not run: write what the file named next says into that page"
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT_SECONDS, metavar="SECONDS", help="for each row (%(default)g)"
    )
    parser.add_argument("--list", action="store_true", help="say what there is")
    given = parser.parse_args(words)
    given.file = None
    if given.page or (given.compare and len(given.rows) == 1 and given.rows[0].endswith(".json")):
        if len(given.rows) != 1 or (given.page and given.compare):
            parser.error("--page takes a page and one file: --page docs/performance.md FROM.json")
        given.file = Path(given.rows.pop())
    if unknown := set(given.rows).difference(*map(_called, ROWS)):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}, and {_ALL}")
    if given.limit <= 0:
        parser.error("--limit has to be more than 0")
    return given


def _done(given: argparse.Namespace) -> int:
    """Do what is asked for and return the exit code."""
    if given.list:
        print("\n".join((row.__doc__ or "").splitlines()[0] for row in dict.fromkeys(ROWS.values())))
        return 0
    if given.page:
        page.write(given.page, saved.load_run(given.file))
        return 0
    old = saved.load_run(given.compare) if given.compare else None
    if old is not None and given.file:
        print(changes.report(old, saved.load_run(given.file)))
        return 0
    names = _names(given.rows, old)
    path = _place(given.json)
    new = _measured(names, is_quick=given.quick, limit_seconds=given.limit)
    path = path or saved.FOLDER / new.name
    saved.save(new, path)
    print(_shown(new))
    if old is not None:
        print(f"\n{changes.report(old, new)}")
    print(f"\nSaved as {path}")
    return 1 if new.failed else 0


def _names(asked: Sequence[str], old: Run | None) -> list[str]:
    """Return the rows to measure, in the order in which they stand above."""
    wanted = set(asked) or set(old.asked if old else ()) or {name for name in ROWS if re.fullmatch(r"P\d+b?", name)}
    return [name for name in ROWS if wanted & _called(name)]


def _called(row: str) -> set[str]:
    """Return the words that ask for *row*: its name, what stands before a dash in it, as for its sisters, and `all`."""
    return {row, row.partition("-")[0], _ALL}


def _place(path: Path | None) -> Path | None:
    """Return *path*, sure that a run can be saved there: after a quarter of an hour is late to learn that it cannot."""
    folder = path.parent if path else saved.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    if path and path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. HINT: --json FILE names a file")
    return path


def _measured(names: Sequence[str], *, is_quick: bool, limit_seconds: float) -> Run:
    loguru.logger.remove()
    loguru.logger.add(sys.stderr, level="ERROR")
    rounds, share = _QUICK if is_quick else _FULL
    began, about, before = datetime.now(UTC), machine(), load()
    _say(f"{about.python}, {about.processors} processors, {before}")
    outcome = run({name: ROWS[name] for name in names}, rounds=rounds, share=share, limit_seconds=limit_seconds)
    after = load()
    _say(str(after))
    return Run(
        began=began.isoformat(),
        commit=commit(),
        is_quick=is_quick,
        asked=names,
        machine=about,
        before=before,
        after=after,
        comparisons=outcome.comparisons,
        series=outcome.series,
        seconds=outcome.seconds,
        left_out=outcome.left_out,
        failed=outcome.failed,
    )


def _shown(run: Run) -> str:
    parts = [table(run.comparisons)] if run.comparisons else []
    parts += map(series_table, run.series)
    parts.append(_note(run.comparisons))
    parts.append(f"Seconds: {', '.join(f'{name} {seconds:.0f}' for name, seconds in run.seconds.items())}")
    for title, lines in (("Left out:", run.left_out), ("Ended with an error:", run.failed)):
        if lines:
            parts.append("\n  ".join([title, *lines]))
    return "\n\n".join(parts)


def _note(rows: Sequence[Comparison]) -> str:
    inverted = ", ".join(dict.fromkeys(row.number for row in rows if row.is_inverted))
    return (
        "Medians of the rounds (least..greatest); a ratio is taken within each round and says how many times\n"
        f"better ours is{f'; in {inverted} it is ours to the other side' if inverted else ''}.\n"
        "The mark is aim, met or MISSED; with a question mark the rounds disagree, and noise decides."
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
