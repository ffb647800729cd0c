"""Faults of the process that logs: however it ends, what it was told holds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack

from tests.faults.fault import EVERYWHERE, SERVERS, fault
from tests.faults.lab import Lab
from tests.faults.tracer import Tracer
from tests.polling import eventually_sync

MODES = ("log", "on_disk", "write", "require")

CALLS = (
    "write,pwrite64",
    "fdatasync,fsync",
    "openat",
    "?rename,?renameat,?renameat2",
    "?unlink,?unlinkat",
    "fallocate",
    "?ftruncate",
    "flock",
)
"""With which the journal and an SQLite table are written. A question mark: some processors' Linux has no such call."""

LONG_ENOUGH = 3500
"""Events that fill more than the first segment: the next one is begun and the first one removed."""


def some(lab: Lab, mode: str) -> int:
    """Return how many promises to wait for: up to about a second's."""
    return lab.chance.randrange(1, 2000 if mode == "log" else 200)


@fault("F01", "SIGKILL at a random moment, twice", on=EVERYWHERE, fast=1, quick=4, full=200)
def killed(lab: Lab) -> None:
    """Kill a process that logs as fast as it can, and its successor."""
    mode = lab.chance.choice(MODES)
    for _ in range(2):
        with lab.child(100_000, mode=mode, threads=lab.chance.choice([1, 4])) as child:
            child.lines(1)
            lab.wait_for_promises(some(lab, mode))
            child.kill()


@fault("F01", "SIGKILL of three processes with one journal directory", fast=1, quick=2, full=60)
def killed_together(lab: Lab) -> None:
    """Kill processes that share a directory one after the other, while the others go on."""
    with ExitStack() as stack:
        modes = lab.chance.sample(MODES, 3)
        children = [stack.enter_context(lab.child(100_000, mode=mode)) for mode in modes]
        for child in children:
            child.lines(1)
        for child in children:
            lab.wait_for_promises(lab.chance.randrange(1, 1000))
            child.kill()


@fault("F02", "SIGKILL at the k-th system call, and of who adopts", fast=3, quick=5, full=240, needs=("root", "strace"))
def killed_at_a_call(lab: Lab) -> None:
    """Kill a process as it enters its k-th call of one kind; then another one, which adopts what the first one left.

    The kinds go by turns; the first one's k goes up by one each round, the adopter's is drawn.
    """
    call = CALLS[lab.seed % len(CALLS)]
    for k in (1 + lab.seed // len(CALLS), lab.chance.choice([1, 2, 3, 4, 8, 40])):
        with lab.child(LONG_ENOUGH, waits=True) as child:
            child.lines(1)
            with Tracer(child, f"trace={call}", f"inject={call}:signal=SIGKILL:when={k}"):
                child.go()
                child.rest()
            # It may have ended before its k-th call.
            assert child.returncode in (0, -signal.SIGKILL), child.returncode


@fault("F03", "os._exit in the line behind log()")
def exited_at_once(lab: Lab) -> None:
    """End a process without any of Python's own ending."""
    with lab.child(lab.chance.randrange(1, 500), end="_exit", threads=lab.chance.choice([1, 4])) as child:
        child.rest()
        assert child.returncode == 0


@fault("F03", "the end of main, without close()")
def ended_without_close(lab: Lab) -> None:
    """Let the interpreter end while events of any mode are under way."""
    with lab.child(lab.chance.randrange(1, 500), end="return", mode=lab.chance.choice(MODES)) as child:
        child.rest()
        assert child.returncode == 0


@fault("F04", "SIGTERM without a handler", fast=1, quick=2)
def terminated(lab: Lab) -> None:
    """End a process in the way service managers do."""
    mode = lab.chance.choice(MODES)
    with lab.child(100_000, mode=mode) as child:
        child.lines(1)
        lab.wait_for_promises(some(lab, mode))
        child.kill(signal.SIGTERM)
        assert child.returncode == -signal.SIGTERM


def ending(
    lab: Lab, moment: str, count: int = 600, flags: Sequence[str] = ("-X", "dev"), **task: object
) -> tuple[list[str], str, int | None]:
    """Let a process end in a way of its own, and return what it said on stdout and on stderr, and its exit code."""
    errors = lab.folder / f"{moment}.errors"
    life = {"errors": errors, "flags": flags}
    with lab.child(count, program=("ending_child", moment), life=life, **task) as child:
        said = child.rest()
    # In this mode asyncio tells of each step that took a tenth of a second: such is a loaded machine.
    lines = [line for line in errors.read_text().splitlines(keepends=True) if not line.startswith("Executing <")]
    return said, "".join(lines), child.returncode


@fault("F03", "an exception that nobody catches, in main and in every thread")
def ended_by_an_exception(lab: Lab) -> None:
    """Let main end by an exception after a thread of its own has."""
    _, errors, code = ending(lab, "exception")
    assert code == 1
    assert (errors.count("NobodyCatchesThisError: in main"), errors.count("NobodyCatchesThisError: in a thread")) == (
        1,
        3,
    )
    assert errors.count("Traceback") == 4, errors


@fault("F05", "sys.exit while a batch is stuck in a frozen server", on=SERVERS)
def exited_in_a_batch(lab: Lab) -> None:
    """End a process in order while its writer waits for a server that says nothing any more."""
    errors = lab.folder / "errors"
    with lab.child(400, program=("ending_child", "exit"), life={"errors": errors}, waits=True) as child:
        child.lines(1)
        lab.wait_for_rows(1)
        lab.server.freeze()
        child.go()
        started = time.monotonic()
        child.rest()
        took = time.monotonic() - started
        lab.server.thaw()
        assert child.returncode == 3
        # EXIT_SECONDS is 1; the rest is for a loaded machine.
        assert took < 6, took
        assert errors.read_text() == ""


@fault("F06", "a thread that goes on logging while the interpreter ends")
def threads_at_the_end(lab: Lab) -> None:
    """End main while one thread still has much to log, and others, which are daemons, log until they are stopped."""
    _, errors, code = ending(lab, "threads", 3000, options={"writer": lab.chance.choice(["thread", "none"])})
    assert (code, errors) == (0, "")


@fault("F06", "no memory is left for a segment or a thread", needs=("linux",))
def out_of_memory(lab: Lab) -> None:
    """Let a process come to the limit of its address space while it logs: events still go to the disk."""
    said, errors, code = ending(lab, "memory", LONG_ENOUGH, flags=())
    assert (code, said[-1]) == (0, "done")
    # Whether a batch finds the memory that it takes is chance; where it does not, that is told, and waited out.
    told = ("MemoryError. Events wait in the journal", "the database takes events again")
    assert all(any(each in line for each in told) for line in errors.splitlines()), errors


@fault("F16", "SIGSTOP for longer than an attempt may take, then SIGCONT", on=("sqlite", "postgres"))
def stopped_for_a_while(lab: Lab) -> None:
    """Stop a process, let another one with its directory go on for a while, and let the first one go on."""
    lab.timing = {"attempt_seconds": 1.0, "adopt_interval_seconds": 0.2}
    mode = lab.chance.choice(["log", "on_disk", "write"])
    with lab.child(1500, mode=mode, per_second=1000, threads=4) as child:
        child.lines(1)
        lab.wait_for_promises(lab.chance.randrange(1, 1000))
        os.kill(child.pid, signal.SIGSTOP)
        # The time that passes is the other one's. What it cannot bring in while the table is locked stays on disk.
        with lab.child(300, mode="on_disk", per_second=200, close_seconds=1.0) as other:
            assert other.rest()[-2] == "adopted 0"
        os.kill(child.pid, signal.SIGCONT)
        assert child.rest()[-1] == "done"


def leave_orphans(lab: Lab, processes: int, events: int) -> int:
    """Leave the journals of so many dead processes, with so many events each, and return how many these are."""
    for _ in range(processes):
        with lab.child(events, end="_exit", options={"writer": "none"}) as child:
            child.rest()
    return processes * events


@fault("F17", "two processes that adopt the same journals at the same moment", on=("sqlite", "postgres"))
def adopted_at_once(lab: Lab) -> None:
    """Let two processes begin together where the journals of four dead ones lie: each has one new owner."""
    left = leave_orphans(lab, 4, 200)
    with ExitStack() as stack:
        children = [
            stack.enter_context(lab.child(100, waits=True, options={"timing": {"adopt_interval_seconds": 0.05}}))
            for _ in range(2)
        ]
        for child in children:
            child.lines(1)
        for child in children:
            child.go()
        lab.wait_for_rows(left + 200)
        ends = [child.rest()[-2:] for child in children]
    assert [end[1] for end in ends] == ["done", "done"]
    # An insert for the second time would be absorbed by the table's key: only they themselves know how often it was.
    assert sum(int(end[0].removeprefix("adopted ")) for end in ends) == left


@fault("F17", "SIGKILL of who adopts, in the middle of it, again and again", on=SERVERS, fast=1, quick=2, full=60)
def killed_while_adopting(lab: Lab) -> None:
    """Kill one adopter after the other, each after some more rows."""
    left = leave_orphans(lab, 1, 12_000)
    rows = 0
    while rows < left // 2:
        with lab.child(10, end="hang") as child:
            child.lines(1)
            lab.wait_for_rows(rows + lab.chance.randrange(1, 5000))
            child.kill()
        rows = len(lab.rows())


@fault("F18", "every process has the process id 1, as in containers", needs=("root", "linux"))
def same_process_id(lab: Lab) -> None:
    """Kill one of three such processes that share a directory: one that starts adopts its journal, and no living one's.

    Locks decide who is dead: the process id that the dead one had is that of all.
    """
    container = {"under": ["unshare", "--pid", "--fork", "--kill-child"]}
    options = {"timing": {"adopt_interval_seconds": 0.1}}
    with lab.child(300, end="hang", life=container, options={"writer": "none"}) as dead:
        assert dead.lines(2) == ["ready", "logged"]
        dead.kill()
    with (
        lab.child(300, end="hang", life=container, options={"writer": "none"}) as living,
        lab.child(300, mode="write", life=container, options=options) as adopter,
    ):
        assert living.lines(2) == ["ready", "logged"]
        eventually_sync(lambda: len(lab.rows()) >= 600, 30)
        assert adopter.rest()[-2:] == ["adopted 300", "done"]
