"""The pace of an import is that of the table: a batch is logged when the one before it has arrived.

So the journal never holds more than one batch of it, and whoever else logs there finds room.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from audit_async.config import IMPORT_FULLNESS, IMPORT_LOOK_SECONDS
from audit_async.importing.batches import Batch, Run
from audit_async.importing.cursor import Cursor
from audit_async.importing.report import Seen
from audit_async.logger import AuditLogger

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def import_all(
    run: Run, cursor: Cursor | None, wait_seconds: float, on_progress: Callable[[Seen], None] | None
) -> str | None:
    """Import batch after batch; return why not to the end, or None."""
    while True:
        patience = _Patience(run.logger, wait_seconds)
        if not await _has_room(run.logger, patience):
            return patience.reason
        batch = await in_thread(run.next_batch)
        if not await _settled(run, batch, patience):
            return patience.reason
        if cursor is not None and batch.logged:
            await in_thread(cursor.move, run.chain)
        if on_progress is not None:
            on_progress(Seen(records=run.tally.records, bytes_read=run.source.position, bytes_total=run.source.size))
        if batch.is_last:
            run.is_read = True
            if cursor is not None:
                await in_thread(cursor.end)
            return None


class _Patience:
    """How long the table may take no event at all."""

    def __init__(self, logger: AuditLogger | None, seconds: float) -> None:
        self._logger = logger
        self._seconds = seconds
        self._stored = -1
        self._since = time.monotonic()

    @property
    def is_closed(self) -> bool:
        """Whether the logger is closed."""
        return self._logger is not None and self._logger.is_closed

    @property
    def is_over(self) -> bool:
        """Whether it has taken none for that long, or the logger is closed."""
        assert self._logger is not None
        stats = self._logger.stats()
        dealt_with = stats.stored + stats.quarantined
        if dealt_with != self._stored:
            self._stored, self._since = dealt_with, time.monotonic()
        return self._logger.is_closed or time.monotonic() - self._since >= self._seconds

    @property
    def reason(self) -> str:
        """Why nothing arrives."""
        assert self._logger is not None
        if self._logger.is_closed:
            return "the logger was closed"
        return self._logger.stats().last_error or f"the table took nothing for {self._seconds:g} s"


async def _has_room(logger: AuditLogger | None, patience: _Patience) -> bool:
    """Wait until the journal has room for a batch, and for whoever else logs; return whether it has."""
    while logger is not None:
        stats = logger.stats()
        # Also where nothing is pending: what has arrived takes room until a slow disk has removed it.
        if stats.journal_fullness <= IMPORT_FULLNESS:
            return True
        if patience.is_over:
            return not stats.pending
        await _look_later()
    return True


async def _settled(run: Run, batch: Batch, patience: _Patience) -> bool:
    """Wait until each event of *batch* is in the table or in quarantine; return whether all are."""
    for event, receipt in batch.logged:
        while True:
            is_settled = receipt.is_accepted and receipt.is_settled
            # A logger that was closed leaves to others what it has not delivered: it says nothing of that any more.
            if receipt.is_stored or (is_settled and not patience.is_closed):
                break
            if patience.is_over:
                return False
            if receipt.is_accepted:
                await receipt.stored(IMPORT_LOOK_SECONDS)
            else:
                # Somebody else filled the journal meanwhile. The same event again is the same row.
                await _look_later()
                receipt = await in_thread(run.log, event)
        run.confirmed += 1
        run.quarantined += not receipt.is_stored
    return True


async def in_thread(work: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Return what *work* gives, which may wait for a disk."""
    import anyio.to_thread  # loaded by who imports a file, and by nobody else

    return await anyio.to_thread.run_sync(work, *arguments)


async def _look_later() -> None:
    import anyio

    await anyio.sleep(IMPORT_LOOK_SECONDS)
