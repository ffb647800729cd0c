"""What lies in the journal directory: of processes that live, of dead ones, and what is meant for others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from audit_async.checkup.finding import Finding
from audit_async.config import CLOCK_NOTE_SECONDS, LATE_SECONDS
from audit_async.journal.file_set import FileSet, Lock
from audit_async.journal.place import may
from audit_async.journal.segment import SegmentReader, host_name
from audit_async.settings import Settings
from audit_async.status import Seen, age_seconds, look_around


@dataclass(slots=True)
class _Pile:
    """File sets of dead processes that hold events.

    Attributes:
        since: when the oldest of them was begun, in seconds since 1970.
    """

    count: int = 0
    bytes: int = 0
    since: float = field(default=float("inf"))

    def add(self, size: int, created_ns: int) -> None:
        self.count += 1
        self.bytes += size
        self.since = min(self.since, created_ns / 1e9)

    def __str__(self) -> str:
        begun = f", the oldest begun {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.count} ({self.bytes / 2**20:.1f} MiB{begun})"


@dataclass(slots=True)
class _Piles:
    ours: _Pile = field(default_factory=_Pile)
    foreign: _Pile = field(default_factory=_Pile)
    elsewhere: _Pile = field(default_factory=_Pile)
    newest: float = 0.0
    unreadable: int = 0


def of_journals(settings: Settings) -> Iterator[Finding]:
    """Yield what waits in the journal directory of *settings*, and why. Nothing is taken over or read through."""
    directory = settings.journal_dir
    if not directory.is_dir() or not may(directory, os.R_OK | os.X_OK):
        return
    yield from _of_living(look_around(directory))
    piles = _look(directory, settings.destination)
    if piles.ours.count:
        yield Finding(
            "warning",
            "journals",
            f"dead processes have left journals with events: {piles.ours}",
            "the next process of the service delivers them, or `audit-async drain` now",
        )
    if piles.foreign.count:
        yield Finding(
            "warning",
            "journals",
            f"dead processes have left journals with events for another database or table: {piles.foreign}",
            "`audit-async drain` with that address; `drain --adopt` would bring them into this one",
        )
    if piles.elsewhere.count:
        yield Finding(
            "warning",
            "journals",
            f"other hosts have left journals with events: {piles.elsewhere}",
            "run `audit-async drain` there, or `drain --adopt` here if that host is gone",
        )
    if piles.unreadable:
        yield Finding("note", "journals", f"{piles.unreadable} journals cannot be looked at", "run this as their user")
    if piles.newest > time.time() + CLOCK_NOTE_SECONDS:
        ahead = piles.newest - time.time()
        yield Finding(
            "warning",
            "clock",
            f"the newest journal is {ahead:.0f} s ahead of this machine's clock, which was set back",
            "see that the clock is right: events carry its time",
        )
    yield from _of_quarantine(directory, settings.destination)
    damaged = len(list(directory.glob("*.corrupt")))
    if damaged:
        yield Finding(
            "note",
            "journals",
            f"{damaged} pieces of damaged journals are kept in {directory} (*.corrupt)",
            "look at them, see to the disk, then remove them",
        )


def _of_living(seen: list[Seen]) -> Iterator[Finding]:
    living = [one for one in seen if one.state in ("living", "stale")]
    statuses = [one.status for one in living if one.status is not None]
    waits = [
        status.stats.oldest_pending_seconds + age_seconds(status) * (one.state == "stale")
        for one in living
        if (status := one.status) is not None and status.stats.pending
    ]
    pending = sum(status.stats.pending for status in statuses)
    message = f"{len(living)} living process{'' if len(living) == 1 else 'es'}, {pending:,} events pending"
    if waits:
        message += f", the oldest for {max(waits):.0f} s"
    if max(waits, default=0.0) > LATE_SECONDS:
        yield Finding("warning", "lag", message, "see why below, or in `audit-async stats`")
    else:
        yield Finding("ok", "lag", message)
    for one in living:
        about = f"{one.service} {one.status.pid}" if one.status else one.service
        if one.state == "stale":
            yield Finding(
                "warning", "process", f"{about} has events pending and says nothing for a while", "it may hang"
            )
        elif one.status is None:
            yield Finding("note", "process", f"{about} of {one.writer_id[:8]}: {one.fault}")
        for reason in one.status.health.reasons if one.status else ():
            yield Finding("warning", "process", f"{about}: {reason}")


def _look(directory: Path, destination: str) -> _Piles:
    piles = _Piles()
    for file_set in FileSet.all_in(directory):
        is_held = Lock.is_held(file_set.lock_path)
        try:
            size, created_ns, newest, header = _measure(file_set)
        except OSError:
            piles.unreadable += file_set.lock_path.exists()
            continue
        piles.newest = max(piles.newest, newest)
        # Whoever delivers an orphan holds its mark.
        if is_held is not False or header is None or Lock.is_held(file_set.confirm_path):
            continue
        if header[0] != destination:
            piles.foreign.add(size, created_ns)
        elif header[1] != host_name():
            piles.elsewhere.add(size, created_ns)
        else:
            piles.ours.add(size, created_ns)
    return piles


def _measure(file_set: FileSet) -> tuple[int, int, float, tuple[str, str] | None]:
    """Return bytes, begin (ns), time of the newest write, and destination and host if there is any entry in it.

    Raises:
        OSError: it may not be looked at.
    """
    size, created_ns, newest = 0, 0, 0.0
    header: tuple[str, str] | None = None
    for number in file_set.segment_numbers():
        path = file_set.segment_path(number)
        try:
            found = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            continue
        size, newest = size + found.st_size, max(newest, found.st_mtime)
        reader = SegmentReader.open(path) if header is None else None
        if reader is not None:
            if reader.is_begun and reader.header is not None:
                header, created_ns = (reader.header.destination, reader.header.host), reader.header.created_ns
                newest = max(newest, created_ns / 1e9)
            reader.close()
    return size, created_ns, newest, header


def _of_quarantine(directory: Path, destination: str) -> Iterator[Finding]:
    try:
        names = [name for name in os.listdir(directory / "quarantine") if name.endswith(".json")]
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding("note", "quarantine", f"it cannot be looked at ({error.strerror})", "run this as its user")
        return
    if names:
        ours = sum(name.startswith(destination) for name in names)
        others = f", {len(names) - ours} of them for other databases" if ours < len(names) else ""
        yield Finding(
            "warning",
            "quarantine",
            f"{len(names)} events that the database refused are kept in {directory / 'quarantine'}{others}",
            "each file there says why: mend the table or the caller",
        )
