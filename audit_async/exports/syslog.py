"""Lines of syslog, RFC 5424: what log servers take, and keep beside everything else.

    <109>1 2026-03-01T09:30:00.000000Z - audit-async - sso.login [audit@32473 id="0199..." ...] Signed in

Facility 13, log audit. The message is the description, else the action and its outcome; every other field is in the
structured data. 32473 is the number that is reserved for examples (RFC 5612): nobody has one of ours, so give your
organization's own, `sd_id="audit@12345"`. `APP-NAME` and `HOSTNAME` say who sends, which an event does not know: give
them too where a receiver sorts by them.

A line has at most `max_bytes`. A longer one loses its objects first, then the ends of its values, then the last of
them, and says so: `truncated="true"`. Characters that nobody sees are escapes, so that an event is a line.

Source: RFC 5424, sections 6 and 8.1; RFC 5425, section 4.3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from audit_async.config import (
    LEAST_SYSLOG_LINE_BYTES,
    MOST_SYSLOG_LINE_BYTES,
    SYSLOG_APP_CHARS,
    SYSLOG_FACILITY,
    SYSLOG_HOST_CHARS,
    SYSLOG_LINE_BYTES,
    SYSLOG_MESSAGE_BYTES,
    SYSLOG_MSGID_CHARS,
    SYSLOG_PROCID_CHARS,
    SYSLOG_SD_CHARS,
    SYSLOG_SHORT_CHARS,
)
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent, Severity
from audit_async.exports.columns import COLUMNS, OBJECTS, TIMES, given, json_text
from audit_async.exports.lines import time_text, visible
from audit_async.exports.sink import LineSink

SEVERITIES = {Severity.INFO: 6, Severity.LOW: 5, Severity.MEDIUM: 4, Severity.HIGH: 3, Severity.CRITICAL: 2}

_BOM = "\ufeff"
_ELSEWHERE = frozenset({"created_at", "description"})
_LIMITS = {
    "host": SYSLOG_HOST_CHARS,
    "app_name": SYSLOG_APP_CHARS,
    "msgid": SYSLOG_MSGID_CHARS,
    "procid": SYSLOG_PROCID_CHARS,
}
_SD_ID = re.compile(r"[!#-<>-\\^-~]+@[0-9]+(?:\.[0-9]+)*", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_UNPRINTABLE = re.compile(r"[^!-~]", re.ASCII)
_TRUNCATED = ' truncated="true"'


def open_syslog(
    file: BinaryIO,
    *,
    is_continued: bool = False,
    host: object = "-",
    app_name: object = "audit-async",
    sd_id: object = "audit@32473",
    max_bytes: object = SYSLOG_LINE_BYTES,
) -> LineSink:
    """Return a sink that writes lines of RFC 5424 to *file*.

    Args:
        host: the name of the sending machine; `-` says nothing.
        app_name: the name of the sending application.
        sd_id: name and enterprise number of the structured data, `name@number`.
        max_bytes: of a line, its end not counted.

    Raises:
        ConfigurationError: an option is not what it may be.
    """
    for name, text in (("host", host), ("app_name", app_name)):
        if not isinstance(text, str) or not _PRINTABLE.fullmatch(text) or len(text) > _LIMITS[name]:
            raise ConfigurationError(
                f"{name}={text!r} cannot stand in a syslog line",
                hint=f"give 1 to {_LIMITS[name]} characters of ASCII without blanks",
            )
    if not isinstance(sd_id, str) or not _SD_ID.fullmatch(sd_id) or len(sd_id) > SYSLOG_SD_CHARS:
        raise ConfigurationError(
            f"sd_id={sd_id!r} names no structured data",
            hint=f"give a name and your enterprise number, as 'audit@12345', {SYSLOG_SD_CHARS} characters at most",
        )
    if not isinstance(max_bytes, int) or not LEAST_SYSLOG_LINE_BYTES <= max_bytes <= MOST_SYSLOG_LINE_BYTES:
        raise ConfigurationError(
            f"max_bytes={max_bytes!r} is no limit of a syslog line",
            hint=f"give {LEAST_SYSLOG_LINE_BYTES:,} to {MOST_SYSLOG_LINE_BYTES:,}",
        )
    return LineSink(file, _line_of(f"{host} {app_name}", sd_id, max_bytes))


def _line_of(sender: str, sd_id: str, max_bytes: int) -> Callable[[AuditEvent], bytes]:
    def line_of(event: AuditEvent) -> bytes:
        priority = SYSLOG_FACILITY * 8 + SEVERITIES[event.severity]
        process = _name(event.writer_id or "", "procid")
        action = _name(event.action, "msgid")
        head = f"<{priority}>1 {time_text(event.created_at)} {sender} {process} {action} [{sd_id}"
        message = visible(f"{event.action} {event.outcome}" if event.description is None else event.description)
        line = f"{head}{''.join(_parameters(event))}] {_BOM}{message}".encode()
        if len(line) > max_bytes:
            line = _shorter(head, event, message, max_bytes)
        return line + b"\n"

    return line_of


def _shorter(head: str, event: AuditEvent, message: str, max_bytes: int) -> bytes:
    """Return the line within *max_bytes*: no objects, of each value its beginning, as many as there is room for."""
    line = head.encode()
    room = max_bytes - len(_TRUNCATED) - SYSLOG_MESSAGE_BYTES
    for parameter in _parameters(event, is_short=True):
        data = parameter.encode()
        if len(line) + len(data) <= room:
            line += data
    line += f"{_TRUNCATED}] {_BOM}".encode()
    # Cut between two characters.
    return line + message.encode()[: max_bytes - len(line)].decode("utf-8", "ignore").encode()


def _parameters(event: AuditEvent, *, is_short: bool = False) -> Iterator[str]:
    for name in COLUMNS:
        value = None if name in _ELSEWHERE or (is_short and name in OBJECTS) else given(event, name)
        if value is not None:
            text = visible(_text(name, value))
            if is_short and len(text) > SYSLOG_SHORT_CHARS:
                text = text[:SYSLOG_SHORT_CHARS] + "…"
            escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
            yield f' {name}="{escaped}"'


def _text(name: str, value: Any) -> str:
    if name in OBJECTS or name == "tags":
        return json_text(value)
    if name in TIMES:
        return time_text(value)
    return str(value).lower() if name == "success" else str(value)


def _name(text: str, part: str) -> str:
    return _UNPRINTABLE.sub("_", text)[: _LIMITS[part]] or "-"
