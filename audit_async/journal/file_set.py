"""The files of one process incarnation, and the two locks on them.

    <service>-<writer>.lock         held by the process that appends
    <service>-<writer>.confirm      the mark of how far it is settled; held by whoever uploads
    <service>-<writer>.status       how the process stands, for whoever looks (`audit_async.status`)
    <service>-<writer>-000001.audj  segments
    <service>-<writer>-000001-4096.corrupt   bytes that were no entry any more, kept to be looked at

Locks are `flock`s on descriptors opened for that alone. A forked child inherits the descriptors; it closes them and
never unlocks, which would take the lock from its parent.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path

from audit_async.diagnostics import report
from audit_async.journal.frame import is_cut_off, salt_of
from audit_async.private import make_file

_NAME = re.compile(r"(?P<service>[a-z0-9_]{1,40})-(?P<writer>[0-9a-f]{32})(\.lock|-\d{6,}\.(audj|reserve))")
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW

_open_locks: set[Lock] = set()
"""Those of this process, whoever has them: a thread's local variables live on in a forked child, out of reach."""


def service_slug(service: str) -> str:
    """Return *service* as it stands in file names: at most 40 small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", str(service).lower())[:40].strip("_") or "app"


class Lock:
    """A file that is held exclusively as long as this object is open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        _open_locks.add(self)

    @classmethod
    def make(cls, path: Path) -> Lock:
        """Make the file, already locked when its name appears, so that nobody can take it for an orphan's.

        Raises:
            OSError: it cannot be made.
        """
        draft = path.with_suffix(path.suffix + ".new")
        lock = cls(path, os.open(draft, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, path)
        except OSError:
            lock.close()
            remove_file(draft)
            raise
        return lock

    @classmethod
    def take(cls, path: Path, *, make: bool = False) -> Lock | None:
        """Return the lock on *path* if nobody holds it, else None. With *make* the file is made if missing."""
        try:
            lock = cls(path, os.open(path, _FLAGS | (os.O_CREAT if make else 0), 0o600))
        except OSError:
            return None
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        # Whoever held it until now may have removed the file: then this is a lock on nothing.
        if lock.is_in_place:
            return lock
        lock.close()
        return None

    @staticmethod
    def is_held(path: Path) -> bool | None:
        """Return whether somebody holds the lock on *path*; None when this process may not ask.

        Asking is sharing it for some microseconds: who wants to take it in that very moment finds it held, and has to
        look again, as adopters do.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return False

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._descriptor

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still there under its name, and no other one is."""
        try:
            here, there = os.fstat(self._descriptor), os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Give the lock up. In a forked child the parent keeps it."""
        _open_locks.discard(self)
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _close_after_fork() -> None:
    """A child that kept a lock open would hold it for its parent, even beyond the parent's death."""
    for lock in list(_open_locks):
        lock.close()


os.register_at_fork(after_in_child=_close_after_fork)


@dataclass(frozen=True, slots=True)
class FileSet:
    """The names of one incarnation's files."""

    directory: Path
    service: str
    writer_id: str

    @classmethod
    def all_in(cls, directory: Path) -> list[FileSet]:
        """Return the file sets in *directory*, in no order; none when it cannot be read.

        Its lock or any segment will do: somebody may have taken the lock for a stale one, and removed it. The mark
        alone will not: it is the first file of a process that is just beginning.
        """
        try:
            names = os.listdir(directory)
        except OSError:
            return []
        matches = (_NAME.fullmatch(name) for name in names)
        return list({cls(directory, match["service"], match["writer"]): None for match in matches if match})

    @property
    def base(self) -> str:
        """What all names begin with."""
        return f"{self.service}-{self.writer_id}"

    @property
    def salt(self) -> int:
        """What the checksums in its files begin with."""
        return salt_of(self.writer_id)

    @property
    def lock_path(self) -> Path:
        """The file that its producer holds."""
        return self.directory / f"{self.base}.lock"

    @property
    def confirm_path(self) -> Path:
        """The file that its consumer holds."""
        return self.directory / f"{self.base}.confirm"

    @property
    def status_path(self) -> Path:
        """The file in which its process says how it stands."""
        return self.directory / f"{self.base}.status"

    def segment_path(self, number: int) -> Path:
        """The segment *number*."""
        return self.directory / f"{self.base}-{number:06d}.audj"

    def segment_numbers(self) -> list[int]:
        """Return the numbers of the segments that are there, ascending."""
        pattern = re.compile(re.escape(self.base) + r"-(\d{6,})\.audj")
        try:
            names = os.listdir(self.directory)
        except OSError:
            return []
        return sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))

    def keep_damage(self, number: int, offset: int, damaged: bytes) -> None:
        """Keep bytes that are no entry any more beside the segment. Never raises: there may be no room for them."""
        path = self.directory / f"{self.base}-{number:06d}-{offset}.corrupt"
        try:
            with open(make_file(path), "wb", buffering=0) as file:
                file.write(damaged)
            kept = "kept in a file *.corrupt beside it"
        except OSError as error:
            kept = f"cannot be kept ({error.strerror})"
        if is_cut_off(damaged):
            report(
                "journal_cut_off",
                f"an entry of segment {number} of the journal is cut off after {len(damaged)} bytes, {kept}. A process "
                "that is killed while it logs leaves it so: its caller was not told that it is in. Where the machine "
                "lost its power, it may have been",
            )
            return
        report(
            "journal_damage",
            f"{len(damaged)} bytes of segment {number} of the journal are damaged and {kept}. Entries that are nowhere "
            "else are counted as dropped",
        )

    def keep_whole(self, number: int) -> Path:
        """Keep the whole segment as it is, under a name that no reader takes for an entry's, and return that.

        Raises:
            OSError: it cannot be renamed.
        """
        places = (self.directory / f"{self.base}-{number:06d}-{count}.corrupt" for count in itertools.count())
        # No entry begins below the header, so that no other damage has such a name.
        path = next(place for place in places if not place.exists())
        self.segment_path(number).rename(path)
        return path

    def remove(self) -> None:
        """Remove every file but what is kept of damage; the lock last, since it is what makes it a file set."""
        try:
            names = os.listdir(self.directory)
        except OSError:
            return
        for name in names:
            if name.startswith(self.base) and not name.endswith((".corrupt", ".lock")):
                remove_file(self.directory / name)
        remove_file(self.lock_path)


def remove_file(path: Path) -> None:
    """Remove *path* if it is there. Never raises."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
