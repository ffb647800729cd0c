"""Reading a file set from a position on, past any damage, whether its writer is this process, another one, or dead."""

from __future__ import annotations

from typing import Protocol

from audit_async.config import MAX_PAYLOAD_BYTES, SEGMENT_HEADER_BYTES
from audit_async.diagnostics import report
from audit_async.journal.frame import HEADER_BYTES, Record, scan
from audit_async.journal.segment import SegmentReader

_LEAST_PIECE = MAX_PAYLOAD_BYTES + HEADER_BYTES


class Shelf(Protocol):
    """Where a cursor finds segments."""

    def next_number(self, after: int) -> int | None:
        """Return the number of the segment behind *after* that has been begun, or None.

        Once it is returned, segment *after* does not grow any more.
        """
        ...

    def open(self, number: int) -> SegmentReader | None:
        """Open a segment; None when it is gone.

        Raises:
            OSError: it is there and cannot be opened now (no descriptor left, no permission).
        """
        ...

    def limit(self, number: int) -> int | None:
        """Return how far a segment may be read, or None for all of it."""
        ...

    def repeated_from(self, number: int) -> int | None:
        """Return from which entry on a later segment has the entries of this one once more, or None.

        After a failed sync they are written again; the first copy may be damaged, and must not hide the second.
        """
        ...

    def is_growing(self, number: int) -> bool:
        """Return whether bytes that are no frame may be one under way, because another process still writes."""
        ...

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """Keep bytes that are no entry any more."""


class Cursor:
    """A position in a file set.

    Attributes:
        position: number of the last entry that was handed out.
        damaged_bytes: met so far that were no entries.
    """

    def __init__(self, shelf: Shelf, position: int = 0) -> None:
        self.position = position
        self.damaged_bytes = 0
        self._shelf = shelf
        self._number = 0
        self._offset = 0
        self._reader: SegmentReader | None = None

    @property
    def number(self) -> int:
        """The segment it stands in; 0 before the first."""
        return self._number

    def read(self, max_records: int, max_bytes: int) -> list[Record]:
        """Return the next entries, in the order of their numbers, each once; none when there are no more for now.

        Raises:
            OSError: a segment cannot be opened now. Nothing was passed over: ask again.
        """
        while True:
            # The order of these two is what makes the limit final: see `Shelf.next_number`.
            following = self._shelf.next_number(self._number)
            limit = self._limit()
            if self._offset >= limit:
                if following is None:
                    return []
                self._go_to(following)
                continue
            records, is_exhausted = self._read_piece(limit, max_records, max_bytes, is_last=following is None)
            if records:
                self.position = records[-1].seq
                return records
            if is_exhausted:
                if following is None:
                    return []
                self._go_to(following)

    def close(self) -> None:
        """Close the segment that is open."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _limit(self) -> int:
        if self._reader is None:
            return 0
        limit = self._shelf.limit(self._number)
        return self._reader.size if limit is None else limit

    def _go_to(self, number: int) -> None:
        reader = self._shelf.open(number)
        self.close()
        self._number = number
        self._offset = SEGMENT_HEADER_BYTES
        self._reader = reader
        if self._reader is None:
            report("journal_segment", f"segment {number} of the journal cannot be opened; its entries are missing")

    def _read_piece(self, limit: int, max_records: int, max_bytes: int, *, is_last: bool) -> tuple[list[Record], bool]:
        """Return entries from the next piece of the segment, and whether the segment holds no more for now."""
        assert self._reader is not None
        want = min(limit - self._offset, max(max_bytes, _LEAST_PIECE))
        try:
            piece = self._reader.read(self._offset, want)
        except OSError as error:
            report("journal_read", f"segment {self._number} of the journal cannot be read further ({error.strerror})")
            self._offset = limit
            return [], True
        is_whole = self._offset + len(piece) >= limit or len(piece) < want
        is_growing = is_last and self._shelf.is_growing(self._number)
        found = scan(
            piece,
            max_records=max_records,
            max_bytes=max_bytes,
            is_whole=is_whole and not is_growing,
            resync=not is_growing,
        )
        for start, stop in found.damaged:
            self.damaged_bytes += stop - start
            self._shelf.keep_damage(self._number, self._offset + start, piece[start:stop])
        self._offset += found.stop
        again = self._shelf.repeated_from(self._number)
        records = [
            record for record in found.records if record.seq > self.position and (again is None or record.seq < again)
        ]
        is_at_end = found.is_end if is_growing else is_whole and found.stop == len(piece)
        return records, is_at_end or found.stop == 0
