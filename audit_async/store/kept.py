"""What is in quarantine, looked through and taken out again: by command, beside writers that add to it.

A writer adds a file under its final name at once, whole; whoever takes files out holds the directory's lock, so that
no two do at the same time, and removes a file only after what is to become of its event is safe.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from audit_async.config import MAX_QUARANTINED_BYTES
from audit_async.diagnostics import describe
from audit_async.errors import AuditError, ConfigurationError
from audit_async.private import open_file, sync_directory
from audit_async.store.quarantine import Quarantined

_NAME = re.compile(r"(?P<destination>[0-9a-f]{32})-(?P<writer>[0-9a-f]{32})-(?P<seq>[0-9]{12,})\.json")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file in quarantine.

    Attributes:
        item: what it holds, or None.
        fault: why that cannot be told.
    """

    path: Path
    item: Quarantined | None
    fault: str | None = None

    @property
    def destination(self) -> str | None:
        """Of the database and table that refused it; None where not even the name tells."""
        match = _NAME.fullmatch(self.path.name)
        return self.item.destination if self.item is not None else match["destination"] if match else None

    @property
    def number(self) -> str:
        """What names it where its event cannot: the writer's first digits, and the number there."""
        match = _NAME.fullmatch(self.path.name)
        return f"{match['writer'][:8]}-{int(match['seq'])}" if match else self.path.stem

    @property
    def id(self) -> str:
        """The event's id, else `number`."""
        named = (self.item.event or {}).get("id") if self.item is not None else None
        return named if isinstance(named, str) and named else self.number

    @property
    def payload(self) -> bytes:
        """The event's bytes, as the journal had them; empty where they are lost."""
        if self.item is None:
            return b""
        if self.item.event is not None:
            return msgspec.json.encode(self.item.event)
        try:
            return base64.b64decode(self.item.payload or "", validate=True)
        except (binascii.Error, ValueError):
            return b""


def look_through(directory: Path) -> list[Kept]:
    """Return what is in the quarantine at *directory*, oldest first; what cannot be read comes last, with its fault.

    Raises:
        OSError: it is there and cannot be listed.
    """
    try:
        names = sorted(os.listdir(_real(directory)))
    except FileNotFoundError:
        return []
    found = [_read(directory / name) for name in names if name.endswith(".json")]
    there = [each for each in found if each is not None]
    return sorted(there, key=lambda each: (each.item is None, each.item and each.item.quarantined_at.timestamp()))


def select(kept: Sequence[Kept], named: Sequence[str]) -> list[Kept]:
    """Return those of *kept* that are *named*, by event id, by number, or by the beginning of either.

    Raises:
        ConfigurationError: a name is that of none, or begins those of several events.
    """
    chosen: dict[Path, Kept] = {}
    for name in named:
        exact = [each for each in kept if name in (each.id, each.number)]
        begun = [each for each in kept if name and (each.id.startswith(name) or each.number.startswith(name))]
        matches = exact or begun
        if not matches:
            raise ConfigurationError(
                f"nothing in quarantine is named {name[:100]!r}", hint="`audit-async quarantine ls`"
            )
        if len({each.id for each in matches}) > 1:
            raise ConfigurationError(
                f"{len(matches)} events in quarantine are named {name[:100]!r}...", hint="give more of the id"
            )
        chosen.update((each.path, each) for each in matches)
    return list(chosen.values())


@contextmanager
def taking_out(directory: Path) -> Iterator[None]:
    """Be the only one who takes files out of the quarantine at *directory*. Writers may add to it meanwhile.

    Raises:
        AuditError: another process does so now.
        OSError: the directory cannot be opened.
    """
    descriptor = os.open(_real(directory), _DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AuditError(
                f"another process takes events out of {directory} now", hint="wait for its end, and look again"
            ) from None
        yield
    finally:
        os.close(descriptor)


def remove(kept: Kept) -> None:
    """Take *kept* out of quarantine, for good: when this returns it does not come back after a loss of power.

    Raises:
        OSError: it cannot be removed.
    """
    kept.path.unlink(missing_ok=True)
    sync_directory(kept.path.parent)


def _real(directory: Path) -> Path:
    if directory.is_symlink():
        raise ConfigurationError(
            f"the quarantine {directory} is a symbolic link",
            hint="give --journal-dir the directory itself: whoever may change a link can move what is kept",
        )
    return directory


def _read(path: Path) -> Kept | None:
    """Return the file at *path*; None when it is gone by now."""
    try:
        descriptor = open_file(path)
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_QUARANTINED_BYTES:
                return Kept(path=path, item=None, fault=f"it has {size} bytes, more than any event")
            content = os.read(descriptor, MAX_QUARANTINED_BYTES)
        finally:
            os.close(descriptor)
        return Kept(path=path, item=msgspec.json.decode(content, type=Quarantined))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        return Kept(path=path, item=None, fault=describe(error))
