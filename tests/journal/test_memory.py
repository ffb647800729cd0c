"""Without a disk: entries wait in memory, and go to disk as soon as one takes them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from audit_async.config import HEAL_INTERVAL_SECONDS, KIB, MIB
from audit_async.errors import JournalFullError
from audit_async.journal.journal import Journal
from tests.journal.journals import die, files, fill, numbered, read_all, read_orphans
from tests.polling import eventually_sync

Open = Callable[..., Journal]


def make_file(path: Path) -> None:
    path.touch()


def make_link(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to(path.with_name("elsewhere"))


def make_open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def heal(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        path.chmod(0o700)


MOUNT, UMOUNT = shutil.which("mount") or "", shutil.which("umount") or ""

unfit = pytest.mark.parametrize("spoil", [make_file, make_link, make_open_to_all])


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What was said aloud."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(sink)


@unfit
def test_an_unfit_directory_is_not_used(
    spoil: Callable[[Path], None], tmp_path: Path, opened: Open, said: list[str]
) -> None:
    """A file, a link or a directory open to all in its place: entries wait in memory, aloud."""
    spoil(tmp_path / "journal")
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 10)
    assert (journal.is_on_disk, read_all(journal)) == (False, numbered(payloads))
    assert eventually_sync(lambda: any("Events wait in memory" in line for line in said))


@unfit
def test_entries_go_to_disk_when_it_is_healed(spoil: Callable[[Path], None], tmp_path: Path, opened: Open) -> None:
    """Back on a disk, entries are there in their order, under their numbers, and survive the process."""
    spoil(tmp_path / "journal")
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 10)
    heal(tmp_path / "journal")
    journal._sync.hurry()
    eventually_sync(lambda: journal.is_on_disk and journal.synced.value == 10)
    payloads += fill(journal, 10)
    die(journal)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)


def test_a_directory_that_cannot_be_made_leaves_memory(tmp_path: Path, opened: Open) -> None:
    """A parent that is no directory costs the disk, not the entries."""
    (tmp_path / "parent").touch()
    journal = opened(tmp_path / "parent" / "journal")
    payloads = fill(journal, 10)
    assert read_all(journal) == numbered(payloads)


def test_a_disk_is_looked_for_at_the_same_pace_however_long_there_is_none(tmp_path: Path, opened: Open) -> None:
    """What waits in memory is not safe: after an hour without a disk it goes to one as soon as after a second."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal")
    fill(journal, 1)
    pause = 0.0
    pauses = [pause := journal._sync._step(pause) for _ in range(10)]
    assert pauses == [HEAL_INTERVAL_SECONDS] * 10


def test_full_memory_refuses_and_evicts_nothing(tmp_path: Path, opened: Open) -> None:
    """Where there is neither disk nor memory an entry is refused; those before are there."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal", memory_max_bytes=KIB)
    with pytest.raises(JournalFullError) as caught:
        fill(journal, 1000, size=100)
    assert caught.value.reason == "memory_full"
    assert [seq for seq, _ in read_all(journal)] == list(range(1, 10))


def test_a_wait_for_the_disk_is_told_no_when_there_is_none(tmp_path: Path, opened: Open) -> None:
    """Memory never counts as disk."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal")
    fill(journal, 1)
    assert journal.synced.wait_sync(1, 10) is False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few small segments."""
    if os.geteuid() != 0 or not MOUNT:
        pytest.skip("only root may mount a small file system")
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run([MOUNT, "-t", "tmpfs", "-o", "size=512k", "tmpfs", path], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield path
    subprocess.run([UMOUNT, "-l", path], check=True)


@pytest.mark.usefixtures("small_segments")
def test_a_full_disk_leaves_memory_and_a_freed_one_takes_it_back(small_disk: Path, opened: Open) -> None:
    """When a disk fills up in the middle, nothing is lost or doubled, and order holds over both changes."""
    journal = opened(small_disk / "journal")
    (small_disk / "ballast").write_bytes(bytes(256 * KIB))
    payloads = fill(journal, 3000, size=200)
    assert not journal.is_on_disk
    (small_disk / "ballast").unlink()
    found: list[tuple[int, bytes]] = []
    while len(found) < len(payloads):
        found += read_all(journal)
        journal._sync.hurry()
    eventually_sync(lambda: journal.is_on_disk)
    payloads += fill(journal, 10, size=200)
    assert found + read_all(journal) == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_what_is_on_a_full_disk_is_synced(small_disk: Path, opened: Open) -> None:
    """Entries in memory do not keep those on disk from being synced."""
    journal = opened(small_disk / "journal")
    (small_disk / "ballast").write_bytes(bytes(320 * KIB))
    fill(journal, 3000, size=200)
    first = journal._memory.first()
    assert first is not None
    assert journal.synced.wait_sync(first.seq - 1, 10) or journal.synced.value >= first.seq - 1


def test_a_full_disk_at_the_start_leaves_nothing_behind(small_disk: Path, opened: Open) -> None:
    """A journal that finds no room begins in memory, with no file."""
    with pytest.raises(OSError, match="space"):
        (small_disk / "ballast").write_bytes(bytes(MIB))
    journal = opened(small_disk / "journal")
    payloads = fill(journal, 10)
    assert files(small_disk / "journal") == []
    assert read_all(journal) == numbered(payloads)


def test_a_read_only_disk_leaves_memory(small_disk: Path, opened: Open) -> None:
    """Where nothing can be written entries wait in memory."""
    subprocess.run([MOUNT, "-o", "remount,ro", small_disk], check=True)
    journal = opened(small_disk / "journal")
    payloads = fill(journal, 10)
    assert (journal.is_on_disk, read_all(journal)) == (False, numbered(payloads))


@pytest.mark.usefixtures("small_segments")
def test_a_removed_directory_is_made_again(tmp_path: Path, opened: Open, said: list[str]) -> None:
    """When somebody removes the directory, nothing is lost: the files are made again, with every entry in them."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 100, size=200)
    (tmp_path / "journal").rename(tmp_path / "away")
    shutil.rmtree(tmp_path / "away", ignore_errors=True)
    payloads += fill(journal, 1000, size=200)
    eventually_sync(lambda: journal.synced.value == 1100)
    die(journal)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)
    assert any("removed the journal's files" in line for line in said)


def test_what_nobody_would_find_is_not_acknowledged(tmp_path: Path, opened: Open) -> None:
    """When somebody removed the directory and it cannot be made again, who waits for the disk is told no."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 10)
    assert journal.synced.wait_sync(10, 10)
    shutil.rmtree(tmp_path / "journal")
    make_file(tmp_path / "journal")
    payloads += fill(journal, 10)
    told = [journal.synced.wait_sync(20, 10) for _ in range(3)]
    assert (told, journal.synced.value) == ([False] * 3, 10)
    heal(tmp_path / "journal")
    assert journal.synced.wait_sync(20, 10)
    die(journal)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)


def test_a_removed_lock_is_made_again(tmp_path: Path, opened: Open) -> None:
    """A cleaner that removes old files does not hide a journal from those who adopt."""
    journal = opened(tmp_path / "journal")
    payloads = fill(journal, 10)
    for path in (tmp_path / "journal").glob("*.lock"):
        path.unlink()
    payloads += fill(journal, 10)
    eventually_sync(lambda: len(files(tmp_path / "journal", "*.lock")) == 1 and journal.synced.value == 20)
    die(journal)
    assert read_orphans(tmp_path / "journal") == numbered(payloads)
