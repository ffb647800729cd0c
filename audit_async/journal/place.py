"""Which directory the journal is in, and whether it can be trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from audit_async.config import (
    JOURNAL_MAX_BYTES,
    JOURNAL_MIN_BYTES,
    JOURNAL_SHARE_OF_FREE_SPACE,
    MAPPED_FILE_SYSTEMS,
    NETWORK_FILE_SYSTEMS,
)
from audit_async.private import make_directory, trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory that was found fit for a journal.

    Attributes:
        is_mappable: whether its file system reserves space for real, so that segments can be mapped.
        is_local: whether a file lock means something for every process that can see it.
        free_bytes: when it was looked at.
        file_system: its kind, or an empty text where the system does not tell.
        identity: device and inode, by which another directory of that name is known.
    """

    directory: Path
    identity: tuple[int, int]
    is_mappable: bool
    is_local: bool
    free_bytes: int
    file_system: str = ""

    @property
    def default_max_bytes(self) -> int:
        """The budget where none is given: `JOURNAL_MAX_BYTES`, or a tenth of the free space if that is less."""
        share = int(self.free_bytes * JOURNAL_SHARE_OF_FREE_SPACE)
        return max(JOURNAL_MIN_BYTES, min(JOURNAL_MAX_BYTES, share))

    def look_again(self) -> None:
        """See that it is still the same directory.

        Raises:
            OSError: it is gone, or somebody has put another one, or a link, in its place.
        """
        found = os.lstat(self.directory)
        if (found.st_dev, found.st_ino) != self.identity:
            raise FileNotFoundError(2, "replaced by another one", str(self.directory))


def default_directory() -> Path:
    """Return the directory for journals where none was given.

    The first of `$AUDIT_JOURNAL_DIR`, `$STATE_DIRECTORY` (set by systemd, may be a list), the user's state directory.
    """
    given = os.environ.get("AUDIT_JOURNAL_DIR")
    if given:
        return Path(given).absolute()
    of_unit = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if of_unit:
        return Path(of_unit).absolute() / "audit"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state).absolute() / "audit_async"


def prepare(directory: Path) -> Place:
    """Make *directory* if it is missing (mode 0700), and look at it.

    Raises:
        ConfigurationError: it is a symbolic link, another user's, or others may write into it.
        OSError: it cannot be made or written.
    """
    make_directory(directory)
    return look_at(directory)


def look_at(directory: Path) -> Place:
    """Look at *directory*, which is there.

    Raises:
        ConfigurationError, OSError: as `prepare`.
    """
    found = trusted(directory, "the journal directory")
    if not may(directory, os.W_OK | os.X_OK):
        raise PermissionError(13, "no permission to write", str(directory))
    space = os.statvfs(directory)
    kind = file_system(found.st_dev)
    return Place(
        directory=directory,
        identity=(found.st_dev, found.st_ino),
        is_mappable=kind in MAPPED_FILE_SYSTEMS,
        is_local=kind not in NETWORK_FILE_SYSTEMS,
        free_bytes=space.f_bavail * space.f_frsize,
        file_system=kind,
    )


def may(path: Path, what: int) -> bool:
    """Return whether this process, as the user that it acts as, may do *what* (`os.W_OK`, ...) with *path*."""
    return os.access(path, what, effective_ids=_CAN_ASK)


_CAN_ASK = os.access in os.supports_effective_ids


def is_local(directory: Path) -> bool:
    """Return whether a file lock in *directory* means something for every process that can see it.

    Raises:
        OSError: it cannot be looked at.
    """
    return file_system(os.stat(directory).st_dev) not in NETWORK_FILE_SYSTEMS


def file_system(device: int) -> str:
    """Return the kind of file system on *device*, or an empty text where the system does not tell."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                if before.split()[2] == wanted:
                    return after.split()[0]
    except (OSError, IndexError):
        pass
    return ""
