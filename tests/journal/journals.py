"""Journals for tests, and what can be read from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit_async.config import KIB, MIB
from audit_async.journal import spool
from audit_async.journal.adoption import Orphan, adopt
from audit_async.journal.journal import Journal, JournalOptions
from tests.polling import eventually_sync

DESTINATION = "sqlite-0123456789abcdef"
SMALL_SEGMENT = 64 * KIB


def open_journal(
    directory: Path,
    *,
    max_bytes: int = 256 * MIB,
    memory_max_bytes: int = MIB,
    is_consumed_here: bool = True,
    destination: str = DESTINATION,
) -> Journal:
    """Return a journal whose reader asks by itself."""
    options = JournalOptions(
        directory=directory,
        service="test",
        destination=destination,
        max_bytes=max_bytes,
        memory_max_bytes=memory_max_bytes,
        is_consumed_here=is_consumed_here,
    )
    return Journal(options, on_data=lambda: None, on_wait=lambda: None)


def use_small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few entries fill a segment."""
    monkeypatch.setattr(spool, "SEGMENT_BYTES", SMALL_SEGMENT)
    monkeypatch.setattr(spool, "FIRST_SEGMENT_BYTES", SMALL_SEGMENT)


def payload_of(number: int, size: int = 40) -> bytes:
    return f"entry {number} ".encode().ljust(size, b".")


def fill(journal: Journal, count: int, *, size: int = 40) -> list[bytes]:
    """Append *count* entries and return their payloads."""
    payloads = [payload_of(number, size) for number in range(journal.last_seq + 1, journal.last_seq + 1 + count)]
    for payload in payloads:
        journal.append(payload)
    return payloads


def read_all(source: Journal | Orphan) -> list[tuple[int, bytes]]:
    """Read what there is, settle it, and return numbers and payloads."""
    found: list[tuple[int, bytes]] = []
    while batch := source.read(500, 64 * KIB):
        found += [(record.seq, record.payload) for record in batch.records]
        dropped = {"journal_damaged": len(batch.missing)} if batch.missing else {}
        source.settle(batch.last_seq, stored=len(batch.records), dropped=dropped, failed=batch.missing)
    return found


def open_files_in(directory: Path) -> list[str]:
    """Return which files there this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return [path for path in found if path.startswith(str(directory))]


def numbered(payloads: list[bytes]) -> list[tuple[int, bytes]]:
    """Return *payloads* as they should be read."""
    return list(enumerate(payloads, start=1))


def adopt_all(directory: Path, *, with_living: bool = False) -> list[Orphan]:
    """Take over what is there for the usual destination."""
    return adopt(directory, destination=DESTINATION, is_local=True, with_living=with_living).orphans


def read_orphans(directory: Path) -> list[tuple[int, bytes]]:
    """Adopt, read and finish everything, and return what was found."""
    found: list[tuple[int, bytes]] = []
    for orphan in adopt_all(directory):
        found += read_all(orphan)
        orphan.close(is_done=True)
    return found


def die(journal: Journal) -> None:
    """Let go of the files as a killed process does: nothing is written or removed any more."""
    journal.close_files = lambda: None  # type: ignore[method-assign]  # the thread would remove what is settled
    eventually_sync(journal._sync.stop, 60)  # on a slow disk it would find the files closed, and make others
    journal.abandon()


def files(directory: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in directory.glob(pattern))
