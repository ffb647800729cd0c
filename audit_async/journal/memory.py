"""Entries that no disk takes: a bounded queue in memory, with the same order and numbers as on disk."""

from __future__ import annotations

from collections import deque
from itertools import islice

from audit_async.config import URGENT_SHARE
from audit_async.journal.frame import Record


class MemoryTail:
    """The newest entries of a journal, in memory. Its owner guards it.

    Attributes:
        kept_bytes: of the payloads in it.
        limit: up to where it takes entries that are not urgent.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.limit = max_bytes - int(max_bytes * URGENT_SHARE)
        self.kept_bytes = 0
        self._records: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def fullness(self) -> float:
        """The share of `max_bytes` that is used, up to 1.0."""
        return self.kept_bytes / self.max_bytes if self.max_bytes else 1.0

    def append(self, seq: int, payload: bytes, is_urgent: bool = False) -> bool:
        """Put an entry at the end; False when `limit`, or for an urgent one `max_bytes`, would be passed."""
        if self.kept_bytes + len(payload) > (self.max_bytes if is_urgent else self.limit):
            return False
        self._records.append(Record(seq, payload))
        self.kept_bytes += len(payload)
        return True

    def read(self, after_seq: int, max_records: int, max_bytes: int) -> list[Record]:
        """Return entries with a number above *after_seq*, at least one if there is one."""
        if not self._records:
            return []
        # Numbers are contiguous, so the position follows from the first one.
        start = max(0, after_seq + 1 - self._records[0].seq)
        records: list[Record] = []
        size = 0
        for record in islice(self._records, start, start + max_records):
            if records and size + len(record.payload) > max_bytes:
                break
            records.append(record)
            size += len(record.payload)
        return records

    @property
    def last_seq(self) -> int:
        """Of the newest entry; 0 when there is none."""
        return self._records[-1].seq if self._records else 0

    def first(self) -> Record | None:
        """Return the oldest entry, or None."""
        return self._records[0] if self._records else None

    def remove_first(self) -> None:
        """Remove the oldest entry."""
        self.kept_bytes -= len(self._records.popleft().payload)

    def remove_up_to(self, seq: int) -> bool:
        """Remove the entries that are settled, and return whether there were any."""
        before = len(self._records)
        while self._records and self._records[0].seq <= seq:
            self.remove_first()
        return len(self._records) < before
