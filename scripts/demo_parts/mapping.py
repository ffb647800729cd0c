"""From a record to an event: a Microsoft 365 audit record as `audit-async import` reads it, any other line as it is."""

from __future__ import annotations

import msgspec

from audit_async import AuditEvent, events
from audit_async.importing.formats import m365
from scripts.demo_parts.records import Record


def event_of(record: Record) -> AuditEvent:
    """Return the event of *record*, with its id and time: however often it is logged, it is stored once."""
    if not record.is_m365 or not isinstance(record.body, dict):
        return _event_of_other(record)
    event = m365.event_of(record.body, record.id, record.happened_at).event
    return msgspec.structs.replace(event, metadata={**event.metadata, "round": record.round})


def _event_of_other(record: Record) -> AuditEvent:
    details = record.body if isinstance(record.body, dict) else {"line": record.body}
    return events.custom(
        "import.line",
        id=record.id,
        created_at=record.happened_at,
        details=details,
        metadata={"round": record.round},
    )
