"""Forked children: they have files of their own, and leave their parent's alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.journal.file_set import FileSet, Lock
from audit_async.journal.journal import Journal
from tests.journal.journals import fill, open_files_in, open_journal, payload_of, read_all, read_orphans
from tests.polling import eventually_sync

Open = Callable[..., Journal]


def in_a_child(work: Callable[[], bool]) -> bool:
    """Do *work* in a forked child, and return whether it went well there."""
    pid = os.fork()
    if pid == 0:
        is_well = False
        try:
            is_well = work()
        finally:
            os._exit(0 if is_well else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_a_child_keeps_nothing_of_its_parent_open(journal: Journal) -> None:
    """Segments, maps and locks of the parent are closed in the child."""
    fill(journal, 10)
    read_all(journal)
    # A descriptor that its thread has in hand at the moment of the fork stays open, and hurts nobody.
    eventually_sync(lambda: journal.synced.value == 10 and journal._sync.is_idle)

    def work() -> bool:
        journal.abandon()
        return open_files_in(journal.directory) == []

    assert in_a_child(work)


@pytest.mark.parametrize("_", range(10))
@pytest.mark.usefixtures("small_segments")
def test_a_fork_while_another_thread_appends_hurts_nobody(_: int, tmp_path: Path, opened: Open) -> None:
    """The child appends to files of its own at once; the parent's entries are all there, and its lock still held."""
    journal = opened(tmp_path / "journal")
    has_begun, is_over = threading.Event(), threading.Event()

    def append() -> None:
        while not is_over.is_set():
            journal.append(payload_of(journal.last_seq + 1, 200))
            if journal.last_seq > 100:
                has_begun.set()

    def work() -> bool:
        journal.abandon()
        own = open_journal(tmp_path / "journal")
        return own.append(b"child") == 1 and own.writer_id != journal.writer_id

    thread = threading.Thread(target=append)
    thread.start()
    has_begun.wait(10)
    is_well = in_a_child(work)
    is_over.set()
    thread.join()
    locks = {one.writer_id: one.lock_path for one in FileSet.all_in(tmp_path / "journal")}
    assert is_well
    assert (len(locks), Lock.take(locks[journal.writer_id])) == (2, None)
    assert read_orphans(tmp_path / "journal") == [(1, b"child")]
    assert [seq for seq, _ in read_all(journal)] == list(range(1, journal.last_seq + 1))


def test_an_abandoned_journal_lets_nobody_wait(journal: Journal) -> None:
    """In a child a receipt of the parent's journal is not waited for."""
    fill(journal, 1)

    def work() -> bool:
        journal.abandon()
        return journal.settled.wait_sync(1) is False

    assert in_a_child(work)
