"""File sets of other processes: who may take them, what is read, and what is left."""

from __future__ import annotations

import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import SEGMENT_HEADER_BYTES, SLOT_BYTES
from audit_async.journal.adoption import Orphan, adopt
from audit_async.journal.confirm import ConfirmFile
from audit_async.journal.file_set import FileSet, Lock
from audit_async.journal.journal import Journal
from audit_async.journal.segment import FORMAT
from tests.journal.journals import (
    DESTINATION,
    adopt_all,
    die,
    files,
    fill,
    numbered,
    open_journal,
    read_all,
    read_orphans,
)
from tests.polling import eventually_sync

Open = Callable[..., Journal]


def leave(directory: Path, count: int, *, settled: int = 0, size: int = 40) -> list[bytes]:
    """Be a process that appended *count* entries, settled some of them, and died."""
    journal = open_journal(directory)
    payloads = fill(journal, count, size=size)
    if settled:
        journal.read(settled, 1 << 30)
        journal.settle(settled, stored=settled)
        spool = journal._spool
        assert spool is not None
        eventually_sync(lambda: not spool._retired)
    die(journal)
    return payloads


LATER = {"number": (8, struct.pack("<H", FORMAT + 1)), "magic": (7, b"2")}
"""What a later format may have at which byte of its header."""


def make_later(segment: Path, way: str) -> None:
    """Make *segment* one of a later format, whose header is sound."""
    content = segment.read_bytes()
    offset, other = LATER[way]
    body = content[:offset] + other + content[offset + len(other) : SEGMENT_HEADER_BYTES - 4]
    segment.write_bytes(body + struct.pack("<I", zlib.crc32(body)) + content[SEGMENT_HEADER_BYTES:])


def test_what_the_dead_left_is_read(tmp_path: Path) -> None:
    """Entries of a dead process come back whole, in their order."""
    payloads = leave(tmp_path, 100)
    assert read_orphans(tmp_path) == numbered(payloads)


def test_a_finished_file_set_leaves_no_file(tmp_path: Path) -> None:
    """When everything is settled nothing remains."""
    leave(tmp_path, 100)
    read_orphans(tmp_path)
    assert files(tmp_path) == []


def test_an_unfinished_file_set_stays(tmp_path: Path) -> None:
    """An adopter that stops in the middle leaves the rest to the next one."""
    payloads = leave(tmp_path, 10)
    [orphan] = adopt_all(tmp_path)
    batch = orphan.read(4, 1 << 20)
    assert batch is not None
    orphan.settle(4, stored=4)
    orphan.close(is_done=False)
    assert read_orphans(tmp_path) == numbered(payloads)[4:]


def test_what_was_read_and_not_settled_is_never_removed(tmp_path: Path) -> None:
    """Files are not done as long as an entry of theirs is unaccounted for."""
    payloads = leave(tmp_path, 10)
    [orphan] = adopt_all(tmp_path)
    orphan.read(100, 1 << 20)
    orphan.close(is_done=True)
    assert read_orphans(tmp_path) == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_settled_entries_are_not_read_again(tmp_path: Path) -> None:
    """The mark says where to go on, also behind segments that are gone."""
    payloads = leave(tmp_path, 1000, settled=500, size=200)
    assert read_orphans(tmp_path) == numbered(payloads)[500:]


@pytest.mark.parametrize("mark", [b"", b"garbage", bytes(2 * SLOT_BYTES)])
@pytest.mark.usefixtures("small_segments")
def test_a_lost_mark_sends_again_and_invents_no_loss(mark: bytes, tmp_path: Path) -> None:
    """Without its mark everything that is there is read, and what was settled and removed is not missed."""
    payloads = leave(tmp_path, 1000, settled=500, size=200)
    [confirm] = tmp_path.glob("*.confirm")
    confirm.write_bytes(mark)
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert found == numbered(payloads)[found[0][0] - 1 :]
    assert 1 < found[0][0] <= 501
    assert orphan.mark.dropped == {}
    orphan.close(is_done=True)


def test_a_foreign_destination_is_left_alone(tmp_path: Path, opened: Open) -> None:
    """What was meant for another database is named, and not touched."""
    journal = opened(tmp_path, destination="elsewhere")
    fill(journal, 10)
    die(journal)
    before = files(tmp_path)
    search = adopt(tmp_path, destination=DESTINATION, is_local=True)
    assert (search.orphans, [one.writer_id for one in search.foreign]) == ([], [journal.writer_id])
    assert files(tmp_path) == before


def test_a_foreign_destination_is_taken_by_command(tmp_path: Path, opened: Open) -> None:
    """Whoever says so gets it."""
    journal = opened(tmp_path, destination="elsewhere")
    payloads = fill(journal, 10)
    die(journal)
    [orphan] = adopt(tmp_path, destination=DESTINATION, is_local=True, with_any=True).orphans
    assert read_all(orphan) == numbered(payloads)
    orphan.close(is_done=True)


def test_another_hosts_files_are_left_where_locks_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system a free lock does not say that its process is dead."""
    leave(tmp_path, 10)
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    search = adopt(tmp_path, destination=DESTINATION, is_local=False)
    assert (search.orphans, len(search.elsewhere)) == ([], 1)


@pytest.mark.parametrize("with_living", [False, True])
def test_a_living_process_that_uploads_itself_is_left_alone(with_living: bool, journal: Journal) -> None:
    """Nobody takes what its own writer takes."""
    fill(journal, 10)
    assert adopt_all(journal.directory, with_living=with_living) == []


def test_a_living_process_that_only_journals_is_taken_when_asked(tmp_path: Path, opened: Open) -> None:
    """Only who serves living processes gets them."""
    journal = opened(tmp_path, is_consumed_here=False)
    payloads = fill(journal, 10)
    assert adopt_all(tmp_path) == []
    [orphan] = adopt_all(tmp_path, with_living=True)
    assert (orphan.is_living, read_all(orphan)) == (True, numbered(payloads))
    orphan.close(is_done=False)


@pytest.mark.usefixtures("small_segments")
def test_a_living_process_is_followed(tmp_path: Path, opened: Open) -> None:
    """Entries appended after the first look are read too, from one segment into the next."""
    journal = opened(tmp_path, is_consumed_here=False)
    payloads = fill(journal, 10, size=200)
    [orphan] = adopt_all(tmp_path, with_living=True)
    found = read_all(orphan)
    for count in (1, 100, 1000):
        payloads += fill(journal, count, size=200)
        found += read_all(orphan)
    orphan.close(is_done=False)
    assert found == numbered(payloads)


def test_a_living_process_learns_what_was_settled(tmp_path: Path, opened: Open) -> None:
    """Who waits there is told by the mark."""
    journal = opened(tmp_path, is_consumed_here=False)
    fill(journal, 10)
    [orphan] = adopt_all(tmp_path, with_living=True)
    read_all(orphan)
    assert journal.settled.wait_sync(10, 10)
    orphan.close(is_done=False)


@pytest.mark.usefixtures("small_segments")
def test_a_full_journal_that_is_drained_takes_entries_again(tmp_path: Path, opened: Open) -> None:
    """A process that only journals learns that there is room, though nothing it has is left to sync."""
    from audit_async.errors import JournalFullError
    from tests.journal.journals import SMALL_SEGMENT

    journal = opened(tmp_path, is_consumed_here=False, max_bytes=4 * SMALL_SEGMENT)
    with pytest.raises(JournalFullError):
        fill(journal, 10_000, size=200)
    eventually_sync(lambda: journal.synced.value == journal.last_seq and journal._sync.is_idle)
    [orphan] = adopt_all(tmp_path, with_living=True)
    read_all(orphan)

    def accepts() -> bool:
        try:
            return journal.append(bytes(200)) > 0
        except JournalFullError:
            return False

    assert eventually_sync(accepts)
    orphan.close(is_done=False)


def test_a_living_process_that_closes_leaves_no_file(tmp_path: Path, opened: Open) -> None:
    """When both sides are through with it nothing remains."""
    journal = opened(tmp_path, is_consumed_here=False)
    fill(journal, 10)
    [orphan] = adopt_all(tmp_path, with_living=True)
    read_all(orphan)
    journal.close()
    orphan.read(1, 1)
    orphan.close(is_done=True)
    assert files(tmp_path) == []


def test_a_process_that_ends_while_it_is_taken_leaves_no_file(tmp_path: Path) -> None:
    """When the producer removes its files while an adopter makes the mark, the mark is removed as well."""
    file_set = FileSet(tmp_path, "test", "0123456789abcdef" * 2)
    producer = Lock.make(file_set.lock_path)
    [orphan] = adopt_all(tmp_path, with_living=True)
    file_set.lock_path.unlink()
    producer.close()
    assert orphan.read(10, 1000) is None
    orphan.close(is_done=True)
    assert files(tmp_path) == []


def test_of_two_adopters_one_gets_it(tmp_path: Path) -> None:
    """Threads that look at the same moment never both own a file set, and none is lost between them."""
    payloads = leave(tmp_path, 100)
    gate = threading.Barrier(4)
    taken: list[Orphan] = []

    def look() -> None:
        gate.wait()
        taken.extend(adopt_all(tmp_path))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [read_all(orphan) for orphan in taken]
    assert found in ([numbered(payloads)], [])
    for orphan in taken:
        orphan.close(is_done=True)


def test_files_that_cannot_be_opened_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a free descriptor passes nothing over and removes nothing."""
    payloads = leave(tmp_path, 10)
    [orphan] = adopt_all(tmp_path)
    real = os.open

    def refuse(path: str, *arguments: int, **keywords: int) -> int:
        if str(path).endswith(".audj"):
            raise OSError(24, "Too many open files")
        return real(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert orphan.read(10, 1000) is None
        orphan.close(is_done=True)
    assert read_orphans(tmp_path) == numbered(payloads)


@pytest.mark.parametrize("with_living", [False, True])
@pytest.mark.parametrize("way", LATER)
def test_what_another_version_wrote_is_left_to_the_byte(way: str, with_living: bool, tmp_path: Path) -> None:
    """A file set of a later format is neither read, nor kept as damage, nor removed, whatever is asked for."""
    leave(tmp_path, 10)
    [segment] = tmp_path.glob("*.audj")
    make_later(segment, way)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    found = adopt(tmp_path, destination=DESTINATION, is_local=True, with_living=with_living, with_any=True)
    assert found.orphans == []
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_damaged_magic_is_no_other_version(tmp_path: Path) -> None:
    """A wrong letter of the magic alone hides nothing."""
    payloads = leave(tmp_path, 10)
    [segment] = tmp_path.glob("*.audj")
    segment.write_bytes(b"AUDJSEG7" + segment.read_bytes()[8:])
    assert read_orphans(tmp_path) == numbered(payloads)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe or a directory under a segment's name neither hangs a look for orphans nor hides the others."""
    payloads = leave(tmp_path / "good", 10)
    leave(tmp_path / "bad", 1)
    for path in (tmp_path / "bad").iterdir():
        if path.suffix == ".audj":
            make(tmp_path / "good" / path.name)
        else:
            path.rename(tmp_path / "good" / path.name)
    found = [orphan for orphan in adopt_all(tmp_path / "good") if orphan.writer_id not in path.name]
    assert [read_all(orphan) for orphan in found] == [numbered(payloads)]
    for orphan in found:
        orphan.close(is_done=True)


def test_a_file_set_without_a_segment_is_removed(tmp_path: Path) -> None:
    """A process that was killed while it began leaves nothing for ever."""
    leave(tmp_path, 1)
    for segment in tmp_path.glob("*.audj"):
        segment.unlink()
    assert (read_orphans(tmp_path), files(tmp_path)) == ([], [])


def test_a_process_that_is_just_beginning_is_left_alone(tmp_path: Path) -> None:
    """Between the making of its mark and of its lock nobody takes a process for a dead one, whose mark he may have."""
    beginning = FileSet(tmp_path, "test", "0" * 32)
    taken = ConfirmFile.take(beginning.confirm_path, beginning.salt)
    assert taken is not None
    taken[0].close()
    before = files(tmp_path)
    assert adopt_all(tmp_path) == []
    assert files(tmp_path) == before
