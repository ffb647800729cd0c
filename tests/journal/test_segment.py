"""Segments: one preallocated file, mapped or written."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import pytest

from audit_async.config import KIB, SEGMENT_HEADER_BYTES
from audit_async.journal.frame import salt_of, scan
from audit_async.journal.segment import SegmentHeader, SegmentReader, SegmentWriter

HEADER = SegmentHeader(
    number=7,
    writer_id="0123456789abcdef" * 2,
    created_ns=1_700_000_000_000_000_000,
    capacity=64 * KIB,
    host="höst",
    service="test",
    destination="postgresql-0123",
)

each_mode = pytest.mark.parametrize("is_mapped", [True, False], ids=["mapped", "written"])


def make(tmp_path: Path, *, is_mapped: bool) -> SegmentWriter:
    return SegmentWriter.make(tmp_path / "segment", HEADER, is_mapped=is_mapped)


def entries(path: Path) -> list[tuple[int, bytes]]:
    piece = path.read_bytes()[SEGMENT_HEADER_BYTES:]
    found = scan(piece, salt=salt_of(HEADER.writer_id), max_records=1000, max_bytes=1 << 30, is_whole=True, resync=True)
    return [(record.seq, record.payload) for record in found.records]


@each_mode
def test_the_header_is_read_back(is_mapped: bool, tmp_path: Path) -> None:
    """A segment says of itself what it was made with."""
    make(tmp_path, is_mapped=is_mapped).close()
    reader = SegmentReader.open(tmp_path / "segment")
    assert reader is not None
    reader.close()
    assert reader.header == HEADER


@pytest.mark.parametrize("offset", range(0, SEGMENT_HEADER_BYTES, 5))
def test_a_damaged_header_is_none(offset: int) -> None:
    """No changed byte of a header goes unseen."""
    head = bytearray(HEADER.encode())
    head[offset] ^= 0xFF
    assert SegmentHeader.decode(bytes(head)) is None


@each_mode
def test_its_space_is_reserved_when_it_is_made(is_mapped: bool, tmp_path: Path) -> None:
    """A disk that fills up later cannot refuse what goes into a segment."""
    make(tmp_path, is_mapped=is_mapped).close()
    found = os.stat(tmp_path / "segment")
    assert found.st_size == HEADER.capacity
    assert found.st_blocks * 512 >= HEADER.capacity


@each_mode
def test_entries_are_in_the_file_when_append_returns(is_mapped: bool, tmp_path: Path) -> None:
    """Another process sees an entry at once, without a sync."""
    segment = make(tmp_path, is_mapped=is_mapped)
    segment.append(1, b"one")
    segment.append(2, b"two")
    found = entries(tmp_path / "segment")
    segment.close()
    assert found == [(1, b"one"), (2, b"two")]


@each_mode
def test_a_full_segment_takes_nothing(is_mapped: bool, tmp_path: Path) -> None:
    """Where there is no room nothing changes."""
    segment = make(tmp_path, is_mapped=is_mapped)
    while segment.append(segment.last_seq + 1, bytes(1000)):
        pass
    before = (segment.end, segment.last_seq)
    is_added = segment.append(segment.last_seq + 1, bytes(1000))
    segment.close()
    assert (is_added, segment.end, segment.last_seq) == (False, *before)


@each_mode
def test_what_is_not_synced_is_known(is_mapped: bool, tmp_path: Path) -> None:
    """Exactly the entries since the last sync can be read back to be rescued."""
    segment = make(tmp_path, is_mapped=is_mapped)
    segment.append(1, b"one")
    segment.sync()
    segment.append(2, b"two")
    unsynced = segment.unsynced()
    segment.close()
    assert [(record.seq, record.payload) for record in unsynced] == [(2, b"two")]


@each_mode
def test_a_reserve_is_told_from_the_file(is_mapped: bool, tmp_path: Path) -> None:
    """A reader knows whether a segment has its first entry."""
    segment = make(tmp_path, is_mapped=is_mapped)
    reader = segment.reader()
    before = reader.is_begun
    segment.append(5, b"five")
    after = reader.is_begun
    reader.close()
    segment.close()
    assert (before, after) == (False, True)


def test_a_segment_is_never_made_over_a_file(tmp_path: Path) -> None:
    """A file that is there stays as it is."""
    (tmp_path / "segment").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        make(tmp_path, is_mapped=True)
    assert (tmp_path / "segment").read_bytes() == b"somebody's"


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever puts a link in the place of a segment leads nobody elsewhere."""
    (tmp_path / "other").write_bytes(bytes(1000))
    (tmp_path / "segment").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        SegmentReader.open(tmp_path / "segment")


def test_without_address_space_a_segment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that can map nothing more puts its entries on disk all the same."""

    def refuse(descriptor: int, size: int) -> mmap.mmap:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("audit_async.journal.segment.mmap.mmap", refuse)
    segment = make(tmp_path, is_mapped=True)
    assert segment.append(1, b"entry")
    assert entries(tmp_path / "segment") == [(1, b"entry")]
    segment.close()
