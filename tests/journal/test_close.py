"""The end of a journal: what stays, what goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from audit_async.errors import JournalClosedError
from audit_async.journal.journal import Journal
from tests.journal.journals import files, fill, numbered, open_files_in, read_all, read_orphans
from tests.polling import eventually

Open = Callable[..., Journal]


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What was said aloud."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(sink)


def test_a_settled_journal_leaves_nothing_behind(journal: Journal) -> None:
    """Files of entries that are all settled are removed."""
    fill(journal, 10)
    read_all(journal)
    journal.close()
    assert files(journal.directory) == []


def test_an_unused_journal_leaves_nothing_behind(journal: Journal) -> None:
    """A process that logged nothing leaves nothing."""
    journal.close()
    assert files(journal.directory) == []


def test_pending_entries_stay_for_the_next_process(journal: Journal) -> None:
    """What is not settled is on disk, and is adopted."""
    payloads = fill(journal, 10)
    journal.close()
    assert read_orphans(journal.directory) == numbered(payloads)


def test_close_puts_everything_on_disk(journal: Journal) -> None:
    """The last entries are synced before the files are closed."""
    fill(journal, 10)
    journal.close()
    assert journal.synced.value == 10


def test_a_closed_journal_lets_nobody_wait(journal: Journal) -> None:
    """Who waits for what nobody will settle any more is told so."""
    fill(journal, 1)
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(journal.settled.wait_sync(1)))
    thread.start()
    journal.close()
    thread.join(10)
    assert told == [False]


def test_close_may_be_called_twice(journal: Journal) -> None:
    """The second time does nothing."""
    payloads = fill(journal, 10)
    journal.close()
    journal.close()
    assert read_orphans(journal.directory) == numbered(payloads)


def test_an_open_file_is_none_after_close(journal: Journal) -> None:
    """No descriptor is left, whatever was read before."""
    fill(journal, 10)
    read_all(journal)
    journal.close()
    assert open_files_in(journal.directory) == []


def test_an_append_beside_a_close_is_kept_or_refused(journal: Journal) -> None:
    """While one thread closes, each entry of another is either accepted, and adopted, or refused."""
    accepted: list[int] = []

    def append() -> None:
        try:
            while True:
                accepted.append(journal.append(b"entry"))
        except JournalClosedError:
            return

    thread = threading.Thread(target=append)
    thread.start()
    while len(accepted) < 100:
        pass
    journal.close()
    thread.join()
    assert read_orphans(journal.directory) == [(seq, b"entry") for seq in accepted]


def test_entries_in_memory_that_end_with_the_process_are_named(tmp_path: Path, opened: Open, said: list[str]) -> None:
    """What no disk took is not lost in silence."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal")
    fill(journal, 3)
    journal.close()
    assert any("3 events that no disk took" in line for line in said)


def test_a_close_inside_an_append_leaves_its_entry(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler that closes when an entry is in its place and not yet counted: it is not removed with it."""
    fill(journal, 5)
    read_all(journal)
    spool = journal._spool
    assert spool is not None
    append = spool.append

    def interrupted(seq: int, payload: bytes, is_urgent: bool = False) -> None:
        append(seq, payload, is_urgent)
        journal.close()

    monkeypatch.setattr(spool, "append", interrupted)
    assert journal.append(b"newest") == 6
    with pytest.raises(JournalClosedError):
        journal.append(b"too late")
    assert read_orphans(journal.directory) == [(6, b"newest")]


def test_a_close_inside_an_append_that_an_exception_ends(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that closes and then exits: the journal is closed all the same."""
    spool = journal._spool
    assert spool is not None

    def interrupted(*_: object) -> None:
        journal.close()
        raise SystemExit

    monkeypatch.setattr(spool, "append", interrupted)
    with pytest.raises(SystemExit):
        journal.append(b"newest")
    assert files(journal.directory) == []


async def test_a_close_from_its_own_thread_lets_nobody_wait(journal: Journal) -> None:
    """A log sink, or a `__del__`, that closes from inside a round of the sync thread."""
    closed = threading.Event()

    def close() -> None:
        journal._on_round = lambda: None
        journal.close()
        closed.set()

    journal._on_round = close
    fill(journal, 1)
    assert closed.wait(10)
    await asyncio.wait_for(journal.synced.wait(2), 5)
    await eventually(lambda: open_files_in(journal.directory) == [])  # by that thread, when its round is over


def test_what_a_closed_journal_holds_is_not_read_as_lost(journal: Journal) -> None:
    """A writer that outlives the time it was given finds nothing any more."""
    fill(journal, 3)
    journal.close()
    assert journal.read(10, 1000) is None
