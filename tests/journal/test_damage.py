"""Damaged files: reading goes on behind the damage, keeps it, and says what is missing."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import KIB, MIB, SEGMENT_HEADER_BYTES
from audit_async.journal.journal import Journal
from audit_async.journal.segment import FORMAT
from tests.journal.damage import frame_of, overwrite
from tests.journal.journals import adopt_all, die, files, fill, numbered, open_journal, read_all, read_orphans
from tests.logs import heard

Open = Callable[..., Journal]


def leave(directory: Path, count: int, *, size: int = 40) -> list[bytes]:
    """Be a process that appended *count* entries and died."""
    journal = open_journal(directory)
    payloads = fill(journal, count, size=size)
    die(journal)
    return payloads


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.audj"))


def test_a_damaged_entry_is_missing_and_the_others_are_read(tmp_path: Path) -> None:
    """A gap in the numbers says what was lost."""
    payloads = leave(tmp_path, 10)
    [segment] = segments(tmp_path)
    overwrite(segment, segment.read_bytes().index(payloads[4]), b"X")
    [orphan] = adopt_all(tmp_path)
    batch = orphan.read(100, MIB)
    assert batch is not None
    assert ([record.seq for record in batch.records], batch.missing) == ([1, 2, 3, 4, 6, 7, 8, 9, 10], (5,))
    orphan.abandon()


def test_a_damaged_last_entry_is_counted(tmp_path: Path) -> None:
    """What no later number tells of is missing as well."""
    payloads = leave(tmp_path, 10)
    [segment] = segments(tmp_path)
    overwrite(segment, segment.read_bytes().index(payloads[9]), b"X")
    [orphan] = adopt_all(tmp_path)
    assert read_all(orphan) == numbered(payloads)[:9]
    assert (orphan.mark.seq, orphan.mark.dropped) == (10, {"journal_damaged": 1})
    orphan.close(is_done=True)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("length", [1, 3, 4, 19, 20, 21, 59])
def test_an_entry_that_is_cut_off_is_told_as_that(length: int, tmp_path: Path) -> None:
    """A process that was killed in `log` accepted nothing with it: no entry is counted, and nobody reads of damage."""
    payloads = leave(tmp_path, 10)
    [segment] = segments(tmp_path)
    # Zeros at its end cannot be told from those behind it.
    begun = frame_of(segment.name.split("-")[1], 11, b"x" * 40)[:length].rstrip(b"\0")
    overwrite(segment, SEGMENT_HEADER_BYTES + 10 * 60, begun)
    with heard() as lines:
        [orphan] = adopt_all(tmp_path)
        assert read_all(orphan) == numbered(payloads)
    assert (orphan.mark.seq, orphan.mark.dropped) == (10, {})
    assert [f"cut off after {len(begun)} bytes" in line for line in lines] == [True]
    orphan.close(is_done=True)
    [name] = files(tmp_path)
    assert (tmp_path / name).read_bytes() == begun


def test_the_files_of_another_format_stay_where_they_are(tmp_path: Path) -> None:
    """A version that cannot read a journal does not take it over, and does not remove it."""
    leave(tmp_path, 10)
    [segment] = segments(tmp_path)
    head = bytearray(segment.read_bytes()[: SEGMENT_HEADER_BYTES - 4])
    head[8:10] = (FORMAT + 1).to_bytes(2, "little")
    overwrite(segment, 0, bytes(head) + zlib.crc32(head).to_bytes(4, "little"))
    before = files(tmp_path)
    assert adopt_all(tmp_path) == []
    assert files(tmp_path) == before


def test_damage_is_kept_to_be_looked_at(tmp_path: Path) -> None:
    """The bytes that were no entry any more stay, in a file of their own, when all others are gone."""
    payloads = leave(tmp_path, 10)
    [segment] = segments(tmp_path)
    overwrite(segment, segment.read_bytes().index(payloads[4]), b"X")
    read_orphans(tmp_path)
    [name] = files(tmp_path)
    assert name.endswith(".corrupt")
    assert payloads[4][1:] in (tmp_path / name).read_bytes()


def test_damage_longer_than_a_batch_is_passed_over(tmp_path: Path) -> None:
    """However much of a segment is gone, what is behind it is read."""
    payloads = leave(tmp_path, 900, size=1000)
    segment = segments(tmp_path)[0]
    overwrite(segment, SEGMENT_HEADER_BYTES, bytes(800 * KIB))
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert found == numbered(payloads)[found[0][0] - 1 :]
    assert orphan.mark.dropped == {"journal_damaged": 900 - len(found)}
    orphan.close(is_done=True)


def test_a_damaged_header_does_not_hide_its_entries(tmp_path: Path) -> None:
    """Entries are found by their own marks."""
    payloads = leave(tmp_path, 10)
    overwrite(segments(tmp_path)[0], 0, bytes(SEGMENT_HEADER_BYTES))
    assert read_orphans(tmp_path) == numbered(payloads)


@pytest.mark.usefixtures("small_segments")
def test_a_missing_segment_is_a_gap(tmp_path: Path) -> None:
    """A segment that somebody took away costs its entries, and they are counted."""
    leave(tmp_path, 1000, size=200)
    segments(tmp_path)[1].unlink()
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert orphan.mark.dropped == {"journal_damaged": 1000 - len(found)}
    assert 0 < len(found) < 1000
    orphan.close(is_done=True)


@pytest.mark.usefixtures("small_segments")
def test_a_segment_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    """A copy under the next number gives nothing twice."""
    payloads = leave(tmp_path, 100, size=200)
    [segment] = segments(tmp_path)[:1]
    segment.with_name(segment.name.replace("000001", "000009")).write_bytes(segment.read_bytes())
    assert read_orphans(tmp_path) == numbered(payloads)


@pytest.mark.parametrize("seed", range(30))
def test_no_damage_makes_reading_raise_or_invent(seed: int, tmp_path: Path) -> None:
    """Overwritten, zeroed, cut: what is read was appended, in order, and each number is read or missing."""
    payloads = leave(tmp_path, 200)
    [segment] = segments(tmp_path)
    chance = random.Random(seed)
    used = SEGMENT_HEADER_BYTES + 200 * 60
    for _ in range(chance.randrange(1, 6)):
        length = chance.randrange(1, 2000)
        content = chance.choice([bytes(length), chance.randbytes(length)])
        overwrite(segment, chance.randrange(used), content)
    if chance.random() < 0.3:
        segment.write_bytes(segment.read_bytes()[: chance.randrange(used)])
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert set(found) <= set(numbered(payloads))
    assert found == sorted(set(found))
    assert orphan.mark.seq >= (found[-1][0] if found else 0)
    orphan.close(is_done=True)


def test_a_living_journal_reads_over_its_own_damage(journal: Journal) -> None:
    """A process whose own file was damaged goes on, and counts what is missing."""
    payloads = fill(journal, 10)
    [segment] = segments(journal.directory)
    overwrite(segment, segment.read_bytes().index(payloads[4]), b"X")
    found = read_all(journal)
    assert found == [pair for pair in numbered(payloads) if pair[0] != 5]
    assert journal.mark.dropped == {"journal_damaged": 1}
