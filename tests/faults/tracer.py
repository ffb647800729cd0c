"""strace, attached to a child that waits: it counts the child's system calls, or breaks them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.children import Child
from tests.polling import eventually_sync

_PROGRAM = shutil.which("strace") or "strace"
_TRACER = re.compile(r"^TracerPid:\s*[1-9]", re.MULTILINE)


class Tracer:
    """Traces *child* and its threads from now on, until either is ended.

    Args:
        expressions: what strace is told by `-e`.
        lines: the file that gets a line for each call; none is written without it.
    """

    def __init__(self, child: Child, *expressions: str, lines: Path | None = None) -> None:
        told = [part for expression in expressions for part in ("-e", expression)]
        output = str(lines) if lines else "/dev/null"
        self._process = subprocess.Popen([_PROGRAM, "-qq", "-f", "-p", str(child.pid), "-o", output, *told])
        status = Path(f"/proc/{child.pid}/status")
        eventually_sync(lambda: self._process.poll() is not None or _TRACER.search(status.read_text()))
        assert self._process.poll() is None, "strace could not attach"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
