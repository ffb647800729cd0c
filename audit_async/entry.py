"""An entry is an event with its place in the log: the writer that took it, and its number there.

An event is encoded once, when it is logged, and these bytes are what the journal keeps. They are decoded without
looking inside the JSON objects: the database gets the exact text that the caller's process wrote.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, Literal

import msgspec

from audit_async.config import MAX_ACTION_CHARS, MAX_EVENT_BYTES, MAX_ID_CHARS, MAX_STRING_CHARS
from audit_async.events import AuditEvent, Category, Outcome, Severity
from audit_async.events.build import build
from audit_async.events.event import SPELLING_KEY
from audit_async.events.fields import ENDS_OF_TIME, EventFields
from audit_async.redact import redact
from audit_async.shapes import pass_on
from audit_async.text import ends_of_text, short_text
from audit_async.values import plain_object

_EMPTY_OBJECT = msgspec.Raw(b"{}")
_EMPTY_LIST = msgspec.Raw(b"[]")
_NOTHING = msgspec.Raw(b"")
_OBJECTS = ("details", "metadata", "old_values", "new_values")
_TEXTS = ("description", "error_message", "user_agent")
_SHORT_TEXTS = (
    *("actor_name", "session_id", "on_behalf_of", "ip_address", "resource_id", "actor_id", "api_key_id", "agent_id"),
    *("user_id", "organization_id", "tenant_id", "request_id", "trace_id", "span_id", "resource_type", "actor_type"),
)
_FIELDS = tuple(name for name in AuditEvent.__struct_fields__ if name not in {*_OBJECTS, "tags", "created_at"})
_FLAT = frozenset({str, int, float, NoneType, datetime, Category, Severity, Outcome})
_fields_of = operator.attrgetter(*_FIELDS)
_OBJECT_STARTS = tuple(f'"{name}":'.encode() for name in _OBJECTS)
_BRACE, _BRACKET, _BACKSLASH = b"{[\\"  # as numbers, since looking for one byte is quicker than for bytes
_SHORTEST_CHARS = 128  # each of the texts above, six bytes a character, leaves room for five summaries
_SUMMARY_BYTES = 1024
_NUL = b"\\u0000"


_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
_Action = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ACTION_CHARS)]
_Short = Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_STRING_CHARS)]
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Category = Literal["security", "access", "data", "system", "financial"]
_Severity = Literal["info", "low", "medium", "high", "critical"]
_Outcome = Literal["success", "failure", "partial", "denied", "error", "cancelled", "pending", "unknown"]


# Of texts, bytes and numbers no cycle can be made: the collector need not know of them.
class Entry(msgspec.Struct, kw_only=True, gc=False):
    """An event as it travels from the journal to the table: fields as text, objects as their JSON bytes.

    Attributes:
        writer_id: 32 hexadecimal digits, the incarnation of the process that logged it.
        writer_seq: its number there, from 1 without a gap.
    """

    id: _Key
    created_at: _Moment
    action: _Action
    category: _Category
    severity: _Severity
    outcome: _Outcome
    description: _Text | None = None
    actor_type: _Short | None = None
    actor_id: _Short | None = None
    actor_name: _Short | None = None
    on_behalf_of: _Short | None = None
    user_id: _Short | None = None
    agent_id: _Short | None = None
    api_key_id: _Short | None = None
    tenant_id: _Short | None = None
    organization_id: _Short | None = None
    resource_type: _Short | None = None
    resource_id: _Short | None = None
    ip_address: _Short | None = None
    user_agent: _Text | None = None
    session_id: _Short | None = None
    request_id: _Short | None = None
    trace_id: _Short | None = None
    span_id: _Short | None = None
    status_code: _Int32 | None = None
    duration_ms: float | None = None
    error_message: _Text | None = None
    details: msgspec.Raw = _EMPTY_OBJECT
    metadata: msgspec.Raw = _EMPTY_OBJECT
    old_values: msgspec.Raw = _NOTHING
    new_values: msgspec.Raw = _NOTHING
    tags: msgspec.Raw = _EMPTY_LIST
    writer_id: str | None = None
    writer_seq: int | None = None

    def objects(self, name: str) -> dict[str, Any]:
        """Return the JSON object of field *name*, parsed; empty where there is none."""
        raw = getattr(self, name)
        return as_object(msgspec.json.decode(raw) if len(raw) else None)

    def event(self) -> AuditEvent:
        """Return the event that it was."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields |= {name: msgspec.json.decode(raw) if len(raw := fields[name]) else None for name in _OBJECTS}
        tags = msgspec.json.decode(self.tags)
        fields["tags"] = tuple(tags) if isinstance(tags, list) else ()  # made without a builder it may have none
        fields |= {"category": Category(self.category), "severity": Severity(self.severity)}
        return AuditEvent(**{**fields, "outcome": Outcome(self.outcome)})


def as_object(found: Any) -> dict[str, Any]:
    """Return *found* as an object: in an event that was made without a builder anything may be in its place."""
    return found if isinstance(found, dict) else {} if found is None else {"value": found}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def encode(event: AuditEvent, redact: Callable[[AuditEvent], AuditEvent] = redact) -> bytes:
    """Return *event*, redacted before, as JSON bytes, at most `MAX_EVENT_BYTES` long. Never raises on a value.

    An event beyond the limit loses its largest objects, then the ends of its texts; each says so in its place, with
    length and SHA-256. An event that was made without a builder and holds what JSON cannot, or no proper key, is built
    anew, and redacted anew by *redact*.
    """
    moment = event.created_at
    # A fresh key at each repair would store it twice, so that it is looked at here and not when it is decoded.
    is_sound = type(event) is AuditEvent and type(moment) is datetime and moment.tzinfo is UTC
    is_sound = is_sound and moment not in ENDS_OF_TIME
    try:
        payload = _encode(event) if is_sound and type(event.id) is str and event.id else b""
        if len(payload) > MAX_EVENT_BYTES:
            payload = _fitting(event)
        if payload and not _has_flat_fields(payload, event):
            payload = b""
    except BaseException as error:
        pass_on(error)
        payload = b""
    return payload or _fitting(redact(_rebuild({name: getattr(event, name, None) for name in event.__struct_fields__})))


def decode(payload: bytes, writer_id: str | None = None, writer_seq: int | None = None) -> Entry:
    """Return the entry that *payload* holds; without a place in the log, one that has not been through a journal.

    Fields of a wrong type (an event made without a builder) are repaired as a builder would.

    Raises:
        msgspec.DecodeError: *payload* is no JSON object, or one that is nested too deeply.
    """
    try:
        entry = _read(payload)
    except RecursionError:
        raise msgspec.DecodeError("an event is nested too deeply") from None
    except UnicodeDecodeError:
        # Not its own text, which quotes the bytes.
        raise msgspec.DecodeError("an event is no UTF-8") from None
    entry.writer_id = writer_id
    entry.writer_seq = writer_seq
    return entry


def _read(payload: bytes) -> Entry:
    try:
        entry = None if _BACKSLASH in payload and _NUL in payload else _decode(payload)
    except msgspec.ValidationError:
        entry = None
    if entry is None:
        found = msgspec.json.decode(payload)
        if not isinstance(found, dict):
            raise msgspec.DecodeError(f"an event is a JSON object, not {type(found).__name__}")
        entry = _decode(encode(redact(_rebuild(found))))
    return entry


def _rebuild(found: dict[str, Any]) -> AuditEvent:
    known = {name: found[name] for name in EventFields.__annotations__ if found.get(name) is not None}
    # Fields that a subclass adds are kept beside those that could not be read.
    unknown = {name: found[name] for name in found.keys() - frozenset(AuditEvent.__struct_fields__)}
    event = build(found.get("action"), {}, known, builder="custom")
    if unknown:
        event = msgspec.structs.replace(event, metadata={**event.metadata, "$fields": plain_object(unknown)})
    return event


def _has_flat_fields(payload: bytes, event: AuditEvent) -> bool:
    """Return whether no field but the four objects is a container, whose secrets would pass for a text.

    In most events the first brace within *payload*, before which there is no bracket, is that of an object.
    """
    first = payload.find(_BRACE, 1)
    if first > 0 and payload.endswith(_OBJECT_STARTS, 0, first) and payload.find(_BRACKET, 0, first) < 0:
        return True
    values = _fields_of(event)
    return _FLAT.issuperset(map(type, values)) or all(
        type(value) in _FLAT or isinstance(value, str) for value in values
    )


def _fitting(event: AuditEvent) -> bytes:
    """Return *event* within the limit, empty if nothing that may go brings it there.

    First the largest objects go, then the ends of long texts, then of all texts.
    """
    payload = _encode(event)
    if len(payload) <= MAX_EVENT_BYTES:
        return payload
    sizes = {name: len(_encode(getattr(event, name) or {})) for name in (*_OBJECTS, "tags")}
    largest = sorted((name for name in sizes if sizes[name] > _SUMMARY_BYTES), key=lambda name: -sizes[name])
    for name in (*largest, *_TEXTS, *_SHORT_TEXTS):
        value = getattr(event, name)
        if value:
            event = msgspec.structs.replace(event, **{name: _shorter(name, value)})
            payload = _encode(event)
            if len(payload) <= MAX_EVENT_BYTES:
                return payload
    return b""


def _shorter(name: str, value: Any) -> Any:
    if name in _SHORT_TEXTS:
        return short_text(value, _SHORTEST_CHARS)
    if name in _TEXTS:
        return (ends_of_text if name == "error_message" else short_text)(value, MAX_ID_CHARS)
    text = _encode(value)
    cut = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    if name == "tags":
        return (f"[truncated: {cut['bytes']} bytes, sha256 {cut['sha256']}]",)
    summary: dict[str, Any] = {"$truncated": cut, "keys": [short_text(key, 64) for key in list(value)[:20]]}
    spelled = value.get(SPELLING_KEY)
    return {**summary, SPELLING_KEY: short_text(spelled, 256)} if isinstance(spelled, str) else summary
