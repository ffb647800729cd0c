"""An entry's bytes on disk, and finding them again in whatever is left of a file."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import msgspec

from audit_async.config import MAX_PAYLOAD_BYTES

MAGIC = 0xF61EADF5
"""As bytes F5 AD 1E F6: F5 and F6 occur in no UTF-8 text, so no payload looks like a frame."""

MAGIC_BYTES = struct.pack("<I", MAGIC)
HEADER = struct.Struct("<IIQI")
HEADER_BYTES = HEADER.size
_NUMBERS = struct.Struct("<IQ")
_unpack = HEADER.unpack_from


# A batch has thousands. Of a number and bytes no cycle can be made: the collector need not look at them, nor does it
# take their number for a reason to look through all that the program has.
class Record(msgspec.Struct, frozen=True, gc=False):
    """A payload with its number."""

    seq: int
    payload: bytes


@dataclass(slots=True)
class Scan:
    """What was found in a piece of a file.

    Attributes:
        records: whole frames, in their order.
        stop: offset in the piece behind the last thing understood.
        damaged: ranges of the piece that hold no frame, though frames or other bytes follow.
        is_end: the rest is zeros, or nothing.
        is_cut: a frame begins at `stop` that the piece does not hold whole.
    """

    records: list[Record] = field(default_factory=list)
    stop: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)
    is_end: bool = False
    is_cut: bool = False


def salt_of(writer_id: str) -> int:
    """Return what the checksums of a writer's frames begin with: no frame of another one is ever sound in its files.

    Source: the salts in the frames of SQLite's write-ahead log.
    """
    return zlib.crc32(bytes.fromhex(writer_id))


def checksum(seq: int, payload: bytes, salt: int) -> int:
    """Return the CRC-32 over writer, length, number and payload."""
    return zlib.crc32(payload, zlib.crc32(_NUMBERS.pack(len(payload), seq), salt))


def encode_frame(seq: int, payload: bytes, salt: int) -> bytes:
    """Return the frame of *payload* under the number *seq*."""
    return HEADER.pack(MAGIC, len(payload), seq, checksum(seq, payload, salt)) + payload


def scan(piece: bytes, *, salt: int, max_records: int, max_bytes: int, is_whole: bool, resync: bool) -> Scan:
    """Find the frames in *piece*, which begins at a frame, a damage or the zeros behind the last frame.

    Never raises; reads every byte at most a few times.

    Args:
        salt: of the writer.
        max_records, max_bytes: when to stop; one record is returned in any case.
        is_whole: nothing follows *piece* in its file, so that a frame that is cut off is damage.
        resync: look for a frame behind bytes that are none. False while another process still writes the file: there
            such bytes may be a frame under way.
    """
    found = Scan()
    size = 0
    while len(found.records) < max_records and size < max_bytes:
        start = found.stop
        if start == len(piece):
            found.is_end, found.is_cut = is_whole, not is_whole
            return found
        records, stop = _frames_at(piece, start, salt, max_records - len(found.records), max_bytes - size)
        if not records:
            if _is_cut(piece, start, is_whole):
                found.is_cut = True
                return found
            if not resync:
                found.is_end = True
                return found
            after = _next_frame(piece, start + 1, salt, is_whole)
            if after is None:
                # Nothing but zeros is how a file ends; anything else is kept as damage.
                # A magic may be cut in two by the end of the piece.
                stop = len(piece) if is_whole else len(piece) - len(MAGIC_BYTES) + 1
                rest = piece[start:stop].rstrip(b"\0")
                if rest:
                    found.damaged.append((start, start + len(rest)))
                found.stop = stop
                found.is_end = True
                return found
            found.damaged.append((start, after))
            found.stop = after
            continue
        found.records += records
        found.stop = stop
        size += stop - start
    return found


def seqs_in(damaged: bytes) -> list[int]:
    """Return the numbers of the whole frames in *damaged*; 0 alone where there is no beginning of a frame.

    A frame that is cut off is passed over: so ends a process that is killed while it appends. Nobody was told that
    such an entry is taken.
    """
    at = damaged.find(MAGIC_BYTES)
    if at < 0:
        return [] if MAGIC_BYTES.startswith(damaged) else [0]
    seqs = []
    while at >= 0:
        if at + HEADER_BYTES <= len(damaged):
            _, length, seq, _ = HEADER.unpack_from(damaged, at)
            if 0 < length <= len(damaged) - at - HEADER_BYTES:
                seqs.append(seq)
        at = damaged.find(MAGIC_BYTES, at + 1)
    return seqs


def is_cut_off(damaged: bytes) -> bool:
    """Return whether *damaged* is the beginning of a frame, and nothing else."""
    return MAGIC_BYTES.startswith(damaged[: len(MAGIC_BYTES)]) and not seqs_in(damaged)


def _frames_at(piece: bytes, start: int, salt: int, max_records: int, max_bytes: int) -> tuple[list[Record], int]:
    """Return the whole, sound frames that stand at *start*, one behind the other, and where the last of them ends."""
    records: list[Record] = []
    end, enough = len(piece), start + max_bytes
    for _ in range(max_records):
        begin = start + HEADER_BYTES
        if start >= enough or begin > end:
            break
        magic, length, seq, crc = _unpack(piece, start)
        stop = begin + length
        if magic != MAGIC or not 0 < length <= MAX_PAYLOAD_BYTES or stop > end:
            break
        payload = piece[begin:stop]
        # Length and number stand in the header as the checksum takes them.
        if zlib.crc32(payload, zlib.crc32(piece[start + 4 : start + 16], salt)) != crc:
            break
        records.append(Record(seq, payload))
        start = stop
    return records, start


def _is_cut(piece: bytes, start: int, is_whole: bool) -> bool:
    """Return whether a frame may begin at *start* whose end lies beyond *piece*."""
    if is_whole:
        return False
    if start + HEADER_BYTES > len(piece):
        return True
    magic, length, _, _ = HEADER.unpack_from(piece, start)
    return bool(magic == MAGIC and length <= MAX_PAYLOAD_BYTES and start + HEADER_BYTES + length > len(piece))


def _next_frame(piece: bytes, start: int, salt: int, is_whole: bool) -> int | None:
    """Return where the next frame from *start* on begins: a sound one, or one that may go on behind *piece*."""
    while True:
        at = piece.find(MAGIC_BYTES, start)
        if at < 0:
            return None
        records, _ = _frames_at(piece, at, salt, 1, 1)
        if records or _is_cut(piece, at, is_whole):
            return at
        start = at + 1
