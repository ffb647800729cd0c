"""Where the entries of a file set are, for the case that they do not stand in the order of their numbers."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable

from audit_async.journal.frame import HEADER_BYTES, Record, Scan, scan
from audit_async.journal.segment import SegmentReader


class Index:
    """The places of all entries behind a position: four numbers an entry, whatever is in it.

    Args:
        open_segment: returns a reader of a segment, or None when it is gone.
        salt: of the writer.
        position: number of the last entry that need not be noted.

    Attributes:
        is_outdated: a segment was gone, or an entry in it, when it was to be read.
    """

    def __init__(self, open_segment: Callable[[int], SegmentReader | None], salt: int, position: int) -> None:
        self.is_outdated = False
        self._open_segment = open_segment
        self._salt = salt
        self._position = position
        self._seqs = array("Q")
        self._segments = array("Q")
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._number = 0
        self._reader: SegmentReader | None = None

    def note(self, segment: int, offset: int, found: Scan) -> None:
        """Note what was *found* in the piece of *segment* that begins at *offset*."""
        damaged = dict(found.damaged)
        at = 0
        for record in found.records:
            at = damaged.get(at, at)
            length = HEADER_BYTES + len(record.payload)
            if record.seq > self._position:
                self._seqs.append(record.seq)
                self._segments.append(segment)
                self._offsets.append(offset + at)
                self._lengths.append(length)
            at += length

    def sort(self) -> None:
        """Bring what was noted into the order of its numbers; of two with the same one, the first stays first."""
        order = sorted(range(len(self._seqs)), key=self._seqs.__getitem__)
        for name in ("_seqs", "_segments", "_offsets", "_lengths"):
            unsorted = getattr(self, name)
            setattr(self, name, array("Q", map(unsorted.__getitem__, order)))

    @property
    def lowest_seq(self) -> int:
        """The first number; 0 when there is none."""
        return self._seqs[0] if self._seqs else 0

    def read(self, position: int, max_records: int, max_bytes: int) -> list[Record]:
        """Return the next entries behind *position*, each once; none when there are no more, or it is outdated.

        Raises:
            OSError: a segment cannot be opened now.
        """
        records: list[Record] = []
        size = 0
        at = bisect_right(self._seqs, position)
        while at < len(self._seqs) and len(records) < max_records and size < max_bytes:
            seq = self._seqs[at]
            if seq > position:
                record = self._read_one(self._segments[at], self._offsets[at], self._lengths[at])
                if record is None or record.seq != seq:
                    self.is_outdated = True
                    return records
                records.append(record)
                position = seq
                size += self._lengths[at]
            at += 1
        return records

    def _read_one(self, segment: int, offset: int, length: int) -> Record | None:
        if segment != self._number or self._reader is None:
            reader = self._open_segment(segment)
            self.close()
            self._number, self._reader = segment, reader
        if self._reader is None:
            return None
        try:
            frame = self._reader.read(offset, length)
        except OSError:
            return None
        found = scan(frame, salt=self._salt, max_records=1, max_bytes=length, is_whole=True, resync=False)
        return found.records[0] if found.records else None

    def close(self) -> None:
        """Close the segment that is open."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
