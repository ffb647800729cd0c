"""How far an import has come, in a small file beside the imported one: `<file>.audit-import.json`.

It says how many records are confirmed, and has a digest of them: a file that is another one by now, or an import into
another table, begins anew. It only saves work. Without it, or with a damaged one, every record is logged again, and
the table has each of them once all the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from audit_async.config import MAX_STATUS_BYTES
from audit_async.diagnostics import describe, report
from audit_async.importing.records import Record
from audit_async.private import make_file, open_file

SUFFIX = ".audit-import.json"
VERSION = 1


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says.

    Attributes:
        purpose: of format, options, and where the events go.
        records: confirmed.
        digest: of these, in their order.
    """

    version: int
    purpose: str
    records: int
    digest: str


class Cursor:
    """The file beside *path*, for one *purpose*."""

    def __init__(self, path: Path, purpose: str) -> None:
        self.path = path.with_name(path.name + SUFFIX)
        self._purpose = purpose

    def place(self, records: Iterable[Record]) -> int:
        """Return how many of *records* are confirmed: 0 where they are not those that the file knows."""
        found = self._read()
        if found is None or found.records < 1:
            return 0
        chain = Chain()
        for record in records:
            chain.add(record)
            if chain.records == found.records:
                return found.records if chain.digest == found.digest else 0
        return 0

    def move(self, chain: Chain) -> None:
        """Note that what *chain* has seen is confirmed. Where that cannot be written, a log line says so."""
        place = Place(version=VERSION, purpose=self._purpose, records=chain.records, digest=chain.digest)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with os.fdopen(make_file(new), "wb") as file:
                file.write(msgspec.json.encode(place))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except OSError as error:
            report(
                "import_cursor", f"{self.path} cannot be written ({describe(error)}): after an interruption begin anew"
            )
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def end(self) -> None:
        """Take the file away: the import is done."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _read(self) -> Place | None:
        try:
            with os.fdopen(open_file(self.path), "rb") as file:
                found = msgspec.json.decode(file.read(MAX_STATUS_BYTES), type=Place)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found if (found.version, found.purpose) == (VERSION, self._purpose) else None


class Chain:
    """A digest of records, in their order, that grows with each."""

    def __init__(self) -> None:
        self.records = 0
        self._digest = hashlib.sha256()

    def add(self, record: Record) -> None:
        """Let it grow by *record*."""
        self.records += 1
        self._digest.update(b"%d:" % len(record.raw) + record.raw)

    @property
    def digest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()
