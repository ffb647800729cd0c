"""How each process of this machine stands: one small JSON file beside its journal files, for `audit-async stats`.

    <service>-<writer>.status

It goes with the journal files when they go, and tells whether its process lives by the lock among them. No server, no
port: who may look into the directory may read it. It is a courtesy: where it cannot be written it is left, and nobody
waits for it.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from audit_async.config import MAX_STATUS_BYTES, STALE_STATUS_SECONDS, STATUS_INTERVAL_SECONDS
from audit_async.diagnostics import describe
from audit_async.health import Health
from audit_async.journal.file_set import FileSet, Lock, remove_file
from audit_async.journal.segment import host_name
from audit_async.private import make_file, open_file
from audit_async.stats import Stats

FORMAT = 1


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a process stood when it wrote this. What a later version adds is passed over; what it lacks has a default.

    Attributes:
        format: of the file; grows when a field changes its meaning.
        is_closed: the logger was closed in order, with events pending.
    """

    format: int = FORMAT
    pid: int = 0
    service: str = ""
    writer_id: str = ""
    host: str = ""
    started_at: datetime
    written_at: datetime
    is_closed: bool = False
    health: Health
    stats: Stats
    library_version: str = ""
    python_version: str = ""


class StatusFile:
    """The file of one incarnation. Used by the journal's sync thread alone."""

    def __init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._due_at = 0.0
        self._written: tuple[Stats, Health, bool] | None = None
        self._descriptor = -1

    @property
    def is_due(self) -> bool:
        """Whether `STATUS_INTERVAL_SECONDS` have gone by since the last look."""
        return time.monotonic() >= self._due_at

    def write(self, file_set: FileSet, stats: Stats, health: Health, *, is_closed: bool) -> None:
        """Write how it stands, unless the file says so already. Never raises: a full disk has no room for it."""
        self._due_at = time.monotonic() + STATUS_INTERVAL_SECONDS
        news = (stats, health, is_closed)
        if news == self._written and file_set.status_path.exists():
            return
        status = Status(
            pid=os.getpid(),
            service=file_set.service,
            writer_id=file_set.writer_id,
            host=host_name(),
            started_at=self._started_at,
            written_at=datetime.now(UTC),
            is_closed=is_closed,
            health=health,
            stats=stats,
            library_version=_library_version(),
            python_version=platform.python_version(),
        )
        if self._replace(file_set.status_path, msgspec.json.encode(status)):
            self._written = news

    def _replace(self, path: Path, content: bytes) -> bool:
        """Put *content* into the place of *path* at once and whole, for its owner alone; return whether that was
        done."""
        draft = path.with_suffix(path.suffix + ".new")
        try:
            self._descriptor = make_file(draft)
            try:
                is_whole = os.write(self._descriptor, content) == len(content)
            finally:
                self.abandon()
            if is_whole:
                draft.rename(path)
                return True
        except OSError:
            pass
        remove_file(draft)
        return False

    def abandon(self) -> None:
        """Close what is open: in a forked child too, where the thread that writes does not exist."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _library_version() -> str:
    # The face imports everything, so nothing imports the face; it is there already.
    return str(getattr(sys.modules["audit_async"], "__version__", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process that has journal files in a directory, living or not.

    Attributes:
        state: `living`; `stale` (living, but what waits has moved nothing in its file for a while); `closed` (ended in
            order, events wait); `dead` (ended otherwise, events may wait); `unknown` (its lock cannot be asked).
        status: what it wrote last, or None.
        fault: why there is no status, or None.
    """

    service: str
    writer_id: str
    state: str
    status: Status | None = None
    fault: str | None = None


def look_around(directory: Path, service: str | None = None) -> list[Seen]:
    """Return the processes that have files in *directory*, living ones first. Never raises.

    Args:
        service: as it stands in file names; None for all.
    """
    return sorted(_seen(directory, service), key=lambda seen: (_ORDER.index(seen.state), seen.service, seen.writer_id))


_ORDER = ("living", "stale", "unknown", "closed", "dead")


def _seen(directory: Path, service: str | None) -> Iterator[Seen]:
    for file_set in FileSet.all_in(directory):
        if service is not None and file_set.service != service:
            continue
        is_held = Lock.is_held(file_set.lock_path)
        status = read_status(file_set.status_path)
        if not file_set.lock_path.exists():
            if not file_set.segment_numbers():
                # It ended well in this very moment: the lock goes last.
                continue
            # Somebody took the lock of a dead process for a stale one, and removed it.
            is_held = False
        known = status if isinstance(status, Status) else None
        yield Seen(
            service=file_set.service,
            writer_id=file_set.writer_id,
            state=_state(is_held, known),
            status=known,
            fault=status if isinstance(status, str) else None,
        )


def _state(is_held: bool | None, status: Status | None) -> str:
    if is_held is None:
        return "unknown"
    if not is_held:
        return "closed" if status is not None and status.is_closed else "dead"
    # While something is pending its age alone is news.
    is_late = status is not None and status.stats.pending and age_seconds(status) > STALE_STATUS_SECONDS
    return "stale" if is_late else "living"


def age_seconds(status: Status) -> float:
    """Return how long ago *status* was written, by this machine's clock; never less than 0."""
    written = status.written_at if status.written_at.tzinfo else status.written_at.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - written).total_seconds())


def read_status(path: Path) -> Status | str:
    """Return what stands in *path*, or in some words why that cannot be said. Never raises."""
    try:
        descriptor = open_file(path)
    except FileNotFoundError:
        return "no status yet"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    try:
        with open(descriptor, "rb") as file:
            return msgspec.json.decode(file.read(MAX_STATUS_BYTES), type=Status)
    except (OSError, ValueError, RecursionError) as error:
        return f"unreadable ({describe(error)})"
