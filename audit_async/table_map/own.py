"""The rows of our own table."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter

import msgspec

from audit_async.config import MARIADB_KEY_CHARS
from audit_async.entry import Entry
from audit_async.table.columns import COLUMNS
from audit_async.table_map.layout import Row
from audit_async.text import short_text

_behind_time = attrgetter(*list(COLUMNS)[2 : list(COLUMNS).index("details")])

_TIME_CHARS = len("2026-01-31T12:00:00.000000")

bare_own_row = msgspec.structs.astuple
"""Returns the row of our table, whose columns are an entry's fields, with JSON as the bytes that the entry has."""


def own_row(entry: Entry) -> Row:
    """Return the row of our table, in the order of `COLUMNS`."""
    return _row(entry, entry.created_at)


def own_row_sqlite(entry: Entry) -> Row:
    """Return the row of our table on SQLite: the time as text that sorts as time does."""
    return _row(entry, f"{entry.created_at.astimezone(UTC).isoformat(timespec='microseconds')[:_TIME_CHARS]}Z")


def own_row_mariadb(entry: Entry) -> Row:
    """Return the row of our table on MariaDB and MySQL: the time in UTC without saying so, as they keep it."""
    if max(len(entry.id), len(entry.tenant_id or ""), len(entry.user_id or "")) > MARIADB_KEY_CHARS:
        entry = _with_short_keys(entry)
    return _row(entry, entry.created_at.astimezone(UTC).replace(tzinfo=None))


def _row(entry: Entry, moment: datetime | str) -> Row:
    return (
        entry.id,
        moment,
        *_behind_time(entry),
        bytes(entry.details).decode(),
        bytes(entry.metadata).decode(),
        bytes(entry.old_values).decode() or None,
        bytes(entry.new_values).decode() or None,
        bytes(entry.tags).decode(),
        entry.writer_id,
        entry.writer_seq,
    )


def _with_short_keys(entry: Entry) -> Entry:
    """Return *entry* with the ids that no index there holds cut visibly, and whole in `metadata.$fields`."""
    keys = {name: getattr(entry, name) or "" for name in ("id", "tenant_id", "user_id")}
    whole = {name: value for name, value in keys.items() if len(value) > MARIADB_KEY_CHARS}
    short = {name: short_text(value, MARIADB_KEY_CHARS) for name, value in whole.items()}
    metadata = entry.objects("metadata")
    kept = metadata.get("$fields")
    metadata["$fields"] = {**(kept if isinstance(kept, dict) else {}), **whole}
    return msgspec.structs.replace(entry, **short, metadata=msgspec.Raw(msgspec.json.encode(metadata)))
