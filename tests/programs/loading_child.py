"""Fork while a thread loads loguru, and log with it in both processes.

    python -m tests.programs.loading_child

Prints `child` and `parent` when their lines were logged. The fork has begun before loguru is loaded, and waits for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from audit_async.loading import close_in_forks, loading
from tests.programs.teller import say

HANG_SECONDS = 30  # far above what any of this takes


class Told:
    """Told by each fork, before that waits for an import."""

    def __init__(self) -> None:
        self.is_forking = threading.Event()
        close_in_forks(self)

    def close_before_fork(self) -> bool:
        """Tell of it."""
        self.is_forking.set()
        return False

    def go_on_after_fork(self) -> None:
        """Do nothing."""


def main() -> None:
    """Do it."""
    assert "loguru" not in sys.modules
    told, is_loading = Told(), threading.Event()

    def load() -> None:
        with loading():
            is_loading.set()
            told.is_forking.wait(HANG_SECONDS)
            import loguru  # noqa: F401 -- for others

    thread = threading.Thread(target=load)
    thread.start()
    is_loading.wait(HANG_SECONDS)
    pid = os.fork()
    signal.alarm(HANG_SECONDS)
    if pid:
        os.waitpid(pid, 0)
        thread.join()
    from loguru import logger

    who = "parent" if pid else "child"
    logger.remove()
    logger.add(lambda line: say(str(line).strip()), format="{message}")
    logger.info(who)
    if not pid:
        os._exit(0)


if __name__ == "__main__":
    main()
