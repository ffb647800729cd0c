"""Child processes that run the real library, and what they said before they were killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parent.parent
AGAIN_SECONDS = 5.0  # far above what the end of a process takes


class Child:
    """A program of *package*, ended by its own process id if it does not end by itself.

    Args:
        log: a file at whose end its standard error is put; without it goes where ours does.
    """

    def __init__(
        self, program: str, *arguments: object, package: str = "tests.programs", log: Path | None = None
    ) -> None:
        with contextlib.ExitStack() as stack:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{package}.{program}", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(log.open("ab")) if log is not None else None,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def lines(self, count: int) -> list[str]:
        """Return its next *count* lines, fewer when it ends before."""
        assert self._process.stdout is not None
        found = []
        for line in self._process.stdout:
            found.append(line.decode().strip())
            if len(found) == count:
                break
        return found

    def send(self, number: signal.Signals) -> None:
        """Send it *number*."""
        self._process.send_signal(number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> list[str]:
        """Send it *number*, wait for its end, and return what it still had said: whole lines only.

        Python passes over an exception in a finalizer or in the callback of a weak reference, a Ctrl-C among them: who
        presses it in such a moment presses it again.
        """
        threading.Thread(target=self._insist, args=(number,), daemon=True).start()
        return self.rest()

    def _insist(self, number: signal.Signals) -> None:
        while self._process.poll() is None:
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(AGAIN_SECONDS)

    def rest(self) -> list[str]:
        """Wait for its end and return what it still said: whole lines only."""
        assert self._process.stdout is not None
        said = b"" if self._process.stdout.closed else self._process.stdout.read()
        self._process.stdout.close()
        self._process.wait(60)
        return [line.decode() for line in said.split(b"\n")[:-1]]

    @property
    def returncode(self) -> int | None:
        return self._process.returncode
