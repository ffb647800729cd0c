"""What is in a directory of journals, and in their files, seen by somebody who takes nothing."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import KIB, SEGMENT_HEADER_BYTES
from audit_async.journal import survey as surveying
from audit_async.journal.confirm import ConfirmFile, Mark
from audit_async.journal.contents import batches, examine, left_over_entries
from audit_async.journal.frame import HEADER, HEADER_BYTES, Record, encode_frame
from audit_async.journal.journal import Journal
from audit_async.journal.segment import SegmentReader
from audit_async.journal.survey import Surveyed, survey
from tests.children import Child
from tests.journal.journals import (
    DESTINATION,
    adopt_all,
    die,
    fill,
    numbered,
    open_journal,
    payload_of,
    read_all,
    read_orphans,
)
from tests.journal.test_adoption import LATER, leave, make_later
from tests.polling import eventually_sync

Open = Callable[..., Journal]
FRAME = 60
"""Bytes of a frame with the usual payload."""


def the_one(directory: Path) -> Surveyed:
    [found] = survey(directory)
    return found


def entries(surveyed: Surveyed) -> list[tuple[int, bytes]]:
    return [(record.seq, record.payload) for records in batches(surveyed) for record in records]


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def snapshot(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def at(number: int) -> int:
    """Return where the frame of entry *number* begins."""
    return SEGMENT_HEADER_BYTES + (number - 1) * FRAME


def test_a_dead_process_is_an_orphan_with_its_host_and_destination(tmp_path: Path) -> None:
    """What the header says is told, what is settled is counted, and every entry is read."""
    payloads = leave(tmp_path, 100, settled=40)
    found = the_one(tmp_path)
    assert (False, False, True, None) == (found.is_living, found.is_elsewhere, found.is_begun, found.fault)
    assert (DESTINATION, socket.gethostname()[:64]) == (found.destination, found.header and found.header.host)
    contents = examine(found)
    assert (100, 60, True) == (contents.entries, contents.pending, contents.is_whole)
    assert (payloads[0], payloads[-1]) == (contents.first and contents.first.payload, contents.last.payload)  # type: ignore[union-attr]
    assert numbered(payloads) == entries(found)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """No byte, no time and no name is other than before, and the entries are there for whoever adopts them."""
    payloads = leave(tmp_path, 100)
    overwrite(next(tmp_path.glob("*.audj")), at(50), b"\xff" * 10)
    before = snapshot(tmp_path)
    examine(the_one(tmp_path))
    entries(the_one(tmp_path))
    assert before == snapshot(tmp_path)
    assert 99 == len(read_orphans(tmp_path))
    assert payloads


def test_a_living_process_is_seen_and_not_disturbed(tmp_path: Path, opened: Open) -> None:
    """It is told from a dead one, goes on appending and settling, and loses no lock."""
    journal = opened(tmp_path)
    payloads = fill(journal, 100)
    found = the_one(tmp_path)
    assert (True, True) == (found.is_living, examine(found).is_whole)
    assert numbered(payloads) == entries(found)
    payloads += fill(journal, 10)
    assert numbered(payloads) == read_all(journal)
    assert [] == adopt_all(tmp_path)


@pytest.mark.usefixtures("small_segments")
def test_what_is_settled_and_removed_meanwhile_is_no_gap(tmp_path: Path, opened: Open) -> None:
    """Segments that go between the survey and the reading were settled: nothing is missing."""
    journal = opened(tmp_path)
    fill(journal, 2000, size=200)
    found = the_one(tmp_path)
    while batch := journal.read(500, 64 * KIB):
        journal.settle(batch.last_seq, stored=len(batch.records))
        if batch.last_seq > 1000:
            break
    eventually_sync(lambda: not found.file_set.segment_path(found.segments[0]).exists())
    # More of them may go while it is read.
    contents = examine(found)
    assert (True, 2000 - (batch.last_seq if batch else 0)) == (contents.is_whole, contents.pending)


def test_a_killed_process_leaves_what_can_be_surveyed(tmp_path: Path) -> None:
    """Whatever moment it is killed at, all that it reported is read, and at most a torn tail is damage."""
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    with Child("logging_child", url, tmp_path / "j", 0, 100_000, "none") as child:
        child.lines(500)
        assert the_one(tmp_path / "j").is_living
        assert examine(the_one(tmp_path / "j")).is_whole
        said = 499 + len(child.kill(signal.SIGKILL))
    found = the_one(tmp_path / "j")
    contents = examine(found)
    assert not found.is_living
    assert contents.entries >= said
    assert [] == [each for each in contents.damaged if not each.is_tail]


def test_damage_is_told_with_its_bytes_and_the_missing_numbers(tmp_path: Path) -> None:
    """Ranges and gaps are exact, and what stands behind them is read."""
    leave(tmp_path, 100)
    [segment] = tmp_path.glob("*.audj")
    overwrite(segment, at(10) + 30, b"\xff")
    overwrite(segment, at(50), b"\xff" * (2 * FRAME))
    contents = examine(the_one(tmp_path))
    assert [(1, at(10), at(11), False), (1, at(50), at(52), False)] == [
        (each.segment, each.start, each.stop, each.is_tail) for each in contents.damaged
    ]
    assert ((10, 10), (50, 51)) == contents.gaps
    assert (97, False) == (contents.entries, contents.is_whole)


def test_a_torn_tail_is_told_apart(tmp_path: Path) -> None:
    """An entry that was cut off at the end is no gap: it was never taken."""
    leave(tmp_path, 10)
    [segment] = tmp_path.glob("*.audj")
    overwrite(segment, at(11), encode_frame(11, payload_of(11), the_one(tmp_path).file_set.salt)[:33])
    contents = examine(the_one(tmp_path))
    assert [(1, at(11), at(11) + 33, True)] == [
        (each.segment, each.start, each.stop, each.is_tail) for each in contents.damaged
    ]
    assert ((), 10) == (contents.gaps, contents.entries)


@pytest.mark.usefixtures("small_segments")
def test_a_missing_segment_is_a_gap(tmp_path: Path) -> None:
    """A segment that somebody took away is missed by its numbers."""
    leave(tmp_path, 1000, size=200)
    sorted(tmp_path.glob("*.audj"))[1].unlink()
    contents = examine(the_one(tmp_path))
    assert [1000 - contents.entries] == [last - first + 1 for first, last in contents.gaps]


@pytest.mark.usefixtures("small_segments")
def test_settled_segments_that_are_gone_are_none(tmp_path: Path) -> None:
    """What was settled and removed is no gap, with the mark or without."""
    leave(tmp_path, 1000, settled=500, size=200)
    assert examine(the_one(tmp_path)).is_whole
    next(tmp_path.glob("*.confirm")).unlink()
    assert examine(the_one(tmp_path)).is_whole


@pytest.mark.usefixtures("small_segments")
def test_only_what_lies_behind_the_mark_is_missing(tmp_path: Path) -> None:
    """A segment that is gone between two others, or in front of them, is a gap as far as it was not settled."""
    leave(tmp_path, 1000, size=200)
    found = the_one(tmp_path)
    second, third = (SegmentReader.open(found.file_set.segment_path(number)) for number in found.segments[1:3])
    assert second is not None
    assert third is not None
    first_seq, last_seq = (first_number(segment) - offset for segment, offset in ((second, 0), (third, 1)))
    second.close()
    third.close()
    second.path.unlink()
    for mark, gaps in ((0, ((first_seq, last_seq),)), (first_seq, ((first_seq + 1, last_seq),)), (last_seq, ())):
        set_mark(found, mark)
        assert gaps == examine(the_one(tmp_path)).gaps
    found.file_set.segment_path(1).unlink()
    for mark, gaps in ((5, ((6, last_seq),)), (last_seq, ())):
        set_mark(found, mark)
        assert gaps == examine(the_one(tmp_path)).gaps


def first_number(segment: SegmentReader) -> int:
    """Return the number of the first entry in *segment*."""
    found = HEADER.unpack(segment.read(SEGMENT_HEADER_BYTES, HEADER_BYTES))
    return int(found[2])


def set_mark(surveyed: Surveyed, seq: int) -> None:
    taken = ConfirmFile.take(surveyed.file_set.confirm_path, surveyed.file_set.salt)
    assert taken is not None
    taken[0].write(Mark(seq=seq, stored=seq))
    taken[0].close()


def test_a_pipe_in_the_place_of_a_mark_is_no_mark(tmp_path: Path) -> None:
    """It is not waited for."""
    leave(tmp_path, 10)
    [mark] = tmp_path.glob("*.confirm")
    mark.unlink()
    os.mkfifo(mark)
    assert 10 == examine(the_one(tmp_path)).pending


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_make_it_raise(seed: int, tmp_path: Path) -> None:
    """Overwritten, cut, longer, empty: something is told of any file, and nothing that was not appended is read."""
    payloads = leave(tmp_path, 200)
    chance = random.Random(seed)
    for path in list(tmp_path.iterdir()):
        for _ in range(chance.randrange(4)):
            overwrite(path, chance.randrange(200 * FRAME), chance.randbytes(chance.randrange(1, 2000)))
        if chance.random() < 0.2:
            os.truncate(path, chance.randrange(20_000))
    found = the_one(tmp_path)
    contents = examine(found)
    assert set(entries(found)) <= set(numbered(payloads))
    assert contents.entries == len(entries(found))
    missing = sum(last - first + 1 for first, last in contents.gaps)
    assert contents.last is None or contents.entries + missing == contents.last.seq


@pytest.mark.parametrize("way", LATER)
def test_another_version_is_named_and_not_read(way: str, tmp_path: Path) -> None:
    """Nothing is said of what another version wrote but that it did."""
    leave(tmp_path, 10)
    make_later(next(tmp_path.glob("*.audj")), way)
    found = the_one(tmp_path)
    assert (True, None, []) == (found.is_of_other_format, found.destination, entries(found))
    assert (0, True) == (examine(found).entries, examine(found).is_whole)


def test_another_host_is_told_where_locks_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a shared disk nobody can tell whether another host's process lives."""
    leave(tmp_path, 10)
    monkeypatch.setattr(surveying, "is_local", lambda _: False)
    assert not the_one(tmp_path).is_elsewhere
    monkeypatch.setattr(surveying, "host_name", lambda: "another")
    assert (True, False) == (the_one(tmp_path).is_elsewhere, the_one(tmp_path).is_living)


@pytest.mark.parametrize("way", ["link", "fifo", "directory", "loop"])
def test_what_is_no_file_is_a_fault_in_words(way: str, tmp_path: Path) -> None:
    """A link is not followed, a pipe not waited for: each is named, and the other segments are read."""
    leave(tmp_path, 10)
    [segment] = tmp_path.glob("*.audj")
    odd = segment.with_name(segment.name.replace("000001", "000002"))
    outside = tmp_path / "outside"
    outside.write_bytes(segment.read_bytes())
    if way == "fifo":
        os.mkfifo(odd)
    elif way == "directory":
        odd.mkdir()
    else:
        odd.symlink_to(outside if way == "link" else odd)
    found = the_one(tmp_path)
    contents = examine(found)
    assert (10, 1, True) == (contents.entries, len(contents.faults), odd.name in contents.faults[0])
    assert found.fault


def test_a_segment_that_was_cut_off_between_two_entries_is_no_whole_one(tmp_path: Path) -> None:
    """What is gone with the end of a file leaves no trace in it, but its size does."""
    leave(tmp_path, 10)
    os.truncate(next(tmp_path.glob("*.audj")), at(6))
    contents = examine(the_one(tmp_path))
    assert (5, (), ()) == (contents.entries, contents.damaged, contents.gaps)
    assert not contents.is_whole


def test_a_set_without_a_segment_has_no_entries(tmp_path: Path) -> None:
    """0 entries are whole: a process that was killed before its first one."""
    journal = open_journal(tmp_path)
    die(journal)
    contents = examine(the_one(tmp_path))
    assert (0, 0, None, True) == (contents.entries, contents.pending, contents.first, contents.is_whole)


def test_segments_without_their_lock_are_found(tmp_path: Path) -> None:
    """What a backup brought back is seen, and nobody is taken to live in it."""
    payloads = leave(tmp_path, 10)
    next(tmp_path.glob("*.lock")).unlink()
    assert (False, numbered(payloads)) == (the_one(tmp_path).is_living, entries(the_one(tmp_path)))


def test_whole_entries_are_found_in_left_overs(tmp_path: Path) -> None:
    """Between bytes that are none, each once; a link among them is passed over."""
    leave(tmp_path, 1)
    files = the_one(tmp_path).file_set
    frames = [encode_frame(seq, payload_of(seq), files.salt) for seq in (7, 8)]
    files.keep_damage(3, 512, b"\xff" * 99 + frames[0] + b"\x00\xfe" + frames[1])
    files.keep_damage(4, 10, frames[1])
    (tmp_path / f"{files.base}-000005-1.corrupt").symlink_to(tmp_path)
    found = the_one(tmp_path)
    assert 3 == len(found.left_overs)
    assert [Record(7, payload_of(7)), Record(8, payload_of(8))] == left_over_entries(found)


def test_other_files_are_none_of_it(tmp_path: Path) -> None:
    """Names of another kind, and a quarantine, are no file sets."""
    (tmp_path / "quarantine").mkdir()
    for name in ("a.lock", "README", "app-zz.lock", f"app-{'0' * 32}-x.audj", f"app-{'0' * 32}.reserve"):
        (tmp_path / name).write_bytes(b"\xff")
    assert [] == survey(tmp_path)


@pytest.mark.parametrize(("name", "error"), [("nowhere", FileNotFoundError), ("file", NotADirectoryError)])
def test_a_directory_that_cannot_be_listed_is_an_error(name: str, error: type[OSError], tmp_path: Path) -> None:
    """It is not taken for an empty one."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(error):
        survey(tmp_path / name)
