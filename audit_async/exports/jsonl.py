"""JSON Lines: every event whole, an object a line, to be read by programs and to be read back.

    {"id":"0199...","created_at":"2026-03-01T09:30:00.000000Z","action":"sso.login",...,"success":true}

A field of which nothing was said is left out, not null: of 35 fields an event has a dozen, and every reader of JSON
takes a key that is missing for null. The order is that of `AuditEvent.to_dict()`, times have six digits, and every
character that could end a line is an escape.

Source: jsonlines.org; RFC 8259.
"""

from __future__ import annotations

from datetime import UTC
from typing import BinaryIO

import msgspec

from audit_async.errors import AuditError
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import Outcome
from audit_async.exports.lines import in_utc, one_line_json, time_text
from audit_async.exports.sink import LineSink

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AuditEvent).decode
_ENDS = {True: b',"success":true}\n', False: b',"success":false}\n'}


def open_jsonl(file: BinaryIO, *, is_continued: bool = False) -> LineSink:
    """Return a sink that writes JSON Lines to *file*, which need nothing at their beginning."""
    return LineSink(file, line_of)


def line_of(event: AuditEvent) -> bytes:
    """Return the line of *event*."""
    moment, recorded_at = event.created_at, event.recorded_at
    if moment.tzinfo is not UTC or (recorded_at is not None and recorded_at.tzinfo is not UTC):
        moment, recorded_at = in_utc(moment), None if recorded_at is None else in_utc(recorded_at)
        event = msgspec.structs.replace(event, created_at=moment, recorded_at=recorded_at)
    data = _encode(event)
    # The encoder leaves out a fraction of nothing. Within a text a quote is escaped, so that both are found for sure.
    if not moment.microsecond:
        start = data.index(b'"created_at":"') + len(b'"created_at":"')
        data = data[:start] + time_text(moment).encode() + data[data.index(b'"', start) :]
    if recorded_at is not None and not recorded_at.microsecond:
        data = data[: data.rindex(b'"recorded_at":"')] + b'"recorded_at":"' + time_text(recorded_at).encode() + b'"}'
    return one_line_json(data[:-1] + _ENDS[event.outcome == Outcome.SUCCESS])


def read_event(line: bytes | str) -> AuditEvent:
    """Return the event that a line of such an export holds: equal to the one that was written.

    Raises:
        AuditError: *line* is none, as one that broke off; the message says where.
    """
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise AuditError(
            f"a line is no exported event: {str(error) or type(error).__name__}",
            hint="give lines of an export in the format 'jsonl'",
        ) from None
