"""Child processes that run the real library, and what they said before they were killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
AGAIN_SECONDS = 20.0  # far above what the end of a process takes


class Child:
    """A program of *package*, ended by its own process id if it does not end by itself.

    Args:
        under: the command that runs it, such as one that gives it a namespace of its own.
        flags: of the interpreter.
        environment: beside that of the tests.
        errors: the file that takes what it says on stderr; by default that goes where that of the tests goes.
    """

    def __init__(
        self,
        program: str,
        *arguments: object,
        package: str = "tests.programs",
        under: Sequence[str] = (),
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        errors: Path | None = None,
    ) -> None:
        with contextlib.ExitStack() as stack:
            self._process = subprocess.Popen(
                [*under, sys.executable, *flags, "-m", f"{package}.{program}", *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(errors.open("ab")) if errors else None,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
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

    def go(self) -> None:
        """Let it go on, if it waits for that."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), b"\n")

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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        said = b"" if self._process.stdout.closed else self._process.stdout.read()
        self._process.stdout.close()
        self._process.wait(60)
        return [line.decode() for line in said.split(b"\n")[:-1]]

    @property
    def returncode(self) -> int | None:
        return self._process.returncode
