"""How it stands: the numbers of one logger, as frozen values."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What became of the events of this process, at one moment.

    `accepted == stored + pending + quarantined + dropped` holds in every value.

    Attributes:
        accepted: events that were given a number in this process.
        stored: of these, rows whose transaction has committed.
        pending: of these, still in the journal.
        quarantined: of these, refused by the database for what is in them, kept on disk.
        dropped: of these, lost (a damaged journal file, memory lost), by reason in `dropped_by_reason`.
        refused: calls that were given no number (the journal was full), by reason in `refused_by_reason`. Not part
            of the equation.
        unknown_actions: events whose action the vocabulary does not have; they are taken as any other.
        redaction_failed: values that were removed because the rule given to `redact=` failed on them, and events that
            lost all that they said because redaction itself failed.
        adopted_stored, adopted_quarantined, adopted_dropped: events of processes that died, delivered by this one.
        waits: calls that found the journal full and waited for room (`when_full="block"`), whether or not they got it.
        journal_bytes: kept on disk (and in memory, where no disk takes them), space that is only reserved included.
        journal_max_bytes: what `journal_bytes` may come to; 0 as long as nothing was logged.
        journal_fullness: the share of that which events take: from 0.0 to 1.0, where nothing more is taken. The last
            part is for events of high severity.
        oldest_pending_seconds: since the oldest pending event was accepted; 0.0 when none is pending.
        last_error: what the last failed attempt met, or None when the last attempt succeeded.
        is_on_disk: whether events go to a disk now (False: they wait in memory).
    """

    accepted: int = 0
    stored: int = 0
    pending: int = 0
    quarantined: int = 0
    dropped: int = 0
    dropped_by_reason: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    refused_by_reason: dict[str, int] = field(default_factory=dict)
    unknown_actions: int = 0
    redaction_failed: int = 0
    adopted_stored: int = 0
    adopted_quarantined: int = 0
    adopted_dropped: int = 0
    waits: int = 0
    journal_bytes: int = 0
    journal_max_bytes: int = 0
    journal_fullness: float = 0.0
    oldest_pending_seconds: float = 0.0
    last_error: str | None = None
    is_on_disk: bool = True


class Losses:
    """Counts what was refused or lost until an `audit.gap` event has told of it. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.refused: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._first: float = 0.0
        self._last: float = 0.0
        self._quiet = threading.local()
        self.unknown_actions = 0
        self.waits = 0

    def count_wait(self) -> None:
        """Count one call that waits for room."""
        with self._lock:
            self.waits += 1

    def count_unknown_action(self) -> None:
        """Count one event whose action the vocabulary does not have."""
        with self._lock:
            self.unknown_actions += 1

    def refuse(self, reason: str) -> None:
        """Count one event that was given no number."""
        with self._lock:
            self.refused[reason] += 1
            if not getattr(self._quiet, "is_on", False):
                self.lose(1, reason)

    def lose(self, count: int, reason: str) -> None:
        """Count *count* events that are gone."""
        with self._lock:
            now = time.time()
            self._first = self._first or now
            self._last = now
            self._untold[reason] += count

    @property
    def is_untold(self) -> bool:
        """Whether something was lost that no event tells of yet."""
        return bool(self._untold)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Count what this thread is refused inside, but let no event tell of it."""
        self._quiet.is_on = True
        try:
            yield
        finally:
            self._quiet.is_on = False

    def take(self) -> dict[str, Any] | None:
        """Return the details of one `audit.gap` event and start anew, or None when nothing is untold."""
        with self._lock:
            if not self._untold:
                return None
            gap = {
                "count": sum(self._untold.values()),
                "reasons": dict(self._untold),
                "first_at": _iso(self._first),
                "last_at": _iso(self._last),
            }
            self._untold = Counter()
            self._first = self._last = 0.0
            return gap

    def give_back(self, gap: dict[str, Any]) -> None:
        """Undo `take`: the event that should tell of it was itself refused."""
        with self._lock:
            self._untold.update(gap["reasons"])
            self._first = datetime.fromisoformat(gap["first_at"]).timestamp()
            self._last = max(self._last, datetime.fromisoformat(gap["last_at"]).timestamp())


def _iso(seconds: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(seconds, UTC).isoformat()
