"""What became of the entries of a file set, batch by batch.

The mark moves on in the order of the numbers. An entry may be left open (the row that it points to may yet be
committed): what comes after it is accounted for at once, but the mark waits, so that a crash sends the open one
again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Required, TypedDict, Unpack

import msgspec

from audit_async.journal.confirm import Mark


class Totals(msgspec.Struct, frozen=True):
    """What became of the entries up to number `last_seq`: stored + quarantined + dropped + open == last_seq."""

    last_seq: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: dict[str, int] = {}
    open: int = 0

    @classmethod
    def at(cls, mark: Mark) -> Totals:
        """Return the totals of a file set that is settled up to *mark*."""
        return cls(mark.seq, mark.stored, mark.quarantined, dict(mark.dropped))


class Counts(TypedDict, total=False):
    """What became of the entries of a batch; their sum is the number of entries.

    Attributes:
        stored: in the table.
        quarantined: refused by the database, kept aside.
        dropped: lost, by reason.
        failed: numbers of those that are not in the table, ascending.
        left_open: numbers that `resolve` will decide on.
    """

    stored: Required[int]
    quarantined: int
    dropped: dict[str, int]
    failed: Sequence[int]
    left_open: Sequence[int]


@dataclass(slots=True, kw_only=True)
class _Page:
    """A batch that is not settled whole, or stands behind one."""

    last_seq: int
    stored: int
    quarantined: int
    dropped: dict[str, int]
    failed: list[int]
    open: set[int]


class Book:
    """The account. Kept by the thread of the writer; `mark` and `totals` are values that any thread may read.

    Attributes:
        mark: up to where nothing is open.
        totals: of everything that was entered.
    """

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.totals = Totals.at(mark)
        self._pages: deque[_Page] = deque()

    def enter(self, last_seq: int, **counts: Unpack[Counts]) -> None:
        """Enter what became of the entries up to *last_seq* since the last call.

        Raises:
            ValueError: the numbers do not add up: an entry would be unaccounted for. Nothing was entered.
        """
        if len(counts) == 1 and not self._pages and counts["stored"] == last_seq - self.totals.last_seq:
            # All of them are in the table, as a rule.
            self.mark = self.mark.all_stored_to(last_seq)
            self.totals = Totals(last_seq, self.mark.stored, self.mark.quarantined, self.mark.dropped)
            return
        page = _Page(
            last_seq=last_seq,
            stored=counts["stored"],
            quarantined=counts.get("quarantined", 0),
            dropped=counts.get("dropped", {}),
            failed=list(counts.get("failed", ())),
            open=set(counts.get("left_open", ())),
        )
        dropped, due = sum(page.dropped.values()), last_seq - self.totals.last_seq
        if page.stored + page.quarantined + dropped + len(page.open) != due:
            raise ValueError(
                f"{due} entries are to be settled, but {page.stored} stored, {page.quarantined} quarantined, {dropped} "
                f"dropped and {len(page.open)} open ones were counted"
            )
        self._pages.append(page)
        self._close_pages()

    def resolve(self, seq: int, *, is_stored: bool) -> None:
        """Enter what became of an entry that was left open."""
        for page in self._pages:
            if seq in page.open:
                page.open.remove(seq)
                if is_stored:
                    page.stored += 1
                else:
                    page.quarantined += 1
                    page.failed.append(seq)
        self._close_pages()

    def _close_pages(self) -> None:
        while self._pages and not self._pages[0].open:
            page = self._pages.popleft()
            self.mark = self.mark.moved_to(
                page.last_seq,
                stored=page.stored,
                quarantined=page.quarantined,
                dropped=page.dropped,
                failed=tuple(sorted(page.failed)),
            )
        dropped = dict(self.mark.dropped)
        for page in self._pages:
            for reason, count in page.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        self.totals = Totals(
            last_seq=self._pages[-1].last_seq if self._pages else self.mark.seq,
            stored=self.mark.stored + sum(page.stored for page in self._pages),
            quarantined=self.mark.quarantined + sum(page.quarantined for page in self._pages),
            dropped=dropped,
            open=sum(len(page.open) for page in self._pages),
        )
