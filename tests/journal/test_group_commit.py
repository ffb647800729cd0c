"""The group commit: one sync for all who wait, and a failed one is never taken for done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.journal.journal import Journal
from tests.journal.journals import die, files, fill, numbered, open_files_in, read_all, read_orphans
from tests.polling import eventually_sync
from tests.slow_disk import Disk

Open = Callable[..., Journal]


def test_a_thousand_who_wait_share_a_few_syncs(journal: Journal, disk: Disk) -> None:
    """Waiting costs a share of a sync, not a sync."""
    told: list[bool] = []

    def wait() -> None:
        told.append(journal.synced.wait_sync(journal.append(b"entry"), 30))

    disk.is_free.clear()
    threads = [threading.Thread(target=wait) for _ in range(1000)]
    for thread in threads:
        thread.start()
    eventually_sync(lambda: len(journal.synced._waiters) == 1000)
    disk.is_free.set()
    for thread in threads:
        thread.join()
    assert told == [True] * 1000
    assert len(disk.asked) <= 3


def test_entries_are_synced_though_nobody_waits(journal: Journal) -> None:
    """Without a wait it is a matter of an interval."""
    fill(journal, 10)
    assert eventually_sync(lambda: journal.synced.value == 10)


def test_a_failed_sync_is_not_asked_again_of_the_same_file(journal: Journal, disk: Disk) -> None:
    """The entries go into another file, and are acknowledged by that one's sync."""
    disk.refusals_left = 1
    fill(journal, 10)
    eventually_sync(lambda: journal.synced.value == 10)
    [refused] = disk.refused
    assert disk.asked.count(refused) == 1


@pytest.mark.usefixtures("small_segments")
def test_rescued_entries_are_read_once_by_this_process(tmp_path: Path, opened: Open, disk: Disk) -> None:
    """Before, over and after a failed sync, each entry is read once, in its order."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 300, size=200)
    eventually_sync(lambda: journal.synced.value == 300)
    disk.refusals_left = 1
    payloads += fill(journal, 300, size=200)
    eventually_sync(lambda: journal.synced.value == 600)
    payloads += fill(journal, 600, size=200)
    assert read_all(journal) == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_rescued_entries_are_read_once_from_disk(tmp_path: Path, opened: Open, disk: Disk) -> None:
    """After a restart as well, in spite of the two copies."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 100, size=200)
    eventually_sync(lambda: journal.synced.value == 100)
    disk.refusals_left = 1
    payloads += fill(journal, 150, size=200)
    eventually_sync(lambda: journal.synced.value == 250)
    payloads += fill(journal, 600, size=200)
    die(journal)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)


def test_a_copy_that_the_disk_spoilt_does_not_hide_the_rescued_one(tmp_path: Path, opened: Open, disk: Disk) -> None:
    """When pages of the file whose sync failed are gone, its entries are read from the other one."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 10)
    eventually_sync(lambda: journal.synced.value == 10)
    [segment] = sorted((tmp_path / "journal").glob("*.audj"))
    disk.refusals_left = 1
    payloads += fill(journal, 10)
    eventually_sync(lambda: journal.synced.value == 20)
    die(journal)
    content = bytearray(segment.read_bytes())
    at = content.index(payloads[14])
    content[at : at + 5] = bytes(5)
    segment.write_bytes(content)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)


def test_a_disk_that_refuses_every_sync_acknowledges_nothing(journal: Journal, disk: Disk) -> None:
    """Who waits is told no, appends go on, and no file is asked twice."""
    disk.refusals_left = 1_000_000
    payloads = fill(journal, 10)
    told = [journal.synced.wait_sync(10, 10) for _ in range(5)]
    payloads += fill(journal, 10)
    assert (told, journal.synced.value) == ([False] * 5, 0)
    assert len(set(disk.refused)) == len(disk.refused)
    assert journal.last_fault is not None
    assert read_all(journal) == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_a_reserve_made_before_a_rescue_hides_nothing(tmp_path: Path, opened: Open, disk: Disk) -> None:
    """A segment made ahead of its time is not filled behind those that were made after it."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 200, size=200)
    spool = journal._spool
    assert spool is not None
    eventually_sync(lambda: spool._reserve is not None)
    disk.refusals_left = 1
    payloads += fill(journal, 10, size=200)
    eventually_sync(lambda: journal.synced.value == 210)
    payloads += fill(journal, 600, size=200)
    assert read_all(journal) == numbered(payloads)


def test_a_healed_disk_acknowledges_again(journal: Journal, disk: Disk) -> None:
    """After a fault everything is synced, old and new, and the fault is forgotten."""
    disk.refusals_left = 3
    fill(journal, 10)
    while not journal.synced.wait_sync(10, 10):
        pass
    assert (journal.synced.value, journal.last_fault) == (10, None)


def test_close_returns_though_the_disk_hangs(journal: Journal, disk: Disk) -> None:
    """A sync that does not come back holds nobody up for longer than agreed."""
    disk.is_free.clear()
    fill(journal, 10)
    eventually_sync(lambda: len(disk.asked) > 0)
    started = time.monotonic()
    journal.close()
    assert time.monotonic() - started < 3
    assert journal.synced.wait_sync(10) is False


def test_a_disk_that_answers_after_all_lets_the_files_be_closed(journal: Journal, disk: Disk) -> None:
    """What `close` could not wait for is done behind it: no descriptor stays, and who comes next gets the entries."""
    disk.is_free.clear()
    payloads = fill(journal, 10)
    eventually_sync(lambda: len(disk.asked) > 0)
    journal.close()
    assert len(open_files_in(journal.directory)) > 0
    disk.is_free.set()
    eventually_sync(lambda: open_files_in(journal.directory) == [])
    assert read_orphans(journal.directory) == numbered(payloads)


def test_a_disk_that_answers_after_all_keeps_nothing_that_is_settled(journal: Journal, disk: Disk) -> None:
    """Files whose entries are all in the table are removed, be it late."""
    disk.is_free.clear()
    fill(journal, 10)
    eventually_sync(lambda: len(disk.asked) > 0)
    read_all(journal)
    journal.close()
    disk.is_free.set()
    eventually_sync(lambda: files(journal.directory) == [])


def test_appends_go_on_while_a_sync_hangs(journal: Journal, disk: Disk) -> None:
    """A slow disk is the sync thread's business."""
    disk.is_free.clear()
    fill(journal, 1)
    eventually_sync(lambda: len(disk.asked) > 0)
    payloads = [b"entry"] * 1000
    started = time.monotonic()
    for payload in payloads:
        journal.append(payload)
    assert time.monotonic() - started < 1
    disk.is_free.set()
    assert journal.synced.wait_sync(1001, 30)


def test_what_comes_during_a_sync_needs_another_one(journal: Journal, disk: Disk) -> None:
    """A sync speaks for the entries that were there when it began, and for no later one."""
    disk.is_free.clear()
    fill(journal, 1)
    eventually_sync(lambda: len(disk.asked) == 1)
    fill(journal, 1)
    disk.is_free.set()
    assert journal.synced.wait_sync(2, 10)
    assert len(disk.asked) == 2


def test_without_a_thread_nobody_waits(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no thread can be started, who waits is told no; the next entry tries again."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        fill(journal, 1)
        assert journal.synced.wait_sync(1) is False
    fill(journal, 1)
    assert journal.synced.wait_sync(2, 10)
