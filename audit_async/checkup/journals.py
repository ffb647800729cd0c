"""What lies in the journal directory: of processes that live, of dead ones, and what is meant for others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from audit_async.checkup.finding import Finding
from audit_async.config import CLOCK_NOTE_SECONDS, LATE_SECONDS, MIB
from audit_async.journal.file_set import Lock
from audit_async.journal.place import may
from audit_async.journal.survey import Surveyed, survey
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
        return f"{self.count} ({self.bytes / MIB:.1f} MiB{begun})"


@dataclass(slots=True)
class _Piles:
    ours: _Pile = field(default_factory=_Pile)
    foreign: _Pile = field(default_factory=_Pile)
    elsewhere: _Pile = field(default_factory=_Pile)
    newest: float = 0.0
    unreadable: int = 0
    unknown: int = 0


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
    if piles.unknown:
        yield Finding(
            "warning",
            "journals",
            f"{piles.unknown} journals are in a format of another version of audit_async, and are left as they are",
            "`audit-async drain` with that version",
        )
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
    for each in survey(directory):
        piles.unreadable += each.fault is not None
        piles.unknown += each.is_of_other_format and not each.is_living
        header = each.header
        if header is None or not each.is_begun:
            continue
        piles.newest = max(piles.newest, header.created_ns / 1e9, _written_at(each))
        # Whoever delivers an orphan holds its mark.
        if each.is_living or each.is_of_other_format or Lock.is_held(each.file_set.confirm_path):
            continue
        pile = (
            piles.foreign if each.destination != destination else piles.elsewhere if each.is_elsewhere else piles.ours
        )
        pile.add(each.size_bytes, header.created_ns)
    return piles


def _written_at(each: Surveyed) -> float:
    """Return when one of its segments was last written."""
    newest = 0.0
    for number in each.segments:
        with suppress(OSError):
            newest = max(newest, os.lstat(each.file_set.segment_path(number)).st_mtime)
    return newest


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
            f"events that the database refused: {len(names)}, in {directory / 'quarantine'}{others}",
            "`audit-async quarantine ls` says why: mend the table, then `audit-async quarantine retry --all`",
        )
