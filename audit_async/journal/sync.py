"""The group commit, on a thread of its own: one `fdatasync` for all who wait, and one now and then when nobody does."""

from __future__ import annotations

import contextvars
import threading
import time
from queue import Empty, SimpleQueue
from typing import Protocol

from audit_async.config import (
    CLOSE_HARD_SECONDS,
    FOLLOW_INTERVAL_SECONDS,
    HEAL_INTERVAL_SECONDS,
    HEAL_MAX_INTERVAL_SECONDS,
    ROUND_INTERVAL_SECONDS,
    SYNC_INTERVAL_SECONDS,
)
from audit_async.diagnostics import describe, report, settle_down
from audit_async.errors import AuditError
from audit_async.progress import Progress

_NOTICED, _HURRY, _STOP = 1, 2, 3


class Syncable(Protocol):
    """What the thread works on: the journal."""

    synced: Progress
    settled: Progress
    room: Progress

    @property
    def has_unsynced(self) -> bool:
        """Whether there is something to do."""
        ...

    @property
    def is_on_disk(self) -> bool:
        """Whether entries go to a disk now; where not, that has been said."""
        ...

    def commit_group(self) -> None:
        """Put everything on disk."""

    def tidy(self) -> None:
        """Make the next segment, remove settled ones."""

    def follow(self) -> None:
        """Take over another process's mark."""

    def close_files(self) -> None:
        """Close them behind a journal that could not wait for the thread."""


class SyncThread:
    """Syncs a journal. The thread is started by the first entry, in an empty context.

    Attributes:
        is_idle: it waits for `notice`, or was never started.

    Woken through a `SimpleQueue`, whose `put` may be called from a signal handler or a `__del__` at any moment.

    Args:
        follows: another process uploads; look at its mark while somebody waits for it.
    """

    def __init__(self, journal: Syncable, *, follows: bool) -> None:
        self._journal = journal
        self._follows = follows
        self._follow_at = 0.0
        self._orders: SimpleQueue[int] = SimpleQueue()
        self.is_idle = True
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_stopped = False
        self._has_ended = False
        self._is_left_behind = False

    def notice(self) -> None:
        """Say that there is something to sync. Costs nothing while the thread is at work anyway."""
        if self.is_idle:
            self.is_idle = False
            self._start()
            self._orders.put(_NOTICED)

    def hurry(self) -> None:
        """Say that somebody waits."""
        self.is_idle = False
        if self._start():
            self._orders.put(_HURRY)
            return
        # Nobody may wait for a thread that is not there.
        self._journal.synced.release()
        if self._follows:
            self._journal.settled.release()

    def _start(self) -> bool:
        """Return whether the thread runs, or is being started by somebody else."""
        if self._thread is not None:
            return True
        if self._is_stopped:
            return False
        if not self._starting.acquire(blocking=False):
            return True
        try:
            if self._thread is None:
                # An empty context: the thread must not carry the identity of whoever happened to log first.
                thread = threading.Thread(
                    target=contextvars.Context().run, args=(self._run,), name="audit-sync", daemon=True
                )
                thread.start()
                self._thread = thread
        except RuntimeError:
            # The interpreter is shutting down, or there are too many threads: entries are in the page cache, which
            # outlives the process. The next one tries again.
            self.is_idle = True
        finally:
            self._starting.release()
        return self._thread is not None

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if not self._is_stopped:
                # Whatever ended it, the next entry starts another one.
                self._thread = None
                self.is_idle = True
            else:
                # Each of the two says first how far it is, and then looks at the other: the files are closed by one
                # of them at least, and a second time does nothing.
                self._has_ended = True
                if self._is_left_behind:
                    self._close_files()

    def _close_files(self) -> None:
        try:
            self._journal.close_files()
        except Exception as error:
            _report_fault(error)

    def _work(self) -> None:
        pause = 0.0
        while True:
            order = self._next_order(pause)
            pause = self._step(pause)
            if order == _STOP:
                return

    def _next_order(self, pause: float) -> int:
        """Wait until there is something to do, and no longer than agreed when somebody waits for it."""
        if pause == 0.0 and not self._has_work():
            self.is_idle = True
            # An entry that came before the flag was set did not see it.
            if not self._has_work():
                try:
                    order = self._orders.get(timeout=ROUND_INTERVAL_SECONDS)
                except Empty:
                    self.is_idle = False
                    return _NOTICED
                self.is_idle = False
                if order != _NOTICED:
                    return self._strongest(order)
            self.is_idle = False
        try:
            interval = FOLLOW_INTERVAL_SECONDS if self._is_followed else SYNC_INTERVAL_SECONDS
            if self._journal.room.is_awaited:
                # Callers stand still until the disk is found again.
                pause = min(pause, HEAL_INTERVAL_SECONDS)
            return self._strongest(self._orders.get(timeout=max(pause, interval)))
        except Empty:
            return _NOTICED

    def _strongest(self, order: int) -> int:
        """Return the strongest of all orders that are there: one round carries them out together."""
        try:
            while True:
                order = max(order, self._orders.get_nowait())
        except Empty:
            return order

    def _has_work(self) -> bool:
        return self._journal.has_unsynced or self._is_followed

    @property
    def _is_followed(self) -> bool:
        return self._follows and (self._journal.settled.is_awaited or self._journal.room.is_awaited)

    def _step(self, pause: float) -> float:
        """Do one round and return how long to wait after a failure, 0.0 after none."""
        try:
            if self._journal.has_unsynced:
                self._journal.commit_group()
            settle_down("journal_sync")
            pause = 0.0
        except (OSError, AuditError) as error:
            if self._journal.is_on_disk:
                report("journal_sync", f"the journal cannot be synced to disk ({describe(error)}); it is tried again")
                # Each attempt writes once more what is not on disk for certain.
                pause = min(HEAL_MAX_INTERVAL_SECONDS, max(HEAL_INTERVAL_SECONDS, pause * 2))
            else:
                # To look whether there is room again costs little, and what waits in memory is not safe.
                pause = HEAL_INTERVAL_SECONDS
        except Exception as error:
            _report_fault(error)
            pause = HEAL_INTERVAL_SECONDS
        try:
            self._journal.tidy()
            if self._follows and time.monotonic() >= self._follow_at:
                # Not in every round: where many wait for the disk there are thousands a second.
                self._follow_at = time.monotonic() + FOLLOW_INTERVAL_SECONDS
                self._journal.follow()
        except Exception as error:
            _report_fault(error)
        return pause

    def stop(self) -> bool:
        """Let the thread end after one more round, and return whether it has within `CLOSE_HARD_SECONDS`.

        Where it has not, it closes the journal's files when it does: a disk that hung may answer again.
        """
        # Another thread may be starting it just now.
        if self._starting.acquire(timeout=CLOSE_HARD_SECONDS):
            self._is_stopped = True
            self._starting.release()
        self._is_stopped = True
        thread = self._thread
        if thread is None:
            return True
        self._orders.put(_STOP)
        # A log sink, or a `__del__`, may close from inside a round, and nobody can wait for his own end.
        if thread is not threading.current_thread():
            thread.join(CLOSE_HARD_SECONDS)
            if not thread.is_alive():
                return True
        self._is_left_behind = True
        return self._has_ended

    def abandon(self) -> None:
        """Forget the thread in a forked child, where it does not exist."""
        self._is_stopped = True
        self._thread = None
        self._orders = SimpleQueue()


def _report_fault(error: Exception) -> None:
    report("journal_thread", f"a fault in the journal's own thread ({describe(error)})", level="ERROR")
