"""The demo's child processes: started, listened to, killed, and never left behind."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.demo_parts.records import Key

ROOT = Path(__file__).parents[2]
PIPE_BYTES = 16 * 1024
"""About 250 events: a child cannot run further ahead of the demo's books, so that a kill meets it in the middle."""

PATIENCE_SECONDS = 60.0
"""Between two words of any child. They take 2 to 5 s for everything; what is silent for longer is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a child is told: its way to log, and which of the records are its own.

    Attributes:
        skip: records of its share that are done.
    """

    way: str
    file: Path
    rounds: int
    share: int
    shares: int
    skip: int = 0

    def arguments(self) -> list[str]:
        numbers = {"rounds": self.rounds, "share": self.share, "shares": self.shares, "skip": self.skip}
        return [self.way, str(self.file), *(f"--{name}={value}" for name, value in numbers.items())]


class Child:
    """One process that logs.

    Attributes:
        returned: id and time of every event for which it said that `log()` returned, in order.
        numbers: its last words, `AuditLogger.stats()` among them; None before, and when it was killed.
        complaint: what it said on standard error.
    """

    def __init__(self, job: Job, environment: Mapping[str, str]) -> None:
        self.job = job
        self.returned: list[Key] = []
        self.numbers: dict[str, Any] | None = None
        self.complaint = ""
        self.was_killed = False
        self._half_line = b""
        self._process = subprocess.Popen(  # noqa: S603 -- this Python, and our own file
            [sys.executable, "-m", "scripts.demo_parts.ways", *job.arguments()],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for the demo, which ends its children itself
        )
        for pipe in self.pipes():
            os.set_blocking(pipe, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.pipes()[0], fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def pid(self) -> int:
        return self._process.pid

    def pipes(self) -> tuple[int, int]:
        """Return the descriptors of its standard output and its standard error."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return self._process.stdout.fileno(), self._process.stderr.fileno()

    def read(self, pipe: int) -> bool:
        """Take in what waits in *pipe*; False when nothing will come any more."""
        try:
            told = os.read(pipe, PIPE_BYTES)
        except BlockingIOError:
            return True
        if pipe != self.pipes()[0]:
            self.complaint += told.decode(errors="replace")
        else:
            *lines, self._half_line = (self._half_line + told).split(b"\n")
            for line in lines:
                self._note(line.decode())
        return bool(told)

    def _note(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if first == "=":
            self.numbers = json.loads(rest)
        else:
            self.returned.append((first, rest))

    def kill(self) -> None:
        """End it as the kernel does when memory is short: it can do nothing about it, and nothing more."""
        self.was_killed = True
        self._process.kill()

    def wait(self) -> int:
        return self._process.wait()

    def close(self) -> None:
        """See that it is gone."""
        self._process.kill()  # does nothing to one that has ended
        self._process.communicate()


class Children:
    """All that were started: a context manager that leaves none behind."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._all: list[Child] = []
        self._pipes = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipes.close()
        for child in self._all:
            child.close()

    def start(self, job: Job) -> Child:
        child = Child(job, self._environment)
        self._all.append(child)
        for pipe in child.pipes():
            self._pipes.register(pipe, selectors.EVENT_READ, child)
        return child

    def listen(self) -> Iterator[Child]:
        """Give every child that says something, or has said its last word, until all have.

        Raises:
            TimeoutError: none has said anything for `PATIENCE_SECONDS`.
        """
        while self._pipes.get_map():
            heard = self._pipes.select(PATIENCE_SECONDS)
            if not heard:
                raise TimeoutError(f"a child process has been silent for {PATIENCE_SECONDS:.0f} s")
            for key, _ in heard:
                child: Child = key.data
                if key.fd in self._pipes.get_map():
                    self._read(child, key.fd)
                    yield child

    def kill(self, child: Child) -> None:
        """Kill *child*, and take in all that it had said before."""
        child.kill()
        for pipe in child.pipes():
            while pipe in self._pipes.get_map():
                self._read(child, pipe)
        child.wait()

    def _read(self, child: Child, pipe: int) -> None:
        if not child.read(pipe):
            self._pipes.unregister(pipe)
