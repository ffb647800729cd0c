"""Reading a file set from a position on, past any damage, whether its writer is this process, another one, or dead.

As a rule entries stand in the order of their numbers, and a cursor goes through them once. Where a number is missing
it looks through every segment for what is left: after a failed sync entries are written a second time, and whoever
copies or restores files may leave them twice, or under each other's names.
"""

from __future__ import annotations

from typing import Protocol

from audit_async.config import MAX_PAYLOAD_BYTES, SEGMENT_HEADER_BYTES
from audit_async.diagnostics import report
from audit_async.journal.frame import HEADER_BYTES, Record, Scan, scan
from audit_async.journal.index import Index
from audit_async.journal.segment import SegmentReader

_LEAST_PIECE = MAX_PAYLOAD_BYTES + HEADER_BYTES


class Shelf(Protocol):
    """Where a cursor finds segments."""

    @property
    def salt(self) -> int:
        """Of the writer's checksums."""
        ...

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

    def is_growing(self, number: int) -> bool:
        """Return whether bytes that are no frame may be one under way, because another process still writes."""
        ...

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """Keep bytes that are no entry any more."""


class Cursor:
    """A position in a file set.

    Attributes:
        position: number of the last entry that was handed out.
    """

    def __init__(self, shelf: Shelf, position: int = 0) -> None:
        self.position = position
        self._shelf = shelf
        self._number = 0
        self._offset = 0
        self._reader: SegmentReader | None = None
        self._index: Index | None = None

    @property
    def number(self) -> int:
        """The segment it stands in, before which nothing is left to read; 0 before the first."""
        return 0 if self._index is not None else self._number

    def read(self, max_records: int, max_bytes: int) -> list[Record]:
        """Return the next entries, in the order of their numbers, each once; none when there are no more for now.

        Raises:
            OSError: a segment cannot be opened now. Nothing was passed over: ask again.
        """
        while True:
            if self._index is not None:
                records = self._read_index(self._index, max_records, max_bytes)
                if records:
                    self.position = records[-1].seq
                    return records
                continue
            # The order of these two is what makes the limit final: see `Shelf.next_number`.
            following = self._shelf.next_number(self._number)
            limit = self._limit()
            if self._offset >= limit:
                if following is None:
                    return []
                self._go_to(following)
                continue
            found, is_exhausted = self._read_piece(limit, max_records, max_bytes, is_last=following is None)
            records = found.records
            if not _follow(records, self.position):
                records = [record for record in records if record.seq > self.position]
                if not _follow(records, self.position):
                    self._look_through_all()
                    continue
            self._offset += found.stop
            if records:
                self.position = records[-1].seq
                return records
            if is_exhausted:
                if following is None:
                    return []
                self._go_to(following)

    def lowest_seq(self) -> int:
        """Return the lowest number of all entries behind the position; 0 when there is none. Closes the cursor.

        Raises:
            OSError: a segment cannot be opened now.
        """
        self._look_through_all()
        lowest = self._index.lowest_seq if self._index is not None else 0
        self.close()
        return lowest

    def close(self) -> None:
        """Close the segment that is open."""
        if self._index is not None:
            self._index.close()
            self._index = None
        self._go_before_the_first()

    def _go_before_the_first(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._number = self._offset = 0

    def _limit(self) -> int:
        if self._reader is None:
            return 0
        limit = self._shelf.limit(self._number)
        return self._reader.size if limit is None else limit

    def _go_to(self, number: int) -> None:
        reader = self._shelf.open(number)
        if self._reader is not None:
            self._reader.close()
        self._number = number
        self._offset = SEGMENT_HEADER_BYTES
        self._reader = reader
        if self._reader is None:
            report("journal_segment", f"segment {number} of the journal cannot be opened; its entries are missing")

    def _read_piece(self, limit: int, max_records: int, max_bytes: int, *, is_last: bool) -> tuple[Scan, bool]:
        """Return what the next piece of the segment holds, and whether the segment holds no more for now."""
        assert self._reader is not None
        want = min(limit - self._offset, max(max_bytes, _LEAST_PIECE))
        try:
            piece = self._reader.read(self._offset, want)
        except OSError as error:
            report("journal_read", f"segment {self._number} of the journal cannot be read further ({error.strerror})")
            return Scan(stop=limit - self._offset), True
        is_whole = self._offset + len(piece) >= limit or len(piece) < want
        is_growing = is_last and self._shelf.is_growing(self._number)
        found = scan(
            piece,
            salt=self._shelf.salt,
            max_records=max_records,
            max_bytes=max_bytes,
            is_whole=is_whole and not is_growing,
            resync=not is_growing,
        )
        for start, stop in found.damaged:
            self._shelf.keep_damage(self._number, self._offset + start, piece[start:stop])
        is_at_end = found.is_end if is_growing else is_whole and found.stop == len(piece)
        return found, is_at_end or found.stop == 0

    # --- where the order cannot be relied on -----------------------------------------------------------

    def _look_through_all(self) -> None:
        """Go through every segment to its end, and note where the entries behind the position are.

        Raises:
            OSError: one cannot be opened now. This cursor stands where it stood.
        """
        index = Index(self._shelf.open, self._shelf.salt, self.position)
        walker = Cursor(self._shelf)
        try:
            while True:
                following = walker._shelf.next_number(walker._number)
                limit = walker._limit()
                is_exhausted = walker._offset >= limit
                if not is_exhausted:
                    found, is_exhausted = walker._read_piece(
                        limit, _LEAST_PIECE, _LEAST_PIECE, is_last=following is None
                    )
                    index.note(walker._number, walker._offset, found)
                    walker._offset += found.stop
                if is_exhausted:
                    if following is None:
                        break
                    walker._go_to(following)
        except BaseException:
            walker.close()
            raise
        if self._reader is not None:
            self._reader.close()
        # Behind what is noted the usual way goes on.
        self._number, self._offset, self._reader = walker._number, walker._offset, walker._reader
        index.sort()
        self._index = index

    def _read_index(self, index: Index, max_records: int, max_bytes: int) -> list[Record]:
        records = index.read(self.position, max_records, max_bytes)
        if not records:
            self._index = None
            index.close()
            if index.is_outdated:
                # A segment was replaced by another one meanwhile.
                self._go_before_the_first()
        return records


def _follow(records: list[Record], position: int) -> bool:
    """Return whether *records* are the next ones behind *position*, without a gap."""
    first = position + 1
    return [record.seq for record in records] == list(range(first, first + len(records)))
