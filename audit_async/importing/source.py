"""The bytes of a file: unpacked where it is called `.gz`, and in UTF-8 whatever Windows has made of them."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from audit_async.config import IMPORT_CHUNK_BYTES
from audit_async.errors import AuditError, ConfigurationError
from audit_async.private import open_file

_MARKS = ((codecs.BOM_UTF8, None), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
"""What a file may begin with, and the encoding that it then has."""


class UnreadableError(AuditError):
    """The file ends in the middle, or its disk fails; what came before is whole."""


class Source(io.RawIOBase):
    """A file as it lies on the disk, read from its beginning to its end.

    Attributes:
        size: bytes that it had when it was opened.
        position: bytes that have been read.
    """

    # Of one that could not be opened there is nothing to close, as the collector does with what is left of it.
    _file: io.FileIO | None = None

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.fdopen(_open(path), "rb", buffering=0)
        except (OSError, RuntimeError) as error:
            # Of a link to itself Python tells in its own way.
            raise ConfigurationError(
                f"{path}: {getattr(error, 'strerror', None) or error}",
                hint="name a file that is there, and that you may read",
            ) from error
        self.size = os.fstat(self._file.fileno()).st_size
        self.position = 0
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        assert self._file is not None
        count = self._file.readinto(view) or 0
        self._digest.update(view[:count])
        self.position += count
        return count

    @property
    def sha256(self) -> str:
        """Of what has been read."""
        return self._digest.hexdigest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


@contextmanager
def opened(path: Path) -> Iterator[tuple[Source, io.BufferedReader]]:
    """Open *path*; give the file as it lies there, and its content in UTF-8.

    Raises:
        ConfigurationError: it is not there, may not be read, or is no file.
    """
    with ExitStack() as stack:
        source = stack.enter_context(Source(path))
        content: BinaryIO = stack.enter_context(io.BufferedReader(source, IMPORT_CHUNK_BYTES))
        if path.suffix.lower() == ".gz":
            content = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=content)))
        text = io.BufferedReader(_Decoded(content), IMPORT_CHUNK_BYTES)
        yield source, cast("io.BufferedReader", stack.enter_context(text))


def _open(path: Path) -> int:
    # A link is followed: it is the caller's own file, and nothing is written to it.
    return open_file(path.resolve(strict=True))


class _Decoded(io.RawIOBase):
    """The content in UTF-8, without the mark that it may begin with. What was UTF-8 already is passed on as it is."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._decoder: codecs.IncrementalDecoder | None = None
        self._waiting = b""
        self._is_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._waiting:
            read = self._read()
            if not read and not self._end():
                return 0
            self._waiting += self._in_utf8(read) if read else b""
        count = min(len(view), len(self._waiting))
        view[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        return count

    def _read(self) -> bytes:
        try:
            return self._content.read(IMPORT_CHUNK_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(
                f"the file cannot be read to its end: {error}", hint="fetch it anew; what was read is imported"
            ) from error

    def _in_utf8(self, read: bytes) -> bytes:
        if not self._is_begun:
            self._is_begun = True
            for mark, encoding in _MARKS:
                if read.startswith(mark):
                    read = read[len(mark) :]
                    self._decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
        return read if self._decoder is None else self._decoder.decode(read).encode("utf-8", "replace")

    def _end(self) -> bool:
        """Return whether half a character waited for the rest of it."""
        decoder, self._decoder = self._decoder, None
        self._waiting = decoder.decode(b"", True).encode("utf-8", "replace") if decoder else b""
        return bool(self._waiting)
