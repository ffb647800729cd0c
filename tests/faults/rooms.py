"""What faults of the disk bring about by hand: a journal on a disk of its own, and a table that is away."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.faults.lab import Lab
from tests.faults.mounts import can_mount, mounted

SMALL_SEGMENT = 32 * 1024
"""Of a segment, in bytes: some fifty events fill it."""

QUICK = {"lock_seconds": 0.2, "backoff_first_seconds": 0.02, "backoff_max_seconds": 0.2, "adopt_interval_seconds": 0.2}
"""Times of a writer that is back soon after an outage."""


def disk(lab: Lab, kind: str = "tmpfs", options: str = "rw") -> Path:
    """Have the journal of *lab* on a file system of its own, and return where that is."""
    path = lab.keep(mounted(lab.folder / "disk", kind, options))
    lab.journal_dir = path / "journal"
    return path


def any_disk(lab: Lab) -> dict[str, Any]:
    """Have the journal where segments are mapped, or written because it is told so, or on a file system on which they
    have to be written; return what the child has to be told."""
    where = lab.chance.choice(["mapped", "written", "ramfs"])
    if where == "ramfs" and can_mount():
        disk(lab, "ramfs")
    return {"is_mapped": where == "mapped"}


@contextmanager
def table_away(lab: Lab) -> Iterator[None]:
    """Hold the SQLite table of *lab* in a transaction of another connection."""
    with closing(sqlite3.connect(lab.folder / "audit.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def fill(path: Path, *, but: int = 0) -> Path:
    """Fill the disk at *path* with one file, but for so many bytes, and return that file."""
    ballast = path / "ballast"
    size = 0
    with open(ballast, "wb", buffering=0) as file:
        while True:
            try:
                size += file.write(bytes(4096))
            except OSError:
                break
        file.truncate(max(0, size - but))
    return ballast


def as_ordinary_user() -> list[str]:
    """Return the command that runs a child without root's right to pass over permissions."""
    if os.geteuid() != 0:
        return []
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]
