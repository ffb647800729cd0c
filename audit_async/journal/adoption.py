"""File sets whose process has died, and those of living processes that only journal: read and settled by somebody
else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from audit_async.diagnostics import describe, report
from audit_async.journal.batch import Batch
from audit_async.journal.book import Book, Counts
from audit_async.journal.confirm import ConfirmFile, Mark
from audit_async.journal.cursor import Cursor
from audit_async.journal.file_set import FileSet, Lock, remove_file
from audit_async.journal.frame import seqs_in
from audit_async.journal.segment import SegmentHeader, SegmentReader, host_name


class Orphan:
    """A file set that this process has taken over, with the interface of a journal's writer side.

    Attributes:
        is_living: its producer still appends (`writer="none"`).
        adopted_at: number of the last entry that was settled when it was taken over.
    """

    def __init__(self, file_set: FileSet, confirm: ConfirmFile, mark: Mark, producer: Lock | None) -> None:
        self.file_set = file_set
        self._salt = file_set.salt
        self._confirm = confirm
        self._producer = producer
        self._is_unreadable = False
        self._begun: set[int] = set()
        self._damaged: dict[tuple[int, int], list[int]] = {}
        self._missing = 0
        self._book = Book(self._mark_of_what_is_gone() if confirm.is_unwritten else mark)
        self._cursor = Cursor(self, self.mark.seq)
        self._position = self.adopted_at = self.mark.seq

    def __repr__(self) -> str:
        state = "living" if self.is_living else "dead"
        return f"<Orphan {self.writer_id[:8]} of a {state} process: settled up to {self.mark.seq}>"

    @property
    def mark(self) -> Mark:
        """Up to where nothing is pending."""
        return self._book.mark

    @property
    def has_open(self) -> bool:
        """Whether entries were left open."""
        return self._book.totals.open > 0

    @property
    def writer_id(self) -> str:
        """Of the process that logged."""
        return self.file_set.writer_id

    @property
    def is_living(self) -> bool:
        """Whether its producer holds its lock."""
        return self._producer is None

    def read(self, max_entries: int, max_bytes: int) -> Batch | None:
        """Return the next entries, or None when there are no more (for now, if it is living, or if a segment cannot
        be opened: the files then stay where they are)."""
        if self._producer is None:
            # Asked before reading: what is read after the producer's death is all there is.
            self._producer = Lock.take(self.file_set.lock_path)
        try:
            records = self._cursor.read(max_entries, max_bytes)
        except OSError as error:
            self._is_unreadable = True
            report("adoption", f"the journal files {self.file_set.base}* cannot be read now ({describe(error)})")
            return None
        lost = self._count_lost_at_the_end() if self._producer is not None and not records else 0
        if not records and not lost:
            return None
        batch = Batch.of(self.writer_id, self._position, records, self._position + lost)
        self._position = batch.last_seq
        self._missing += len(batch.missing)
        return batch

    def _count_lost_at_the_end(self) -> int:
        """Return, once, how many damaged entries no later number tells of."""
        found, self._damaged = self._damaged, {}
        seqs = {seq for each in found.values() for seq in each if seq > self._position}
        # In the middle damage that shows no number leaves a gap.
        return len(seqs) or int(sum(each == [0] for each in found.values()) > self._missing)

    def settle(self, last_seq: int, **counts: Unpack[Counts]) -> None:
        """Note what became of the entries up to *last_seq* since the last call; remove segments that are done.

        Raises:
            ValueError: the numbers do not add up.
        """
        self._book.enter(last_seq, **counts)
        self._write_mark()

    def resolve(self, seq: int, *, is_stored: bool) -> None:
        """Note what became of an entry that was left open."""
        self._book.resolve(seq, is_stored=is_stored)
        self._write_mark()

    def _write_mark(self) -> None:
        with suppress(OSError):
            # A hint only: what is sent again is absorbed by the table's key.
            self._confirm.write(self.mark)
        if self.mark.seq < self._position:
            return
        done = [number for number in self.file_set.segment_numbers() if number < self._cursor.number]
        if done:
            self._confirm.sync()
        for number in done:
            self._keep_foreign(number)
            remove_file(self.file_set.segment_path(number))

    def close(self, *, is_done: bool) -> None:
        """Let go of it; remove its files if *is_done*, all of it is settled and its producer is dead."""
        self._cursor.close()
        is_settled = self.mark.seq >= self._position and not self._is_unreadable
        # A producer that closed in order, with nothing pending, removed its files itself.
        has_ended = self._producer is not None or not self.file_set.lock_path.exists()
        if is_done and is_settled and has_ended:
            for number in self.file_set.segment_numbers():
                self._keep_foreign(number)
            self.file_set.remove()
        self.abandon()

    def _keep_foreign(self, number: int) -> None:
        """Keep a segment that says of itself that it is another process's: somebody has put it here by mistake."""
        with suppress(OSError):
            reader = self.open(number)
            if reader is None:
                return
            reader.close()
            if reader.header is not None and reader.header.writer_id != self.writer_id:
                kept = self.file_set.keep_whole(number)
                report("journal_foreign", f"{reader.path} is a segment of another process's journal; kept as {kept}")

    def abandon(self) -> None:
        """Close what is open, and leave the files."""
        self._cursor.close()
        self._confirm.close()
        if self._producer is not None:
            self._producer.close()

    # --- a `Shelf` ---------------------------------------------------------------------------------------

    @property
    def salt(self) -> int:
        """See `Shelf`."""
        return self._salt

    def next_number(self, after: int) -> int | None:
        """See `Shelf`."""
        for number in self.file_set.segment_numbers():
            if number > after and (not self.is_living or after == 0 or self._is_begun(number)):
                return number
        return None

    def open(self, number: int) -> SegmentReader | None:
        """See `Shelf`."""
        return SegmentReader.open(self.file_set.segment_path(number))

    def limit(self, number: int) -> int | None:
        """See `Shelf`."""
        return None

    def is_growing(self, number: int) -> bool:
        """See `Shelf`."""
        return self.is_living

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """See `Shelf`."""
        self.file_set.keep_damage(number, offset, damaged)
        self._damaged[number, offset] = seqs_in(damaged)

    def _is_begun(self, number: int) -> bool:
        if number not in self._begun:
            try:
                reader = self.open(number)
            except OSError:
                return False
            if reader is None:
                return False
            is_begun = reader.is_begun
            reader.close()
            if not is_begun:
                return False
            self._begun.add(number)
        return True

    def _mark_of_what_is_gone(self) -> Mark:
        """Return the mark behind the segments that are gone, where the true one is lost: only settled ones go."""
        first_seq = 0
        if self.file_set.segment_numbers()[:1] > [1]:
            with suppress(OSError):
                first_seq = Cursor(self).lowest_seq()
        return Mark(seq=first_seq - 1, stored=first_seq - 1) if first_seq else Mark()


@dataclass(slots=True)
class Search:
    """What was found in a directory.

    Attributes:
        orphans: taken over by this process.
        foreign: pending file sets that are meant for another destination.
        elsewhere: pending file sets of other hosts, on a file system whose locks mean nothing for these.
        is_cut: the search has ended because it had found as many orphans as were wanted.
        unknown: file sets in a format of another version.
    """

    orphans: list[Orphan] = field(default_factory=list)
    foreign: list[FileSet] = field(default_factory=list)
    elsewhere: list[FileSet] = field(default_factory=list)
    is_cut: bool = False
    unknown: list[FileSet] = field(default_factory=list)


def adopt(
    directory: Path,
    *,
    destination: str,
    is_local: bool,
    with_living: bool = False,
    with_any: bool = False,
    passing_over: frozenset[str] = frozenset(),
    most: int | None = None,
) -> Search:
    """Take over the file sets in *directory* that nobody else has, and that are meant for *destination*.

    Never raises. Two processes that do so at once never get the same one: the locks decide, not names or process ids.

    Args:
        is_local: file locks there hold for every process that can see the directory.
        with_living: also those of living processes that only journal.
        with_any: whatever their destination and host (by command only).
        passing_over: writers whose file sets this process has already.
        most: file sets that are taken over; None for all.
    """
    search = Search()
    for file_set in FileSet.all_in(directory):
        if file_set.writer_id in passing_over:
            continue
        if most is not None and len(search.orphans) >= most:
            search.is_cut = True
            break
        try:
            _consider(file_set, search, destination, is_local, with_living, with_any)
        except OSError as error:
            report("adoption", f"the journal files {file_set.base}* cannot be taken over ({error.strerror})")
    return search


def _consider(
    file_set: FileSet, search: Search, destination: str, is_local: bool, with_living: bool, with_any: bool
) -> None:
    producer = Lock.take(file_set.lock_path, make=True)
    if producer is None and not (with_living and file_set.lock_path.exists()):
        return
    try:
        header, is_unknown = _look_at(file_set)
    except OSError:
        if producer is not None:
            producer.close()
        raise
    if is_unknown:
        # Whatever is in it, this version would take it for damage.
        search.unknown.append(file_set)
        if producer is not None:
            producer.close()
        return
    if not with_any and header is not None:
        if header.destination != destination:
            if _has_entries(file_set):
                search.foreign.append(file_set)
        elif not is_local and header.host != host_name():
            search.elsewhere.append(file_set)
        else:
            with_any = True
    taken = None
    # Without a header nothing is known and, since entries come behind it, little can be in it: it is looked through.
    if with_any or header is None:
        taken = ConfirmFile.take(file_set.confirm_path, file_set.salt)
    if taken is None:
        if producer is not None:
            producer.close()
        return
    search.orphans.append(Orphan(file_set, taken[0], taken[1], producer))


def _has_entries(file_set: FileSet) -> bool:
    """Return whether anything was ever appended."""
    for number in file_set.segment_numbers():
        reader = SegmentReader.open(file_set.segment_path(number))
        if reader is not None:
            is_begun = reader.is_begun
            reader.close()
            if is_begun:
                return True
    return False


def _look_at(file_set: FileSet) -> tuple[SegmentHeader | None, bool]:
    """Return the first sound header of a segment of this writer, and whether one is in a format of another version.

    Raises:
        OSError: a segment cannot be opened now.
    """
    header, is_known = None, True
    for number in file_set.segment_numbers():
        reader = SegmentReader.open(file_set.segment_path(number))
        if reader is not None:
            reader.close()
            is_known = is_known and not reader.is_of_other_format
            if header is None and reader.header is not None and reader.header.writer_id == file_set.writer_id:
                header = reader.header
    return header, not is_known
