"""Log numbered events at a steady pace until told to end, and say every second how it stands.

    python -m tests.programs.soaking_child TASK      # a JSON object, see `Task`

Prints one `State` as JSON a second. SIGTERM ends it well: what is pending is given `close_seconds` to arrive.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from audit_async import AuditLogger
from tests.faults.ledger import Ledger, event_of

PROC = Path("/proc/self")


class Task(msgspec.Struct, kw_only=True, frozen=True):
    """What the child has to do; its events are numbered from *first* on, without end."""

    url: str
    journal_dir: str
    ledger: str
    first: int
    per_second: float
    close_seconds: float
    options: dict[str, Any] = {}


class State(msgspec.Struct, kw_only=True, frozen=True):
    """How the child stands: its library's numbers, and what it takes of the machine (anonymous memory in bytes)."""

    accepted: int
    stored: int
    pending: int
    quarantined: int
    dropped: int
    refused: int
    journal_bytes: int
    is_on_disk: bool
    health: str
    last_error: str | None
    memory: int
    threads: int
    descriptors: int


def run(task: Task) -> None:
    """Log until SIGTERM."""
    ends = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ends.set()

    signal.signal(signal.SIGTERM, end)
    audit = AuditLogger(task.url, journal_dir=task.journal_dir, **task.options)
    audit.deliver_leftovers()
    started = said_at = time.monotonic()
    with Ledger(Path(task.ledger)) as ledger:
        for passed in count():
            now = time.monotonic()
            if now >= said_at:
                said_at = now + 1.0
                os.write(1, msgspec.json.encode(_state(audit)) + b"\n")
            if ends.wait(max(0.0, started + passed / task.per_second - now)):
                break
            number = task.first + passed
            ledger.tell("called", number)
            is_accepted = audit.log(event_of(number)).is_accepted
            ledger.tell("logged" if is_accepted else "refused", number)
    audit.close_sync(task.close_seconds)
    os.write(1, msgspec.json.encode(_state(audit)) + b"\n")


def _state(audit: AuditLogger) -> State:
    stats = audit.stats()
    status = dict(line.split(":", 1) for line in (PROC / "status").read_text().splitlines())
    return State(
        **{name: getattr(stats, name) for name in State.__struct_fields__ if hasattr(stats, name)},
        health=audit.health().status,
        memory=int(status["RssAnon"].split()[0]) * 1024,
        threads=int(status["Threads"]),
        descriptors=len(list((PROC / "fd").iterdir())),
    )


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1].encode(), type=Task))
