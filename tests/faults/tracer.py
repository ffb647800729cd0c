"""strace, attached to a child that waits: it counts the child's system calls, or breaks them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.children import Child

_PROGRAM = shutil.which("strace") or "strace"


class Tracer:
    """Traces *child* and its threads from now on, until either is ended.

    Args:
        expressions: what strace is told by `-e`.
        lines: the file that gets a line for each call; none is written without it.
    """

    def __init__(self, child: Child, *expressions: str, lines: Path | None = None) -> None:
        told = [part for expression in expressions for part in ("-e", expression)]
        command = [_PROGRAM, "-f", "-p", str(child.pid), "-o", str(lines or "/dev/null"), *told]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        # It says so as soon as the child is its own; from then on no call goes by uncounted.
        said = self._process.stderr.readline()
        assert b"attached" in said, said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)
