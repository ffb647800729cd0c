"""What the library says of itself, caught."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger

from audit_async import diagnostics


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect our own log lines, each with its level; what was said before may be said again."""
    lines: list[str] = []
    diagnostics.forget_all()
    number = logger.add(lambda message: lines.append(str(message)), format="{level} {message}", level="DEBUG")
    try:
        yield lines
    finally:
        logger.remove(number)
