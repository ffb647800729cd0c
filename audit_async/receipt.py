"""What `log()` gives back: a claim to an event that one may wait for, or not."""

from __future__ import annotations

import threading

from audit_async.journal.journal import Journal

OWN_THREADS = frozenset({"audit-sync", "audit-writer"})
"""Where nobody waits for a disk, or for room: the first would have to bring the event there, the second to make it."""


class Receipt:
    """Says how far an event has come. Whoever does not ask does not pay.

    Attributes:
        id: of the event.
        refused: why the event was given no number (`journal_full`, `memory_full`, `closed`, ...), or None.
    """

    __slots__ = ("_journal", "id", "refused", "seq")

    def __init__(self, event_id: str, journal: Journal | None, seq: int, refused: str | None = None) -> None:
        self.id = event_id
        self.refused = refused
        self._journal = journal
        self.seq = seq

    def __repr__(self) -> str:
        state = (
            f"refused: {self.refused}"
            if not self.is_accepted
            else "stored"
            if self.is_stored
            else "on disk"
            if self.is_on_disk
            else "accepted"
        )
        return f"<Receipt {self.id} {state}>"

    @property
    def writer_seq(self) -> int | None:
        """The event's number in this process; None when it was refused, or has none yet (a call from inside
        another)."""
        return self.seq or None

    @property
    def is_accepted(self) -> bool:
        """Whether the event has, or is about to get, a number: it is not lost in silence any more."""
        return self.refused is None

    @property
    def is_on_disk(self) -> bool:
        """Whether it survives the loss of power: on this machine's disk, or in the table."""
        journal = self._journal
        return journal is not None and bool(self.seq) and (self.seq <= journal.synced.value or self.is_stored)

    @property
    def is_stored(self) -> bool:
        """Whether its row's transaction has committed."""
        journal = self._journal
        return journal is not None and bool(self.seq) and bool(journal.settled.outcome(self.seq))

    @property
    def is_settled(self) -> bool:
        """Whether it has come to its end: in the table, or not to come there (in quarantine, lost, or left to others by
        a logger that was closed)."""
        journal = self._journal
        return journal is not None and bool(self.seq) and journal.settled.outcome(self.seq) is not None

    async def on_disk(self, timeout_seconds: float | None = None) -> bool:
        """Wait until it is on disk, and return whether it is. Never raises, but for the cancellation of the caller."""
        journal, seq = self._journal, self.seq
        if journal is None or not seq:
            return False
        # What is settled may be in the table, which is as good.
        if seq <= journal.settled.value and self.is_on_disk:
            return True
        return await journal.synced.wait(seq, timeout_seconds) or self.is_on_disk

    def on_disk_sync(self, timeout_seconds: float | None = None) -> bool:
        """Do as `on_disk`, blocking this thread. Answers at once in a thread of ours, where a log sink may call it.

        Give a time where it is called from a `__del__` or a signal handler: that may have interrupted what it waits
        for.
        """
        if self._journal is None or not self.seq:
            return False
        if self.is_on_disk or threading.current_thread().name in OWN_THREADS:
            return self.is_on_disk
        return self._journal.synced.wait_sync(self.seq, timeout_seconds) or self.is_on_disk

    async def stored(self, timeout_seconds: float | None = None) -> bool:
        """Wait until its row has committed, and return whether it has: False when the time is up, when the logger was
        closed, or when it sits in quarantine."""
        if self._journal is None or not self.seq:
            return False
        return await self._journal.settled.wait(self.seq, timeout_seconds)

    def is_taken_by(self, journal: Journal) -> None:
        """Note the journal of an event that came while that was being opened."""
        self._journal = journal

    def take_number(self, seq: int) -> None:
        """Note the number that the journal gave: 0 as long as it has none, -1 when it was refused after all."""
        if seq >= 0:
            self.seq = seq
        else:
            self.refused = "journal_full"
