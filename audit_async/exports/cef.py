"""CEF, the Common Event Format: a line an event, as ArcSight and most SIEMs read it.

    CEF:0|audit-async|audit-async|0.1.0|sso.login|sso login|3|rt=1772357400000 externalId=0199... outcome=success ...

What CEF's dictionary has a key for stands under that key, the rest under keys of our own (`AuditAsyncTraceId`), as the
standard asks. A value that is longer than its key allows goes under one of our own too: nothing is cut, so that a line
can be as long as its event, 64 KiB and its escapes. Line feeds are `\\n`, as the standard says; what else nobody sees
is an escape.

Source: Micro Focus Security ArcSight, "Common Event Format Implementation Standard", version 26.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, BinaryIO

from audit_async.config import CEF_KEY_CHARS
from audit_async.events import AuditEvent, Severity
from audit_async.exports.columns import COLUMNS, OBJECTS, given, json_text
from audit_async.exports.lines import milliseconds, our_version, time_text, visible
from audit_async.exports.sink import LineSink

SEVERITIES = {Severity.INFO: 1, Severity.LOW: 3, Severity.MEDIUM: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}

KEYS = {
    "id": "externalId",
    "action": "act",
    "category": "cat",
    "outcome": "outcome",
    "description": "msg",
    "user_id": "suid",
    "actor_name": "suser",
    "user_agent": "requestClientApplication",
    "error_message": "reason",
    "tenant_id": "cs1",
    "session_id": "cs2",
    "request_id": "cs3",
    "resource_type": "cs4",
    "resource_id": "cs5",
    "details": "cs6",
    "status_code": "cn1",
    "writer_seq": "cn2",
    "duration_ms": "cfp1",
}
"""The dictionary's key of a field. Those with a number are free: what they hold is said beside them, in a label."""

_LABELLED = ("cs", "cn", "cfp")
_ELSEWHERE = frozenset({"created_at", "severity", "ip_address", "success"})


def open_cef(file: BinaryIO, *, is_continued: bool = False) -> LineSink:
    """Return a sink that writes lines of CEF to *file*."""
    return LineSink(file, line_of)


def line_of(event: AuditEvent) -> bytes:
    """Return the line of *event*."""
    name = event.action.replace(".", " ").replace("_", " ")
    header = ("audit-async", "audit-async", our_version(), event.action, name, str(SEVERITIES[event.severity]))
    pairs = (*_time_of(event), *_address_of(event), *_fields_of(event))
    extension = " ".join(f"{key}={_value(text)}" for key, text in pairs)
    return f"CEF:0|{'|'.join(map(_header, header))}|{extension}\n".encode()


def own_key(field: str) -> str:
    """Return the key of our own for *field*: `AuditAsyncTraceId`."""
    return "AuditAsync" + "".join(word.capitalize() for word in field.split("_"))


_KEYS = {name: own_key(name) for name in COLUMNS} | KEYS


def _fields_of(event: AuditEvent) -> Iterator[tuple[str, str]]:
    for name in COLUMNS:
        value = None if name in _ELSEWHERE else given(event, name)
        if value is None:
            continue
        text, key = _text(name, value), _KEYS[name]
        if name == "actor_id" and event.user_id is None:
            key = "suid"
        if len(text) > CEF_KEY_CHARS.get(key, len(text)):
            key = own_key(name)
        yield key, text
        if key.startswith(_LABELLED):
            yield f"{key}Label", name


def _time_of(event: AuditEvent) -> Iterator[tuple[str, str]]:
    yield "rt", str(milliseconds(event.created_at))
    if event.created_at.microsecond % 1000:
        yield own_key("created_at"), time_text(event.created_at)


def _address_of(event: AuditEvent) -> Iterator[tuple[str, str]]:
    """Yield the address under the key of its version, three cases: IPv4, IPv6, and what is neither."""
    if event.ip_address is None:
        return
    try:
        address = ipaddress.ip_address(event.ip_address)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv4Address):
        yield "src", event.ip_address
    elif address is not None and address.scope_id is None:
        yield "c6a2", event.ip_address
        yield "c6a2Label", "Source IPv6 Address"
    else:
        yield own_key("ip_address"), event.ip_address


def _text(name: str, value: Any) -> str:
    if name in OBJECTS or name == "tags":
        return json_text(value)
    return time_text(value) if name == "recorded_at" else str(value)


def _header(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    if "\n" not in text and "\r" not in text:
        return _escaped(text)
    return "\\n".join("\\r".join(map(_escaped, line.split("\r"))) for line in text.split("\n"))


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("=", "\\=")
