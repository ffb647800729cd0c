"""More than the database, the budget or the machine takes: what was accepted arrives, the rest is counted."""

from __future__ import annotations

import json

from tests.faults.fault import EVERYWHERE, SERVERS, fault
from tests.faults.lab import Lab
from tests.servers.proxy import FaultProxy, Trouble

LEAST_BUDGET_BYTES = 16 * 1024 * 1024
"""Two segments: the least that a journal may have."""

EVENT_BYTES = 300
"""Less than any event here takes on disk."""


@fault("F08", "200 threads at once", on=EVERYWHERE)
def many_threads(lab: Lab) -> None:
    """Let two hundred threads log through one logger."""
    with lab.child(10_000, threads=200, close_seconds=60.0) as child:
        assert child.rest()[-1] == "done"


@fault("F73", "a producer faster than the database", on=SERVERS)
def too_fast(lab: Lab) -> None:
    """Log as fast as a process can, to a database that each batch takes ten times as long to reach."""
    with FaultProxy(lab.server.port) as proxy:
        proxy.breaks(Trouble(latency_seconds=0.1))
        with lab.child(20_000, threads=2, url=lab.through(proxy), close_seconds=1.0) as child:
            child.rest()


@fault("F73", "the budget is used up while the database is away", fast=1, quick=2, full=5)
def over_budget(lab: Lab) -> None:
    """Log more than the journal may keep: what is refused is told to the caller, and counted in the table."""
    locked = lab.lock_file()
    try:
        count = 2 * LEAST_BUDGET_BYTES // EVENT_BYTES
        options = {"journal_max_bytes": LEAST_BUDGET_BYTES}
        with lab.child(count, options=options, end="close", close_seconds=0.0) as child:
            child.rest()
    finally:
        locked.close()
    lab.deliver()
    told = lab.told()
    assert told.refused, "nothing was refused: the budget was not reached"
    gaps = [row["details"] for row in lab.rows() if row["action"] == "audit.gap"]
    assert sum(gap["count"] for gap in gaps) == len(told.refused), json.dumps(gaps)


@fault("F22", "1,000 callers await their place on disk at once", on=("sqlite",))
def many_waiters(lab: Lab) -> None:
    """Await a thousand receipts side by side."""
    with lab.child(10_000, mode="on_disk", threads=1000, close_seconds=60.0) as child:
        assert child.rest()[-1] == "done"
    assert len(lab.told().on_disk) == 10_000
