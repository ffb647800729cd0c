"""The mark of how far a file set is settled.

A hint: losing it sends entries again, which the table's key absorbs. Two slots are written in turn, so that one of
them is whole at any moment; the newer whole one counts. The descriptor that writes it also holds the consumer's lock.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from audit_async.config import MAX_RECENT_FAILED, SLOT_BYTES
from audit_async.journal.file_set import Lock
from audit_async.journal.frame import encode_frame, scan
from audit_async.private import open_file


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the entries up to number `seq`: `stored + quarantined + sum(dropped) == seq`.

    Attributes:
        dropped: by reason.
        recent_failed: the last numbers that were quarantined or dropped.
    """

    seq: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: dict[str, int] = {}
    recent_failed: tuple[int, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether it can be true."""
        counts = (self.stored, self.quarantined, *self.dropped.values())
        return min(counts) >= 0 and sum(counts) == self.seq

    def all_stored_to(self, seq: int) -> Mark:
        """Return the mark at *seq*, with all entries since this one stored."""
        return Mark(seq, self.stored + seq - self.seq, self.quarantined, self.dropped, self.recent_failed)

    def moved_to(
        self, seq: int, *, stored: int, quarantined: int, dropped: dict[str, int], failed: tuple[int, ...]
    ) -> Mark:
        """Return the mark at *seq*, with what became of the entries since this one.

        Raises:
            ValueError: the numbers do not add up: an entry would be unaccounted for.
        """
        if stored + quarantined + sum(dropped.values()) != seq - self.seq:
            raise ValueError(
                f"{seq - self.seq} entries are to be settled, but {stored} stored, {quarantined} quarantined and "
                f"{sum(dropped.values())} dropped were counted"
            )
        total = dict(self.dropped)
        for reason, count in dropped.items():
            total[reason] = total.get(reason, 0) + count
        return Mark(
            seq=seq,
            stored=self.stored + stored,
            quarantined=self.quarantined + quarantined,
            dropped=total,
            recent_failed=(*self.recent_failed, *failed)[-MAX_RECENT_FAILED:] if failed else self.recent_failed,
        )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mark).decode


class ConfirmFile:
    """The file of the mark, held by whoever uploads."""

    def __init__(self, lock: Lock, salt: int, generation: int = 0) -> None:
        self._lock = lock
        self._salt = salt
        self._generation = generation
        self._is_suspect = False

    @classmethod
    def take(cls, path: Path, salt: int) -> tuple[ConfirmFile, Mark] | None:
        """Return the file and its mark if nobody else holds it, else None. It is made if missing."""
        lock = Lock.take(path, make=True)
        if lock is None:
            return None
        generation, mark = _read(lock.descriptor, salt)
        return cls(lock, salt, generation), mark

    def write(self, mark: Mark) -> None:
        """Write *mark* into the older slot.

        Raises:
            OSError: the disk refused; the mark before it still stands.
        """
        generation = self._generation + 1
        frame = encode_frame(generation, _encode(mark), self._salt)
        written = os.pwrite(self._lock.descriptor, frame, (generation % 2) * SLOT_BYTES)
        if written < len(frame):
            raise OSError(errno.ENOSPC, "the mark was cut off", str(self._lock.path))
        self._generation = generation

    def sync(self) -> None:
        """Put the mark on disk, before anything is removed that it covers. Never raises: the mark is a hint.

        After a failure it is not asked again: the next answer would be a lie.
        """
        if not self._is_suspect:
            try:
                os.fdatasync(self._lock.descriptor)
            except OSError:
                self._is_suspect = True

    @property
    def is_unwritten(self) -> bool:
        """Whether it was just made, or no mark in it is whole any more."""
        return self._generation == 0

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still there under its name."""
        return self._lock.is_in_place

    def reserve(self) -> None:
        """Take the space of both slots now, so that a full disk cannot refuse a mark later.

        Raises:
            OSError: there is no room.
        """
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._lock.descriptor, 0, 2 * SLOT_BYTES)

    def close(self) -> None:
        """Give the file, and with it the consumer's lock, up."""
        self._lock.close()


def read_mark(path: Path, salt: int) -> Mark:
    """Return the mark at *path*; the very first one when there is none, or none that is whole. Never raises."""
    try:
        descriptor = open_file(path)
    except OSError:
        return Mark()
    try:
        return _read(descriptor, salt)[1]
    finally:
        os.close(descriptor)


def sync_mark(path: Path) -> None:
    """Do as `ConfirmFile.sync` where another process holds the file."""
    with suppress(OSError):
        descriptor = open_file(path)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def _read(descriptor: int, salt: int) -> tuple[int, Mark]:
    best = (0, Mark())
    for slot in (0, 1):
        try:
            piece = os.pread(descriptor, SLOT_BYTES, slot * SLOT_BYTES)
            found = scan(piece, salt=salt, max_records=1, max_bytes=SLOT_BYTES, is_whole=True, resync=False)
            for record in found.records:
                if record.seq > best[0] and (mark := _decode(record.payload)).adds_up:
                    best = (record.seq, mark)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            continue
    return best
