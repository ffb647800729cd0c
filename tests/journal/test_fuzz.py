"""Segments as any bytes: the reader never raises, never hangs, never invents, and finds all that is whole.

`AUDIT_TEST_LONG=1` tries a thousand times as many.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import KIB, MAX_PAYLOAD_BYTES, SEGMENT_HEADER_BYTES
from audit_async.journal.journal import Journal
from tests.journal import damage
from tests.journal.damage import frame_of, overwrite, segments_of, whole_entries
from tests.journal.journals import adopt_all, die, files, fill, numbered, open_journal, read_all, use_small_segments

IS_LONG = bool(os.environ.get("AUDIT_TEST_LONG"))
SEEDS = range(100_000 if IS_LONG else 100)
pytestmark = pytest.mark.timeout(7200 if IS_LONG else 300)


class Dead:
    """The files of a process that died, which can be made again as they were."""

    def __init__(self, directory: Path, count: int, *, size: int) -> None:
        journal: Journal = open_journal(directory)
        self.directory = directory
        self.writer_id = journal.writer_id
        self.payloads = fill(journal, count, size=size)
        die(journal)
        for path in segments_of(directory, self.writer_id):
            # What was reserved and not used only costs time here.
            path.write_bytes(path.read_bytes().rstrip(b"\0") + bytes(100))
        self._files = {path: path.read_bytes() for path in directory.iterdir()}

    @property
    def segments(self) -> list[Path]:
        return segments_of(self.directory, self.writer_id)

    def restore(self) -> None:
        for path in self.directory.iterdir():
            if path not in self._files:
                path.unlink()
        for path, content in self._files.items():
            path.write_bytes(content)

    def read(self) -> tuple[set[int], set[int]]:
        """Read and settle everything; return which entries were read, and which were said to be missing.

        Asserts that each was read as it was written and once, and that nothing else is left but what is kept of damage.
        """
        found: list[tuple[int, bytes]] = []
        dropped = 0
        for orphan in adopt_all(self.directory):
            assert orphan.writer_id == self.writer_id
            found += read_all(orphan)
            dropped = sum(orphan.mark.dropped.values())
            orphan.close(is_done=True)
        seqs = {seq for seq, _ in found}
        assert found == [pair for pair in numbered(self.payloads) if pair[0] in seqs]
        missing = set(range(1, max(seqs, default=0) + 1)) - seqs
        # Behind the last number only what looks like an entry tells of one, also where it never was one of ours.
        assert len(missing) <= dropped <= len(missing) + len(self.payloads) - max(seqs, default=0) + 1
        assert [name for name in files(self.directory) if not name.endswith(".corrupt")] == []
        return seqs, missing

    def whole(self) -> set[int]:
        return whole_entries(self.segments, self.writer_id, self.payloads)

    def kept(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.directory.glob("*.corrupt")))


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dead]:
    """Make processes that died; their segments hold some 300 entries."""
    use_small_segments(monkeypatch)
    return lambda count, *, size=40: Dead(tmp_path / "journal", count, size=size)


def test_every_single_flipped_bit_costs_one_entry_at_most(dead: Callable[..., Dead]) -> None:
    """F35: whichever bit of a segment of three entries is turned, the others are read, and the damaged one is kept."""
    process = dead(3, size=20)
    [segment] = process.segments
    start = SEGMENT_HEADER_BYTES
    frames = [frame_of(process.writer_id, seq, payload) for seq, payload in numbered(process.payloads)]
    content = segment.read_bytes()
    assert content[start:].rstrip(b"\0") == b"".join(frames)
    for bit in range((start + len(b"".join(frames))) * 8):
        process.restore()
        turned = bytes([content[bit // 8] ^ 1 << bit % 8])
        overwrite(segment, bit // 8, turned)
        hit = next((seq for seq in (1, 2, 3) if start <= bit // 8 < start + sum(map(len, frames[:seq]))), None)
        assert process.read()[0] == {1, 2, 3} - {hit}
        if hit is not None:
            at = bit // 8 - start - sum(map(len, frames[: hit - 1]))
            damaged = frames[hit - 1][:at] + turned + frames[hit - 1][at + 1 :]
            assert process.kept().startswith(damaged)


def test_a_segment_cut_at_any_byte_gives_all_that_is_before(dead: Callable[..., Dead]) -> None:
    """F34: a tail torn anywhere in the last two entries costs these, and what is left of them is kept."""
    process = dead(4, size=20)
    [segment] = process.segments
    content = segment.read_bytes()
    frames = [frame_of(process.writer_id, seq, payload) for seq, payload in numbered(process.payloads)]
    end = SEGMENT_HEADER_BYTES + len(b"".join(frames))
    for length in range(end - len(frames[3]) - len(frames[2]), end + 1):
        process.restore()
        segment.write_bytes(content[:length])
        whole = process.whole()
        assert whole >= {1, 2}
        assert process.read()[0] == whole
        torn = content[SEGMENT_HEADER_BYTES + sum(map(len, frames[: len(whole)])) : length]
        assert process.kept() == torn.rstrip(b"\0")


@pytest.mark.parametrize("kind", damage.ANY)
def test_whatever_is_whole_is_read(kind: Callable[[Path, random.Random], None], dead: Callable[..., Dead]) -> None:
    """F36: cleared, scribbled over, cut, copied, exchanged, spliced, one upon the other: every whole entry is read."""
    process = dead(700, size=180)
    for seed in SEEDS[:: len(damage.ANY)]:
        chance = random.Random(seed)
        process.restore()
        for _ in range(chance.randrange(1, 4)):
            if process.segments:
                kind(chance.choice(process.segments), chance)
        whole = process.whole()
        assert process.read()[0] == whole


def test_two_file_sets_that_are_mixed_up_stay_two(dead: Callable[..., Dead]) -> None:
    """Segments under another process's name give none of its entries, and are kept whole."""
    process = dead(3)
    other = dead(5)
    [mine], [others] = process.segments, other.segments
    content = others.read_bytes()
    others.write_bytes(mine.read_bytes())
    mine.write_bytes(content)
    found = []
    for orphan in adopt_all(process.directory):
        found += read_all(orphan)
        orphan.close(is_done=True)
    assert found == []
    kept = [path.read_bytes() for path in process.directory.glob("*-0.corrupt")]
    assert sorted(kept) == sorted([process._files[mine], content])


@pytest.mark.parametrize("length", [0, 1, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_enormous_length_hides_nothing(length: int, dead: Callable[..., Dead]) -> None:
    """A frame that claims to hold all that follows it, or more, costs itself alone."""
    process = dead(600, size=180)
    segment = process.segments[0]
    at = segment.read_bytes().index(frame_of(process.writer_id, 5, process.payloads[4]))
    overwrite(segment, at + 4, length.to_bytes(4, "little"))
    assert process.read() == (set(range(1, 601)) - {5}, {5})


def test_a_file_full_of_beginnings_is_gone_through(dead: Callable[..., Dead]) -> None:
    """Where every twenty bytes begin a frame that claims to be a long one, what is behind them is read in the end."""
    process = dead(3, size=20)
    [segment] = process.segments
    liar = damage.MAGIC + (32 * KIB).to_bytes(4, "little") + bytes(12)
    content = segment.read_bytes()
    segment.write_bytes(content[:SEGMENT_HEADER_BYTES] + liar * 2000 + content[SEGMENT_HEADER_BYTES:] + bytes(64 * KIB))
    assert process.read()[0] == {1, 2, 3}


@pytest.mark.parametrize("seed", SEEDS[:20] if not IS_LONG else SEEDS[:2000])
def test_a_sound_header_before_garbage_gives_nothing(seed: int, dead: Callable[..., Dead]) -> None:
    """Random bytes, whatever stands before them, are no entries; they are kept."""
    process = dead(3)
    [segment] = process.segments
    noise = random.Random(seed).randbytes(random.Random(seed).randrange(1, 5000)) + b"."
    segment.write_bytes(segment.read_bytes()[:SEGMENT_HEADER_BYTES] + noise)
    assert process.read() == (set(), set())
    assert process.kept() == noise
