"""The account of a file set: every entry counted once, the mark behind the first open one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async.journal.book import Book, Totals
from audit_async.journal.confirm import Mark


def test_a_batch_moves_the_mark() -> None:
    """A batch with nothing open is settled as a whole."""
    book = Book(Mark())
    book.enter(10, stored=7, quarantined=1, dropped={"journal_damaged": 2}, failed=[3, 4, 5])
    assert (10, 7, 1, {"journal_damaged": 2}) == (
        book.mark.seq,
        book.mark.stored,
        book.mark.quarantined,
        book.mark.dropped,
    )
    assert (10, 0) == (book.totals.last_seq, book.totals.open)


def test_an_open_entry_holds_the_mark_but_not_the_account() -> None:
    """Behind an open entry later ones are counted as stored at once, while the mark waits for it."""
    book = Book(Mark())
    book.enter(5, stored=4, left_open=[3])
    book.enter(9, stored=4)
    assert book.mark.seq == 0
    assert (9, 8, 1) == (book.totals.last_seq, book.totals.stored, book.totals.open)


@pytest.mark.parametrize(("is_stored", "stored", "failed"), [(True, 9, ()), (False, 8, (3,))])
def test_a_resolved_entry_lets_the_mark_go_on(is_stored: bool, stored: int, failed: tuple[int, ...]) -> None:
    """Once the open entry is decided on, the mark goes on over everything behind it."""
    book = Book(Mark())
    book.enter(5, stored=4, left_open=[3])
    book.enter(9, stored=4)
    book.resolve(3, is_stored=is_stored)
    assert (9, stored, failed) == (book.mark.seq, book.mark.stored, book.mark.recent_failed)


def test_what_does_not_add_up_is_refused() -> None:
    """A batch in which an entry is unaccounted for is an error, and nothing of it is entered."""
    book = Book(Mark())
    with pytest.raises(ValueError, match="10 entries are to be settled, but 9 stored"):
        book.enter(10, stored=9)
    assert (0, 0) == (book.mark.seq, book.totals.last_seq)


@given(st.lists(st.lists(st.sampled_from(["stored", "quarantined", "dropped", "open"]), min_size=1, max_size=6)))
def test_the_account_always_adds_up(batches: list[list[str]]) -> None:
    """Whatever becomes of entries, and in whatever order open ones are decided on, the sums are right."""
    book = Book(Mark())
    seq, still_open = 0, []
    for fates in batches:
        open_here = [seq + at + 1 for at, fate in enumerate(fates) if fate == "open"]
        still_open += open_here
        seq += len(fates)
        dropped = fates.count("dropped")
        book.enter(
            seq,
            stored=fates.count("stored"),
            quarantined=fates.count("quarantined"),
            dropped={"memory_lost": dropped} if dropped else {},
            left_open=open_here,
        )
        totals = book.totals
        settled = totals.stored + totals.quarantined + sum(totals.dropped.values())
        assert (seq, seq) == (totals.last_seq, settled + totals.open)
    for number in reversed(still_open):
        book.resolve(number, is_stored=number % 2 == 0)
    assert (seq, seq, 0) == (book.mark.seq, book.totals.last_seq, book.totals.open)


def test_a_batch_that_is_all_stored_is_booked_as_any_other() -> None:
    """The short way for a batch that is stored whole comes to the same account, also behind one that was not."""
    short, long = Book(Mark()), Book(Mark())
    for book in (short, long):
        book.enter(5, stored=2, quarantined=1, dropped={"journal_damaged": 2}, failed=[1, 2, 3])
    short.enter(9, stored=4)
    long.enter(9, stored=4, quarantined=0)
    assert (short.mark, short.totals) == (long.mark, long.totals)
    assert short.totals == Totals(9, 6, 1, {"journal_damaged": 2})
