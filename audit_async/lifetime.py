"""How a logger begins, waits for what was logged, and ends."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self

from audit_async.config import CLOSE_SECONDS
from audit_async.diagnostics import report
from audit_async.incarnation import Incarnation
from audit_async.settings import Settings
from audit_async.stats import Stats


class Lifetime(abc.ABC):
    """What `with`, `flush` and `close` do; the rest of a logger is in `logger`."""

    settings: Settings
    _process: Incarnation

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._process.is_closed

    @property
    def has_stopped_writing(self) -> bool:
        """Whether the writer's loop has come to its end."""
        writer = self._process.host.writer
        return writer is not None and writer.has_ended

    def stats(self) -> Stats:
        """Return the numbers of this moment. `accepted == stored + pending + quarantined + dropped` in every value."""
        return self._process.stats()

    @abc.abstractmethod
    def _leave(self) -> None:
        """Be none of the loggers that a fork, or the end of the program, sees to."""

    async def flush(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Return True when everything logged before is in the table; False when the time is up, or when an event of
        this process sits in quarantine or was lost. Nothing is lost by waiting in vain."""
        journal = self._process.journal
        if journal is None:
            return True
        self._process.host.nudge()
        return await journal.settled.wait(journal.last_seq, timeout_seconds, wants_all=True)

    def flush_sync(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Do as `flush`, blocking this thread."""
        journal = self._process.journal
        if journal is None:
            return True
        self._process.host.nudge()
        return journal.settled.wait_sync(journal.last_seq, timeout_seconds, wants_all=True)

    async def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Bring in what is pending for *timeout_seconds* at most, and close; return whether nothing remained.

        What remains is on disk, is named in one log line, and is delivered by the next process. Nothing is lost
        without this call; a program that ends without it gives its last events `EXIT_SECONDS` to arrive.
        """
        if not self.is_closed:
            try:
                await self._process.host.stop(timeout_seconds)
            finally:
                self._end()
        return self._is_all_in

    def close_sync(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Do as `close`, blocking this thread."""
        if not self.is_closed:
            self._process.host.stop_sync(timeout_seconds)
            self._end()
        return self._is_all_in

    @property
    def _is_all_in(self) -> bool:
        stats = self.stats()
        return stats.pending == 0 and "memory_lost" not in stats.dropped_by_reason

    def _end(self) -> None:
        self._leave()
        self._process.close()
        pending = self.stats().pending
        if pending:
            report(
                "closed_pending",
                f"closed with {pending} events pending; they wait in {self.settings.journal_dir} for the next process, "
                "or for `audit-async drain`",
                every_seconds=0,
            )

    async def __aenter__(self) -> Self:
        self._process.enter_task()
        self._process.deliver_leftovers()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        self._process.deliver_leftovers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_sync()

    def deliver_leftovers(self) -> None:
        """Deliver what earlier processes left in the journal directory, without waiting for the first event."""
        self._process.deliver_leftovers()
