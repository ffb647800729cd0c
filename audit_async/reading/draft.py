"""A file on its way: under the name `FILE.part` until it is whole, with a note of how far it has come beside it.

The note is written after the bytes that it speaks of are on disk. So whoever continues cuts off what came after it, and
goes on where it says: nothing is missing, and nothing is there twice.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from audit_async.errors import AuditError, ConfigurationError
from audit_async.private import make_file, open_file, sync_directory

_GO_ON = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file has come.

    Attributes:
        bound_to: what it is of; another export does not continue it.
        began_at: ISO text: the moment from which times such as `24h` count back.
        cursor: behind the last event in it; None where there is none yet.
        events: in it.
        size: in bytes.
    """

    bound_to: str
    began_at: str
    cursor: str | None = None
    events: int = 0
    size: int = 0


class Draft:
    """A file on its way.

    Args:
        path: under which it will stand when it is whole.
        may_replace: a file that stands there already; else that is an error.

    Raises:
        ConfigurationError: there is such a file, it is a device or a pipe, or there is no such folder.
    """

    def __init__(self, path: Path, *, may_replace: bool) -> None:
        try:
            has_folder, is_there = path.parent.is_dir(), path.exists()
        except OSError as error:
            # Too long, or in a folder that may not be looked into.
            raise ConfigurationError(f"{path}: {error.strerror or error}", hint="name another file") from error
        if not has_folder:
            raise ConfigurationError(f"there is no folder {path.parent}", hint="make it, or name another file")
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder", hint="name a file in it")
        if is_there and not path.is_file():
            # The whole file gets its name in the end: a device or a pipe would be gone, for all programs here.
            raise ConfigurationError(
                f"{path} is no file, and is not replaced by one", hint="name one, or let it go to standard output"
            )
        if is_there and not may_replace:
            raise ConfigurationError(
                f"there is {path} already", hint="name another file, or replace it: --replace, may_replace=True"
            )
        self._path = path
        self._may_replace = may_replace
        self._part = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.progress")
        self._file: BinaryIO | None = None

    def found(self, bound_to: str) -> Progress | None:
        """Return how far an earlier attempt at the same export has come; None where it has to begin anew."""
        try:
            with open(open_file(self._note), "rb") as note:
                progress = msgspec.json.decode(note.read(), type=Progress)
            is_whole = self._part.stat().st_size >= progress.size
        except (OSError, msgspec.DecodeError):
            return None
        return progress if is_whole and progress.bound_to == bound_to and progress.cursor else None

    def begin(self) -> BinaryIO:
        """Begin anew, and return the file to write to, readable for its owner alone.

        Raises:
            AuditError: it cannot be made, or another export writes to it.
        """
        # One that somebody writes to just now is not taken away from under them.
        with suppress(OSError), os.fdopen(os.open(self._part, _GO_ON), "r+b") as other:
            self._hold(other)
        with self.told(), suppress(FileNotFoundError):
            self._note.unlink()
        with self.told():
            self._file = os.fdopen(make_file(self._part), "wb")
            self._hold(self._file)
        return self._file

    def resume(self, progress: Progress) -> BinaryIO:
        """Go on behind what *progress* speaks of.

        Raises:
            AuditError: it cannot be opened, or another export writes to it.
        """
        with self.told():
            self._file = os.fdopen(os.open(self._part, _GO_ON), "r+b")
            self._hold(self._file)
            self._file.truncate(progress.size)
            self._file.seek(progress.size)
        return self._file

    def note(self, progress: Progress) -> None:
        """Put on disk what was written, and then how far that is.

        Raises:
            AuditError: the disk is full, or does not take it.
        """
        with self.told():
            file = self._synced()
            draft = self._note.with_name(f"{self._note.name}.new")
            kept = msgspec.structs.replace(progress, size=file.tell())
            with open(make_file(draft), "wb") as note:
                note.write(msgspec.json.encode(kept))
            draft.rename(self._note)

    def finish(self) -> None:
        """Put it under its own name, whole and on disk.

        Raises:
            AuditError: the disk is full, or does not take it.
        """
        with self.told():
            file = self._synced()
            if not os.path.samestat(os.fstat(file.fileno()), os.lstat(self._part)):
                # Two that began in the same moment: the file of that name is the other one's, and not whole.
                raise self._held_by_another()
            self.close()
            self._name()
            with suppress(FileNotFoundError):
                self._note.unlink()
            # Some file systems cannot be asked for that; the file is there all the same.
            with suppress(OSError):
                sync_directory(self._path.parent)

    def _name(self) -> None:
        """Give the file its own name; one that came under that name meanwhile is not replaced, unless it may be."""
        try:
            if not self._may_replace:
                os.link(self._part, self._path)
                self._part.unlink()
                return
        except FileExistsError:
            raise AuditError(
                f"there is {self._path} meanwhile", hint="take it away, and run the same again, or allow a replacement"
            ) from None
        except OSError:
            # A file system that gives a file no second name.
            if self._path.exists():
                raise
        self._part.rename(self._path)

    def _synced(self) -> BinaryIO:
        """Return the file, with everything that was written to it on disk."""
        assert self._file is not None
        self._file.flush()
        os.fdatasync(self._file.fileno())
        return self._file

    def close(self) -> None:
        """Close the file, and leave it as it is, to be gone on with."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _hold(self, file: BinaryIO) -> None:
        """Keep *file* for this export alone, as long as it is open.

        Raises:
            AuditError: another one has it.
        """
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # A file system without locks cannot say.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise self._held_by_another() from error

    def _held_by_another(self) -> AuditError:
        return AuditError(
            f"another export or import writes {self._part} just now",
            hint="wait for its end, or give this one another name",
        )

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the system says about the file into an error of ours."""
        try:
            yield
        except OSError as error:
            raise AuditError(
                f"{self._path} cannot be written: {error.strerror or error}",
                hint="what there is of it is in FILE.part; make room, or see to the rights, and run the same again",
            ) from error
