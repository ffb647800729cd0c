"""A disk that can lose its power: it knows what was synced, and makes of the rest what a power cut may."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

SECTOR = 512  # what a disk writes whole or not at all


class Platter:
    """Stands before the calls that reach the disk. What they put there is on it for certain, and nothing else is.

    Attributes:
        is_full: no new file finds room.
        refusals_left: syncs that fail; what such a one was asked for may never reach the disk, whatever later ones say.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.refusals_left = 0
        self._contents: dict[int, bytes] = {}
        self._names: dict[Path, tuple[int, bytes]] = {}
        self._liars: set[int] = set()
        self._unlink, self._fallocate = os.unlink, os.posix_fallocate
        patch.setattr(os, "fdatasync", self._sync)
        patch.setattr(os, "fsync", self._sync_directory)
        patch.setattr(os, "unlink", self._remove)
        patch.setattr(os, "posix_fallocate", self._reserve)

    def lose_power(self, directory: Path, chance: random.Random) -> None:
        """Leave in *directory* what a power cut leaves."""
        there = {path: path.stat().st_ino for path in directory.iterdir()}
        for path, inode in there.items():
            if path not in self._names and chance.random() < 0.5:
                self._unlink(path)
            else:
                path.write_bytes(_torn(self._contents.get(inode, b""), path.read_bytes(), chance))
        for path, (_, content) in self._names.items():
            if path not in there and path.parent == directory and chance.random() < 0.5:
                path.write_bytes(content)
        self._contents = {path.stat().st_ino: path.read_bytes() for path in directory.iterdir()}
        self._names = {path: (path.stat().st_ino, path.read_bytes()) for path in directory.iterdir()}
        self._liars.clear()

    def _sync(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if self.refusals_left:
            self.refusals_left -= 1
            self._liars.add(inode)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if inode not in self._liars:
            self._contents[inode] = os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def _sync_directory(self, descriptor: int) -> None:
        directory = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        for path in [path for path in self._names if path.parent == directory]:
            del self._names[path]
        for path in directory.iterdir():
            self._names[path] = (path.stat().st_ino, b"")

    def _remove(self, path: Path, **options: int) -> None:
        # Its number is given to the next file at once.
        inode = os.lstat(path).st_ino
        content = self._contents.pop(inode, b"")
        self._liars.discard(inode)
        if path in self._names:
            self._names[path] = (inode, content)
        self._unlink(path, **options)

    def _reserve(self, descriptor: int, offset: int, length: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fallocate(descriptor, offset, length)


def _torn(synced: bytes, now: bytes, chance: random.Random) -> bytes:
    """Return what is left of a file: every sector as it was synced, or as it is now, one of them half and half."""
    kind = chance.choice(["lost", "kept", "cut", "mixed"])
    if kind == "kept":
        return now
    if kind == "lost":
        return synced
    synced = synced.ljust(len(now), b"\0")
    if kind == "cut":
        at = chance.randrange(len(now) + 1)
        return now[:at] + synced[at:]
    sectors = range(0, len(now), SECTOR)
    return b"".join(chance.choice((now, synced))[at : at + SECTOR] for at in sectors)
