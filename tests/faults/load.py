"""More than the database, the budget or the machine takes: what was accepted arrives, the rest is counted."""

from __future__ import annotations

from tests.faults.fault import EVERYWHERE, SERVERS, fault
from tests.faults.lab import Lab
from tests.servers.proxy import FaultProxy, Trouble


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


@fault("F22", "1,000 callers await their place on disk at once", on=("sqlite",))
def many_waiters(lab: Lab) -> None:
    """Await a thousand receipts side by side."""
    with lab.child(10_000, mode="on_disk", threads=1000, close_seconds=60.0) as child:
        assert child.rest()[-1] == "done"
    assert len(lab.told().on_disk) == 10_000
