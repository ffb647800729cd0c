"""A batch that is read bit by bit, so that other threads get the interpreter in between."""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator

import pytest

from audit_async import events
from audit_async.config import BATCH_BYTES, BATCH_ENTRIES, GIVE_UP_ENTRIES
from audit_async.entry import decode, encode
from audit_async.journal import batch as batches
from audit_async.journal.batch import Batch, read_in_turns
from audit_async.journal.journal import Journal


def taken(journal: Journal) -> Iterator[Batch]:
    """Give the batches of *journal* until there is none."""
    while (batch := read_in_turns(journal, BATCH_ENTRIES, BATCH_BYTES)) is not None:
        yield batch


@pytest.mark.parametrize("count", [1, GIVE_UP_ENTRIES, GIVE_UP_ENTRIES + 1, BATCH_ENTRIES, BATCH_ENTRIES + 1])
def test_it_holds_what_one_read_would(journal: Journal, count: int) -> None:
    """However many entries there are, each comes once, in order, in batches as long as they may be."""
    for number in range(count):
        journal.append(b"%d" % number)
    found = list(taken(journal))
    assert [b"%d" % number for number in range(count)] == [
        record.payload for batch in found for record in batch.records
    ]
    assert [min(BATCH_ENTRIES, count), *[1] * (count > BATCH_ENTRIES)] == [len(each.records) for each in found]
    assert [(1, min(BATCH_ENTRIES, count))] == [(each.first_seq, each.last_seq) for each in found[:1]]


def test_it_is_no_larger_than_its_limit(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has as many bytes as it may, though a bit has fewer; the rest is in the next one, but for one entry."""
    monkeypatch.setattr(batches, "GIVE_UP_ENTRIES", 10)
    payload = bytes(BATCH_BYTES // 25)
    for _ in range(40):
        journal.append(payload)
    lengths = [len(each.records) for each in taken(journal)]
    assert 40 == sum(lengths)
    assert BATCH_BYTES - len(payload) < max(lengths) * len(payload) < BATCH_BYTES + len(payload)


def test_a_read_that_fails_takes_nothing_along(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is behind cannot be read now, what was read before is the batch, and the rest comes later."""
    for number in range(2 * GIVE_UP_ENTRIES):
        journal.append(b"%d" % number)
    read, calls = journal.read, iter(range(9))

    def failing(max_entries: int, max_bytes: int) -> Batch | None:
        if next(calls) == 1:
            raise OSError(errno.EMFILE, "no descriptor is left")
        return read(max_entries, max_bytes)

    monkeypatch.setattr(journal, "read", failing)
    assert [GIVE_UP_ENTRIES] * 2 == [len(each.records) for each in taken(journal)]


def test_entries_are_not_the_collectors_business(journal: Journal) -> None:
    """What is read and decoded brings no collection nearer, which would look through the whole program."""
    count = 300  # fewer than what begins a collection, even if each counted twice
    for number in range(count):
        journal.append(encode(events.custom("order.paid", details={"number": number})))
    gc.collect()
    before = gc.get_count()[0]
    batch = journal.read(count, BATCH_BYTES)
    assert batch is not None
    entries = [decode(record.payload, batch.writer_id, record.seq) for record in batch.records]
    assert len(entries) == count
    assert gc.get_count()[0] - before < count / 2
