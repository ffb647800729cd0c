"""One file of frames: preallocated, so that a full disk shows when it is made and not when it is written.

Where the file system reserves for real the file is mapped: an append is then a copy in memory, without the system
call that would give the interpreter away to a CPU-bound thread for milliseconds. Elsewhere it is written by `pwrite`.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from audit_async.config import RESERVE_AT, SEGMENT_HEADER_BYTES
from audit_async.journal.file_set import remove_file
from audit_async.journal.frame import HEADER_BYTES, MAGIC_BYTES, Record, encode_frame, salt_of, scan
from audit_async.private import open_file

MAGIC_OF_SEGMENT = b"AUDJSEG1"
UNKNOWN_FORMAT = -1
FORMAT = 2
"""In the first one checksums did not cover the writer. It was never released."""

_FIELDS = struct.Struct("<8sHxxI16sQQ64s40s32s")
_CRC = struct.Struct("<I")
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """What a segment says of itself.

    Attributes:
        created_ns: nanoseconds since 1970.
        host: the machine it was written on.
        destination: fingerprint of the database and table that its entries are meant for.
    """

    number: int
    writer_id: str
    created_ns: int
    capacity: int
    host: str
    service: str
    destination: str

    def encode(self) -> bytes:
        """Return the header's bytes, CRC-32 last."""
        fields = _FIELDS.pack(
            MAGIC_OF_SEGMENT,
            FORMAT,
            self.number,
            bytes.fromhex(self.writer_id),
            self.created_ns,
            self.capacity,
            self.host.encode("utf-8", "replace")[:64],
            self.service.encode()[:40],
            self.destination.encode()[:32],
        )
        body = fields.ljust(SEGMENT_HEADER_BYTES - _CRC.size, b"\0")
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def decode(cls, head: bytes) -> SegmentHeader | None:
        """Return the header in *head*, or None when it is damaged, of another format, or none at all."""
        if len(head) < SEGMENT_HEADER_BYTES:
            return None
        body = head[: SEGMENT_HEADER_BYTES - _CRC.size]
        magic, version, number, writer, created, capacity, host, service, destination = _FIELDS.unpack_from(body)
        (crc,) = _CRC.unpack_from(head, len(body))
        if magic != MAGIC_OF_SEGMENT or version != FORMAT or crc != zlib.crc32(body):
            return None
        host, service, destination = (
            text.rstrip(b"\0").decode("utf-8", "replace") for text in (host, service, destination)
        )
        return cls(
            number=number,
            writer_id=writer.hex(),
            created_ns=created,
            capacity=capacity,
            host=host,
            service=service,
            destination=destination,
        )


def format_of(head: bytes) -> int | None:
    """Return the format of the segment that begins with *head*, also of one that a later version has written.

    None when the header is damaged. A later format changes the magic's last letter, and may then change everything
    behind it; or it keeps the magic, the number behind it and the CRC-32 where they are.
    """
    if len(head) < SEGMENT_HEADER_BYTES or not head.startswith(MAGIC_OF_SEGMENT[:-1]):
        return None
    if not head.startswith(MAGIC_OF_SEGMENT):
        # Unless that letter alone is damaged.
        is_ours = SegmentHeader.decode(MAGIC_OF_SEGMENT + head[len(MAGIC_OF_SEGMENT) :]) is not None
        return None if is_ours else UNKNOWN_FORMAT
    if _CRC.unpack_from(head, SEGMENT_HEADER_BYTES - _CRC.size)[0] != zlib.crc32(head[: -_CRC.size]):
        return None
    return int.from_bytes(head[len(MAGIC_OF_SEGMENT) :][:2], "little")


def host_name() -> str:
    """Return this machine's name, as much of it as a header holds."""
    return socket.gethostname().encode("utf-8", "replace")[:64].decode("utf-8", "replace")


class SegmentWriter:
    """A segment that is being filled by this process.

    Attributes:
        end: offset behind the last whole frame; grows only after the frame is in place.
        synced_end: what is on disk for certain.
        limit: up to where it takes entries that are not urgent.
        reserve_at: offset from which on the next segment should be made.
        last_seq: of the newest entry in it; 0 while it is empty.
        is_suspect: a sync of it has failed, so it is never synced again.
    """

    def __init__(self, path: Path, header: SegmentHeader, descriptor: int, view: mmap.mmap | None) -> None:
        self.path = path
        self.header = header
        self.number = header.number
        self._salt = salt_of(header.writer_id)
        self.capacity = self.limit = header.capacity
        self.reserve_at = int(header.capacity * RESERVE_AT)
        self.end = SEGMENT_HEADER_BYTES
        self.synced_end = 0
        self.last_seq = 0
        self.is_suspect = False
        self.is_named_durably = False
        self._file = open(descriptor, "rb+", buffering=0)  # noqa: SIM115 -- owns the descriptor until `close`
        self._view = view

    @classmethod
    def make(cls, path: Path, header: SegmentHeader, *, is_mapped: bool) -> SegmentWriter:
        """Make the file with its header and its space reserved.

        Raises:
            OSError: no space, no permission, no descriptor; nothing is left behind.
        """
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, header.capacity)
            else:
                os.ftruncate(descriptor, header.capacity)
            os.pwrite(descriptor, header.encode(), 0)
            view = _map(descriptor, header.capacity) if is_mapped else None
        except OSError:
            os.close(descriptor)
            remove_file(path)
            raise
        return cls(path, header, descriptor, view)

    def append(self, seq: int, payload: bytes, is_urgent: bool = False) -> bool:
        """Put an entry at the end; False when there is no room for it.

        Raises:
            OSError: the disk refused (not where the segment is mapped); nothing was added.
        """
        start = self.end
        stop = start + HEADER_BYTES + len(payload)
        if stop > (self.capacity if is_urgent else self.limit):
            return False
        frame = encode_frame(seq, payload, self._salt)
        if self._view is not None:
            # In one copy: a process that is killed between two would leave a frame that is cut off.
            self._view[start:stop] = frame
        else:
            self._write(frame, start)
        self.end = stop
        self.last_seq = seq
        return True

    def _write(self, frame: bytes, start: int) -> None:
        written = 0
        while written < len(frame):
            # A nearly full disk takes a part first; the rest is asked for again, and then refused.
            written += os.pwrite(self._file.fileno(), frame[written:], start + written)

    def sync(self) -> None:
        """Put what is there on disk, through the map or not.

        Raises:
            OSError: the disk refused. Never ask this file again: the next answer would be a lie.
        """
        end = self.end
        os.fdatasync(self._file.fileno())
        self.synced_end = end

    def unsynced(self) -> list[Record]:
        """Return the entries that are not on disk for certain.

        Raises:
            OSError: they cannot be read back.
        """
        start = max(self.synced_end, SEGMENT_HEADER_BYTES)
        piece = os.pread(self._file.fileno(), self.end - start, start)
        whole = scan(
            piece, salt=self._salt, max_records=len(piece), max_bytes=self.capacity, is_whole=True, resync=True
        )
        return whole.records

    def reader(self) -> SegmentReader:
        """Return a reader on a descriptor of its own, which works even when the name is gone.

        Raises:
            OSError: no descriptor is left.
        """
        return SegmentReader(self.path, self.header, os.dup(self._file.fileno()))

    def unmap(self) -> None:
        """Give the map back; what it wrote stays in the file. A later append would take the slower way."""
        view, self._view = self._view, None
        if view is not None:
            view.close()

    def close(self) -> None:
        """Close the file. In a forked child the parent's stays open."""
        self.unmap()
        self._file.close()


def _map(descriptor: int, size: int) -> mmap.mmap | None:
    """Map a file whose space is reserved; None where no address space is left for it: then it is written."""
    try:
        return mmap.mmap(descriptor, size)
    except OSError:
        return None


class SegmentReader:
    """A segment that is being read, by this process or another.

    Attributes:
        header: None when it is damaged, or of another format.
        format: None when the header is damaged.
    """

    def __init__(self, path: Path, header: SegmentHeader | None, descriptor: int, form: int | None = FORMAT) -> None:
        self.path = path
        self.format = form
        self.header = header
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 -- owns the descriptor until `close`
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Return a reader of the file at *path*; None when there is none. A damaged header is None in it.

        Raises:
            OSError: it is there and cannot be opened, or is no file.
        """
        try:
            descriptor = open_file(path)
        except FileNotFoundError:
            return None
        try:
            head = os.pread(descriptor, SEGMENT_HEADER_BYTES, 0)
        except OSError:
            # Nothing can be said of it; whether its entries can be read will show.
            head = b""
        return cls(path, SegmentHeader.decode(head), descriptor, format_of(head))

    @property
    def is_of_other_format(self) -> bool:
        """Whether another version of this package wrote it: what is in it cannot be told."""
        return self.format not in (None, FORMAT)

    @property
    def is_begun(self) -> bool:
        """Whether it has its first entry, or a part of it: a reserve, made ahead of its time, has none."""
        try:
            return self.read(SEGMENT_HEADER_BYTES, len(MAGIC_BYTES)) == MAGIC_BYTES
        except OSError:
            return False

    def read(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes from *offset* on.

        Raises:
            OSError: the disk cannot be read.
        """
        return os.pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
