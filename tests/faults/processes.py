"""Faults of the process that logs: however it ends, what it was told holds."""

from __future__ import annotations

import signal

from tests.faults.fault import EVERYWHERE, fault
from tests.faults.lab import Lab


@fault("F01", "SIGKILL at a random moment, twice", on=EVERYWHERE, fast=2, quick=8, full=200)
def killed(lab: Lab) -> None:
    """Kill a process that logs as fast as it can, and its successor."""
    mode = lab.chance.choice(["log", "on_disk", "write"])
    for _ in range(2):
        with lab.child(100_000, mode=mode, threads=lab.chance.choice([1, 4])) as child:
            child.lines(1)
            lab.wait_for_promises(lab.chance.randrange(1, 2000))
            child.kill()


@fault("F04", "SIGTERM without a handler", fast=1, quick=3)
def terminated(lab: Lab) -> None:
    """End a process in the way service managers do."""
    with lab.child(100_000) as child:
        lab.wait_for_promises(lab.chance.randrange(1, 2000))
        child.kill(signal.SIGTERM)


@fault("F03", "os._exit in the line behind log()")
def exited_at_once(lab: Lab) -> None:
    """End a process without any of Python's own ending."""
    with lab.child(lab.chance.randrange(1, 500), end="_exit") as child:
        child.rest()
        assert child.returncode == 0
