"""Event in, receipt out."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import Self, Unpack

from audit_async import context
from audit_async.config import EXIT_SECONDS
from audit_async.damage import tell as tell_damage
from audit_async.diagnostics import describe, report
from audit_async.entry import encode
from audit_async.errors import AuditUnavailableError, JournalClosedError, JournalFullError, UnknownActionError, meant
from audit_async.events import AuditEvent, Severity
from audit_async.events.vocabulary import TERMS
from audit_async.health import Health
from audit_async.incarnation import Incarnation
from audit_async.jobs.calls import JobCalls
from audit_async.journal.journal import Journal
from audit_async.lifetime import Lifetime
from audit_async.mirror import mirror
from audit_async.pressure import may_stand_still, wait_for_room, wait_for_room_async
from audit_async.receipt import Receipt
from audit_async.redact import RecursiveRuleError
from audit_async.settings import LoggerOptions, Settings, read_options
from audit_async.transaction.calls import TransactionCalls
from audit_async.values import plain_text

_HIGH, _CRITICAL = Severity.HIGH, Severity.CRITICAL


class AuditLogger(TransactionCalls, JobCalls, Lifetime):
    """Takes events from any thread and any event loop, or none, and brings them into a table in the background.

    The caller's thread copies an event into a journal on this machine's disk; a writer of its own carries it to the
    database. Nothing of the database is ever waited for in `log()`. Use it plainly, in a `with` or in an `async
    with`; what is pending when it is closed, or when the process dies, is delivered by the next process with the same
    journal directory and destination, or by `audit-async drain`.

    Args:
        url: SQLAlchemy address with an async driver; None for `$AUDIT_DATABASE_URL`, else the embedded default.
        journal_dir: where events wait; None for `$AUDIT_JOURNAL_DIR`, `$STATE_DIRECTORY`, the user's state directory.
        service: part of the journal's file names; None for `$AUDIT_SERVICE`, else `app`.
        table: name of the table, optionally with its schema, `audit_logs` by default; or a `TableMap` of a table that
            is there already, or several, of which the first that takes an event gets it.
        writer: `thread` (a private one), `task` (of the asyncio loop that enters `async with`) or `none` (another
            process uploads: `audit-async drain`).
        destination: names the database in the journal, for hosts that are renamed; made from *url* by default.
        max_wait_seconds: that `write` and `require` wait at most, and `log` where `when_full` is `block`.
        journal_max_bytes: kept on disk at most; by default 1 GiB, or a tenth of the free space if that is less. The
            last twentieth (at least 8 MiB, though no more than an eighth) is for events of high severity.
        memory_max_bytes: kept in memory at most when no disk takes events; the last twentieth is for those, too.
        when_full: what becomes of an event when as much is kept already: `refuse` (at once, counted, and told by an
            `audit.gap` event) or `block` (the same, after a wait for room of `max_wait_seconds` at most). `log` then
            blocks its thread, and an event loop in it; `write` and `require` do not. In a signal handler, in a
            `__del__`, inside another call and where the writer itself runs `log` never waits; neither does what
            `within` and `add` log at the end of a transaction.
        mirror: each event leaves a line in the system log as well (loguru), for whose sinks the caller then waits. It
            names the action as the `aether` dialect does: `request_failed`.
        strict: an action that the vocabulary does not have is an error, for tests; else it is legal, and counted.
        redact: rules beside the built-in ones, which always hold: a `Redaction`, its keywords as a mapping, or a
            function of key and value.
        timing: how long the writer waits for what: a `Timing`, or its keywords as a mapping.

    Raises:
        ConfigurationError: a setting cannot be meant.
    """

    def __init__(self, url: object = None, **options: Unpack[LoggerOptions]) -> None:
        self._begin(read_options(url, options))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a logger of *settings* that were read before."""
        logger = cls.__new__(cls)
        logger._begin(settings)
        return logger

    def _begin(self, settings: Settings) -> None:
        self.settings = settings
        self._process = self._incarnate()
        # The number up to which entries were settled when a `write` waited in vain for `max_wait_seconds`.
        self._late_at: int | None = None
        _living.add(self)
        _known.add(self)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open" if self._process.journal else "idle"
        stats = self.stats()
        return (
            f"<AuditLogger {state} to {self.settings.address}: {stats.accepted} accepted, {stats.stored} stored, "
            f"{stats.pending} pending>"
        )

    @property
    def waits_for_rows(self) -> int:
        """How many events that it delivers wait for the row that they point to, by a foreign key."""
        return self._process.waits_for_rows

    # --- saying what happened --------------------------------------------------------------------------

    def log(self, event: AuditEvent) -> Receipt:
        """Put *event* into the journal and return at once; it survives the death of this process.

        May be called from any thread, with any event loop or none, from a signal handler and from a `__del__`. Never
        raises for a fault of the world: an event that cannot be taken is counted, and an `audit.gap` event tells of it.
        Where the journal is full, and `when_full` is `block`, it waits for room first.

        Raises:
            TypeError: *event* is no `AuditEvent`.
            UnknownActionError: the logger is strict, and the vocabulary does not have the event's action.
        """
        if type(event) is not AuditEvent:
            raise _no_event(event, "log")
        if type(event.action) is not str or event.action not in TERMS:
            self._meet_unknown(event.action)
        try:
            process = self._process
            redact = process.redactor.redact
            clean = redact(context.fill(event))
            payload = encode(clean, redact)
            journal = process.journal
            severity = clean.severity
            is_urgent = severity is _HIGH or severity is _CRITICAL
            try:
                if journal is None:
                    receipt = process.log_first(payload, Receipt(event.id, None, 0), is_urgent)
                else:
                    receipt = Receipt(event.id, journal, 0)
                    receipt.seq = journal.append(payload, receipt.take_number, is_urgent)
            except JournalFullError as error:
                if not self._may_wait_for_room():
                    return self._refuse_for(event.id, error)
                return self._log_when_room(clean, payload)
            # What is said from here on waits for the program's log sinks, at worst; the event is safe.
            tell_damage(payload)
            if self.settings.mirror:
                mirror(clean)
            return receipt
        except Exception as error:
            return self._refuse_for(event.id, error)

    async def write(self, event: AuditEvent) -> Receipt:
        """Log *event*, and return when its row has committed; or when it is on disk, in a known outage or after
        `max_wait_seconds`.

        The event is taken before the first await: cancelling this call does not lose it. With `when_full="block"` it
        may have to wait for room first; cancelled in that wait it is not taken, and counted as refused.

        Raises:
            TypeError, UnknownActionError: as `log`.
        """
        deadline = time.monotonic() + self.settings.max_wait_seconds
        is_patient = self.settings.when_full == "block"
        receipt = await self._log_patiently(event, "write", deadline) if is_patient else self.log(event)
        await self._wait_for(receipt, deadline)
        return receipt

    async def require(self, event: AuditEvent) -> Receipt:
        """Do as `write`, and make sure: the row is in the table, or the event is on this machine's disk.

        Raises:
            AuditUnavailableError: neither was so within `max_wait_seconds`. The event may still arrive later, unless
                it was refused.
            TypeError, UnknownActionError: as `log`.
        """
        deadline = time.monotonic() + self.settings.max_wait_seconds
        is_patient = self.settings.when_full == "block"
        receipt = await self._log_patiently(event, "require", deadline) if is_patient else self.log(event)
        await self._wait_for(receipt, deadline)
        if receipt.is_stored or receipt.is_on_disk:
            return receipt
        journal = self._process.journal
        fault = journal.last_fault if journal is not None else None
        why = receipt.refused or fault or "the disk did not answer in time"
        raise AuditUnavailableError(
            f"the audit event {receipt.id} is neither stored nor on disk ({why})",
            hint=f"do not go on with what needs it; {self._process.way_out_of(receipt.refused)}",
        )

    def _may_wait_for_room(self) -> bool:
        """Return whether the thread that called `log` waits where the journal is full."""
        return (
            self.settings.when_full == "block"
            and not self._process.host.runs_here
            and may_stand_still(sys._getframe(1).f_back, _OWN_CALLS)
        )

    def _log_when_room(self, clean: AuditEvent, payload: bytes) -> Receipt:
        """Do what `log` does from the journal on, waiting in this thread for room."""
        receipt, losses = Receipt(clean.id, None, 0), self._process.losses
        losses.count_wait()
        try:
            wait_for_room(
                self._process.room,
                lambda: self._put(clean, payload, receipt),
                time.monotonic() + self.settings.max_wait_seconds,
                on_given_up=lambda: losses.refuse("cancelled"),
            )
            self._tell(clean, payload)
        except Exception as error:
            return self._refuse_for(clean.id, error)
        return receipt

    async def _log_patiently(self, event: AuditEvent, call: str, deadline: float) -> Receipt:
        """Do as `log`, and where the journal is full wait for room without blocking the loop."""
        prepared = self._prepare(event, call)
        if isinstance(prepared, str):
            return Receipt(event.id, None, 0, refused=prepared)
        clean, payload = prepared
        receipt, losses = Receipt(event.id, None, 0), self._process.losses
        try:
            try:
                self._put(clean, payload, receipt)
            except JournalFullError:
                losses.count_wait()
                await wait_for_room_async(
                    self._process.room,
                    lambda: self._put(clean, payload, receipt),
                    deadline,
                    on_given_up=lambda: losses.refuse("cancelled"),
                )
            self._tell(clean, payload)
        except Exception as error:
            return self._refuse_for(event.id, error)
        return receipt

    async def _wait_for(self, receipt: Receipt, deadline: float) -> None:
        journal, seq = self._process.journal, receipt.seq
        if journal is None or not seq:
            return
        if not self._is_out(journal):
            if await journal.settled.wait(seq, max(0.0, deadline - time.monotonic()), is_patient=False):
                return
            if time.monotonic() >= deadline:
                self._late_at = journal.totals.last_seq
        if not receipt.is_on_disk:
            # In a known outage the caller pays for one group commit, not for a time-out.
            await journal.synced.wait(seq, max(0.0, deadline - time.monotonic()))

    @property
    def _is_out_now(self) -> bool:
        journal = self._process.journal
        return self.settings.writer != "thread" or journal is None or self._is_out(journal)

    def _is_out(self, journal: Journal) -> bool:
        """Whether waiting for the table is known to be in vain."""
        writer = self._process.host.writer
        return (writer is not None and writer.is_out) or self._late_at == journal.totals.last_seq

    # --- how it stands ---------------------------------------------------------------------------------

    def health(self) -> Health:
        """Return whether events are safe and arrive, with what to do where they do not."""
        return self._process.health()

    # --- inside ----------------------------------------------------------------------------------------

    def _meet_unknown(self, action: str) -> None:
        """Count an action that the vocabulary does not have; an error where the logger is strict."""
        if self.settings.strict:
            named = plain_text(action)
            raise UnknownActionError(
                f"the vocabulary has no action {named!r}{meant(named, TERMS)}",
                hint="`audit-async catalog` shows those that it has; without strict=True any action is legal",
            )
        self._process.losses.count_unknown_action()

    def _prepare(self, event: AuditEvent, call: str) -> tuple[AuditEvent, bytes] | str:
        """Do what `log` does before the journal. Return a word where that cannot be done, which is counted: why."""
        if type(event) is not AuditEvent:
            raise _no_event(event, call)
        if type(event.action) is not str or event.action not in TERMS:
            self._meet_unknown(event.action)
        try:
            redact = self._process.redactor.redact
            clean = redact(context.fill(event))
            return clean, encode(clean, redact)
        except Exception as error:
            return self._refuse_for(event.id, error).refused or "fault"

    def _take(self, clean: AuditEvent, payload: bytes, receipt: Receipt) -> None:
        """Do what `log` does from the journal on, with what `_prepare` gave. Never waits: a transaction may have held
        thousands of events back."""
        try:
            self._put(clean, payload, receipt)
            self._tell(clean, payload)
        except Exception as error:
            receipt.refused = self._refuse_for(receipt.id, error).refused

    def _put(self, clean: AuditEvent, payload: bytes, receipt: Receipt) -> None:
        """Put an event into the journal.

        Raises:
            JournalFullError, JournalClosedError: it was not taken.
        """
        process = self._process
        journal, severity = process.journal, clean.severity
        is_urgent = severity is _HIGH or severity is _CRITICAL
        if journal is None:
            process.log_first(payload, receipt, is_urgent)
        else:
            receipt.is_taken_by(journal)
            receipt.take_number(journal.append(payload, receipt.take_number, is_urgent))

    def _tell(self, clean: AuditEvent, payload: bytes) -> None:
        tell_damage(payload)
        if self.settings.mirror:
            mirror(clean)

    def _refuse_for(self, event_id: str, error: Exception) -> Receipt:
        if isinstance(error, (JournalFullError, JournalClosedError, RecursiveRuleError)):
            return self._refuse(event_id, getattr(error, "reason", "closed"), error.message, error.hint)
        return self._refuse(event_id, "fault", f"an event cannot be journalled ({describe(error)})", None)

    def _refuse(self, event_id: str, reason: str, message: str, hint: str | None) -> Receipt:
        self._process.losses.refuse(reason)
        advice = f" {hint}." if hint else ""
        report(f"refused_{reason}", f"{message}.{advice} The event is counted as refused", level="ERROR")
        return Receipt(event_id, None, 0, refused=reason)

    def _incarnate(self) -> Incarnation:
        """Return what belongs to this process alone: made with the logger, and anew in a forked child."""
        return Incarnation(self.settings)

    def _leave(self) -> None:
        _living.discard(self)

    def _abandon(self) -> None:
        """Become a new incarnation in a forked child."""
        was_closed = self._process.is_closed
        self._process.abandon()
        self._process = self._incarnate()
        self._process.is_closed = was_closed
        self._late_at = None


def _no_event(given: object, call: str) -> TypeError:
    return TypeError(
        f"{call}() takes an AuditEvent, not {type(given).__name__}; make one with audit_async.events, "
        "e.g. events.custom('report.print', details={...})"
    )


_OWN_CALLS = frozenset(
    call.__code__
    for call in (
        AuditLogger.log,
        AuditLogger._prepare,
        AuditLogger._take,
        AuditLogger._tell,
        AuditLogger._refuse,
    )
)
"""Those that run what others have written (a rule of redaction, a log sink), inside which a `log` never waits."""

_living: weakref.WeakSet[AuditLogger] = weakref.WeakSet()

_known: weakref.WeakSet[AuditLogger] = weakref.WeakSet()
"""Those that are closed, or being closed, as well: a thread may be in one when another one forks."""


def _after_fork() -> None:
    for logger in list(_known):
        try:
            logger._abandon()
        except Exception as error:
            report("fork", f"a forked process could not let go of its parent's files ({describe(error)})")


os.register_at_fork(after_in_child=_after_fork)


def _at_exit() -> None:
    """Give the last events of a program that ends right after logging them a moment to arrive."""
    for logger in list(_living):
        if not logger._is_out_now:
            logger.flush_sync(EXIT_SECONDS)


# Python 3.12 starts no thread any more once a program ends, and drivers need one to connect: nothing would arrive.
if sys.version_info[:2] != (3, 12):
    atexit.register(_at_exit)
