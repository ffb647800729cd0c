"""Append, read, settle: the journal of this process incarnation.

`append` runs in the caller's thread and takes no time but that of a copy. `read` and `settle` belong to the writer.
What no disk takes waits in memory, behind what is on disk and under the same numbers, and goes to disk as soon as one
takes it.

This file is longer than others: the sides of the caller, the writer and the sync thread share one lock and one order of
numbers, and what each may do while another is at work can only be judged with all three in view.
"""

from __future__ import annotations

import errno
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Unpack

from audit_async.config import CLOSE_HARD_SECONDS, DISK_ANSWER_SECONDS, MAX_PAYLOAD_BYTES, MIB, MOVE_AT_ONCE
from audit_async.diagnostics import describe, report, report_later, settle_down, tell_deferred
from audit_async.errors import AuditError, ConfigurationError, JournalClosedError, JournalFullError
from audit_async.journal.age import Age
from audit_async.journal.batch import Batch, JournalOptions
from audit_async.journal.book import Book, Counts, Totals
from audit_async.journal.confirm import Mark, read_mark
from audit_async.journal.cursor import Cursor
from audit_async.journal.file_set import FileSet, service_slug
from audit_async.journal.frame import Record
from audit_async.journal.memory import MemoryTail
from audit_async.journal.place import prepare
from audit_async.journal.spool import Spool
from audit_async.journal.sync import SyncThread
from audit_async.progress import Progress

__all__ = ["Batch", "Journal", "JournalOptions"]


class Journal:
    """The entries of this process from `append` until they are settled.

    Attributes:
        room: moves on by one whenever there is more room than before; whoever was refused may wait for the next step.

    Args:
        on_data: called in the appending thread when the reader has nothing left and there is something now.
        on_wait: called in the waiting thread when somebody waits for an entry to be settled.
        on_refused: called with the reason when an entry is refused after its `append` has returned 0.
        on_round: called in the sync thread after each round: while entries come, at least every
            `ROUND_INTERVAL_SECONDS` after the first one, and once more before it ends.
    """

    def __init__(
        self,
        options: JournalOptions,
        *,
        on_data: Callable[[], None],
        on_wait: Callable[[], None],
        on_refused: Callable[[str], None] = lambda reason: None,
        on_round: Callable[[], None] = lambda: None,
    ) -> None:
        self.writer_id = uuid.uuid4().hex
        self.last_seq = 0
        self.last_fault: str | None = None
        self._syncs_since: float | None = None
        self.lost_in_memory = 0
        self._options = options
        self._on_data = on_data
        self._on_refused = on_refused
        self._on_round = on_round
        # Guards numbering, the spool and the memory. Re-entrant, because a signal handler or a `__del__` may log
        # while its own thread is inside.
        self._lock = threading.RLock()
        self._is_appending = False
        self._deferred: deque[tuple[bytes, Callable[[int], None] | None, bool]] = deque()
        self._reader_waits = True
        self._is_closed = False
        self._closes_later = False
        self._age = Age()
        self._book = Book(Mark())
        self._memory = MemoryTail(options.memory_max_bytes)
        self._spool: Spool | None = None
        self._cursor: Cursor | None = None
        self._position = 0
        self._sync = SyncThread(self, follows=not options.is_consumed_here)
        self.synced = Progress(self._sync.hurry)
        self.settled = Progress(on_wait if options.is_consumed_here else self._sync.hurry)
        self.room = Progress(self._sync.hurry)
        self._refused_at = -1
        self._open_spool()

    def __repr__(self) -> str:
        where = f"{self._spool.file_set.directory}" if self._spool else "memory only"
        state = "closed" if self._is_closed else "open"
        return (
            f"<Journal {self.writer_id[:8]} {state} in {where}: {self.last_seq} accepted, {self.synced.value} synced, "
            f"{self.mark.seq} settled, {self.kept_bytes} bytes kept, {len(self._memory)} in memory>"
        )

    @property
    def mark(self) -> Mark:
        """Up to where nothing is pending."""
        return self._book.mark

    @property
    def totals(self) -> Totals:
        """What became of the entries that the writer has dealt with."""
        return self._book.totals

    @property
    def directory(self) -> Path:
        """Where its files are, or would be."""
        return self._options.directory

    @property
    def destination(self) -> str:
        """What its entries are meant for."""
        return self._options.destination

    @property
    def is_on_disk(self) -> bool:
        """Whether entries go to a disk now."""
        return self._spool is not None and not self._memory.kept_bytes

    @property
    def file_set(self) -> FileSet | None:
        """The names of its files; None where there are none, or somebody has removed them."""
        spool = self._spool
        return spool.file_set if spool is not None and spool.is_in_place else None

    @property
    def fault(self) -> str | None:
        """Why the last write or sync failed, or has not come back for long; None where it was well."""
        since = self._syncs_since
        seconds = time.monotonic() - since if since is not None else 0.0
        if seconds > DISK_ANSWER_SECONDS:
            return f"the disk has not answered for {seconds:.0f} s"
        return self.last_fault

    @property
    def is_local(self) -> bool:
        """Whether file locks in its directory mean something for every process that can see it."""
        return self._spool is None or self._spool.place.is_local

    @property
    def kept_bytes(self) -> int:
        """On disk and in memory."""
        return (self._spool.kept_bytes if self._spool else 0) + self._memory.kept_bytes

    @property
    def max_bytes(self) -> int:
        """What `kept_bytes` may come to: on disk, or in memory where none takes entries."""
        return self._spool.max_bytes if self._spool is not None else self._memory.max_bytes

    @property
    def fullness(self) -> float:
        """The share of the budget, of that on disk or of that in memory, that entries take: up to 1.0."""
        on_disk = self._spool.fullness if self._spool is not None else 0.0
        return on_disk if self.is_on_disk else max(on_disk, self._memory.fullness)

    @property
    def is_refusing(self) -> bool:
        """Whether an entry was refused for want of room, and none has been made since."""
        return self._refused_at == self.room.value

    @property
    def has_unsynced(self) -> bool:
        """Whether there is something for the sync thread to do."""
        if self._spool is None and self.is_refusing:
            # Not even memory takes anything: a disk has to be found for who comes next.
            return True
        return self.last_seq > self.synced.value or self._memory.kept_bytes > 0

    # --- the caller's side -----------------------------------------------------------------------------

    def append(self, payload: bytes, on_number: Callable[[int], None] | None = None, is_urgent: bool = False) -> int:
        """Put *payload* at the end and return its number: 1 for the first, then without a gap.

        On return it survives the death of the process (unless it is in memory: see `is_on_disk`); it survives the
        loss of power when `synced` has reached its number.

        Args:
            payload: 1 to `MAX_PAYLOAD_BYTES` bytes, opaque to the journal.
            on_number: called with the number when this call comes from inside another one of the same thread (a
                signal handler, a `__del__`). The return value is then 0: the entry is taken as soon as the outer
                call is done. Called with -1 if it is refused then.
            is_urgent: it may take the last of the budget, which others are refused.

        Raises:
            JournalFullError: no more is taken; nothing was added. `room` tells when it is worth trying again.
            JournalClosedError: after `close`.
            ValueError: *payload* is empty or too long.
        """
        if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
            raise ValueError(f"an entry has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
        try:
            with self._lock:
                if self._is_appending:
                    self._deferred.append((payload, on_number, is_urgent))
                    return 0
                self._is_appending = True
                try:
                    seq = self._append(payload, is_urgent)
                except BaseException:
                    self._catch_up()
                    raise
                finally:
                    self._is_appending = False
                    if self._deferred:
                        self._append_deferred()
                    wakes_reader, self._reader_waits = self._reader_waits, False
                    if wakes_reader:
                        self._on_data()
        finally:
            if self._closes_later and not self._is_appending:
                self._close()
        if self._sync.is_idle:
            self._sync.notice()
        return seq

    def _append(self, payload: bytes, is_urgent: bool) -> int:
        if self._is_closed:
            raise JournalClosedError("the audit journal is closed", hint="log before close(), or make a new logger")
        seq = self.last_seq + 1
        spool = self._spool
        try:
            if spool is None or self._memory.kept_bytes:
                self._append_to_memory(seq, payload, is_urgent)
            else:
                try:
                    spool.append(seq, payload, is_urgent)
                except OSError as error:
                    self._say_memory(error)
                    self._append_to_memory(seq, payload, is_urgent)
        except JournalFullError:
            self._refused_at = self.room.value
            raise
        self.last_seq = seq
        return seq

    def _append_to_memory(self, seq: int, payload: bytes, is_urgent: bool) -> None:
        if not self._memory.append(seq, payload, is_urgent):
            raise JournalFullError(
                f"no disk takes entries, and the {self._memory.max_bytes // MIB} MiB of memory are used up",
                reason="memory_full",
                hint=f"make {self.directory} writable, or free space on its disk; or raise memory_max_bytes",
            )

    def _append_deferred(self) -> None:
        while self._deferred:
            # Up to the last of them: an append out of a signal handler comes behind them, and leaves them to this loop.
            # One that comes when this is over is no deferred one, or the loop outside finds it.
            self._is_appending = True
            try:
                while self._deferred:
                    self._append_first_deferred()
            finally:
                self._is_appending = False

    def _append_first_deferred(self) -> None:
        payload, on_number, is_urgent = self._deferred[0]
        try:
            seq = self._append(payload, is_urgent)
        except (JournalFullError, JournalClosedError) as error:
            seq = -1
            self._on_refused(getattr(error, "reason", "closed"))
        except BaseException:
            self._catch_up()
            raise
        # Only now: an exception out of a signal handler must not lose it. Logged twice, it is stored once.
        self._deferred.popleft()
        if on_number is not None:
            on_number(seq)

    def _catch_up(self) -> None:
        """Count the entry that is in place although its call was ended by an exception out of a signal handler,
        so that no other one gets its number. And have somebody look whether there is room again."""
        newest = self._memory.last_seq or (self._spool.last_seq if self._spool is not None else 0)
        self.last_seq = max(self.last_seq, newest)
        self._sync.notice()

    # --- the writer's side -----------------------------------------------------------------------------

    def read(self, max_entries: int, max_bytes: int) -> Batch | None:
        """Return the next entries after those returned before, or None when there are no more for now.

        Raises:
            OSError: a segment cannot be opened now. Nothing was passed over: ask again.
        """
        while True:
            if self.last_seq == self._position:
                with self._lock:
                    # Still: who appends from here on sees that the reader has nothing left.
                    if self.last_seq == self._position:
                        self._reader_waits = True
                        return None
            last_seq = self.last_seq
            cursor = self._cursor
            if cursor is not None and not self._is_closed:
                cursor.position = self._position
                records: Sequence[Record] = cursor.read(max_entries, max_bytes)
                if records:
                    return self._batch(records, last_seq)
            with self._lock:
                if self._is_closed:
                    # What is not found now is in closed files, and not lost.
                    return None
                if self._cursor is not cursor:
                    # A disk has been found meanwhile, and what was in memory moved there: begin anew.
                    continue
                records = self._memory.read(self._position, max_entries, max_bytes)
                is_gapless = bool(records) and records[0].seq == self._position + 1
                if cursor is not None and not is_gapless and self._position < last_seq:
                    # What was in memory may have been moved to disk between the two looks.
                    records = cursor.read(max_entries, max_bytes) or records
            if records or self._position < last_seq:
                return self._batch(records, last_seq)

    def rewind(self) -> None:
        """Return to what was read but not settled: its writer was ended in the middle."""
        self._position = self.totals.last_seq
        if self._cursor is not None and self._spool is not None:
            self._cursor.close()
            self._cursor = Cursor(self._spool, self._position)

    def _batch(self, records: Sequence[Record], last_seq: int) -> Batch:
        """Make a batch, with what should have been read and was not."""
        batch = Batch.of(self.writer_id, self._position, records, last_seq)
        self._position = batch.last_seq
        return batch

    def settle(self, last_seq: int, **counts: Unpack[Counts]) -> None:
        """Note what became of the entries up to *last_seq* since the last call, and tell those who wait.

        The files of entries that are all settled are removed soon after.

        Raises:
            ValueError: the numbers do not add up.
        """
        self._book.enter(last_seq, **counts)
        self._write_mark()
        self.settled.advance(last_seq, counts.get("failed", ()), counts.get("left_open", ()))

    def resolve(self, seq: int, *, is_stored: bool) -> None:
        """Note what became of an entry that was left open."""
        self._book.resolve(seq, is_stored=is_stored)
        self._write_mark()
        self.settled.resolve(seq, is_well=is_stored)

    def _write_mark(self) -> None:
        # Before anything is removed: whoever adopts what a kill leaves behind must not miss what is gone.
        if self._spool is not None:
            self._spool.write_mark(self.mark)
        self._retire()

    def follow(self) -> None:
        """Take over the mark of the process that uploads for this one."""
        if self._spool is not None:
            mark = read_mark(self._spool.file_set.confirm_path, self._spool.salt)
            if mark.seq > self.mark.seq:
                failed = [n for n in mark.recent_failed if n > self.mark.seq]
                self._book = Book(mark)
                self._retire()
                self.settled.advance(mark.seq, failed)

    def _retire(self) -> None:
        settled_seq = self.mark.seq
        self._age.forget(settled_seq)
        with self._lock:
            is_removed = self._memory.remove_up_to(settled_seq)
            has_leftovers = self._spool is not None and self._spool.retire(settled_seq)
            if self._spool is not None and is_removed:
                # These numbers will never be on disk, which only the mark tells from lost ones.
                self._spool.wants_mark_synced = has_leftovers = True
        if is_removed:
            self._say_room()
        if has_leftovers:
            self._sync.hurry()

    def _say_room(self) -> None:
        """Wake those who wait for room: there is more of it."""
        with self._lock:
            if self._spool is not None:
                self._spool.measure()
        # Whoever tries from here on finds it. So one step for what two threads have freed at once is enough.
        self.room.advance(self.room.value + 1)

    @property
    def oldest_pending_seconds(self) -> float:
        """How long the oldest entry that is not settled has waited, to within a sync interval."""
        return self._age.seconds(self.mark.seq)

    def begin_rounds(self) -> None:
        """Start the sync thread without an entry: there is something to be told of this process."""
        self._sync.notice()

    # --- the sync thread's side ------------------------------------------------------------------------

    def commit_group(self) -> None:
        """Put everything that was appended before on disk and tell those who wait for that.

        Raises:
            OSError, AuditError: the disk refused some of it; who waits for that was told no.
        """
        last_seq = self.last_seq
        if last_seq > self.mark.seq:
            self._age.note(last_seq)
        self._syncs_since = time.monotonic()
        try:
            fault = self._heal()
            if fault is not None and self._spool is not None and not self._spool.is_in_place:
                # What stands in files without a name nobody finds after us, however well it is synced.
                raise fault
            if self._spool is not None:
                self._spool.sync(self._lock)
                with self._lock:
                    first_in_memory = self._memory.first()
                self.synced.advance(min(last_seq, first_in_memory.seq - 1) if first_in_memory else last_seq)
            if fault is not None:
                raise fault
            self.last_fault = None
        except (OSError, AuditError) as error:
            self.last_fault = describe(error)
            raise
        finally:
            self._syncs_since = None
            if self.synced.value < last_seq:
                self.synced.release()

    def _heal(self) -> OSError | AuditError | None:
        """Move to disk what is in memory, and make missing files again. Returns the fault that is in the way: what
        is on disk already is to be synced in spite of it."""
        try:
            if self._spool is not None and not self._spool.is_in_place:
                self._spool.move_back(self._lock)
                report("journal_gone", f"somebody removed the journal's files in {self.directory}; they are made again")
            if self._memory.kept_bytes or self._spool is None:
                self._back_to_disk()
        except (OSError, AuditError) as error:
            return error
        return None

    def tidy(self) -> None:
        """Make the next segment, remove those that are settled, and keep only the one that is filled in memory."""
        if self._spool is not None:
            if self._spool.wants_reserve:
                self._spool.make_reserve(self._lock)
            if self._spool.remove_retired():
                self._say_room()
            if self._spool.wants_mark_synced:
                self._spool.sync_mark()
            self._spool.unmap_full()
        tell_deferred()
        self._on_round()

    def _back_to_disk(self) -> None:
        """Move what is in memory to disk, in steps, so that no caller waits for all of it."""
        if self._spool is None:
            self._open_spool(is_quiet=True)
        try:
            while self._memory and self._spool is not None:
                with self._lock:
                    for _ in range(MOVE_AT_ONCE):
                        record = self._memory.first()
                        if record is None:
                            settle_down("journal_memory")
                            break
                        # What was accepted comes before what may come: it may take the last of the budget.
                        self._spool.append(record.seq, record.payload, is_urgent=True)
                        self._memory.remove_first()
        finally:
            self._say_room()

    # --- life ------------------------------------------------------------------------------------------

    def _open_spool(self, *, is_quiet: bool = False) -> None:
        options = self._options
        try:
            place = prepare(options.directory)
            file_set = FileSet(place.directory, service_slug(options.service), self.writer_id)
            spool = Spool(place, file_set, destination=options.destination, max_bytes=options.max_bytes)
            spool.begin(self.mark, is_consumed_here=options.is_consumed_here)
        except (OSError, ConfigurationError, UnicodeError) as error:
            if is_quiet:
                raise
            self._say_memory(error)
            return
        self._cursor = Cursor(spool, self._position)
        self._spool = spool
        if not place.is_local:
            report_later(
                "journal_network",
                f"the journal in {options.directory} is on a network file system: an event may be lost with the "
                "network, and other hosts never deliver it. Set journal_dir (AUDIT_JOURNAL_DIR) to a disk of this host",
            )

    def _say_memory(self, error: Exception) -> None:
        self.last_fault = describe(error)
        advice = getattr(error, "hint", None) or "make it writable, or set journal_dir (AUDIT_JOURNAL_DIR)"
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "free space on its disk; they move there by themselves"
        report_later(
            "journal_memory",
            f"the journal in {self.directory} takes no entries ({self.last_fault}). Events wait in memory, up to "
            f"{self._memory.max_bytes // MIB} MiB, and end with this process. What to do: {advice}",
            level="ERROR",
        )

    def close(self) -> None:
        """Sync what is there and close the files. They stay as long as something in them is not settled.

        Returns within twice `CLOSE_HARD_SECONDS`, even when the disk hangs; the files are then closed once it answers.
        Inside an `append` of the same thread (in a signal handler, in a `__del__`) it is carried out when that is done:
        the entry may be in its place already, and counted only then.
        """
        # Who appends now is either counted before this, or refused. On a disk that hangs the lock may be held.
        has_lock = self._lock.acquire(timeout=CLOSE_HARD_SECONDS)
        self._closes_later = has_lock and self._is_appending
        if has_lock:
            self._lock.release()
        if not self._closes_later:
            self._close()

    def _close(self) -> None:
        self._closes_later = False
        has_lock = self._lock.acquire(timeout=CLOSE_HARD_SECONDS)
        try:
            if has_lock:
                # Those left where an exception out of a signal handler ended the call that would have taken them.
                self._append_deferred()
        finally:
            self._is_closed = True
            if has_lock:
                self._lock.release()
        has_ended = self._sync.stop()
        if has_ended and not self._options.is_consumed_here:
            self.follow()
        self.synced.end()
        self.settled.end()
        self.room.end()
        with self._lock if has_lock else nullcontext():
            if self._memory.kept_bytes:
                self.lost_in_memory = len(self._memory)
                report_later(
                    "journal_memory_lost",
                    f"{len(self._memory)} events that no disk took were in memory only, and end with this process",
                    level="ERROR",
                )
            if has_ended:
                self._close_files()
        tell_deferred()

    def close_files(self) -> None:
        """What `close` had no time for: called by the thread that it left behind, as the last thing that it does."""
        if not self._options.is_consumed_here:
            self.follow()
        with self._lock:
            self._close_files()

    def _close_files(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
        if self._spool is not None:
            self._spool.remove_retired()
            self._spool.close(remove=self.mark.seq == self.last_seq and not self._memory.kept_bytes)

    def abandon(self) -> None:
        """Let go of everything in a forked child: descriptors are closed, nothing is unlocked, removed or written."""
        self._lock = threading.RLock()
        self._is_closed = True
        self._sync.abandon()
        self.synced.abandon()
        self.settled.abandon()
        self.room.abandon()
        if self._cursor is not None:
            self._cursor.close()
        if self._spool is not None:
            self._spool.abandon()
