"""What a file set that was surveyed holds: its entries, and what is no entry any more. Nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from audit_async.config import BATCH_BYTES, BATCH_ENTRIES, SEGMENT_BYTES
from audit_async.journal.confirm import read_mark
from audit_async.journal.cursor import Cursor
from audit_async.journal.frame import Record, scan
from audit_async.journal.segment import SegmentReader
from audit_async.journal.survey import Surveyed
from audit_async.private import open_file


@dataclass(frozen=True, slots=True, order=True)
class Damage:
    """Bytes of a segment that are no entry.

    Attributes:
        start, stop: offsets in the segment's file.
        is_tail: nothing follows in the segment: an entry that was cut off when its process died.
    """

    segment: int
    start: int
    stop: int
    is_tail: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file set holds.

    Attributes:
        entries: that can be read.
        pending: of these, the ones that are not settled.
        first, last: the entries with the lowest and the highest number.
        damaged: what cannot be read, in its order.
        gaps: first and last of numbers that are missing.
        faults: what of it cannot be opened or read, in words.
    """

    entries: int
    pending: int
    first: Record | None
    last: Record | None
    damaged: tuple[Damage, ...]
    gaps: tuple[tuple[int, int], ...]
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every entry that was appended, and has not been removed since, can be read."""
        return not (self.damaged or self.gaps or self.faults)


def batches(surveyed: Surveyed) -> Iterator[list[Record]]:
    """Yield the entries of *surveyed* in the order of their numbers, each once, settled or not. Never raises."""
    return _Reading(surveyed).batches()


def left_over_entries(surveyed: Surveyed) -> list[Record]:
    """Return the whole entries that are in what was kept of damage, each once. Never raises."""
    found: dict[int, Record] = {}
    for path in surveyed.left_overs:
        try:
            descriptor = open_file(path)
            try:
                piece = os.read(descriptor, 2 * SEGMENT_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            continue
        size = len(piece)
        salt = surveyed.file_set.salt
        whole = scan(piece, salt=salt, max_records=size + 1, max_bytes=size + 1, is_whole=True, resync=True)
        for record in whole.records:
            found.setdefault(record.seq, record)
    return [found[seq] for seq in sorted(found)]


def examine(surveyed: Surveyed) -> Contents:
    """Read all of *surveyed* and say what is there. Never raises, whatever the files hold.

    Of a living process bytes may be read while they are written: what is damage at a second look as well is damage,
    and what stands at the end is an entry under way.
    """
    reading = _Reading.through(surveyed)
    again = _Reading.through(surveyed) if surveyed.is_living and (reading.damaged or reading.gaps(0)) else None
    # Read last: what was settled and removed meanwhile is not missing.
    mark = read_mark(surveyed.file_set.confirm_path, surveyed.file_set.salt).seq
    damaged, gaps = reading.damaged, reading.gaps(mark)
    if again is not None:
        lasting, missing = set(again.damaged), set(again.gaps(mark))
        damaged = [each for each in damaged if each in lasting and not each.is_tail]
        gaps = [each for each in gaps if each in missing]
    return Contents(
        entries=sum(run.last - run.first + 1 for run in reading.runs),
        pending=sum(max(0, run.last - max(run.first - 1, mark)) for run in reading.runs),
        first=reading.first,
        last=reading.last,
        damaged=tuple(damaged),
        gaps=tuple(gaps),
        faults=tuple(reading.faults),
    )


@dataclass(slots=True)
class _Run:
    """Numbers without a gap, and the segments that the first and the last of them stand in: 0 for one that was found
    out of its order."""

    first: int
    last: int
    first_segment: int
    last_segment: int


class _NotingReader(SegmentReader):
    """A segment that remembers why it could not be read."""

    fault: str | None = None

    def read(self, offset: int, size: int) -> bytes:
        try:
            return super().read(offset, size)
        except OSError as error:
            self.fault = f"{self.path.name} cannot be read from byte {offset} on ({error.strerror})"
            raise


class _Reading:
    """One passage through a file set, as a `Shelf` for the cursor that uploads read with."""

    def __init__(self, surveyed: Surveyed) -> None:
        self.runs: list[_Run] = []
        self.first: Record | None = None
        self.last: Record | None = None
        self._surveyed = surveyed
        self._files = surveyed.file_set
        self._handed_out: list[tuple[int, _NotingReader]] = []
        self._is_there: dict[int, bool] = {}
        self._found: set[tuple[int, int, int]] = set()
        self._faults: dict[int, str] = {}

    @classmethod
    def through(cls, surveyed: Surveyed) -> Self:
        """Return one that has come to the end."""
        reading = cls(surveyed)
        for _ in reading.batches():
            pass
        return reading

    def batches(self) -> Iterator[list[Record]]:
        """Yield what there is, and keep account of it."""
        if self._surveyed.is_of_other_format:
            return
        cursor = Cursor(self)
        try:
            while records := cursor.read(BATCH_ENTRIES, BATCH_BYTES):
                self._enter(records, cursor.number)
                yield records
        finally:
            cursor.close()
            for number, reader in self._handed_out:
                if reader.fault:
                    self._faults.setdefault(number, reader.fault)

    @property
    def faults(self) -> list[str]:
        """What could not be opened or read."""
        return [self._faults[number] for number in sorted(self._faults)]

    @property
    def damaged(self) -> list[Damage]:
        """What was no entry."""
        return [Damage(*place, is_tail=self._is_tail(*place)) for place in sorted(self._found)]

    def gaps(self, mark: int) -> list[tuple[int, int]]:
        """Return the numbers that are missing. Whole segments whose entries are settled are removed, and no gap."""
        found: list[tuple[int, int]] = []
        is_cut_off = mark == 0 and bool(self._surveyed.segments) and self._surveyed.segments[0] > 1
        if self.runs and self.runs[0].first > mark + 1 and not is_cut_off:
            found.append((mark + 1, self.runs[0].first - 1))
        for before, behind in zip(self.runs, self.runs[1:], strict=False):
            first = before.last + 1
            if before.last_segment != behind.first_segment or not behind.first_segment:
                first = max(first, mark + 1)
            if first < behind.first:
                found.append((first, behind.first - 1))
        return found

    def _enter(self, records: list[Record], segment: int) -> None:
        self.first = self.first or records[0]
        self.last = records[-1]
        for record in records:
            if self.runs and self.runs[-1].last == record.seq - 1:
                self.runs[-1].last, self.runs[-1].last_segment = record.seq, segment
            else:
                self.runs.append(_Run(record.seq, record.seq, segment, segment))

    def _is_tail(self, number: int, start: int, stop: int) -> bool:
        """Return whether the segment holds nothing but zeros behind *stop*."""
        try:
            reader = SegmentReader.open(self._files.segment_path(number))
        except OSError:
            return False
        if reader is None:
            return False
        try:
            while piece := reader.read(stop, SEGMENT_BYTES):
                if piece.strip(b"\0"):
                    return False
                stop += len(piece)
        except OSError:
            return False
        finally:
            reader.close()
        return True

    # --- a `Shelf` ---------------------------------------------------------------------------------------

    @property
    def salt(self) -> int:
        """See `Shelf`."""
        return self._files.salt

    def next_number(self, after: int) -> int | None:
        """See `Shelf`. What is gone since the survey was settled; what cannot be opened is noted."""
        return next((number for number in self._surveyed.segments if number > after and self._look_at(number)), None)

    def open(self, number: int) -> SegmentReader | None:
        """See `Shelf`."""
        reader = self._opened(number)
        if reader is not None:
            self._handed_out.append((number, reader))
        return reader

    def limit(self, number: int) -> int | None:
        """See `Shelf`."""
        return None

    def is_growing(self, number: int) -> bool:
        """See `Shelf`. Nothing is waited for: bytes that are no frame yet count as damage, and are looked at again."""
        return False

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """See `Shelf`."""
        # A reader that misses a number passes here a second time.
        self._found.add((number, offset, offset + len(damaged)))

    def _look_at(self, number: int) -> bool:
        """Return whether the segment can be opened; it is not kept open, there may be more than a process may have."""
        if number not in self._is_there:
            reader = self._opened(number)
            self._is_there[number] = reader is not None
            if reader is not None:
                if reader.header is not None and reader.size < reader.header.capacity:
                    told = f"{reader.path.name} was cut off at {reader.size:,} of {reader.header.capacity:,} bytes"
                    self._faults[number] = told
                reader.close()
        return self._is_there[number]

    def _opened(self, number: int) -> _NotingReader | None:
        path = self._files.segment_path(number)
        try:
            return _NotingReader.open(path)
        except OSError as error:
            self._faults[number] = f"{path.name} cannot be opened ({error.strerror})"
            return None
