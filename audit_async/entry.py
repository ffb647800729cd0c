"""An entry is an event with its place in the log: the writer that took it, and its number there.

An event is encoded once, when it is logged, and these bytes are what the journal keeps. They are decoded without
looking inside the JSON objects: the database gets the exact text that the caller's process wrote.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from audit_async.config import MAX_EVENT_BYTES, MAX_ID_CHARS
from audit_async.events import AuditEvent
from audit_async.events.build import build
from audit_async.events.fields import EventFields
from audit_async.values import plain_object, short_text

_EMPTY_OBJECT = msgspec.Raw(b"{}")
_EMPTY_LIST = msgspec.Raw(b"[]")
_OBJECTS = ("details", "metadata", "old_values", "new_values")
_TEXTS = ("description", "error_message", "user_agent")


class Entry(msgspec.Struct, kw_only=True):
    """An event as it travels from the journal to the table: fields as text, objects as their JSON bytes.

    Attributes:
        writer_id: 32 hexadecimal digits, the incarnation of the process that logged it.
        writer_seq: its number there, from 1 without a gap.
    """

    id: str
    created_at: datetime
    action: str
    category: str
    severity: str
    outcome: str
    description: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    actor_name: str | None = None
    on_behalf_of: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    api_key_id: str | None = None
    tenant_id: str | None = None
    organization_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    status_code: int | None = None
    duration_ms: float | None = None
    error_message: str | None = None
    details: msgspec.Raw = _EMPTY_OBJECT
    metadata: msgspec.Raw = _EMPTY_OBJECT
    old_values: msgspec.Raw | None = None
    new_values: msgspec.Raw | None = None
    tags: msgspec.Raw = _EMPTY_LIST
    writer_id: str | None = None
    writer_seq: int | None = None

    def objects(self, name: str) -> dict[str, Any]:
        """Return the JSON object of field *name*, parsed; empty where there is none."""
        raw = getattr(self, name)
        parsed = msgspec.json.decode(raw) if raw is not None else {}
        return parsed if isinstance(parsed, dict) else {"value": parsed}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def encode(event: AuditEvent) -> bytes:
    """Return *event* as JSON bytes, at most `MAX_EVENT_BYTES` long. Never raises on a value.

    An event beyond the limit loses its largest objects, then the ends of its texts; each says so in its place, with length
    and SHA-256. An event that was made without a builder and holds what JSON cannot is built anew.
    """
    try:
        payload = _encode(event)
    except Exception:
        event = _rebuild({name: getattr(event, name, None) for name in AuditEvent.__struct_fields__})
        payload = _encode(event)
    return payload if len(payload) <= MAX_EVENT_BYTES else _encode(_shrink(event))


def decode(payload: bytes, writer_id: str, writer_seq: int) -> Entry:
    """Return the entry that *payload* holds.

    Fields of a wrong type (an event made without a builder) are repaired as a builder would.

    Raises:
        msgspec.DecodeError: *payload* is no JSON object.
    """
    try:
        entry = _decode(payload)
    except msgspec.ValidationError:
        entry = _decode(_encode(_rebuild(plain_object(msgspec.json.decode(payload)))))
    entry.writer_id = writer_id
    entry.writer_seq = writer_seq
    return entry


def _rebuild(found: dict[str, Any]) -> AuditEvent:
    known = {name: found[name] for name in EventFields.__annotations__ if found.get(name) is not None}
    return build(found.get("action"), {}, known, builder="custom")


def _shrink(event: AuditEvent) -> AuditEvent:
    sizes = {name: len(_encode(getattr(event, name) or {})) for name in (*_OBJECTS, "tags")}
    excess = len(_encode(event)) - MAX_EVENT_BYTES + 1024
    changes: dict[str, Any] = {}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if excess <= 0 or size < 1024:
            break
        changes[name] = (f"[truncated: {size} bytes]",) if name == "tags" else _summary(getattr(event, name))
        excess -= size - len(_encode(changes[name]))
    for name in _TEXTS if excess > 0 else ():
        if getattr(event, name):
            changes[name] = short_text(getattr(event, name), MAX_ID_CHARS)
    return msgspec.structs.replace(event, **changes)


def _summary(value: dict[str, Any]) -> dict[str, Any]:
    text = _encode(value)
    keys = [key[:64] for key in list(value)[:20]]
    return {"$truncated": {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}, "keys": keys}

