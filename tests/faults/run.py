"""Try faults many times and print the matrix. Called by `scripts/faults`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.accountant import Account
from tests.faults.catalog import FAULTS
from tests.faults.fault import Fault, Kind
from tests.faults.lab import Servers
from tests.faults.trial import try_fault

SIDE_BY_SIDE = 2
"""Processes that try faults at once, each with servers of its own: most trials wait for something."""


@dataclass
class Line:
    """What the trials of one fault on one database came to."""

    fault: Fault
    kind: Kind
    trials: int = 0
    seconds: float = 0.0
    account: Account = field(default_factory=Account)
    longest: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    skipped: str | None = None

    @property
    def holds(self) -> bool:
        """Whether everything added up."""
        return not self.failures and self.account.balances


_servers: Servers | None = None


def _begin() -> None:
    """Make the servers of a process of the pool; they end with it, however that ends."""
    global _servers
    _servers = Servers()


def _try(place: int, kind: Kind, seeds: range) -> Line:
    """Try fault number *place* of the bank once for each seed."""
    assert _servers is not None
    fault = FAULTS[place]
    line = Line(fault, kind)
    started = time.monotonic()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="audit-fault-") as folder:
            line.trials += 1
            try:
                trial = try_fault(fault, kind, _servers, Path(folder) / "trial", seed)
            except Exception:
                line.failures.append(f"seed {seed}: {traceback.format_exc()}")
                continue
        line.account += trial.account
        for name, seconds in trial.longest.items():
            line.longest[name] = max(seconds, line.longest.get(name, 0.0))
        if not (trial.account.balances and trial.account.called):
            line.failures.append(f"seed {seed}: {trial.account}")
    line.seconds = time.monotonic() - started
    return line


def main() -> int:
    """Read the command line, run, print; 1 where anything was lost, doubled, altered or made up."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description="Break things, and count what arrived.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="numbers, such as F01 F46; all without")
    parser.add_argument("--quick", action="store_true", help="fewer trials of each")
    parser.add_argument("--on", choices=["sqlite", "postgres", "mariadb"], help="only with this database")
    parser.add_argument("--trials", type=int, metavar="N", help="of each, instead of what the bank says")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first trial; the next ones count on")
    parser.add_argument("--list", action="store_true", help="say what there is")
    given = parser.parse_args()
    out = Console(width=None if sys.stdout.isatty() else 160)
    wanted = {name.upper() for name in given.faults}
    if unknown := wanted - {fault.number for fault in FAULTS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; --list says what there is")
    chosen = [
        (place, fault, kind)
        for place, fault in enumerate(FAULTS)
        if not wanted or fault.number in wanted
        for kind in fault.on
        if given.on in (None, kind)
    ]
    if given.list:
        for _, fault, kind in chosen:
            print(f"{fault.number:5} {kind:9} {fault.name}")
        return 0
    lines = []
    for line in _lines(chosen, given):
        out.print(_told(line), highlight=False, markup=False, soft_wrap=True)
        lines.append(line)
    lines.sort(key=lambda line: (line.fault.number, line.fault.name, line.kind))
    out.print(matrix(lines))
    for line in lines:
        for failure in line.failures:
            out.print(f"{line.fault.number} {line.kind} {failure}", markup=False, highlight=False, soft_wrap=True)
    return 0 if all(line.holds for line in lines) else 1


def _lines(chosen: list[tuple[int, Fault, Kind]], given: argparse.Namespace) -> Iterator[Line]:
    """Run the trials and return the lines, in the order in which they are done."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(SIDE_BY_SIDE, mp_context=spawning, initializer=_begin) as pool:
        running: list[Future[Line]] = []
        for place, fault, kind in chosen:
            if missing := fault.missing(kind):
                yield Line(fault, kind, skipped=missing)
                continue
            trials = given.trials or (fault.trials.quick if given.quick else fault.trials.full)
            running.append(pool.submit(_try, place, kind, range(given.seed, given.seed + trials)))
        for done in as_completed(running):
            yield done.result()


def _told(line: Line) -> str:
    state = f"skipped: {line.skipped}" if line.skipped else "ok" if line.holds else "FAILED"
    return f"{line.fault.number:5} {line.kind:9} {line.fault.name:60} {line.seconds:6.1f} s  {state}"


def matrix(lines: Sequence[Line]) -> Table:
    """Return the matrix: a line for each fault and database."""
    table = Table(
        "fault", "what breaks", "database", "trials", "accepted", "stored", "duplicates", "lost", "longest", "verdict"
    )
    for column in table.columns[3:9]:
        column.justify = "right"
    for line in lines:
        account = line.account
        table.add_row(
            line.fault.number,
            line.fault.name,
            line.kind,
            *(
                f"{number:,}"
                for number in (line.trials, account.accepted, account.stored, account.duplicates, account.lost)
            ),
            ", ".join(f"{name} {seconds:.2f} s" for name, seconds in line.longest.items()),
            f"skipped: {line.skipped}" if line.skipped else "holds" if line.holds else "FAILED",
        )
    total = sum((line.account for line in lines), Account())
    table.add_section()
    table.add_row(
        "",
        "all",
        "",
        *(f"{n:,}" for n in (sum(line.trials for line in lines), total.accepted, total.stored, total.duplicates)),
        f"{total.lost:,}",
        "",
        "holds" if all(line.holds for line in lines) else "FAILED",
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
