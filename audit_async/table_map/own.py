"""The rows of our own table."""

from __future__ import annotations

from datetime import UTC
from operator import attrgetter

from audit_async.entry import Entry
from audit_async.table.columns import COLUMNS
from audit_async.table_map.layout import Row

_before_json = attrgetter(*list(COLUMNS)[: list(COLUMNS).index("details")])
_after_created_at = attrgetter(*list(COLUMNS)[2 : list(COLUMNS).index("details")])


def own_row(entry: Entry) -> Row:
    """Return the row of our table, in the order of `COLUMNS`."""
    return (
        *_before_json(entry),
        bytes(entry.details).decode(),
        bytes(entry.metadata).decode(),
        bytes(entry.old_values).decode() or None,
        bytes(entry.new_values).decode() or None,
        bytes(entry.tags).decode(),
        entry.writer_id,
        entry.writer_seq,
    )


def own_row_sqlite(entry: Entry) -> Row:
    """Return the row of our table on SQLite: the time as text that sorts as time does."""
    return (
        entry.id,
        f"{entry.created_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
        *_after_created_at(entry),
        bytes(entry.details).decode(),
        bytes(entry.metadata).decode(),
        bytes(entry.old_values).decode() or None,
        bytes(entry.new_values).decode() or None,
        bytes(entry.tags).decode(),
        entry.writer_id,
        entry.writer_seq,
    )
