"""Runs as they would have been saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.machine import Load, Machine
from scripts.benchmark.saved import Run
from scripts.benchmark.series import Series

IDLE = Load(average=(0.1, 0.2, 0.3), sync_ms=(0.2, 1.5))
MACHINE = Machine(
    python="CPython 3.11.7",
    processor="Some Processor",
    processors=2,
    memory_gib=8.0,
    kernel="Linux 6",
    filesystem="ext4",
    versions={"PostgreSQL": "18.6"},
)


def run(*rows: Comparison | Series, **other: Any) -> Run:
    """Return a run that measured *rows*."""
    said: dict[str, Any] = {
        "began": "2026-03-03T08:00:00+00:00",
        "commit": "0123456789ab",
        "is_quick": False,
        "asked": ["P1"],
        "machine": MACHINE,
        "before": IDLE,
        "after": IDLE,
        "comparisons": [row for row in rows if isinstance(row, Comparison)],
        "series": [row for row in rows if isinstance(row, Series)],
        "seconds": {"P1": 1.5},
        "left_out": [],
        "failed": [],
    }
    return Run(**{**said, **other})


def comparison(ours: Sequence[float], theirs: Sequence[float] = (), **other: Any) -> Comparison:
    """Return a row that wants less than half of what the other side takes."""
    said: dict[str, Any] = {"number": "P1", "what": "ours / theirs", "unit": "µs", "goal": Goal(least=2, aim=4)}
    return Comparison(ours=ours, theirs=theirs, **{**said, **other})


def series(*figures: Sequence[float], unit: str = "µs") -> Series:
    """Return a series over 1, 10, 100 and so on."""
    points = [(float(10**power), list(each)) for power, each in enumerate(figures)]
    return Series(number="growth", what="cost by tasks", x="tasks", unit=unit, lines={"ours": points})
