"""What became of data: records that were made, read, changed and deleted, exports, imports, conversations."""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import Id, Number, Text, build, given, settle
from audit_async.events.dialects import is_spelled_in
from audit_async.events.event import AuditEvent, changes_of
from audit_async.events.fields import EventFields
from audit_async.events.vocabulary import Category, Severity
from audit_async.values import plain_object


def data_change(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a record: made, read, changed, deleted.

    Details say in `changed` which of its values differ, where `old_values` or `new_values` are given; the event's
    `changes` has them side by side. The category is data.

    Args:
        action: e.g. `AuditAction.UPDATE`, `data.read`.
        fields: any field of the event: `resource_type` and `resource_id` name the record, `old_values` and `new_values`
            what it was and is, `description` says it in words.
    """
    said = settle(action, "data_change")
    spelled = said.spelled
    about: dict[str, Any] = {"category": Category.DATA}
    if is_spelled_in("enclava", spelled):
        about["severity"] = Severity.LOW
    old, new = fields.get("old_values"), fields.get("new_values")
    own: dict[str, Any] = {}
    if old is not None or new is not None:
        old, new = plain_object(old), plain_object(new)
        own["changed"] = list(changes_of(old, new))
    return build(said, own, fields, builder="data_change", about=about, tags=("data_change", spelled))


def data_export(
    action: Any,
    *,
    format: Text = None,
    row_count: Number = None,
    destination: Text = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about data that left: what, how much, where to.

    Details: `format`, `row_count`, `destination`, where given.

    Args:
        action: e.g. `AuditAction.DATA_EXPORT`.
        format: `csv`, `parquet`, ...
        row_count: how many records.
        destination: a file, an address, a mailbox.
        fields: any field of the event: `resource_type` and `resource_id` name what was exported.
    """
    own = given(format=format, row_count=row_count, destination=destination)
    return build(action, own, fields, builder="data_export")


def data_import(
    action: Any,
    *,
    format: Text = None,
    row_count: Number = None,
    source: Text = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about data that came in: what, how much, from where.

    Details: `format`, `row_count`, `source`, where given.

    Args:
        action: `data.import`.
        format: `csv`, `parquet`, ...
        row_count: how many records.
        source: a file, an address, a system.
        fields: any field of the event: `resource_type` and `resource_id` name what was imported into.
    """
    return build(action, given(format=format, row_count=row_count, source=source), fields, builder="data_import")


def conversation(
    action: Any, *, conversation_id: Id = None, transferred_to: Id = None, **fields: Unpack[EventFields]
) -> AuditEvent:
    """Build an event about a conversation: resolved, or handed on. The resource is the conversation.

    Details: `transferred_to`, where given.

    Args:
        action: e.g. `AuditAction.TRANSFER_CONVERSATION`.
        conversation_id: its id.
        transferred_to: who has it now.
        fields: any field of the event.
    """
    about = {"resource_type": "conversation", "resource_id": conversation_id}
    return build(action, given(transferred_to=transferred_to), fields, builder="conversation", about=about)
