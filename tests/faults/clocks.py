"""Faults of the clock: set back, set forward, standing still."""

from __future__ import annotations

from typing import Any

from tests.faults.fault import EVERYWHERE, fault
from tests.faults.lab import Lab
from tests.faults.report import Watched
from tests.faults.rooms import QUICK

YEAR = 365 * 24 * 3600.0
STEPS: tuple[float | None, ...] = (YEAR, -YEAR, None, -1.0, -0.01, 3600.0, -3600.0)
"""Seconds; None stops the clock."""


@fault("F71", "the clock is set forward or back, or stands still", on=EVERYWHERE, fast=1, quick=2, full=40)
def stepped_clock(lab: Lab) -> None:
    """Step the clock of a process that logs, several times, and kill its successor, whose clock is stepped as well."""
    lab.timing = QUICK
    count = 600
    places = sorted(lab.chance.sample(range(count), 4))
    clock = {place: lab.chance.choice(STEPS) for place in places}
    task: dict[str, Any] = {"mode": lab.chance.choice(["log", "on_disk", "write"]), "threads": 4, "per_second": 2000}
    with Watched(lab, count, made={"clock": clock}, **task) as child:
        report = child.end()
        assert report.is_all_in, report
        assert report.stats.oldest_pending_seconds == 0.0
    with Watched(lab, 20_000, made={"clock": clock}, **task) as child:
        lab.wait_for_promises(lab.chance.randrange(1, count))
        child.child.kill()
