"""The file sets in a directory, looked at and not taken: no lock is held, no mark is written, no file is made.

Whatever the files hold, nothing here raises but for a directory that cannot be listed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from audit_async.journal.confirm import Mark, read_mark
from audit_async.journal.file_set import FileSet, Lock
from audit_async.journal.place import is_local
from audit_async.journal.segment import SegmentHeader, SegmentReader, host_name

_NAME = re.compile(
    r"(?P<service>[a-z0-9_]{1,40})-(?P<writer>[0-9a-f]{32})"
    r"(?:\.lock|\.confirm|-(?P<number>[0-9]{6,})\.audj|-[0-9]{6,}-[0-9]+(?P<corrupt>\.corrupt))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A file set, as it was found.

    Attributes:
        segments: the numbers of its segments, ascending.
        left_overs: what was kept of damage, by segment and offset.
        header: of the first segment that has a sound one.
        mark: up to where it is settled.
        size_bytes: of its segments and left-overs.
        is_living: its producer holds its lock.
        is_elsewhere: another host's, on a file system where that lock means nothing here.
        is_of_other_format: another version of this package wrote it.
        is_begun: there was ever an entry in it.
        fault: why some of it cannot be opened.
    """

    file_set: FileSet
    segments: tuple[int, ...]
    left_overs: tuple[Path, ...]
    header: SegmentHeader | None
    mark: Mark
    size_bytes: int
    is_living: bool
    is_elsewhere: bool
    is_of_other_format: bool
    is_begun: bool
    fault: str | None

    @property
    def writer_id(self) -> str:
        """Of the process that logged."""
        return self.file_set.writer_id

    @property
    def destination(self) -> str | None:
        """The fingerprint of what it is meant for; None where that cannot be told."""
        return self.header.destination if self.header is not None else None


def survey(directory: Path) -> list[Surveyed]:
    """Return the file sets in *directory*, those begun first in front.

    Raises:
        OSError: it cannot be listed.
    """
    here = is_local(directory)
    names = sorted(os.listdir(directory))
    matches = [match for match in map(_NAME.fullmatch, names) if match]
    sets: dict[FileSet, list[re.Match[str]]] = {}
    for match in matches:
        sets.setdefault(FileSet(directory, match["service"], match["writer"]), []).append(match)
    found = [_look(file_set, files, here) for file_set, files in sets.items()]
    return sorted(found, key=lambda each: (each.header.created_ns if each.header else 0, each.file_set.base))


def _look(file_set: FileSet, files: Iterable[re.Match[str]], is_local: bool) -> Surveyed:
    numbers = sorted(int(match["number"]) for match in files if match["number"])
    left_overs = sorted((file_set.directory / match[0] for match in files if match["corrupt"]), key=_place_of)
    heads = _heads(file_set, numbers)
    is_elsewhere = not is_local and heads.header is not None and heads.header.host != host_name()
    paths = [*(file_set.segment_path(number) for number in numbers), *left_overs]
    return Surveyed(
        file_set=file_set,
        segments=tuple(numbers),
        left_overs=tuple(left_overs),
        header=heads.header,
        mark=Mark() if heads.is_of_other_format else read_mark(file_set.confirm_path, file_set.salt),
        size_bytes=sum(map(_size, paths)),
        is_living=not is_elsewhere and Lock.is_held(file_set.lock_path) is True,
        is_elsewhere=is_elsewhere,
        is_of_other_format=heads.is_of_other_format,
        is_begun=heads.is_begun,
        fault=heads.fault,
    )


class _Heads(NamedTuple):
    header: SegmentHeader | None = None
    is_of_other_format: bool = False
    is_begun: bool = False
    fault: str | None = None


def _heads(file_set: FileSet, numbers: Iterable[int]) -> _Heads:
    header: SegmentHeader | None = None
    is_of_other_format = is_begun = False
    fault: str | None = None
    for number in numbers:
        try:
            reader = SegmentReader.open(file_set.segment_path(number))
        except OSError as error:
            fault = fault or f"segment {number} cannot be opened ({error.strerror})"
            continue
        if reader is not None:
            header = header or reader.header
            is_of_other_format |= reader.is_of_other_format
            is_begun |= reader.is_begun
            reader.close()
    return _Heads(header, is_of_other_format, is_begun, fault)


def _size(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _place_of(left_over: Path) -> tuple[int, int]:
    number, offset = left_over.stem.split("-")[-2:]
    return int(number), int(offset)
