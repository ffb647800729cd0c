"""What is refused, as it stands in the file: for mending, and then to be imported itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from audit_async.errors import AuditError, ConfigurationError
from audit_async.importing.records import Record
from audit_async.reading.draft import Draft


class Rejects:
    """Takes refused records. A file has its own name when the imported one was read to its end, and `.part` until then:
    each run writes it anew."""

    def __init__(self, path: Path, *, may_replace: bool) -> None:
        self._path = path
        # A device or a pipe takes them as they come, and is replaced by nothing.
        is_file = not path.exists() or path.is_file() or path.is_dir()
        self._draft = Draft(path, may_replace=may_replace) if is_file else None
        self._file: BinaryIO = path.open("wb") if self._draft is None else self._draft.begin()
        self._header = b""

    def add(self, record: Record) -> None:
        """Write *record*, below the names of its columns.

        Raises:
            AuditError: the disk is full, or does not take it.
        """
        if not record.raw:
            return
        try:
            if record.header and record.header != self._header:
                self._header = record.header
                self._file.write(record.header)
            self._file.write(record.raw if record.raw.endswith(b"\n") else record.raw + b"\n")
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Give the file its own name.

        Raises:
            AuditError: the disk is full, or does not take it, or there is such a file meanwhile.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error
        if self._draft is not None:
            self._draft.finish()

    def close(self) -> None:
        """Close the file, whatever there is of it."""
        if self._draft is not None:
            self._draft.close()
            return
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> AuditError:
        return AuditError(
            f"{self._path}: {error.strerror or error}",
            hint="give what is refused another place; started again, the import goes on where it was",
        )


@contextmanager
def kept_for_mending(path: Path | None, file: Path, *, may_replace: bool) -> Iterator[Rejects | None]:
    """Give what takes the refused records of *file*; None where nobody wants them.

    Raises:
        ConfigurationError: *path* is *file* itself, cannot be written, or is there and may not be replaced.
    """
    if path is None:
        yield None
        return
    try:
        if path.exists() and file.exists() and path.samefile(file):
            raise ConfigurationError(
                f"{path} is the file that is imported", hint="give another name for what is refused"
            )
        rejects = Rejects(path, may_replace=may_replace)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}", hint="name a file that you may write") from error
    try:
        yield rejects
    finally:
        rejects.close()
