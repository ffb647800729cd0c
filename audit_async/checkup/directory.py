"""The journal's directory and its disk: whether events are safe there, and how soon."""

from __future__ import annotations

import os
import pwd
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from audit_async.checkup.finding import Finding
from audit_async.config import (
    MAPPED_FILE_SYSTEMS,
    MIB,
    NETWORK_FILE_SYSTEMS,
    PROBE_BYTES,
    PROBE_SYNCS,
    SLOW_SYNC_SECONDS,
)
from audit_async.errors import ConfigurationError
from audit_async.journal.file_set import remove_file
from audit_async.journal.place import Place, look_at, may


def of_directory(directory: Path, max_bytes: int | None) -> Iterator[Finding]:
    """Yield what is to be said of *directory*, which is neither made nor changed."""
    try:
        found = os.lstat(directory)
    except FileNotFoundError:
        yield _of_missing(directory)
        return
    except OSError as error:
        yield Finding("error", "journal", f"{directory} cannot be looked at ({error.strerror})", _as_service())
        return
    try:
        place = look_at(directory)
    except ConfigurationError as error:
        yield Finding("error", "journal", error.message, error.hint)
        return
    except OSError as error:
        hint = f"run this as {_user(found.st_uid)}, or mend the rights" if found.st_uid != os.geteuid() else None
        yield Finding("error", "journal", f"this user may not write into {directory} ({error.strerror})", hint)
        return
    yield from _of_owner(directory, found)
    yield _of_file_system(place)
    yield _of_space(place, max_bytes)
    yield _of_sync(directory)


def _of_missing(directory: Path) -> Finding:
    parent = next(each for each in directory.parents if os.path.lexists(each))
    if parent.is_dir() and may(parent, os.W_OK | os.X_OK):
        return Finding("note", "journal", f"there is no directory {directory} yet: the first event makes it")
    return Finding(
        "error",
        "journal",
        f"there is no directory {directory}, and this user may not make it in {parent}: events wait in memory only",
        "make it, for the service's user alone (chmod 700), or name another one by AUDIT_JOURNAL_DIR",
    )


def _as_service() -> str:
    return "run this as the user of the service"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _of_owner(directory: Path, found: os.stat_result) -> Iterator[Finding]:
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        yield Finding(
            "warning",
            "journal",
            f"{directory} has mode {mode:04o}: others can see what waits there",
            f"chmod 700 {directory}",
        )
    if found.st_uid != os.geteuid():
        yield Finding(
            "note",
            "journal",
            f"{directory} belongs to {_user(found.st_uid)}, and this is run as {_user(os.geteuid())}: what that user "
            "may do was not tried",
            f"run this as {_user(found.st_uid)}",
        )


def _of_file_system(place: Place) -> Finding:
    kind = place.file_system or "unknown"
    if kind in NETWORK_FILE_SYSTEMS:
        return Finding(
            "warning",
            "journal",
            f"{place.directory} is on {kind}, a network file system: it can go with the network, and its locks cannot "
            "be relied on",
            "set AUDIT_JOURNAL_DIR to a directory on a local disk",
        )
    how = "mapped" if kind in MAPPED_FILE_SYSTEMS else "written"
    volatile = ", which a restart of the machine empties" if kind == "tmpfs" else ""
    message = f"{place.directory} is on {kind}{volatile}; segments are {how}"
    return Finding("note" if volatile else "ok", "journal", message)


def _of_space(place: Place, max_bytes: int | None) -> Finding:
    budget = max_bytes or place.default_max_bytes
    message = f"{place.free_bytes // MIB:,} MiB free, each process may keep {budget // MIB:,} MiB"
    if place.free_bytes < budget:
        hint = f"free space on the disk of {place.directory}, or lower journal_max_bytes"
        return Finding("warning", "disk", f"{message}: the disk is full before that", hint)
    return Finding("ok", "disk", message)


def _of_sync(directory: Path) -> Finding:
    """Measure what a caller of `require()` waits for at least, on a file that has no name, or loses it again."""
    try:
        took = _measure(directory)
    except OSError as error:
        return Finding(
            "error", "disk", f"{directory} takes no data ({error.strerror})", "free space, or see to the disk"
        )
    message = f"one fdatasync takes {took * 1000:.1f} ms"
    if took > SLOW_SYNC_SECONDS:
        return Finding("note", "disk", f"{message}: who waits for the disk waits as long", "see what else writes there")
    return Finding("ok", "disk", message)


def _measure(directory: Path) -> float:
    """Return the median time of some syncs, in seconds."""
    name: Path | None = None
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        descriptor = os.open(directory, flags | os.O_TMPFILE, 0o600)
    except (OSError, AttributeError):
        # Not every file system has files without a name.
        name = directory / f".doctor-{secrets.token_hex(8)}"
        descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        times = []
        for number in range(PROBE_SYNCS):
            os.pwrite(descriptor, bytes(PROBE_BYTES), number * PROBE_BYTES)
            started = time.monotonic()
            os.fdatasync(descriptor)
            times.append(time.monotonic() - started)
        return sorted(times)[len(times) // 2]
    finally:
        os.close(descriptor)
        if name is not None:
            remove_file(name)
