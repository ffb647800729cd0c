"""Directories and files for ourselves alone, whatever the umask, and whatever somebody has put in their place."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from audit_async.errors import ConfigurationError

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
# Opening a named pipe would wait for somebody who writes into it.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def make_directory(directory: Path) -> None:
    """Make *directory*, and those above it that are missing, each with mode 0700.

    Raises:
        OSError: it cannot be made.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    with suppress(FileExistsError):
        # By another process just now; or it is something else, which `trusted` tells.
        os.mkdir(directory, 0o700)


def trusted(directory: Path, what: str) -> os.stat_result:
    """Return what is known of *directory*, which nobody but us, its owner and the administrator may change.

    Args:
        what: names it in a message.

    Raises:
        ConfigurationError: it is a symbolic link, another user's, or others may write into it.
        OSError: it is no directory, or is not there.
    """
    found = os.lstat(directory)
    if stat.S_ISLNK(found.st_mode):
        raise ConfigurationError(
            f"{what} {directory} is a symbolic link",
            hint="give journal_dir the directory itself: whoever may change a link can move the audit trail",
        )
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    if found.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"every user may write into {what} {directory}",
            hint=f"chmod o-w {directory}, or give journal_dir a directory of the application's own",
        )
    us = os.geteuid()
    # The administrator looks after directories of others.
    if us != 0 and found.st_uid not in (us, 0):
        raise ConfigurationError(
            f"{what} {directory} belongs to another user (uid {found.st_uid})",
            hint=f"chown {us} {directory}, or give journal_dir a directory of the application's own",
        )
    return found


def make_file(path: Path) -> int:
    """Return a descriptor of a new, empty file at *path*; what stood there before is taken away, not followed.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    return os.open(path, _NEW, 0o600)


def open_file(path: Path) -> int:
    """Return a descriptor to read the file at *path*, which is no link, and no pipe that would keep us waiting.

    Raises:
        OSError: it is not there, cannot be opened, or is no file.
    """
    descriptor = os.open(path, _READ)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(22, "not a file", str(path))


def sync_directory(directory: Path) -> None:
    """Make the names in *directory* survive the loss of power.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
