"""Everything of a logger that belongs to one process: journal, writer and numbers. A forked child gets a new one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import Any

from audit_async import events
from audit_async.config import MIB, TELL_LOSSES_SECONDS
from audit_async.diagnostics import report, report_later, tell_deferred
from audit_async.entry import encode
from audit_async.errors import JournalClosedError, JournalFullError
from audit_async.health import Circumstances, Health, judge
from audit_async.host import Host, NoHost, TaskHost, ThreadHost
from audit_async.journal.adoption import Search, adopt
from audit_async.journal.book import Totals
from audit_async.journal.file_set import FileSet
from audit_async.journal.journal import Journal, JournalOptions
from audit_async.loading import loading
from audit_async.parts import Adopted, WriterParts
from audit_async.progress import Progress
from audit_async.receipt import Receipt
from audit_async.redact import Redactor
from audit_async.settings import Settings
from audit_async.stats import Losses, Stats
from audit_async.status import StatusFile
from audit_async.store import Store, StoreOptions
from audit_async.store.quarantine import Quarantine
from audit_async.writer import Writer


class Incarnation:
    """The journal of this process and who empties it. Nothing is opened or started before the first event.

    Attributes:
        journal: None until it is needed.
        host: runs the writer.
        redactor: takes secrets out of events.
        losses: what was refused or lost, until an event tells of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.journal: Journal | None = None
        self.redactor = Redactor(settings.redact)
        self.losses = Losses()
        self.quarantine = Quarantine(settings.journal_dir, settings.destination)
        self.is_closed = False
        self.host: Host = (
            ThreadHost(self._make_writer)
            if settings.writer == "thread"
            else TaskHost(self._make_writer, on_cut_off=self._go_on_in_thread)
            if settings.writer == "task"
            else NoHost()
        )
        self._settings = settings
        self._adopted = Adopted()
        self._remark: str | None = None
        self._tell_at = 0.0
        self._status = StatusFile()
        self._parts: WriterParts | None = None
        # Guards the opening. Re-entrant, because a signal handler may log while its own thread opens.
        self._opening = threading.RLock()
        self._is_opening = False
        self._early: deque[tuple[bytes, Receipt, bool]] = deque()

    def log_first(self, payload: bytes, receipt: Receipt, is_urgent: bool = False) -> Receipt:
        """Open the journal and put the first event into it, and those that come from inside that.

        Raises:
            JournalClosedError: after `close`.
            JournalFullError: not even memory takes it.
        """
        with self._opening:
            self._early.append((payload, receipt, is_urgent))
            if self._is_opening:
                return receipt
            self._is_opening = True
            try:
                journal = self.journal = self.journal or self._open()
                while self._early:
                    early, its_receipt, its_urgency = self._early.popleft()
                    its_receipt.is_taken_by(journal)
                    its_receipt.take_number(journal.append(early, its_receipt.take_number, its_urgency))
            finally:
                self._is_opening = False
                self._refuse_early(receipt)
        tell_deferred()
        return receipt

    def _refuse_early(self, first: Receipt) -> None:
        """Count what came from inside the opening and got no number, since that failed. *first* is told itself."""
        while self._early:
            _, waiting, _ = self._early.popleft()
            if waiting is not first:
                waiting.take_number(-1)
                self.losses.refuse("journal_full")

    @property
    def room(self) -> Progress:
        """What moves on when a journal that has refused an event has more room."""
        assert self.journal is not None
        return self.journal.room

    def enter_task(self) -> None:
        """Have a task of the running loop write. Under trio there is no such loop, and a thread does."""
        host = self.host
        if isinstance(host, TaskHost) and not self.is_closed:
            with self._opening:
                journal = self.journal = self.journal or self._open()
            journal.begin_rounds()
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                self.host = ThreadHost(self._make_writer)
            else:
                host.enter()

    def deliver_leftovers(self) -> None:
        """Start now, before the first event, if earlier processes left events in the journal directory."""
        if self.is_closed or not FileSet.all_in(self._settings.journal_dir):
            return
        with self._opening:
            if not self._is_opening:
                self.journal = self.journal or self._open()
        if self.journal is not None:
            self.journal.begin_rounds()
        self.host.wake()

    def stats(self) -> Stats:
        """Return the numbers of this moment."""
        refused = dict(self.losses.refused)
        writer, journal = self.host.writer, self.journal
        # In this order: what was dealt with never passes what was accepted when it is read first.
        totals = journal.totals if journal is not None else Totals()
        accepted = journal.last_seq if journal is not None else 0
        lost = journal.lost_in_memory if journal is not None else 0
        return Stats(
            accepted=accepted,
            stored=totals.stored,
            pending=accepted - totals.last_seq + totals.open - lost,
            quarantined=totals.quarantined,
            dropped=sum(totals.dropped.values()) + lost,
            dropped_by_reason={**totals.dropped, **({"memory_lost": lost} if lost else {})},
            refused=sum(refused.values()),
            refused_by_reason=refused,
            unknown_actions=self.losses.unknown_actions,
            redaction_failed=self.redactor.failed,
            adopted_stored=self._adopted.stored,
            adopted_quarantined=self._adopted.quarantined,
            adopted_dropped=self._adopted.dropped,
            waits=self.losses.waits,
            journal_bytes=journal.kept_bytes if journal is not None else 0,
            journal_max_bytes=journal.max_bytes if journal is not None else 0,
            journal_fullness=journal.fullness if journal is not None else 0.0,
            oldest_pending_seconds=journal.oldest_pending_seconds if journal is not None else 0.0,
            last_error=writer.last_error if writer is not None else None,
            is_on_disk=journal is None or journal.is_on_disk,
        )

    def health(self) -> Health:
        """Return how it stands at this moment."""
        journal, writer = self.journal, self.host.writer
        return judge(
            self.stats(),
            Circumstances(
                journal_dir=self._settings.journal_dir,
                quarantine_dir=self.quarantine.directory,
                journal_fault=journal.fault if journal is not None else None,
                quarantine_fault=self.quarantine.fault,
                writer_fault=self.host.fault,
                needs_mending=writer is not None and writer.needs_mending,
                remark=self._remark,
                way_out=self._way_out,
            ),
        )

    def _take_remark(self, remark: str | None) -> None:
        self._remark = remark

    @property
    def _way_out(self) -> str | None:
        """What to do about a journal that refuses events at this moment."""
        journal = self.journal
        if journal is None or not journal.is_refusing:
            return None
        return self.way_out_of("journal_full" if journal.is_on_disk else "memory_full")

    def way_out_of(self, refused: str | None) -> str:
        """Return what to do where an event was *refused* for that reason, or was not put on disk."""
        settings, journal = self._settings, self.journal
        if refused == "journal_full" and journal is not None:
            return (
                f"the budget of {journal.max_bytes // MIB} MiB on disk is used up: mend what keeps the database from "
                "taking events, or raise journal_max_bytes"
            )
        if refused == "memory_full":
            return (
                f"no disk takes events, and the budget of {settings.memory_max_bytes // MIB} MiB in memory is used up: "
                f"make {settings.journal_dir} writable, or free space on its disk"
            )
        return f"see to {settings.journal_dir}"

    @property
    def waits_for_rows(self) -> int:
        """How many entries, of whatever process, wait for the row that they point to."""
        return self._parts.parking.waits_for_rows if self._parts is not None else 0

    def close(self) -> None:
        """Close the journal. The host has been stopped."""
        # Whoever opens the journal at this moment is waited for; whoever comes after finds it closed.
        with self._opening:
            self.is_closed = True
        self._tell_losses()
        if self.journal is not None:
            self.journal.close()

    def abandon(self) -> None:
        """Let go of everything in a forked child: it belongs to the parent."""
        self.is_closed = True
        if self.journal is not None:
            self.journal.abandon()
        self._status.abandon()
        self.host.abandon()

    # --- what the writer is given ----------------------------------------------------------------------

    def _make_writer(self) -> Writer:
        with self._opening:
            # The writer's thread may be quicker than the call that opened the journal and started it.
            journal = self.journal
        if journal is None:
            raise JournalClosedError("the audit journal could not be opened")
        if self._parts is None:
            self._parts = WriterParts(
                journal=journal,
                open_store=self._open_store,
                quarantine=self.quarantine,
                losses=self.losses,
                find_orphans=self._find_orphans,
                tell_losses=self._tell_losses,
                timing=self._settings.timing,
                may_sleep=self._settings.writer != "task",
                ends_when_idle=self._settings.ends_when_idle,
                adopted=self._adopted,
            )
        return Writer(self._parts)

    def _go_on_in_thread(self) -> None:
        """Take over from a task that was cancelled, or whose loop was closed, by somebody else than us."""
        with self._opening:
            if self.is_closed:
                return
            self.host = ThreadHost(self._make_writer)
        report(
            "task_cut_off",
            "the task that writes audit events was cancelled, or its event loop closed, while the logger is open; a "
            "thread goes on",
        )
        self.host.wake()

    def _open(self) -> Journal:
        settings = self._settings
        self._refuse_when_closed()
        if settings.is_embedded:
            report_later(
                "embedded",
                f"no database is configured: audit events go to {settings.address.database}. Set AUDIT_DATABASE_URL, "
                "or call audit_async.configure(url)",
            )
        options = JournalOptions(
            directory=settings.journal_dir,
            service=settings.service,
            destination=settings.destination,
            max_bytes=settings.journal_max_bytes,
            memory_max_bytes=settings.memory_max_bytes,
            is_consumed_here=settings.writer != "none",
        )
        return Journal(
            options,
            on_data=self._wake,
            on_wait=self._wake,
            on_refused=self.losses.refuse,
            on_round=self._end_round,
        )

    def _refuse_when_closed(self) -> None:
        if self.is_closed:
            raise JournalClosedError("the audit logger is closed", hint="log before close(), or make a new logger")

    def _end_round(self) -> None:
        """See to what has no thread of its own, in the journal's."""
        self._tell_losses_when_room()
        if self._settings.writer != "none":
            self._see_to_writer()
        self._tell_losses_in_outage()
        if self._status.is_due or self.is_closed:
            self._write_status()

    def _write_status(self) -> None:
        file_set = self.journal.file_set if self.journal is not None else None
        if file_set is None:
            return
        stats = self.stats()
        # With nothing pending the files are about to go.
        if stats.pending or not self.is_closed:
            self._status.write(file_set, stats, self.health(), is_closed=self.is_closed)

    def _see_to_writer(self) -> None:
        """Start the writer's thread if that could not be done before, or if it has ended."""
        if isinstance(self.host, ThreadHost) and self.host.is_down and not self.is_closed:
            self.host.wake()

    def _wake(self) -> None:
        self.host.wake()

    def _open_store(self) -> Store:
        address = self._settings.address
        with loading():
            from audit_async.store.opening import open_store

            return open_store(
                StoreOptions(
                    url=address.url,
                    table=self._settings.table,
                    may_create=address.is_file,
                    gives_up_interpreter=self._settings.writer != "task",
                    timing=self._settings.timing,
                    on_remark=self._take_remark,
                )
            )

    def _find_orphans(self, passing_over: frozenset[str], most: int) -> Search:
        settings, journal = self._settings, self.journal
        found = adopt(
            settings.journal_dir,
            destination=settings.destination,
            is_local=journal is None or journal.is_local,
            with_living=settings.adopts_living,
            with_any=settings.adopts_any,
            passing_over=passing_over,
            most=most,
        )
        # `drain` says so itself when it ends.
        if (found.foreign or found.elsewhere) and not settings.ends_when_idle:
            report(
                "foreign_files",
                f"{settings.journal_dir} has journals for another database, or of another host: "
                f"{len(found.foreign) + len(found.elsewhere)}. `audit-async drain` with that database's address "
                "delivers them; `drain --adopt` would bring them into this one",
                every_seconds=24 * 3600,
            )
        if found.unknown:
            report(
                "unknown_files",
                f"{settings.journal_dir} has journals in a format of another version of audit_async: "
                f"{len(found.unknown)}. They are left as they are: deliver them with that version",
                every_seconds=24 * 3600,
            )
        return found

    def _tell_losses_when_room(self) -> None:
        """Do as `_tell_losses`, or have the writer do it, who is not in an outage: but not again and again in a journal
        that is full and stays so."""
        if self.journal is not None and not self.journal.is_refusing and self.losses.is_untold:
            if self._settings.writer == "none":
                self._tell_losses()
            else:
                self._wake()

    def _tell_losses_in_outage(self) -> None:
        """Do as `_tell_losses` now and then, whatever the database does: a process that is killed tells nobody."""
        now = time.monotonic()
        if self.losses.is_untold and now >= self._tell_at:
            self._tell_at = now + TELL_LOSSES_SECONDS
            self._tell_losses()

    def _tell_losses(self) -> None:
        """Log one `audit.gap` event for what was refused or lost. If that is refused as well, it is told later."""
        journal = self.journal
        gap = self.losses.take() if journal is not None else None
        if gap is None or journal is None:
            return
        try:
            journal.append(self._encode_gap(gap), is_urgent=True)
        except BaseException as error:
            self.losses.give_back(gap)
            if not isinstance(error, (JournalFullError, JournalClosedError)):
                raise

    def _encode_gap(self, gap: dict[str, Any]) -> bytes:
        event = events.custom("audit.gap", actor_type="system", success=False, details=gap)
        # A rule of redaction may log events of its own, also about this one. To tell of their loss would never end.
        with self.losses.quietly():
            return encode(self.redactor.redact(event), self.redactor.redact)
