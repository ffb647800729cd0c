"""Child processes that run the real library, and what they said before they were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Child:
    """A program of `tests.programs`, ended by its own process id if it does not end by itself."""

    def __init__(self, program: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.programs.{program}", *map(str, arguments)],
            stdout=subprocess.PIPE,
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

    def kill(self, number: signal.Signals = signal.SIGKILL) -> list[str]:
        """Send it *number*, wait for its end, and return what it still had said: whole lines only."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.rest()

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
