"""Append, read, settle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import MAX_PAYLOAD_BYTES
from audit_async.errors import JournalClosedError, JournalFullError
from audit_async.journal.journal import Journal
from tests.journal.journals import SMALL_SEGMENT, files, fill, numbered, payload_of, read_all
from tests.polling import eventually_sync

Open = Callable[..., Journal]


def test_what_is_appended_is_read(journal: Journal) -> None:
    """Entries come back whole, in their order, under their numbers."""
    payloads = fill(journal, 100)
    assert read_all(journal) == numbered(payloads)


def test_nothing_more_is_read_than_was_appended(journal: Journal) -> None:
    """A journal that was read to its end has no batch."""
    fill(journal, 3)
    read_all(journal)
    assert journal.read(10, 1000) is None


def test_numbers_have_no_gap_under_threads(journal: Journal) -> None:
    """Eight threads get the numbers 1 to n, each of them once."""
    numbers: list[int] = []

    def work() -> None:
        numbers.extend([journal.append(b"entry") for _ in range(500)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 4001))


@pytest.mark.usefixtures("small_segments")
def test_each_entry_is_read_once_across_segments(tmp_path: Path, opened: Open) -> None:
    """A reader beside a writer, through many segments, gets everything once and in order."""
    journal = opened(tmp_path / "journal")
    found: list[tuple[int, bytes]] = []
    done = threading.Event()

    def read() -> None:
        while not (done.is_set() and len(found) == journal.last_seq):
            found.extend(read_all(journal))

    reader = threading.Thread(target=read)
    reader.start()
    payloads = fill(journal, 5000, size=200)
    done.set()
    reader.join()
    assert found == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_settled_segments_are_removed(tmp_path: Path, opened: Open) -> None:
    """The files of entries that are settled go away while the journal is open."""
    journal = opened(tmp_path / "journal")
    fill(journal, 3000, size=200)
    read_all(journal)
    eventually_sync(lambda: journal.kept_bytes <= 2 * SMALL_SEGMENT)
    assert len(files(tmp_path / "journal", "*.audj")) <= 2


@pytest.mark.usefixtures("small_segments")
def test_a_full_journal_refuses_and_evicts_nothing(tmp_path: Path, opened: Open) -> None:
    """At the limit new entries are refused; what was accepted is all there, without a gap."""
    journal = opened(tmp_path / "journal", max_bytes=4 * SMALL_SEGMENT)
    with pytest.raises(JournalFullError) as caught:
        fill(journal, 10_000, size=200)
    accepted = [payload_of(number, 200) for number in range(1, journal.last_seq + 1)]
    assert caught.value.reason == "journal_full"
    assert read_all(journal) == numbered(accepted)


@pytest.mark.usefixtures("small_segments")
def test_settling_makes_room_again(tmp_path: Path, opened: Open) -> None:
    """A journal that was full takes entries as soon as some are settled, under the next number."""
    journal = opened(tmp_path / "journal", max_bytes=4 * SMALL_SEGMENT)
    with pytest.raises(JournalFullError):
        fill(journal, 10_000, size=200)
    last_seq = journal.last_seq
    read_all(journal)

    def accepts() -> int:
        try:
            return journal.append(payload_of(0, 200))
        except JournalFullError:
            return 0

    assert eventually_sync(accepts) == last_seq + 1


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD_BYTES + 1])
def test_a_payload_of_a_wrong_size_is_refused(size: int, journal: Journal) -> None:
    """What could not be read back is never accepted."""
    with pytest.raises(ValueError, match="an entry has 1 to"):
        journal.append(bytes(size))
    assert journal.last_seq == 0


@pytest.mark.usefixtures("small_segments")
def test_an_entry_longer_than_a_segment_is_refused(tmp_path: Path, opened: Open) -> None:
    """An entry that fits nowhere takes no number."""
    journal = opened(tmp_path / "journal")
    with pytest.raises(ValueError, match="segment"):
        journal.append(bytes(SMALL_SEGMENT))
    assert journal.last_seq == 0


def test_a_closed_journal_refuses(journal: Journal) -> None:
    """After close nothing is taken."""
    journal.close()
    with pytest.raises(JournalClosedError):
        journal.append(b"late")


def test_the_reader_is_called_once_when_there_is_something_again(tmp_path: Path) -> None:
    """Only the step from nothing to something costs a call."""
    from audit_async.journal.journal import JournalOptions

    calls: list[int] = []
    options = JournalOptions(
        directory=tmp_path / "journal", service="test", destination="d", max_bytes=None, memory_max_bytes=1000
    )
    journal = Journal(options, on_data=lambda: calls.append(1), on_wait=lambda: None)
    fill(journal, 10)
    read_all(journal)
    fill(journal, 10)
    journal.close()
    assert len(calls) == 2


def test_the_oldest_pending_entry_has_an_age_until_it_is_settled(journal: Journal) -> None:
    """Waiting is measured while something waits, and is zero when nothing does."""
    fill(journal, 3)
    age = eventually_sync(lambda: journal.oldest_pending_seconds)
    read_all(journal)
    assert (age > 0, journal.oldest_pending_seconds) == (True, 0.0)


def test_its_repr_is_its_state(journal: Journal) -> None:
    """Who prints a journal sees how it stands."""
    fill(journal, 3)
    text = repr(journal)
    assert "open" in text
    assert "3 accepted" in text
    assert "0 settled" in text


def test_an_exception_of_a_signal_handler_costs_no_number(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a call is ended between the entry and its number, the next entry gets another number."""
    spool = journal._spool
    assert spool is not None
    real = spool.append

    def interrupted(seq: int, payload: bytes, is_urgent: bool) -> None:
        real(seq, payload, is_urgent)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spool, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(b"first")
    assert journal.append(b"second") == 2
    assert read_all(journal) == [(1, b"first"), (2, b"second")]
