"""Frames: what is found in a piece of a file, whatever has become of it."""

from __future__ import annotations

import random

import pytest

from audit_async.journal.frame import HEADER_BYTES, MAGIC_BYTES, Scan, encode_frame, salt_of, scan

PAYLOADS = [b'{"number":1}', b'{"number":2,"text":"abc"}', b'{"number":3}']
SALT = salt_of("0123456789abcdef" * 2)
FRAMES = [encode_frame(seq, payload, SALT) for seq, payload in enumerate(PAYLOADS, start=1)]
PIECE = b"".join(FRAMES)


def scan_all(piece: bytes, *, is_whole: bool = True, resync: bool = True) -> Scan:
    return scan(piece, salt=SALT, max_records=1000, max_bytes=1 << 30, is_whole=is_whole, resync=resync)


def found(piece: bytes) -> list[tuple[int, bytes]]:
    return pairs(scan_all(piece))


def pairs(result: Scan) -> list[tuple[int, bytes]]:
    return [(record.seq, record.payload) for record in result.records]


def expected(*seqs: int) -> list[tuple[int, bytes]]:
    return [(seq, PAYLOADS[seq - 1]) for seq in seqs]


def test_frames_are_read_as_they_were_written() -> None:
    """What is encoded is found, in its order, and nothing is damaged."""
    result = scan_all(PIECE + bytes(100))
    assert pairs(result) == expected(1, 2, 3)
    assert result.damaged == []


def test_a_piece_that_ends_with_a_frame_is_at_its_end() -> None:
    """Behind its last frame a whole piece has ended, and of one that goes on the next frame is still to come."""
    for resync in (False, True):
        whole, part = scan_all(PIECE, resync=resync), scan_all(PIECE, is_whole=False, resync=resync)
        assert (whole.is_end, whole.is_cut, part.is_end, part.is_cut) == (True, False, False, True)
        assert whole.stop == part.stop == len(PIECE)


def test_the_zeros_behind_the_last_frame_are_the_end() -> None:
    """Reserved space is no damage."""
    assert scan_all(PIECE + bytes(5000)).is_end


@pytest.mark.parametrize("bit", range(len(PIECE) * 8))
def test_one_flipped_bit_costs_one_entry_at_most(bit: int) -> None:
    """A flipped bit loses the frame it is in; the two others are found, and no payload is wrong."""
    damaged = bytearray(PIECE)
    damaged[bit // 8] ^= 1 << bit % 8
    hit = next(seq for seq in (1, 2, 3) if bit // 8 < sum(map(len, FRAMES[:seq])))
    assert found(bytes(damaged)) == expected(*({1, 2, 3} - {hit}))


@pytest.mark.parametrize("length", range(len(PIECE) + 1))
def test_a_piece_cut_anywhere_gives_the_whole_frames_before(length: int) -> None:
    """A torn tail costs the frame that it tears."""
    whole = [seq for seq in (1, 2, 3) if sum(map(len, FRAMES[:seq])) <= length]
    assert found(PIECE[:length]) == expected(*whole)


def test_a_cut_frame_at_the_end_of_a_part_is_left_for_the_next_part() -> None:
    """Where the file goes on, a frame that begins is not damage."""
    result = scan_all(PIECE[:-3], is_whole=False)
    assert (result.is_cut, result.stop, result.damaged) == (True, len(FRAMES[0] + FRAMES[1]), [])


def test_a_zeroed_block_is_passed_over() -> None:
    """Zeros with frames behind them are damage, and the frames are found."""
    result = scan_all(FRAMES[0] + bytes(4096) + FRAMES[2])
    assert pairs(result) == expected(1, 3)
    assert result.damaged == [(len(FRAMES[0]), len(FRAMES[0]) + 4096)]


def test_a_magic_cut_by_the_end_of_a_part_is_left_for_the_next_part() -> None:
    """A search that ends in the middle of a magic goes on with it, not behind it."""
    garbage = b"garbage " * 10
    result = scan_all(garbage + FRAMES[0][:2], is_whole=False)
    part_two = scan_all((garbage + FRAMES[0])[result.stop :])
    assert pairs(part_two) == expected(1)


def test_frames_spliced_into_one_another_never_give_a_wrong_payload() -> None:
    """A frame that begins inside another one is found; the broken one is not."""
    assert found(FRAMES[0][:25] + FRAMES[1] + FRAMES[0][25:] + FRAMES[2]) == expected(2, 3)


def test_an_empty_or_endless_length_is_no_frame() -> None:
    """A header that claims nothing, or more than there can be, is damage."""
    for length in (0, 1 << 31):
        claim = MAGIC_BYTES + length.to_bytes(4, "little") + bytes(HEADER_BYTES - 8)
        assert found(claim + FRAMES[0]) == expected(1)


@pytest.mark.parametrize("seed", range(50))
def test_garbage_gives_nothing_and_ends(seed: int) -> None:
    """Bytes from nowhere, with magics in them, are no entries."""
    chance = random.Random(seed)
    pieces = [chance.randbytes(chance.randrange(200)) + MAGIC_BYTES for _ in range(50)]
    assert found(b"".join(pieces)) == []


def test_a_file_that_still_grows_is_not_searched() -> None:
    """Bytes that are no frame yet may be one under way: they are neither damage nor passed over."""
    result = scan_all(FRAMES[0] + b"half" + FRAMES[1], is_whole=False, resync=False)
    assert ([record.seq for record in result.records], result.stop, result.damaged) == ([1], len(FRAMES[0]), [])
