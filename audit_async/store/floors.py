"""Versions of drivers below which the promises do not hold, as `pyproject.toml` says: whoever installs without it is
told."""

from __future__ import annotations

import re
from importlib import metadata

from audit_async.diagnostics import report

FLOORS = {
    "sqlalchemy": ("2.0.40", "connections are lost when a task is cancelled"),
    "asyncpg": ("0.32", "a server that freezes holds the writer for ever"),
    "asyncmy": ("0.2.13", "the next statement gets the answer to one that was cancelled"),
    "aiosqlite": ("0.22", "a connection cannot be given up"),
}
"""By package: the least version, and what happens with an older one."""


def warn_of_old(driver: str) -> None:
    """Say so if SQLAlchemy or *driver* is older than what the promises need."""
    for name in ("sqlalchemy", driver):
        least, harm = FLOORS.get(name, ("", ""))
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if least and _numbers(found) < _numbers(least):
            report(f"old_{name}", f"{name} {found} is too old: {harm}. Install {name}>={least}")


def _numbers(version: str) -> list[int]:
    """Return the numbers that *version* begins with; of a development version those of the one that it leads to."""
    begin = re.match(r"\d+(\.\d+)*", version)
    return [int(number) for number in begin[0].split(".")] if begin else []
