"""The bytes of a file: unpacked where they are gzip's, and in UTF-8 whatever Windows has made of them."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import re
import stat
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

_WITHOUT_MARK = (("utf-16-le", re.compile(rb"[^\0]\0[^\0]\0")), ("utf-16-be", re.compile(rb"\0[^\0]\0[^\0]")))
"""The same without a mark: the first characters of what can be imported are ASCII (RFC 4627, section 3)."""

_GZIP = b"\x1f\x8b\x08"
NO_RECORDS = (
    (b"PK\x03\x04", "a ZIP archive, or a workbook of Excel", "unpack it; save a workbook as CSV in UTF-8"),
    (b"PAR1\x15", "Parquet", "write it as JSON Lines or CSV"),
    (b"SQLite format 3\0", "a SQLite database", "write its table as JSON Lines or CSV"),
    *(
        (mark, "packed, though not by gzip", "unpack it")
        for mark in (b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh91AY&SY")
    ),
)
"""What begins in another way than any record, what it is, and what to do."""


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
        ConfigurationError: it is not there, may not be read, is no file, or of a kind that holds no records.
    """
    with ExitStack() as stack:
        source = stack.enter_context(Source(path))
        content = cast(BinaryIO, stack.enter_context(io.BufferedReader(source, IMPORT_CHUNK_BYTES)))
        begins = _beginning(path, cast("io.BufferedReader", content))
        if path.suffix.lower() == ".gz" or begins.startswith(_GZIP):
            content = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=content)))
        text = io.BufferedReader(_Decoded(content), IMPORT_CHUNK_BYTES)
        yield source, cast("io.BufferedReader", stack.enter_context(text))


def _beginning(path: Path, content: io.BufferedReader) -> bytes:
    try:
        begins = content.peek(1)
    except OSError:
        return b""  # a disk that fails is told by who reads on
    for mark, what, todo in NO_RECORDS:
        if begins.startswith(mark):
            raise ConfigurationError(f"{path} is {what}", hint=todo)
    return begins


def _open(path: Path) -> int:
    if path == Path("-") or _is_stream(path):
        raise ConfigurationError(
            f"{path} is standard input or another stream, and no file",
            hint="write it to a file, and import that: an import that goes on where it was reads it a second time",
        )
    # A link is followed: it is the caller's own file, and nothing is written to it.
    return open_file(path.resolve(strict=True))


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, RuntimeError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _encoding_of(begins: bytes) -> tuple[bytes, str | None]:
    """Return the mark that *begins* has, and the encoding, None for UTF-8."""
    for mark, encoding in _MARKS:
        if begins.startswith(mark):
            return mark, encoding
    return b"", next((encoding for encoding, pattern in _WITHOUT_MARK if pattern.match(begins)), None)


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
            mark, encoding = _encoding_of(read)
            read = read[len(mark) :]
            self._decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
        return read if self._decoder is None else self._decoder.decode(read).encode("utf-8", "replace")

    def _end(self) -> bool:
        """Return whether half a character waited for the rest of it."""
        decoder, self._decoder = self._decoder, None
        self._waiting = decoder.decode(b"", True).encode("utf-8", "replace") if decoder else b""
        return bool(self._waiting)
