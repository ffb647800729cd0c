"""strace as what starts a child: its system calls fail as told, on the journal's own files and nowhere else."""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.faults.lab import Lab

SEGMENTS = 400
"""Whose names strace is told: more than a trial makes."""

_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)$")
_TRACER = re.compile(r"^TracerPid:\s*([1-9]\d*)$", re.MULTILINE)
_FILE = re.compile(r"^\(\d+<(?P<path>[^>]*)>")


@functools.cache
def can_trace() -> bool:
    """Return whether there is strace here, and whether it may trace."""
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One system call on a file of the journal.

    Attributes:
        path: of the file that it was about, where it had a descriptor of one.
        error: its name, such as `EIO`; None when it went well.
    """

    name: str
    path: str | None
    error: str | None


class Strace:
    """The calls of one child, and what becomes of them.

    Args:
        calls: names of system calls, with commas between.
        injections: as strace's `inject=`, without that word: `fdatasync:error=EIO:when=2+`.
    """

    def __init__(self, lab: Lab, calls: str, *injections: str) -> None:
        self.writer_id = uuid4().hex
        self._output = lab.folder / f"{self.writer_id}.strace"
        self._calls = calls
        self._injections = injections
        self._lab = lab

    @property
    def made(self) -> dict[str, Any]:
        """What the child has to be told: the names that strace knows."""
        return {"writer_id": self.writer_id}

    def under(self) -> Sequence[str]:
        """The command before the child's own. The child stays a child of ours: strace is its grandchild."""
        numbers = range(1, SEGMENTS)
        names = [f"-{number:06d}{suffix}" for number in numbers for suffix in (".audj", ".reserve")]
        names += [".lock", ".lock.new", ".confirm"]
        directory = self._lab.journal_dir
        paths = [str(directory), *(f"{directory}/app-{self.writer_id}{name}" for name in names)]
        told = [part for path in paths for part in ("-P", path)]
        told += [part for each in self._injections for part in ("-e", f"inject={each}")]
        fixed = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-y", "-o", str(self._output)]
        return [*fixed, "-e", f"trace={self._calls}", *told]

    def end(self, pid: int) -> None:
        """End the strace of the child *pid*, which else keeps it, even dead, until a delay is over."""
        with suppress(OSError):
            tracer = _TRACER.search(Path(f"/proc/{pid}/status").read_text())
            if tracer:
                os.kill(int(tracer[1]), signal.SIGKILL)

    def seen(self, name: str) -> list[Call]:
        """Return the calls of *name*, in the order of their ends."""
        found: list[Call] = []
        begun: dict[str, str] = {}
        for line in self._output.read_text().splitlines():
            match = _CALL.match(line)
            if match is None or match["name"] != name:
                continue
            thread, rest = line.split()[0], match["rest"]
            if "<unfinished ...>" in rest:
                begun[thread] = rest
                continue
            about = _FILE.match(begun.pop(thread, "") if "resumed>" in rest else rest)
            error = re.search(r"= -1 (E\w+)", rest)
            found.append(Call(name=name, path=about["path"] if about else None, error=error[1] if error else None))
        return found
