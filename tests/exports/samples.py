"""Events to export: every action and outcome, with nothing and with everything, and whatever can be in a text."""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from audit_async import AuditEvent, Category, Outcome, Severity, events
from audit_async.events.catalogue import catalogue
from audit_async.events.families import BUILDERS, own_keywords_of
from audit_async.exports import open_export
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.records import read_records
from tests.nasty.listing import CASES
from tests.shared import shared_file

NOON = datetime(2026, 3, 1, 12, 30, 0, 123456, UTC)
EVERY_FIELD: dict[str, Any] = {
    "actor_type": "user",
    "actor_id": "actor-1",
    "actor_name": "Zoë Actor",
    "on_behalf_of": "principal-1",
    "user_id": "user-1@example.com",
    "agent_id": "agent-1",
    "api_key_id": "key-1",
    "tenant_id": "tenant-1",
    "organization_id": "organization-1",
    "ip_address": "2001:db8::1",
    "user_agent": "Mozilla/5.0 (X11; Linux)",
    "session_id": "session-1",
    "request_id": "request-1",
    "trace_id": "trace-1",
    "span_id": "span-1",
    "status_code": 418,
    "duration_ms": 12.5,
    "error_message": "no tea\nhere",
    "description": "A sentence, with = and | and \\ and ].",
    "details": {"own": ["a", 1, None], "success": "maybe"},
    "metadata": {"from": "a test"},
    "old_values": {"size": 1},
    "new_values": {"size": 2},
    "tags": ["first", "second"],
}
ADDED: dict[str, Any] = {"writer_id": "f" * 32, "writer_seq": 7, "recorded_at": NOON.replace(microsecond=999999)}
NASTY = (
    *("a\r\nb", "\0", "\x1b[31m", "\x07", "\x85\u2028\u2029\x1e", "\u202e\u2066", "\ufeff", "\x7f", "\x9b2J"),
    *(
        "=cmd|' /C calc'!A0",
        "+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1",
        "  =1",
        "\u200b=1",
        "\u200d\u00ad-1",
        "x;=1",
        'x,-1;"@a',
    ),
    *('"', "''", "\\", "\\n", "a=b c=d", " x=", "|", "]", '"] [x@1 y="z', "%s {0}", "", " ", "null", "审计 👩‍👩‍👧"),
)
_FIRST, _LAST = datetime(1970, 1, 1), datetime(9999, 1, 1)  # noqa: DTZ001 -- hypothesis adds the zone
texts = (
    st.text(max_size=12) | st.sampled_from(NASTY) | st.tuples(st.text(max_size=4), st.sampled_from(NASTY)).map("".join)
)
times = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC)) | st.just(NOON)
objects = st.dictionaries(
    texts, st.none() | st.integers(-9, 9) | st.floats(-9, 9) | texts | st.lists(texts | st.integers(-9, 9)), max_size=3
)
_TEXTS = [name for name in EVERY_FIELD if isinstance(EVERY_FIELD[name], str)]


some = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Events of many fields take a while to make up; each has a dozen texts in which something can be."""


def _made(values: dict[str, Any]) -> AuditEvent:
    return AuditEvent(**{name: value for name, value in values.items() if value is not None})


any_event: st.SearchStrategy[AuditEvent] = st.fixed_dictionaries(
    {
        "id": texts.filter(bool),
        "created_at": times,
        "action": st.sampled_from(["auth.login", "api.request", "role.assign", "report.print", "x" * 128]),
        "category": st.sampled_from(Category),
        "severity": st.sampled_from(Severity),
        "outcome": st.sampled_from(Outcome),
    },
    optional={
        **dict.fromkeys((*_TEXTS, "resource_type", "resource_id", "writer_id"), texts),
        **dict.fromkeys(("details", "metadata", "old_values", "new_values"), objects),
        "tags": st.lists(texts, max_size=3).map(tuple),
        "status_code": st.integers(-(2**31), 2**31 - 1),
        "duration_ms": st.floats(allow_nan=False, allow_infinity=False),
        "writer_seq": st.integers(1, 2**62),
        "recorded_at": times,
    },
).map(_made)


@functools.cache
def every_action() -> tuple[AuditEvent, ...]:
    """Return each action of the vocabulary with each outcome: bare, and with all that an event can have."""
    return tuple(_every_action())


def _every_action() -> Iterator[AuditEvent]:
    for item in catalogue():
        build = BUILDERS[item.builder]
        own = dict.fromkeys(own_keywords_of(item.builder), "x")
        for outcome in Outcome:
            yield build(item.action, outcome=outcome, created_at=NOON)
            whole = build(item.action, outcome=outcome, created_at=NOON, **own, **EVERY_FIELD)
            yield msgspec.structs.replace(whole, **ADDED)
    for build in BUILDERS.values():
        yield build("in its own words")
        yield build("in its own words", **EVERY_FIELD, resource_type="thing", resource_id="thing-1")


def whole_event(action: str = "report.print", **fields: Any) -> AuditEvent:
    """Return an event with every field."""
    given = {**EVERY_FIELD, "resource_type": "report", "resource_id": "report-1", "created_at": NOON, **fields}
    return msgspec.structs.replace(events.custom(action, **given), **ADDED)


@functools.cache
def nasty_events() -> tuple[AuditEvent, ...]:
    """Return an event of each nasty input."""
    return tuple(case.event() for case in CASES)


def real_events() -> list[AuditEvent]:
    """Return the events of the real records."""
    return [event_of(record) for record in read_records(shared_file("data/m365_identity_events.jsonl"), rounds=1)]


def exported(format: str, exported_events: Sequence[AuditEvent], **options: Any) -> bytes:
    """Return the file that an export of the events is."""
    file = io.BytesIO()
    sink = open_export(format, file, **options)
    sink.write(exported_events)
    sink.close()
    return file.getvalue()


def line_of(format: str, event: AuditEvent, **options: Any) -> str:
    """Return the one line of *event*, without its end, having looked at it: nothing in it is unseen."""
    text = exported(format, [event], is_continued=True, **options).decode()
    line = text.removesuffix("\n").removesuffix("\r")
    assert text.endswith("\n")
    assert [line] == line.splitlines()
    meant = {"syslog": "\ufeff", "csv": options.get("delimiter", "")}.get(format, "")
    assert line.isprintable() or [] == [c for c in line if is_unseen(c) and c not in meant]
    return line


def is_unseen(character: str) -> bool:
    """Return whether *character* is one that no line has, by its category and what is drawn of it."""
    kind = unicodedata.category(character)
    return (kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _DRAWN) or character in _BLANK_LETTERS


_DRAWN = "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
_BLANK_LETTERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u2065"
