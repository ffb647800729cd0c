"""What a restart finds in the directory: marks that are old, new or another's, files half removed, copied, unknown."""

from __future__ import annotations

import os
import shutil
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import SEGMENT_HEADER_BYTES
from audit_async.journal.adoption import adopt
from audit_async.journal.confirm import ConfirmFile, Mark, read_mark
from audit_async.journal.frame import salt_of
from audit_async.journal.journal import Journal
from audit_async.journal.segment import MAGIC_OF_SEGMENT
from tests.journal.damage import overwrite, segments_of
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
    use_small_segments,
)
from tests.polling import eventually_sync

COUNT, SIZE = 1000, 200  # some four small segments


class Dead:
    """A process that appended `COUNT` entries, settled some, and died; its marks and files at every step."""

    def __init__(self, directory: Path, *, settled: int = 0, removes: bool = True) -> None:
        journal = open_journal(directory)
        self.directory, self.writer_id = directory, journal.writer_id
        self.payloads = fill(journal, COUNT, size=SIZE)
        self.segments = segments_of(directory, self.writer_id)
        [self.mark] = directory.glob(f"*{self.writer_id}.confirm")
        self.first_mark = self.mark.read_bytes()
        if not removes:
            journal._sync.stop()
        if settled:
            journal.read(settled, 1 << 30)
            journal.settle(settled, stored=settled)
        if removes:
            eventually_sync(lambda: journal._spool is not None and not journal._spool._retired)
        die(journal)

    def write_mark(self, mark: Mark) -> None:
        taken = ConfirmFile.take(self.mark, salt_of(self.writer_id))
        assert taken is not None
        taken[0].write(mark)
        taken[0].close()


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_segments(monkeypatch)


def test_an_older_mark_sends_again_what_is_there(tmp_path: Path) -> None:
    """F37: entries behind an older mark are read once more, and nothing is missed."""
    dead = Dead(tmp_path, settled=500, removes=False)
    dead.mark.write_bytes(dead.first_mark)
    assert read_orphans(tmp_path) == numbered(dead.payloads)
    assert files(tmp_path) == []


def test_a_mark_beyond_the_data_ends(tmp_path: Path) -> None:
    """F37: files older than their mark, as from a backup, are read to their end: nothing, and no loop."""
    dead = Dead(tmp_path)
    dead.write_mark(Mark(seq=5 * COUNT, stored=5 * COUNT))
    assert (read_orphans(tmp_path), files(tmp_path)) == ([], [])


def test_the_mark_of_another_process_is_none(tmp_path: Path) -> None:
    """F37: a mark that was copied from another file set settles nothing here."""
    dead = Dead(tmp_path / "one")
    other = Dead(tmp_path / "two", settled=COUNT)
    dead.mark.write_bytes(other.mark.read_bytes())
    assert read_orphans(tmp_path / "one") == numbered(dead.payloads)


def test_a_mark_without_its_removal_reads_nothing_twice(tmp_path: Path) -> None:
    """F38: killed between the mark and the removal, the rest is read and the files go."""
    dead = Dead(tmp_path, settled=500, removes=False)
    assert all(path.exists() for path in dead.segments)
    assert read_orphans(tmp_path) == numbered(dead.payloads)[500:]
    assert files(tmp_path) == []


def test_a_removal_without_its_mark_starts_and_ends(tmp_path: Path) -> None:
    """F38: segments that went though the mark does not cover them are counted, the rest is read, once."""
    dead = Dead(tmp_path, settled=500)
    dead.mark.write_bytes(dead.first_mark)
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert found == numbered(dead.payloads)[found[0][0] - 1 :]
    assert orphan.mark.dropped == {"journal_damaged": found[0][0] - 1}
    orphan.close(is_done=True)
    assert files(tmp_path) == []


@pytest.fixture
def uncovered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Segments that were removed while the mark on disk did not cover them, with where that was."""
    on_disk: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    real_sync, real_unlink = os.fdatasync, os.unlink

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.suffix == ".confirm":
            on_disk[path.stem] = read_mark(path, salt_of(path.stem[-32:])).seq

    def unlink(path: Path, **options: int) -> None:
        if str(path).endswith(".audj"):
            covered = on_disk.get(Path(path).stem[:-7], 0)
            payloads = Path(path).read_bytes()
            last = max(int(word.split()[0]) for word in payloads.split(b"entry ")[1:])
            if last > covered:
                found.append((str(path), covered))
        real_unlink(path, **options)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "unlink", unlink)
    return found


@pytest.mark.parametrize("settles", ["the process", "an adopter"])
def test_what_goes_is_covered_by_a_mark_on_disk(settles: str, uncovered: list[tuple[str, int]], tmp_path: Path) -> None:
    """F38: a power cut between the two can cost the removal, never the mark alone."""
    dead = Dead(tmp_path, settled=0 if settles == "an adopter" else 700)
    if settles == "an adopter":
        [orphan] = adopt_all(tmp_path)
        for _ in range(7):
            batch = orphan.read(100, 1 << 30)
            assert batch is not None
            orphan.settle(batch.last_seq, stored=len(batch.records))
        orphan.close(is_done=False)
    assert (uncovered, dead.segments[0].exists()) == ([], False)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_segment_that_is_gone_is_told(number: int, tmp_path: Path) -> None:
    """F39: whichever is missing, the first too, its entries are counted as lost and all others are read."""
    dead = Dead(tmp_path)
    dead.segments[number - 1].unlink()
    [orphan] = adopt_all(tmp_path)
    found = read_all(orphan)
    assert set(found) < set(numbered(dead.payloads))
    assert orphan.mark.dropped == {"journal_damaged": COUNT - len(found)}
    orphan.close(is_done=True)


def test_files_copied_to_another_host_are_read_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F44: a directory that was copied, without locks and marks, gives every entry on a host of any name."""
    dead = Dead(tmp_path / "here")
    (tmp_path / "there").mkdir()
    for path in dead.segments:
        shutil.copy(path, tmp_path / "there")
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    assert read_orphans(tmp_path / "there") == numbered(dead.payloads)
    assert files(tmp_path / "there") == []


@pytest.mark.parametrize("lost", ["*.lock", "*.confirm", "*.[!a]*"])
def test_a_file_set_is_found_by_any_of_its_files(lost: str, tmp_path: Path) -> None:
    """Whoever removes what looks like a stale lock costs no entry."""
    dead = Dead(tmp_path)
    for path in tmp_path.glob(lost):
        path.unlink()
    assert read_orphans(tmp_path) == numbered(dead.payloads)
    assert files(tmp_path) == []


def test_a_living_process_without_its_lock_loses_nothing(tmp_path: Path, opened: Callable[..., Journal]) -> None:
    """Whoever removes the lock of a process that lives does not have its files taken away by others."""
    journal = opened(tmp_path)
    payloads = fill(journal, 10)
    next(tmp_path.glob("*.lock")).unlink()
    assert adopt_all(tmp_path) == []
    assert read_all(journal) == numbered(payloads)


def claim(version: int, head: bytes) -> bytes:
    """Return *head*, sound, as one of format *version*."""
    body = head[: len(MAGIC_OF_SEGMENT)] + version.to_bytes(2, "little") + head[len(MAGIC_OF_SEGMENT) + 2 : -4]
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize("with_any", [False, True])
@pytest.mark.parametrize("version", [1, 3, 65535])
def test_a_format_of_another_version_is_left_as_it_is(version: int, with_any: bool, tmp_path: Path) -> None:
    """F44: files that only another version can read are named, whoever asks, and not one byte of them changes."""
    dead = Dead(tmp_path)
    overwrite(dead.segments[0], 0, claim(version, dead.segments[0].read_bytes()[:SEGMENT_HEADER_BYTES]))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    search = adopt(tmp_path, destination=DESTINATION, is_local=True, with_any=with_any, with_living=True)
    assert ([], [dead.writer_id]) == (search.orphans, [one.writer_id for one in search.unknown])
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_what_was_settled_from_memory_is_no_loss(tmp_path: Path, opened: Callable[..., Journal]) -> None:
    """Entries that were delivered before a disk was found are not missed by whoever adopts the others."""
    (tmp_path / "journal").write_text("in the way")
    journal = opened(tmp_path / "journal")
    assert journal._sync.stop()
    payloads = fill(journal, 20)
    assert journal.read(5, 1 << 30) is not None
    journal.settle(5, stored=5)
    (tmp_path / "journal").unlink()
    journal.commit_group()
    die(journal)
    [orphan] = adopt_all(tmp_path / "journal")
    assert (read_all(orphan), orphan.mark.dropped) == (numbered(payloads)[5:], {})
    orphan.close(is_done=True)
