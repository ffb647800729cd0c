"""Run the rows that were asked for and print them. Called by `scripts/bench`."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

import loguru

from scripts.benchmark.bench import Bench
from scripts.benchmark.calls import against_logging, against_loguru, beside_cpu_bound, redaction
from scripts.benchmark.comparison import Comparison, table
from scripts.benchmark.disks import group_commit
from scripts.benchmark.exporting import export
from scripts.benchmark.following import follow
from scripts.benchmark.indexes import our_indexes
from scripts.benchmark.jobs import job_scope
from scripts.benchmark.outages import outage, under_faults
from scripts.benchmark.pipelines import busy_application, waiting_tasks
from scripts.benchmark.reading import behavior, pages
from scripts.benchmark.series import Series, series_table
from scripts.benchmark.stalls import heartbeat
from scripts.benchmark.stores import batches, embedded, mapped, one_row
from scripts.benchmark.transactions import added
from scripts.benchmark.upkeep import upkeep
from scripts.benchmark.web import requests

Measurement = Callable[[Bench], Awaitable[Sequence[Comparison | Series]]]

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
}

_NOTE = """\
Medians of the rounds (least..greatest); a ratio is taken within each round and says how many times
better ours is (P9, P14, R, add, faults: ours to the other side's). aim, met or MISSED; a question mark: the rounds
disagree, noise decides."""


async def measure(names: list[str], *, rounds: int, share: float) -> list[Comparison | Series]:
    """Run the measurements of *names*, each once, and return their rows."""
    rows: list[Comparison | Series] = []
    with Bench(rounds=rounds, share=share) as bench:
        for measurement in dict.fromkeys(ROWS[name] for name in names):
            started = time.monotonic()
            rows += await measurement(bench)
            _say(f"{measurement.__name__}: {time.monotonic() - started:.0f} s")
    return rows


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all without")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    parser.add_argument("--list", action="store_true", help="say what there is")
    given = parser.parse_args()
    if given.list:
        print("\n".join((row.__doc__ or "").splitlines()[0] for row in dict.fromkeys(ROWS.values())))
        return
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is removed then, too
    loguru.logger.remove()
    loguru.logger.add(sys.stderr, level="ERROR")
    _say(_machine())
    rows = asyncio.run(
        measure(given.rows or list(ROWS), rounds=3 if given.quick else 5, share=0.1 if given.quick else 1)
    )
    print(table(row for row in rows if isinstance(row, Comparison)))
    for row in rows:
        if isinstance(row, Series):
            print(f"\n{series_table(row)}")
    print(f"\n{_NOTE}")
    _say(_machine())


def _machine() -> str:
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    middle, worst = _sync_milliseconds()
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load {load}, "
        f"fdatasync of a page {middle:.2f} ms (at worst {worst:.2f})"
    )


def _sync_milliseconds(times: int = 50) -> tuple[float, float]:
    """Return what the disk under TMPDIR takes to sync: a neighbour's load shows here first."""
    taken = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e3)
    return median(taken), max(taken)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
