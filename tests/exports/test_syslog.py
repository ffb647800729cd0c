"""Lines of RFC 5424 are one each, within their limit, and a parser of its grammar finds the fields."""

from __future__ import annotations

import json
import re
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from audit_async import AuditEvent, Severity, events
from audit_async.config import SYSLOG_LINE_BYTES
from tests.exports.samples import (
    any_event,
    every_action,
    is_unseen,
    line_of,
    nasty_events,
    real_events,
    some,
    whole_event,
)

# The grammar of RFC 5424, section 6.
LINE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255}) "
    r"(?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
    r'\[(?P<sd>[!#-<>-\\^-~]{1,32})(?P<parameters>(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] '
    "\ufeff(?P<message>.*)"
)


def parsed(line: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parts of a line, and the parameters of its structured data."""
    match = LINE.fullmatch(line)
    assert match, line
    found = re.findall(r' ([^ =]+)="((?:[^"\\\]]|\\.)*)"', match["parameters"])
    assert len(found) == len(dict(found))
    return match.groupdict(), {name: re.sub(r"\\(.)", r"\1", value) for name, value in found}


def shown(text: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(c) or _number(c) if is_unseen(c) else c for c in text)


def _number(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@some
@given(any_event)
def test_a_line_has_every_field(event: AuditEvent) -> None:
    """Whatever is in an event, its line is one of the grammar, and every field is found in it."""
    parts, found = parsed(line_of("syslog", event))
    assert event.created_at == datetime.fromisoformat(parts["time"])
    assert parts["message"] == shown(
        event.description if event.description is not None else f"{event.action} {event.outcome}"
    )
    whole = event.to_dict()
    for name in ("details", "metadata", "old_values", "new_values", "tags"):
        assert (whole.pop(name) or None) == (json.loads(found.pop(name, "null")) or None)
    for name in ("created_at", "description", "recorded_at"):
        whole.pop(name)
        found.pop(name, None)
    whole["success"] = str(event.success).lower()
    assert {name: shown(str(value)) for name, value in whole.items() if value is not None} == found


def test_a_nasty_input_is_a_line() -> None:
    """An event of each nasty input is one line of the grammar, within the limit."""
    for event in nasty_events():
        line = line_of("syslog", event)
        parsed(line)
        assert len(line.encode()) <= SYSLOG_LINE_BYTES


def test_real_and_all_known_events_are_lines() -> None:
    """Every event of the vocabulary, and of the real records, is one line of the grammar, which has its id."""
    for event in [*every_action(), *real_events()]:
        assert event.id == parsed(line_of("syslog", event))[1]["id"]


@some
@given(any_event, st.sampled_from([2048, 2049, 3000]), st.sampled_from(["\\", "名", "👩", '"', "x\n"]))
def test_no_line_is_too_long(event: AuditEvent, limit: int, letter: str) -> None:
    """A line beyond its limit loses objects, then ends of values, and says so; it stays one of the grammar."""
    long = dict.fromkeys(("actor_id", "user_id", "session_id", "tenant_id", "user_agent"), letter * 1024)
    whole = whole_event(description=letter * 9000, details={"a": letter * 5000}, id="kept", **long)
    line = line_of("syslog", whole, max_bytes=limit, app_name="a" * 48, host="h" * 255, sd_id="a@" + "1" * 30)
    parts, found = parsed(line)
    assert limit - 4 <= len(line.encode()) <= limit
    assert ("kept", "true", False) == (found["id"], found["truncated"], "details" in found)
    assert shown(letter * 9000).startswith(parts["message"])
    assert len(line_of("syslog", event, max_bytes=limit).encode()) <= limit


def test_a_line_that_fits_is_whole() -> None:
    """A line of exactly the limit is not cut; one byte more is."""
    line = line_of("syslog", whole_event(id="x", description="d" * 3000))
    size = len(line.encode())
    assert line == line_of("syslog", whole_event(id="x", description="d" * 3000), max_bytes=size)
    assert 'truncated="true"' in line_of("syslog", whole_event(id="x", description="d" * 3001), max_bytes=size)


def test_facility_and_severities_are_of_the_rfc() -> None:
    """Facility 13, log audit; from info to critical: 6, 5, 4, 3, 2."""
    found = [parsed(line_of("syslog", events.custom("x.y", severity=each)))[0]["pri"] for each in Severity]
    assert [str(13 * 8 + number) for number in (6, 5, 4, 3, 2)] == found


def test_the_sender_is_as_told() -> None:
    """Host, application and number are those given; process and kind of message are the event's."""
    event = whole_event("x" * 128)
    parts, _ = parsed(line_of("syslog", event, host="web-1", app_name="shop", sd_id="audit@12345"))
    assert ["web-1", "shop", "audit@12345", "f" * 32, "x" * 32] == [
        parts[name] for name in ("host", "app", "sd", "process", "msgid")
    ]
