"""Everything that the library may say, and everything that it keeps on disk."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit_async import AuditLogger
from audit_async.errors import AuditError
from tests.logs import heard

_CONTAINERS = ("dict", "list", "tuple", "set", "deque", "function", "method", "cell", "weakref")
_PAYLOADS = ("AuditEvent", "Entry", "Record", "Batch", "MemoryTail")


@dataclass
class Ear:
    """What was said, through every way there is."""

    lines: list[str] = field(default_factory=list)

    def listen_to(self, audit: AuditLogger) -> None:
        """Add what *audit* says of itself when it is asked."""
        stats, health = audit.stats(), audit.health()
        self.lines += [repr(audit), str(audit), repr(stats), str(stats.last_error), repr(health), *health.reasons]
        self.lines += [repr(audit.settings), str(audit.settings), *of_objects(audit)]

    def add_error(self, error: BaseException | None) -> None:
        """Add what *error* says, and those that a traceback would show with it."""
        while error is not None:
            self.lines += [str(error), repr(error), repr(error.__dict__)]
            if isinstance(error, AuditError):
                self.lines += [error.message, str(error.hint)]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

    def has(self, *sought: str) -> list[str]:
        """Return the lines in which one of *sought* is."""
        return [line for line in self.lines if any(each in line for each in sought)]


@contextmanager
def listening() -> Iterator[Ear]:
    """Hear what is said to loguru and to the standard library's loggers, at every level."""
    ear = Ear()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ear.lines.append(self.format(record))

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with heard() as lines:
            yield ear
            ear.lines += lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def of_objects(start: Any) -> list[str]:
    """Return the `repr` of every object of the library that can be reached from *start*, but of events under way."""
    seen: set[int] = set()
    waiting, found = [start], []
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        is_ours = type(each).__module__.partition(".")[0] == "audit_async"
        if is_ours and type(each).__name__ not in _PAYLOADS:
            found.append(repr(each))
        if is_ours or type(each).__name__ in _CONTAINERS:
            waiting += [one for one in gc.get_referents(each) if not _is_module(one)]
    return found


def _is_module(one: Any) -> bool:
    return isinstance(one, type) or (isinstance(one, dict) and "__builtins__" in one)


def files_with(directory: Path, *sought: bytes) -> list[str]:
    """Return the names of the files below *directory* in which one of *sought* is."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path.name for path in files if any(each in path.read_bytes() for each in sought)]
