"""The next records of a file: read, mapped, counted and logged together."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audit_async.config import IMPORT_BATCH_BYTES, IMPORT_BATCH_RECORDS
from audit_async.diagnostics import describe
from audit_async.events import AuditEvent
from audit_async.importing.cursor import Chain
from audit_async.importing.formats import Format, Mapped, Reading, RefusedError
from audit_async.importing.records import Record
from audit_async.importing.rejects import Rejects
from audit_async.importing.repeats import Repeats
from audit_async.importing.report import Report, Tally
from audit_async.importing.source import Source
from audit_async.logger import AuditLogger
from audit_async.receipt import Receipt


@dataclass
class Batch:
    """Records that are logged together; of each event that was logged now its receipt."""

    logged: list[tuple[AuditEvent, Receipt]] = field(default_factory=list)
    is_last: bool = False


@dataclass(kw_only=True)
class Run:
    """One import under way.

    Attributes:
        confirmed_before: records at the beginning of the file that an earlier run has brought in.
        confirmed: events of this run that are settled.
    """

    source: Source
    records: Iterator[Record]
    kind: Format
    reading: Reading
    logger: AuditLogger | None
    repeats: Repeats
    rejects: Rejects | None
    tally: Tally = field(default_factory=Tally)
    chain: Chain = field(default_factory=Chain)
    confirmed_before: int = 0
    earlier: int = 0
    confirmed: int = 0
    quarantined: int = 0
    is_read: bool = False
    # The caller's context is not that of what a file says: this one says nothing.
    nothing: contextvars.Context = field(default_factory=contextvars.Context)

    def next_batch(self) -> Batch:
        """Read, map and log the next records. Called in a thread, where it may wait for the disk."""
        batch, size, count = Batch(), 0, 0
        while size < IMPORT_BATCH_BYTES and count < IMPORT_BATCH_RECORDS:
            record = next(self.records, None)
            if record is None:
                batch.is_last = True
                break
            self._take(record, batch)
            size, count = size + len(record.raw), count + 1
        return batch

    def _take(self, record: Record, batch: Batch) -> None:
        self.tally.records += 1
        self.chain.add(record)
        try:
            mapped = self._mapped(record)
            is_repeated = self.repeats.is_repeated(mapped.event, record.line)
        except RefusedError as error:
            self.tally.reject(record, error.message)
            if self.rejects is not None:
                self.rejects.add(record)
            return
        self.tally.count(mapped, is_repeated=is_repeated)
        if self.tally.records <= self.confirmed_before:
            self.earlier += 1
        elif self.logger is not None:
            batch.logged.append((mapped.event, self.log(mapped.event)))

    def _mapped(self, record: Record) -> Mapped:
        if record.body is None:
            raise RefusedError(record.fault or "it cannot be read")
        try:
            return self.kind.read(record.body, self.reading)
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            # A shape that no format has thought of: its record is refused, and the others go on.
            raise RefusedError(f"it cannot be mapped ({describe(error)})") from error

    def log(self, event: AuditEvent) -> Receipt:
        """Log *event* as it is."""
        assert self.logger is not None
        return self.nothing.run(self.logger.log, event)

    def report(self, file: Path, stopped: str | None) -> Report:
        """Return what came of it so far."""
        return self.tally.report(
            file=str(file),
            format=self.kind.name,
            confirmed=self.confirmed + self.earlier,
            earlier=self.earlier,
            quarantined=self.quarantined,
            sha256=self.source.sha256 if self.is_read and self.source.position == self.source.size else None,
            is_dry_run=self.logger is None,
            stopped=stopped,
        )
