"""Log numbered events, and end in a way that is no good one.

python -m tests.programs.ending_child MOMENT TASK      # one of `MOMENTS`, and a `Task`
"""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.programs.teller import Teller, say, told_task

PAGE_BYTES = resource.getpagesize()
ROOM_BYTES = 4 << 20  # less than a segment, or a thread's stack, takes
LUMP_BYTES = 30_000  # small enough to be taken from a heap, where what is freed can be had again
SPARE_LUMPS = 60


class NobodyCatchesThisError(Exception):
    """What the application has done wrong."""


def exception(teller: Teller) -> NoReturn:
    """Raise in three threads that log, then in main."""

    def raise_after_some() -> NoReturn:
        for _ in range(100):
            teller.log()
        raise NobodyCatchesThisError("in a thread")

    threads = [threading.Thread(target=raise_after_some) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while teller.log():
        pass
    raise NobodyCatchesThisError("in main")


def exit_in_order(teller: Teller) -> NoReturn:
    """Log a half, wait to be told, log the other half and leave at once."""
    for _ in range(teller.task.count // 2):
        teller.log()
    say("ready")
    sys.stdin.readline()
    while teller.log():
        pass
    sys.exit(3)


def threads(teller: Teller) -> None:
    """Let threads log on while main has ended: one that is waited for, and three daemons that are not."""

    def log_on() -> None:
        while teller.log():
            pass

    for _ in range(3):
        threading.Thread(target=log_on, daemon=True).start()
    threading.Thread(target=log_on).start()
    for _ in range(10):
        teller.log()


def memory(teller: Teller) -> None:
    """Use up the address space until nothing large can be had any more, and log on; then give it back and go on."""
    teller.log()
    # What a driver needs to be loaded is there when memory gets scarce, as in any process that has run for a while.
    assert teller.audit.flush_sync(30)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM_BYTES, resource.RLIM_INFINITY))
    ballast: list[bytearray] = []
    try:
        while True:
            ballast.append(bytearray(LUMP_BYTES))
    except MemoryError:
        # Without the smallest objects nothing runs, the encoder and Python itself included.
        del ballast[-SPARE_LUMPS:]
    for _ in range(teller.task.count - 100):
        teller.log()
    say(f"journal bytes {teller.audit.stats().journal_bytes}")
    ballast.clear()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while teller.log():
        pass
    say("done" if teller.audit.close_sync(30) else "left")


MOMENTS: dict[str, Callable[[Teller], None]] = {
    "exception": exception,
    "exit": exit_in_order,
    "threads": threads,
    "memory": memory,
}

if __name__ == "__main__":
    # A global, as a program has it: one that nobody refers to any more is not waited for at the end.
    teller = Teller(told_task())
    MOMENTS[sys.argv[1]](teller)
