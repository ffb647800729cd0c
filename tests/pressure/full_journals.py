"""Journals that are full, since the table takes nothing: what the tests of back-pressure share."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import make_url

from audit_async import AuditEvent, AuditLogger, Timing, events
from tests.journal.journals import SMALL_SEGMENT
from tests.polling import eventually
from tests.tables import all_rows

BUDGET = 8 * SMALL_SEGMENT
FILLER = "x" * 1000
QUICK_SECONDS = 10.0  # far above what a call takes that does not wait, far below LONG_SECONDS
LONG_SECONDS = 50.0
TIMING = Timing(lock_seconds=0.02, backoff_first_seconds=0.01, backoff_max_seconds=0.02, cancel_seconds=QUICK_SECONDS)

Opened = Callable[..., AuditLogger]


class HeldTable:
    """A table in a SQLite file in which another process's transaction lets nobody write, until it is released."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._other = sqlite3.connect(str(make_url(url).database), isolation_level=None, check_same_thread=False)
        self._other.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        if self._other.in_transaction:
            self._other.execute("COMMIT")

    def close(self) -> None:
        self.release()
        self._other.close()


def event(number: int = 0, **fields: Any) -> AuditEvent:
    return events.custom("report.print", details={"number": number, "filler": FILLER}, **fields)


def fill(audit: AuditLogger, **fields: Any) -> list[str]:
    """Log until an event is refused, and return the ids of those that were taken. The journal has to refuse at once."""
    taken: list[str] = []
    while (receipt := audit.log(event(len(taken), **fields))).is_accepted:
        taken.append(receipt.id)
    return taken


def fill_to_wait(audit: AuditLogger) -> list[str]:
    """Fill the journal of a logger that would wait: by events of a thread in which it never does."""
    taken: list[str] = []
    thread = threading.Thread(target=lambda: taken.extend(fill(audit)), name="audit-writer")
    thread.start()
    thread.join()
    return taken


def waiters(audit: AuditLogger) -> int:
    journal = audit._process.journal
    return len(journal.room._waiters) if journal is not None else 0


@contextmanager
def quickly() -> Iterator[None]:
    """See that nothing inside has waited."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < QUICK_SECONDS


async def rows_and_gaps(audit: AuditLogger) -> tuple[list[str], Counter[str]]:
    """Return the ids of all rows once everything is in, and what those that tell of a gap say together, by reason."""
    url = str(audit.settings.address.url)

    async def all_is_told() -> bool:
        told = [row["details"]["count"] for row in await all_rows(url) if row["action"] == "audit.gap"]
        return sum(told) >= audit.stats().refused and audit.stats().pending == 0

    await eventually(all_is_told, 30)
    rows = await all_rows(url)
    gaps = [row["details"] for row in rows if row["action"] == "audit.gap"]
    assert [gap["count"] for gap in gaps] == [sum(gap["reasons"].values()) for gap in gaps]
    told = sum((Counter(gap["reasons"]) for gap in gaps), Counter[str]())
    return [row["id"] for row in rows if row["action"] != "audit.gap"], told
