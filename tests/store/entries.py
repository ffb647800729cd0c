"""Entries for the tests of stores, as they come from the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from audit_async import events
from audit_async.entry import Entry, decode, encode
from audit_async.errors import DuplicateStoreError
from audit_async.events import AuditEvent
from audit_async.store import Store

WRITER = "0123456789abcdef0123456789abcdef"


def entry_of(event: AuditEvent, number: int = 1, writer: str = WRITER) -> Entry:
    """Return *event* with its place in the log."""
    return decode(encode(event), writer, number)


def entry(number: int = 1, **fields: Any) -> Entry:
    """Return an entry with fields of every type."""
    given = {
        "user_id": f"u{number}",
        "tenant_id": "t1",
        "status_code": 200 + number % 300,
        "duration_ms": number / 7,
        "details": {"number": number, "nested": {"list": [1, 2.5, None, True, "ü"]}},
        "tags": ["x", "y"],
        **fields,
    }
    made = entry_of(events.custom("order.paid", **given), number)
    made.old_values = msgspec.Raw(b'{"a":1}')
    return made


def entries(count: int, **fields: Any) -> list[Entry]:
    """Return *count* entries of one writer."""
    return [entry(number + 1, **fields) for number in range(count)]


async def insert_or_replay(store: Store, batch: list[Entry]) -> None:
    """Do as the writer does: where rows are there already, once more as a replay."""
    try:
        await store.insert(batch)
    except DuplicateStoreError:
        await store.insert(batch, is_replay=True)
