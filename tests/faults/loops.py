"""Faults of event loops, and of the places from which events are logged: tasks, handlers, finalizers, hooks."""

from __future__ import annotations

from typing import Any

from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.tracer import Tracer

DEBUG: dict[str, Any] = {"flags": ["-X", "dev", "-W", "error"]}
"""Warnings end a test, also those of a coroutine that nobody awaits, and of a connection that nobody closes."""


def looping(lab: Lab, kind: str, count: int, **life: Any) -> None:
    """Let a process log from loops of some kind, and assert that neither Python nor we had anything to say."""
    errors = lab.folder / f"{kind}.errors"
    with lab.child(count, program=("looping_child", kind), life={"errors": errors, **life}) as child:
        said = child.rest()
        assert (child.returncode, _unexpected(errors.read_text())) == (0, [])
        assert said[-1] == "done"


def _unexpected(errors: str) -> list[str]:
    """Return what was said, without that some step of a loop took long on a loaded machine."""
    return [line for line in errors.splitlines() if not (line.startswith("Executing <") and " took " in line)]


@fault("F07", "asyncio.run for each job, never closed", fast=1, quick=2, full=10)
def loop_for_each_job(lab: Lab) -> None:
    """Run a thousand jobs, each in a loop of its own."""
    looping(lab, "jobs", 1000)


@fault("F08", "loops of asyncio, uvloop and trio, and threads, share a logger", on=("sqlite", "postgres"))
def loops_and_threads(lab: Lab) -> None:
    """Log from four loops and two threads at once."""
    looping(lab, "threads", 2000)


@fault("F08", "a loop is closed while somebody waits in it")
def closed_loops(lab: Lab) -> None:
    """Close loops before, while and after somebody waits."""
    looping(lab, "closed", 160)


@fault("F09", "a task of asyncio is cancelled at each step", on=("sqlite", "postgres"))
def cancelled_tasks(lab: Lab) -> None:
    """Cancel after 0 to 50 steps, in each mode: every event that was begun is one row."""
    looping(lab, "cancelled-tasks", 153, **DEBUG)


@fault("F10", "a scope of anyio is cancelled at each step, and by its deadline", on=("sqlite", "postgres"))
def cancelled_scopes(lab: Lab) -> None:
    """Do the same with anyio's scopes, on asyncio, on uvloop and on trio."""
    backend = ("asyncio", "uvloop", "trio")[lab.seed % 3]
    looping(lab, f"cancelled-{backend}", 306, **DEBUG)


@fault("F21", "the collector runs anywhere, with Python's own checks on", on=("sqlite", "postgres"))
def collected_anywhere(lab: Lab) -> None:
    """Await events in each mode while everything that can be collected is."""
    looping(lab, "collected", 150, **DEBUG)


@fault("F22", "ten thousand tasks await the disk at once", needs=("root", "strace"), fast=1, quick=2, full=10)
def all_at_once(lab: Lab) -> None:
    """Count the disk syncs that it takes: they are shared."""
    lines = lab.folder / "syncs"
    with lab.child(10_000, program=("looping_child", "at-once")) as child:
        child.lines(1)
        # On a disk that takes 50 ms: a quick one has synced what there is before the next task begins.
        with Tracer(child, "trace=fdatasync", "inject=fdatasync:delay_enter=50000", lines=lines):
            child.go()
            assert child.rest()[-1] == "done"
    assert len(lab.told().on_disk) == 10_000
    # Those of the table are among them.
    assert 0 < lines.read_text().count("fdatasync(") < 10_000 / 20


def odd(lab: Lab, place: str, count: int, **task: Any) -> tuple[str, int | None]:
    """Let a process log from some place, and return what it said on stderr, and its exit code."""
    errors = lab.folder / f"{place}.errors"
    with lab.child(
        count, program=("odd_child", place), life={"errors": errors, "flags": ["-X", "dev"]}, **task
    ) as child:
        child.rest()
        return "\n".join(_unexpected(errors.read_text())), child.returncode


@fault("F21", "log() from finalizers and callbacks of weak references")
def finalizers(lab: Lab) -> None:
    """Log whenever the collector runs."""
    assert odd(lab, "finalizers", 900) == ("", 0)


@fault("F21", "log() from a signal handler, in the middle of log()")
def signals(lab: Lab) -> None:
    """Log a thousand times a second from a handler."""
    assert odd(lab, "signals", 10_000) == ("", 0)


@fault("F21", "log() while a module is imported")
def imports(lab: Lab) -> None:
    """Log for the first time where the locks of imports are held, and wait for the table there."""
    assert odd(lab, "imports", 20) == ("", 0)


@fault("F21", "log() from sys.excepthook, threading.excepthook and atexit")
def hooks(lab: Lab) -> None:
    """Log what ends a thread, what ends main, and that the program ends."""
    assert odd(lab, "hooks", 10) == ("", 1)
    assert len(lab.told().logged) == 5


@fault("F21", "log() while the interpreter takes itself apart")
def shutdown(lab: Lab) -> None:
    """Log from what is collected last of all."""
    assert odd(lab, "shutdown", 10) == ("", 0)
    assert len(lab.told().logged) == 4


@fault("F20", "a log sink that logs events, ours among its lines")
def sinks(lab: Lab) -> None:
    """Log an event for each line of the log, while we have much to say: neither goes on without end."""
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    assert odd(lab, "sinks", 10_000, url=nowhere) == ("", 0)
    # What comes out of a line that says that an event was refused after the end is refused as well.
    assert 200 <= len(lab.told().logged) < 1000
