"""The real logger, whose events stay in this process: no thread, no file, no database."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self, Unpack

from audit_async.incarnation import Incarnation
from audit_async.journal.journal import Journal, JournalOptions
from audit_async.logger import AuditLogger
from audit_async.settings import EMBEDDED_URL, LoggerOptions, Settings, read_options
from audit_async.stats import Losses
from audit_async.testing.recorded import AuditEvents

if TYPE_CHECKING:
    from audit_async.transaction.adding import Adding
    from audit_async.transaction.held import Hands


class MemoryAuditLogger(AuditLogger):
    """An `AuditLogger` for tests: it keeps events in a list, and everything before that is the real thing.

    An event is stored as soon as it is logged, so that nobody waits, and receipts, `flush` and `stats` say so. What
    `add` and `within` are given is in the list when the caller's transaction has committed; no row is written. In a
    forked child the list goes on by itself.

    Attributes:
        events: what was logged.

    Args:
        url, options: as of `AuditLogger`. What has to do with the disk or the database is checked, and not used.

    Raises:
        ConfigurationError: a setting cannot be meant.
    """

    events: AuditEvents

    def __init__(self, url: object = EMBEDDED_URL, **options: Unpack[LoggerOptions]) -> None:
        self.events = AuditEvents()
        self._begin(read_options(url, options))

    @classmethod
    def into(cls, events: AuditEvents, settings: Settings) -> Self:
        """Return a logger of *settings* that keeps what is logged in *events*."""
        logger = cls.__new__(cls)
        logger.events = events
        logger._begin(settings)
        return logger

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """See `AuditLogger`."""
        return cls.into(AuditEvents(), settings)

    def __repr__(self) -> str:
        return f"<MemoryAuditLogger {'closed' if self.is_closed else 'open'}: {len(self.events)} events>"

    def _incarnate(self) -> Incarnation:
        return _MemoryIncarnation(self.settings, self.events)

    def _make_adding(self, hands: Hands) -> Adding:
        from audit_async.testing.adding import CommittedAdding

        return CommittedAdding(self.settings.table, hands)


class _MemoryIncarnation(Incarnation):
    """Nobody writes."""

    def __init__(self, settings: Settings, events: AuditEvents) -> None:
        super().__init__(dataclasses.replace(settings, writer="none"))
        self._events = events

    def _open(self) -> Journal:
        self._refuse_when_closed()
        return _MemoryJournal(self._settings, self._events, self.losses)


class _MemoryJournal(Journal):
    """A journal whose entries are settled as soon as they are there."""

    def __init__(self, settings: Settings, events: AuditEvents, losses: Losses) -> None:
        options = JournalOptions(
            directory=settings.journal_dir,
            service=settings.service,
            destination=settings.destination,
            max_bytes=settings.journal_max_bytes,
            memory_max_bytes=settings.memory_max_bytes,
        )
        self._events = events
        super().__init__(options, on_data=_nothing, on_wait=_nothing, on_refused=losses.refuse)
        # There is nothing to sync: its thread is never started.
        self._sync.stop()

    @property
    def is_on_disk(self) -> bool:
        """Whether entries are as safe as they are to be."""
        return True

    def _append(self, payload: bytes, is_urgent: bool) -> int:
        seq = super()._append(payload, is_urgent)
        self.settle(seq, stored=1)
        return seq

    def _append_to_memory(self, seq: int, payload: bytes, is_urgent: bool) -> None:
        self._events.keep(payload, self.writer_id, seq)

    def _open_spool(self, *, is_quiet: bool = False) -> None:
        return


def _nothing() -> None:
    return
