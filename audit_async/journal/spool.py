"""The segments that this process fills: append, rotate, sync, retire.

State is guarded by the journal's lock, except where a method says otherwise. Making the next segment, syncing and
removing are done by the sync thread; the caller of `append` pays for a new file only when the disk is slower than he
is.

This file is a little longer than others: what is filled, synced, retired and moved back is one row of segments, and
each step relies on what the others leave of it.
"""

from __future__ import annotations

import errno
import time
from contextlib import AbstractContextManager

from audit_async.config import (
    FIRST_SEGMENT_BYTES,
    MAX_RESCUED_BYTES,
    MIB,
    SEGMENT_BYTES,
    SEGMENT_HEADER_BYTES,
    URGENT_SEGMENT_SHARE,
    URGENT_SHARE,
)
from audit_async.errors import JournalFullError
from audit_async.journal.confirm import ConfirmFile, Mark, sync_mark
from audit_async.journal.file_set import FileSet, Lock, remove_file
from audit_async.journal.frame import HEADER_BYTES
from audit_async.journal.place import Place, prepare
from audit_async.journal.segment import SegmentHeader, SegmentReader, SegmentWriter, host_name
from audit_async.private import sync_directory


class Spool:
    """The files of this incarnation."""

    def __init__(self, place: Place, file_set: FileSet, *, destination: str, max_bytes: int | None) -> None:
        self.place = place
        self.file_set = file_set
        self._salt = file_set.salt
        self.destination = destination
        self.max_bytes = max_bytes or place.default_max_bytes
        # The last of the budget, which entries that are not urgent are refused.
        self._urgent_bytes = int(
            max(self.max_bytes * URGENT_SHARE, min(SEGMENT_BYTES, self.max_bytes * URGENT_SEGMENT_SHARE))
        )
        self.wants_reserve = False
        self.wants_mark_synced = False
        self._segments: list[SegmentWriter] = []
        self._reserve: SegmentWriter | None = None
        self._retired: list[SegmentWriter] = []
        self._next_number = 1
        self._lock_file: Lock | None = None
        self._confirm: ConfirmFile | None = None
        self._mark = Mark()

    @property
    def kept_bytes(self) -> int:
        """Of all segments on disk, the reserve included."""
        return sum(segment.capacity for segment in self._all())

    @property
    def fullness(self) -> float:
        """The share of the budget that entries stand in, up to 1.0."""
        segments = list(self._segments)
        if not segments:
            return 0.0
        used = sum(segment.end for segment in segments)
        return used / (used + segments[-1].capacity - segments[-1].end + self._free_bytes)

    @property
    def last_seq(self) -> int:
        """Of the newest entry in the segment that is being filled; 0 while that is empty."""
        return self._segments[-1].last_seq if self._segments else 0

    def begin(self, mark: Mark, *, is_consumed_here: bool) -> None:
        """Make the locks and the first segment, and write down the *mark* so far: that memory held some is no loss.

        Raises:
            OSError: the disk refused; nothing is left behind.
        """
        try:
            if is_consumed_here:
                taken = ConfirmFile.take(self.file_set.confirm_path, self._salt)
                if taken is None:
                    raise PermissionError(errno.EACCES, "cannot be made", str(self.file_set.confirm_path))
                self._confirm = taken[0]
                self._confirm.reserve()
                # At once, so that one which was never moved is told from one that is lost.
                self._confirm.write(mark)
                self._mark = mark
            self._lock_file = Lock.make(self.file_set.lock_path)
            self._segments.append(self._make(min(FIRST_SEGMENT_BYTES, SEGMENT_BYTES)))
            self.measure()
        except BaseException:
            self.close()
            self.file_set.remove()
            raise

    def append(self, seq: int, payload: bytes, is_urgent: bool = False) -> None:
        """Put an entry at the end.

        Raises:
            JournalFullError: `max_bytes` are kept already, or what is left of them is for urgent entries.
            ValueError: no segment is long enough.
            OSError: the disk refused.
        """
        segment = self._segments[-1]
        if not segment.append(seq, payload, is_urgent):
            whole = SEGMENT_HEADER_BYTES + HEADER_BYTES + len(payload)
            if whole > SEGMENT_BYTES:
                raise ValueError(f"an entry of {len(payload)} bytes fits no segment")
            segment = self._next_segment(whole, is_urgent)
            self._segments.append(segment)
            segment.append(seq, payload, is_urgent)
        if segment.end > segment.reserve_at and self._reserve is None:
            self.wants_reserve = True

    def measure(self) -> None:
        """Decide anew up to where the segment that is being filled takes entries that are not urgent."""
        if self._segments:
            filled = self._segments[-1]
            filled.limit = filled.capacity - max(0, self._urgent_bytes - self._free_bytes)

    def write_mark(self, mark: Mark) -> None:
        """Write down how far it is settled; called by the consumer only. Never raises: the mark is a hint."""
        self._mark = mark
        try:
            if self._confirm is not None:
                self._confirm.write(mark)
        except OSError:
            return

    @property
    def is_in_place(self) -> bool:
        """Whether the files are still there under their names: nobody removed or replaced the directory."""
        held = [one for one in (self._lock_file, self._confirm) if one is not None]
        return all(one.is_in_place for one in held)

    def move_back(self, lock: AbstractContextManager[object]) -> None:
        """Make the directory and the locks again where somebody removed them. The next `sync` then writes every
        entry once more; until then they stand in files without a name, which this process can still read.

        Raises:
            OSError, ConfigurationError: the directory cannot be made, or is not fit for a journal.
        """
        self.place = prepare(self.file_set.directory)
        with lock:
            if self._lock_file is not None and not self._lock_file.is_in_place:
                renewed = Lock.make(self.file_set.lock_path)
                self._lock_file.close()
                self._lock_file = renewed
            if self._confirm is not None and not self._confirm.is_in_place:
                taken = ConfirmFile.take(self.file_set.confirm_path, self._salt)
                if taken is not None:
                    self._confirm.close()
                    self._confirm = taken[0]
                    self.write_mark(self._mark)
            for segment in self._segments:
                segment.is_suspect = True
                segment.synced_end = 0

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
                    raise OSError(errno.EIO, "an earlier sync of this segment failed")
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
            self.place.look_again()
            remove_file(draft)
            reserve = SegmentWriter.make(draft, self._header(number, SEGMENT_BYTES), is_mapped=self.place.is_mappable)
        except OSError:
            return
        try:
            reserve.sync()
            with lock:
                if number == self._next_number and self._lock_file is not None:
                    draft.rename(path)
                    reserve.path = path
                    self._next_number += 1
                    self._reserve = reserve
            if reserve.path == path:
                sync_directory(self.place.directory)
                reserve.is_named_durably = True
        except OSError:
            # If it has its name already, the next sync meets the same fault, and says so.
            pass
        if reserve.path == draft:
            reserve.close()
            remove_file(draft)

    def remove_retired(self) -> int:
        """Remove what was put aside and return how many segments that were."""
        if self._retired:
            self.sync_mark()
        removed = 0
        while self._retired:
            # From the oldest on: what a kill in between leaves behind has no gap.
            segment = self._retired[0]
            remove_file(segment.path)
            segment.close()
            del self._retired[0]
            removed += 1
        return removed

    def sync_mark(self) -> None:
        """Put the mark on disk, or a loss of power could make what is settled and gone look lost. Never raises."""
        self.wants_mark_synced = False
        if self._confirm is not None:
            self._confirm.sync()
        else:
            sync_mark(self.file_set.confirm_path)

    def unmap_full(self) -> None:
        """Unmap the segments that are full: an outage of an hour must not cost memory."""
        for segment in self._segments[:-1]:
            segment.unmap()

    # --- reading: a `Shelf` for the cursor of this process's own entries -------------------------------

    @property
    def salt(self) -> int:
        """See `Shelf`."""
        return self._salt

    def next_number(self, after: int) -> int | None:
        """See `Shelf`."""
        segments = self._segments
        # As a rule it is read up to the one that is being filled.
        if segments and segments[-1].number == after:
            return None
        return next((segment.number for segment in list(segments) if segment.number > after), None)

    def open(self, number: int) -> SegmentReader | None:
        """See `Shelf`."""
        segment = self._find(number)
        try:
            return segment.reader() if segment is not None else None
        except ValueError:
            # Replaced, and closed, in this very moment.
            return None

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
        for segment in self._all():
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
        for segment in self._all():
            segment.close()
        for held in (self._confirm, self._lock_file):
            if held is not None:
                held.close()

    # --- inside ----------------------------------------------------------------------------------------

    def _all(self) -> list[SegmentWriter]:
        reserve = self._reserve
        return [*self._segments, *self._retired, *([reserve] if reserve is not None else [])]

    @property
    def _free_bytes(self) -> int:
        """Of the whole segments that the budget has room for behind the one that is being filled."""
        unmade = max(0, self.max_bytes - self.kept_bytes) // SEGMENT_BYTES * SEGMENT_BYTES
        return unmade + (self._reserve.capacity if self._reserve is not None else 0)

    def _find(self, number: int) -> SegmentWriter | None:
        return next((segment for segment in reversed(list(self._segments)) if segment.number == number), None)

    def _next_segment(self, whole: int, is_urgent: bool) -> SegmentWriter:
        """Return the next segment, for an entry that takes *whole* bytes of it."""
        behind_it = self._free_bytes - SEGMENT_BYTES
        limit = SEGMENT_BYTES - max(0, self._urgent_bytes - behind_it)
        if behind_it < 0 or not (is_urgent or whole <= limit):
            left = "" if behind_it < 0 else ", and what is left of that is for events of high severity"
            raise JournalFullError(
                f"the journal in {self.place.directory} holds {self.kept_bytes // MIB} MiB, its limit is "
                f"{self.max_bytes // MIB} MiB{left}",
                reason="journal_full",
                hint="mend what keeps the database from taking events, or raise journal_max_bytes",
            )
        segment, self._reserve = self._reserve or self._make(SEGMENT_BYTES), None
        segment.limit = limit
        return segment

    def _make(self, capacity: int) -> SegmentWriter:
        self.place.look_again()
        number = self._next_number
        path = self.file_set.segment_path(number)
        segment = SegmentWriter.make(path, self._header(number, capacity), is_mapped=self.place.is_mappable)
        self._next_number += 1
        return segment

    def _header(self, number: int, capacity: int) -> SegmentHeader:
        return SegmentHeader(
            number=number,
            writer_id=self.file_set.writer_id,
            created_ns=time.time_ns(),
            capacity=capacity,
            host=host_name(),
            service=self.file_set.service,
            destination=self.destination,
        )

    def _rescue(self) -> list[SegmentWriter]:
        """Write every entry that is not on disk for certain once more, into new segments, and return these.

        The old ones stay readable until then; those without any entry that is on disk for certain are put aside.
        """
        doubtful = [segment for segment in self._segments if segment.end > segment.synced_end]
        if sum(segment.end - segment.synced_end for segment in doubtful) > MAX_RESCUED_BYTES:
            raise OSError(errno.EIO, "the disk has refused to sync for too long to write everything once more")
        rescuers: list[SegmentWriter] = []
        try:
            rescuers.append(self._make(SEGMENT_BYTES))
            for record in [record for segment in doubtful for record in segment.unsynced()]:
                if not rescuers[-1].append(record.seq, record.payload):
                    rescuers.append(self._make(SEGMENT_BYTES))
                    rescuers[-1].append(record.seq, record.payload)
        except OSError:
            for rescuer in rescuers:
                rescuer.close()
                remove_file(rescuer.path)
            raise
        kept = [segment for segment in self._segments if segment not in doubtful or segment.synced_end]
        self._retired += [segment for segment in self._segments if segment not in kept]
        if self._reserve is not None:
            # Segments are read in the order of their numbers, and its number is below those of the new ones.
            self._retired.append(self._reserve)
            self._reserve = None
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
