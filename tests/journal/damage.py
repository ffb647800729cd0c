"""What may become of a journal's files, and which entries are then still whole: found without the library."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

MAGIC = b"\xf5\xad\x1e\xf6"
HEADER_BYTES = 256
BLOCK = 4096


def frame_of(writer_id: str, seq: int, payload: bytes) -> bytes:
    """Return an entry's bytes in a segment, as the format says."""
    numbers = struct.pack("<IQ", len(payload), seq)
    return MAGIC + numbers + struct.pack("<I", zlib.crc32(bytes.fromhex(writer_id) + numbers + payload)) + payload


def whole_entries(paths: Iterable[Path], writer_id: str, payloads: list[bytes]) -> set[int]:
    """Return the numbers of those entries, of *payloads* from 1 on, that stand whole in one of the files."""
    found: set[int] = set()
    for path in paths:
        content = path.read_bytes()
        at = content.find(MAGIC, HEADER_BYTES)
        while at >= 0:
            seq = int.from_bytes(content[at + 8 : at + 16], "little")
            if 0 < seq <= len(payloads) and content.startswith(frame_of(writer_id, seq, payloads[seq - 1]), at):
                found.add(seq)
            at = content.find(MAGIC, at + 1)
    return found


def segments_of(directory: Path, writer_id: str) -> list[Path]:
    """Return the segments under this writer's name, in their order."""
    return sorted(directory.glob(f"*-{writer_id}-*.audj"))


def overwrite(path: Path, at: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def flip(path: Path, chance: random.Random) -> None:
    """Turn one bit over."""
    content = path.read_bytes()
    if content:
        at = chance.randrange(len(content))
        overwrite(path, at, bytes([content[at] ^ 1 << chance.randrange(8)]))


def zero(path: Path, chance: random.Random) -> None:
    """Clear one block."""
    size = path.stat().st_size
    at = chance.randrange(size // BLOCK + 1) * BLOCK
    overwrite(path, at, bytes(min(BLOCK, size - at)))


def scribble(path: Path, chance: random.Random) -> None:
    """Write random bytes, with the beginning of a frame among them, over a part."""
    noise = chance.randbytes(chance.randrange(200)) + MAGIC + chance.randbytes(chance.randrange(200))
    overwrite(path, chance.randrange(path.stat().st_size + 1), noise)


def cut(path: Path, chance: random.Random) -> None:
    """Take the end away."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) + 1)])


def lengthen(path: Path, chance: random.Random) -> None:
    """Put garbage behind the end."""
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randrange(1, 3000)))


def remove(path: Path, chance: random.Random) -> None:
    """Take the file away."""
    path.unlink()


def double(path: Path, chance: random.Random) -> None:
    """Leave a copy under another number, over what may be there."""
    number = chance.randrange(1, 12)
    path.with_name(f"{path.stem[:-6]}{number:06d}.audj").write_bytes(path.read_bytes())


def swap(path: Path, chance: random.Random) -> None:
    """Exchange it for another one in the directory, perhaps another process's."""
    other = chance.choice(sorted(path.parent.glob("*.audj")))
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def splice(path: Path, chance: random.Random) -> None:
    """Put a piece of another file, perhaps another process's, into it, at any byte."""
    other = chance.choice(sorted(path.parent.glob("*.audj"))).read_bytes()
    start = chance.randrange(len(other) + 1)
    piece = other[start : start + chance.randrange(4000)]
    overwrite(path, chance.randrange(path.stat().st_size + 1), piece)


IN_PLACE = (flip, zero, scribble)
"""What may happen while a process has the file open."""

ANY = (*IN_PLACE, cut, lengthen, remove, double, swap, splice)
