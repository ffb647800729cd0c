"""Which records of a file have the key of one before them: the table has a row for one of them only.

What has come is on disk, as digests in a table of SQLite that is deleted when the import ends: the memory does not grow
with the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b

import msgspec

from audit_async.config import IMPORT_DIGEST_BYTES, IMPORT_REPEATS_KIB
from audit_async.errors import AuditError
from audit_async.events import AuditEvent
from audit_async.exports.lines import time_text
from audit_async.importing.formats import RefusedError

_encode = msgspec.json.Encoder().encode


class Repeats:
    """The keys that have come, each with a digest of what its event says.

    Args:
        has_time_in_key: as our own table has. A table of somebody else knows an event by its id alone.
    """

    def __init__(self, connection: sqlite3.Connection, *, has_time_in_key: bool) -> None:
        self._connection = connection
        self._has_time_in_key = has_time_in_key

    def is_repeated(self, event: AuditEvent, line: int) -> bool:
        """Return whether the same event came before, and note that it came on *line*.

        Raises:
            RefusedError: one with its key came that says something else.
            AuditError: there is no room on disk for what has come.
        """
        key = f"{time_text(event.created_at) if self._has_time_in_key else ''} {event.id}".encode()
        row = (_digest(key), _digest(_encode(event)), line)
        try:
            if self._connection.execute("INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount:
                return False
            content, first = self._connection.execute(
                "SELECT content, line FROM seen WHERE key = ?", row[:1]
            ).fetchone()
        except sqlite3.Error as error:
            raise _no_room(error) from error
        if content == row[1]:
            return True
        shared = "id and time" if self._has_time_in_key else "id"
        raise RefusedError(f"it has the {shared} of line {first:,}, and says something else")


@contextmanager
def remembered(*, has_time_in_key: bool) -> Iterator[Repeats]:
    """Give what remembers the keys of one import.

    Raises:
        AuditError: there is no room on disk for it.
    """
    # No name: SQLite's own file in the directory for such, which is gone with the connection. A batch is read in
    # whatever thread is free, one at a time.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute(f"PRAGMA cache_size=-{IMPORT_REPEATS_KIB}")
            connection.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, content BLOB, line INTEGER) WITHOUT ROWID")
            connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise _no_room(error) from error
        yield Repeats(connection, has_time_in_key=has_time_in_key)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=IMPORT_DIGEST_BYTES).digest()


def _no_room(error: sqlite3.Error) -> AuditError:
    return AuditError(
        f"the keys of the imported records cannot be kept on disk: {error}",
        hint="some 50 bytes for each are needed in the directory for temporary files; SQLITE_TMPDIR names another",
    )
