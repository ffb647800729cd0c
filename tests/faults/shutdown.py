"""`close(t)` comes back within t + 1 s whatever the database does, and what it leaves arrives with the next process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.fault import SERVERS, fault
from tests.faults.lab import Lab
from tests.servers.proxy import BLACK_HOLE, FaultProxy, Trouble

CLOSE_SECONDS = 0.5
PROMISED_SECONDS = CLOSE_SECONDS + 1.0
BUSY_SECONDS = 3.0
"""Added for a machine on which a thread waits for its turn; a close that hangs takes half a minute."""

EVENTS = 1500
BEFORE = 200


@contextmanager
def closing(lab: Lab, url: str | None = None) -> Iterator[None]:
    """Start a process that logs, let its caller break something in the middle, and see it close."""
    end = lab.chance.choice(["close", "async_close", "shutdown"])
    with lab.child(EVENTS, url=url or lab.url, per_second=3000, end=end, close_seconds=CLOSE_SECONDS) as child:
        lab.wait_for_promises(BEFORE)
        yield
        closed = [float(line.split()[1]) for line in child.rest() if line.startswith("closed")]
        assert len(closed) == 1, "it was not closed"
        lab.measure("close", closed[0])
        assert closed[0] < PROMISED_SECONDS + BUSY_SECONDS


def _through(lab: Lab, trouble: Trouble) -> None:
    with FaultProxy(lab.server.port) as proxy, closing(lab, lab.through(proxy)):
        proxy.breaks(trouble)


@fault("P17", "close while nobody listens", on=SERVERS)
def refused(lab: Lab) -> None:
    """Close a logger whose server has gone away."""
    _through(lab, Trouble(refuses=True, resets=True))


@fault("P17", "close in a black hole", on=SERVERS)
def black_hole(lab: Lab) -> None:
    """Close a logger while nothing answers."""
    _through(lab, BLACK_HOLE)


@fault("P17", "close while answers are lost", on=SERVERS)
def answers_lost(lab: Lab) -> None:
    """Close a logger while everything arrives, and no answer."""
    _through(lab, Trouble(holds=frozenset({"to_client"})))


@fault("P17", "close while the network trickles", on=SERVERS)
def trickle(lab: Lab) -> None:
    """Close a logger whose server is reached byte by byte."""
    _through(lab, Trouble(trickles=True))


@fault("P17", "close while the server is frozen", on=SERVERS)
def frozen(lab: Lab) -> None:
    """Close a logger while every process of the server stands still."""
    try:
        with closing(lab):
            lab.server.freeze()
    finally:
        lab.server.thaw()


@fault("P17", "close while the table is locked", on=("postgres",))
def locked(lab: Lab) -> None:
    """Close a logger while somebody alters the table."""
    with lab.transaction("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"), closing(lab):
        pass


@fault("P17", "close while no commit is answered", on=("postgres",))
def commit_unanswered(lab: Lab) -> None:
    """Close a logger while every commit waits for a standby that is not there."""
    lab.sql("SELECT 1")
    with lab.setting("synchronous_standby_names", "ghost"), closing(lab):
        pass


@fault("P17", "close while another process holds the file")
def file_locked(lab: Lab) -> None:
    """Close a logger while a transaction of somebody else's keeps everybody from the SQLite file."""
    with closing(lab):
        holder = lab.lock_file()
    holder.close()


@fault("P17", "close with a backlog of dead processes", on=("sqlite", *SERVERS))
def backlog(lab: Lab) -> None:
    """Close a logger that has adopted more than it can deliver in the time."""
    for _ in range(2):
        with lab.child(4000, end="_exit", options={"writer": "none"}) as child:
            child.rest()
    with lab.child(10, end="close", close_seconds=0.0) as child:
        closed = [float(line.split()[1]) for line in child.rest() if line.startswith("closed")]
    lab.measure("close", closed[0])
    assert closed[0] < 1.0 + BUSY_SECONDS
