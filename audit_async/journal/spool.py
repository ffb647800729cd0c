"""The segments that this process fills: append, rotate, sync, retire.

State is guarded by the journal's lock, except where a method says otherwise. Making the next segment, syncing and removing are done
by the sync thread; the caller of `append` pays for a new file only when the disk is slower than he is.
"""

from __future__ import annotations

import socket
import time
from contextlib import AbstractContextManager
from pathlib import Path

from audit_async.config import FIRST_SEGMENT_BYTES, MIB, RESERVE_AT, SEGMENT_BYTES
from audit_async.errors import JournalFullError
from audit_async.journal.confirm import ConfirmFile, Mark
from audit_async.journal.cursor import Cursor
from audit_async.journal.file_set import FileSet, Lock, remove_file, sync_directory
from audit_async.journal.frame import Record
from audit_async.journal.place import Place
from audit_async.journal.segment import SegmentHeader, SegmentReader, SegmentWriter

MAX_RESCUED_BYTES = 4 * SEGMENT_BYTES


class Spool:
    """The files of this incarnation.

    Attributes:
        kept_bytes: of all segments on disk, the reserve included.
    """

    def __init__(self, place: Place, file_set: FileSet, *, destination: str, max_bytes: int | None) -> None:
        self.place = place
        self.file_set = file_set
        self.destination = destination
        self.max_bytes = max_bytes or place.default_max_bytes
        self.kept_bytes = 0
        self.wants_reserve = False
        self._segments: list[SegmentWriter] = []
        self._reserve: SegmentWriter | None = None
        self._retired: list[SegmentWriter] = []
        self._next_number = 1
        self._lock_file: Lock | None = None
        self._confirm: ConfirmFile | None = None

    def begin(self, *, is_consumed_here: bool) -> None:
        """Make the locks and the first segment.

        Raises:
            OSError: the disk refused; nothing is left behind.
        """
        try:
            if is_consumed_here:
                taken = ConfirmFile.take(self.file_set.confirm_path)
                if taken is None:
                    raise PermissionError(13, "cannot be made", str(self.file_set.confirm_path))
                self._confirm = taken[0]
            self._lock_file = Lock.make(self.file_set.lock_path)
            self._segments.append(self._make(min(FIRST_SEGMENT_BYTES, SEGMENT_BYTES)))
        except BaseException:
            self.close()
            self.file_set.remove()
            raise

    def append(self, seq: int, payload: bytes) -> None:
        """Put an entry at the end.

        Raises:
            JournalFullError: `max_bytes` are kept already.
            OSError: the disk refused.
        """
        segment = self._segments[-1]
        if not segment.append(seq, payload):
            self._segments.append(self._next_segment())
            segment = self._segments[-1]
            segment.append(seq, payload)
        if segment.end > segment.capacity * RESERVE_AT:
            self.wants_reserve = self._reserve is None

    def write_mark(self, mark: Mark) -> None:
        """Write down how far it is settled; called by the consumer only. Never raises: the mark is a hint."""
        try:
            if self._confirm is not None:
                self._confirm.write(mark)
        except OSError:
            return

    def retire(self, settled_seq: int) -> bool:
        """Put aside the segments whose entries are all settled, and return whether `remove_retired` has work."""
        while len(self._segments) > 1 and self._segments[0].last_seq <= settled_seq:
            self._retired.append(self._segments.pop(0))
        return bool(self._retired)

    # --- by the sync thread, which holds no lock -----------------------------------------------------

    def sync(self, lock: AbstractContextManager[object]) -> None:
        """Put everything that was appended before the call on disk, files and names.

        A segment whose sync fails is not asked again: what is not on disk for certain goes into a new one.

        Raises:
            OSError: the new one failed as well, or could not be made.
        """
        with lock:
            unsynced = [segment for segment in self._segments if segment.end > segment.synced_end]
            has_new_names = any(not segment.is_named_durably for segment in unsynced)
        if has_new_names:
            sync_directory(self.place.directory)
        for segment in unsynced:
            try:
                if segment.is_suspect:
                    raise OSError(5, "an earlier sync of this segment failed")
                segment.sync()
                segment.is_named_durably = True
            except OSError:
                segment.is_suspect = True
                with lock:
                    rescuers = self._rescue()
                for rescuer in rescuers:
                    self._sync_rescuer(rescuer)
                sync_directory(self.place.directory)
                return

    def make_reserve(self, lock: AbstractContextManager[object]) -> None:
        """Make the next segment ahead of its time, so that rotating costs the caller nothing. Never raises."""
        with lock:
            self.wants_reserve = False
            number = self._next_number
            if self._reserve is not None or self.kept_bytes + SEGMENT_BYTES > self.max_bytes:
                return
        # Made under a name of its own: the caller may need, and make, this number in the meantime.
        path = self.file_set.segment_path(number)
        draft = path.with_suffix(".reserve")
        try:
            remove_file(draft)
            reserve = SegmentWriter.make(draft, self._header(number, SEGMENT_BYTES), is_mapped=self.place.is_mappable)
            reserve.sync()
            with lock:
                is_wanted = number == self._next_number and self._lock_file is not None
                if is_wanted:
                    draft.rename(path)
                    reserve.path = path
                    self._next_number += 1
                    self.kept_bytes += reserve.capacity
                    self._reserve = reserve
            if is_wanted:
                sync_directory(self.place.directory)
                reserve.is_named_durably = True
            else:
                reserve.close()
                remove_file(draft)
        except OSError:
            return

    def remove_retired(self) -> int:
        """Remove what was put aside and return how many segments that were."""
        removed = 0
        while self._retired:
            segment = self._retired.pop()
            segment.close()
            remove_file(segment.path)
            self.kept_bytes -= segment.capacity
            removed += 1
        return removed

    # --- reading: a `Shelf` for the cursor of this process's own entries -------------------------------

    def next_number(self, after: int) -> int | None:
        """See `Shelf`."""
        return next((segment.number for segment in list(self._segments) if segment.number > after), None)

    def open(self, number: int) -> SegmentReader | None:
        """See `Shelf`."""
        segment = self._find(number)
        return segment.reader() if segment is not None else None

    def limit(self, number: int) -> int | None:
        """See `Shelf`. Of a segment that was replaced: 0, since its entries stand in a later one."""
        segment = self._find(number)
        return segment.end if segment is not None else 0

    def is_growing(self, number: int) -> bool:
        """See `Shelf`. The limit already ends behind the last whole frame."""
        return False

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """See `Shelf`."""
        self.file_set.keep_damage(number, offset, damaged)

    # --- end -------------------------------------------------------------------------------------------

    def close(self, *, remove: bool = False) -> None:
        """Close every file, and with *remove* delete them. The locks go last."""
        for segment in (*self._segments, *self._retired, *([self._reserve] if self._reserve else [])):
            segment.close()
        if self._reserve is not None:
            remove_file(self._reserve.path)
        for segment in self._retired:
            remove_file(segment.path)
        self._segments, self._retired, self._reserve = [], [], None
        if remove:
            self.file_set.remove()
        for held in (self._confirm, self._lock_file):
            if held is not None:
                held.close()
        self._confirm = self._lock_file = None

    def abandon(self) -> None:
        """Close every descriptor in a forked child, and leave the files to the parent."""
        for segment in (*self._segments, *self._retired, *([self._reserve] if self._reserve else [])):
            segment.close()
        for held in (self._confirm, self._lock_file):
            if held is not None:
                held.close()

    # --- inside ----------------------------------------------------------------------------------------

    def _find(self, number: int) -> SegmentWriter | None:
        return next((segment for segment in list(self._segments) if segment.number == number), None)

    def _next_segment(self) -> SegmentWriter:
        if self._reserve is not None:
            segment, self._reserve = self._reserve, None
            return segment
        if self.kept_bytes + SEGMENT_BYTES > self.max_bytes:
            raise JournalFullError(
                f"the journal in {self.place.directory} holds {self.kept_bytes // MIB} MiB, its limit is "
                f"{self.max_bytes // MIB} MiB",
                reason="journal_full",
                hint="mend what keeps the database from taking events, or raise journal_max_bytes",
            )
        return self._make(SEGMENT_BYTES)

    def _make(self, capacity: int) -> SegmentWriter:
        number = self._next_number
        path = self.file_set.segment_path(number)
        segment = SegmentWriter.make(path, self._header(number, capacity), is_mapped=self.place.is_mappable)
        self._next_number += 1
        self.kept_bytes += capacity
        return segment

    def _header(self, number: int, capacity: int) -> SegmentHeader:
        return SegmentHeader(
            number=number,
            writer_id=self.file_set.writer_id,
            created_ns=time.time_ns(),
            capacity=capacity,
            host=socket.gethostname(),
            service=self.file_set.service,
            destination=self.destination,
        )

    def _rescue(self) -> list[SegmentWriter]:
        """Write every entry that is not on disk for certain once more, into new segments, and return these.

        The old ones stay readable until then; those without any entry that is on disk for certain are put aside.
        """
        doubtful = [segment for segment in self._segments if segment.end > segment.synced_end]
        if sum(segment.end - segment.synced_end for segment in doubtful) > MAX_RESCUED_BYTES:
            raise OSError(5, "the disk has refused to sync for too long to write everything once more")
        records = [record for segment in doubtful for record in _unsynced_records(segment)]
        rescuers = [self._make(SEGMENT_BYTES)]
        for record in records:
            if not rescuers[-1].append(record.seq, record.payload):
                rescuers.append(self._make(SEGMENT_BYTES))
                rescuers[-1].append(record.seq, record.payload)
        kept = [segment for segment in self._segments if segment not in doubtful or segment.synced_end]
        self._retired += [segment for segment in self._segments if segment not in kept]
        for segment in doubtful:
            # Nothing of it is waited for any more.
            segment.synced_end = segment.end
        self._segments = kept + rescuers
        return rescuers

    def _sync_rescuer(self, rescuer: SegmentWriter) -> None:
        try:
            rescuer.sync()
            rescuer.is_named_durably = True
        except OSError:
            rescuer.is_suspect = True
            raise


class _OneSegment:
    """A shelf with one segment on it, from an offset on."""

    def __init__(self, segment: SegmentWriter) -> None:
        self._segment = segment

    def next_number(self, after: int) -> int | None:
        return self._segment.number if after < self._segment.number else None

    def open(self, number: int) -> SegmentReader | None:
        return self._segment.reader()

    def limit(self, number: int) -> int | None:
        return self._segment.end

    def is_growing(self, number: int) -> bool:
        return False

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        return


def _unsynced_records(segment: SegmentWriter) -> list[Record]:
    cursor = Cursor(_OneSegment(segment))
    records: list[Record] = []
    while found := cursor.read(10_000, SEGMENT_BYTES):
        records += found
    cursor.close()
    return records
