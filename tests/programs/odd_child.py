"""Log numbered events from places where Python allows little.

python -m tests.programs.odd_child PLACE TASK      # one of `PLACES`, and a `Task`
"""

from __future__ import annotations

import atexit
import gc
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from tests.programs.teller import Teller, told_task


class Resource:
    """Logs an event when it is collected; in a circle with itself, so that the collector says when."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self.itself = self

    def __del__(self) -> None:
        self.teller.log()


def finalizers(teller: Teller) -> None:
    """Log from finalizers and from callbacks of weak references, anywhere in the middle of other calls."""
    gc.set_threshold(1)
    is_there = True
    while is_there:
        Resource(teller)
        watched = Resource(teller)
        weakref.finalize(watched, teller.log)
        del watched
        is_there = teller.log()
    gc.set_threshold(700, 10, 10)
    gc.collect()


def signals(teller: Teller) -> None:
    """Log from a signal handler, a thousand times a second, in the middle of `log()`."""
    signal.signal(signal.SIGALRM, lambda *_: teller.log())
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while teller.log():
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)


def imports(teller: Teller) -> None:
    """Log first from a module that is being imported, while the locks of imports are held; wait for the disk there."""
    folder = Path(teller.task.ledger).parent / "modules"
    folder.mkdir()
    (folder / "logs_on_import.py").write_text(
        "import builtins\nimport threading\n"
        "teller = builtins.teller\n"
        "thread = threading.Thread(target=teller.log)\nthread.start()\nthread.join()\n"
        "while teller.log(): pass\n"
        "assert teller.audit.flush_sync(20)\n"
    )
    sys.path.insert(0, str(folder))
    import builtins

    builtins.teller = teller  # type: ignore[attr-defined]
    __import__("logs_on_import")


def hooks(teller: Teller) -> None:
    """Log from both hooks for exceptions, and from atexit, with and without anything logged before."""
    sys.excepthook = lambda *_: (teller.log(), None)[1]
    threading.excepthook = lambda _: (teller.log(), None)[1]
    atexit.register(teller.log)
    for _ in range(3):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    raise ZeroDivisionError


def shutdown(teller: Teller) -> None:
    """Log from a finalizer that runs when the interpreter takes its modules apart, and from atexit before that."""
    atexit.register(teller.log)
    keeper = types.ModuleType("keeper")
    keeper.resource = Resource(teller)  # type: ignore[attr-defined]
    sys.modules["keeper"] = keeper
    weakref.finalize(keeper, teller.log)
    teller.log()


def sinks(teller: Teller) -> None:
    """Log each line of the program's log as an event, ours among them, which say that there is no database."""
    logger.remove()

    lines: list[str] = []

    def log_line(message: object) -> None:
        lines.append(str(message))
        teller.log()

    def say_lines() -> None:
        for number in range(50):
            logger.info("line {}", number)

    logger.add(log_line)
    threads = [threading.Thread(target=say_lines) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        teller.log()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not teller.audit.close_sync(1)
    assert any("audit_async: " in line for line in lines), lines


PLACES: dict[str, Callable[[Teller], None]] = {
    "finalizers": finalizers,
    "signals": signals,
    "imports": imports,
    "hooks": hooks,
    "shutdown": shutdown,
    "sinks": sinks,
}

if __name__ == "__main__":
    # A global, as a program has it: one that nobody refers to any more is not waited for at the end.
    teller = Teller(told_task())
    PLACES[sys.argv[1]](teller)
