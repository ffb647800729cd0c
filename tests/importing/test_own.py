"""Our own export, and tables whose columns are called as our fields are."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from audit_async import AuditEvent, events
from audit_async.events.event import SPELLING_KEY
from audit_async.importing.formats import FORMATS, Mapped, Reading, RefusedError
from tests.importing.test_records import read_bytes

FULL = events.custom(
    "login_failed",
    created_at="2026-03-01T09:30:00.000123Z",
    description="=1+1",
    error_message="- no",
    user_id="u-1",
    actor_name="@ann",
    ip_address="192.0.2.1",
    status_code=-1,
    duration_ms=1.5,
    details={"list": [1, None, {"text": "ü'="}]},
    metadata={"empty": ""},
    old_values={},
    new_values={"a": None},
    tags=["=x", "y"],
)
PLAIN = events.custom("report.print", created_at="2026-03-01T09:30:00Z")


def from_json(**said: Any) -> Mapped:
    return FORMATS["jsonl"].read(said, Reading(tenant_id="t-0"))


def as_table(given: list[AuditEvent]) -> bytes:
    """Write *given* as an export does: a column a field, formulas disarmed, objects as JSON."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows = [each.to_dict() for each in given]
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(_cell(name, value) for name, value in row.items())
    return text.getvalue().encode()


def _cell(name: str, value: Any) -> str:
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in "=+-@" and text and not isinstance(value, (int, float)) else text


@pytest.mark.parametrize("event", [FULL, PLAIN])
def test_an_exported_line_is_the_same_event_again(event: AuditEvent) -> None:
    """All that it says, from the id to an empty object, with nulls or without them."""
    whole = event.to_dict()
    for said in (whole, {name: value for name, value in whole.items() if value is not None}):
        assert msgspec.structs.replace(event, tenant_id="t-0") == from_json(**said).event


def test_an_exported_row_is_the_same_event_again(tmp_path: Path) -> None:
    """Cells are text: numbers and objects are what they were, and no quote is left that was put before a formula."""
    rows = read_bytes(tmp_path, as_table([FULL, PLAIN]), b"")
    found = [FORMATS["csv"].read(row.body or {}, Reading()).event for row in rows]
    assert [FULL, PLAIN] == [
        msgspec.structs.replace(each, old_values={} if old == {} else each.old_values)
        for each, old in zip(found, (FULL.old_values, None), strict=True)
    ]


def test_who_wrote_it_before_is_told() -> None:
    """The import writes it anew: what the earlier writer noted is kept as where it came from."""
    mapped = from_json(**{**PLAIN.to_dict(), "writer_id": "w", "writer_seq": 7})
    assert {"writer_id": "w", "writer_seq": 7} == mapped.event.metadata["origin"]
    assert (None, ("writer_id", "writer_seq")) == (mapped.event.writer_id, mapped.folded)


def test_what_is_no_field_is_folded() -> None:
    """Under its own name, and never in the place of what is there."""
    mapped = from_json(**PLAIN.to_dict() | {"details": {"n": 1}, "n": 2, "note": "x", "empty": ""})
    assert ({"n": 1, "n#2": 2, "note": "x"}, ("n", "note")) == (mapped.event.details, mapped.folded)


def test_columns_are_what_they_are_said_to_be() -> None:
    """A file's own names stand for fields; old spellings of an action are understood."""
    reading = Reading(
        columns={"when": "created_at", "what": "action", "took": "duration_ms"}, zone=ZoneInfo("Asia/Tokyo")
    )
    event = FORMATS["csv"].read({"when": "2026-03-01 18:30", "what": "login_failed", "took": "7"}, reading).event
    assert ("auth.login", "failure", 7.0) == (event.action, event.outcome, event.duration_ms)
    assert datetime(2026, 3, 1, 9, 30, tzinfo=UTC) == event.created_at
    assert SPELLING_KEY not in event.metadata


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("'=1", "=1"),
        ("' \t@x", " \t@x"),
        ("'＋1", "＋1"),
        ("'\\n=", "\\n="),
        ("'\\t", "\\t"),
        ("'quoted'", "'quoted'"),
        ("''=", "''="),
        ("it's", "it's"),
    ],
)
def test_only_the_quote_before_a_formula_goes(cell: str, value: str) -> None:
    """A quote that belongs to a text stays."""
    row = {"created_at": "2026-03-01T09:30:00Z", "action": "report.print", "description": cell}
    assert value == FORMATS["csv"].read(row, Reading()).event.description


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-01T09:30:00", "2026-03-01T09:30:00+00:00"),
        ("2026-03-01 10:30:00.5+01:00", "2026-03-01T09:30:00.500000+00:00"),
        ("2026-03-01T09:30:00.1234567Z", "2026-03-01T09:30:00.123456+00:00"),
        (1772357400, "2026-03-01T09:30:00+00:00"),
        (1772357400123, "2026-03-01T09:30:00.123000+00:00"),
        (1772357400.25, "2026-03-01T09:30:00.250000+00:00"),
    ],
)
def test_a_time_in_any_writing(moment: Any, expected: str) -> None:
    """ISO 8601, seconds and milliseconds since 1970."""
    assert expected == from_json(created_at=moment, action="report.print").event.created_at.isoformat()


def test_an_id_that_carries_its_time_will_do() -> None:
    """A UUIDv7 of ours says when it happened."""
    event = from_json(id=FULL.id, action="report.print").event
    assert (FULL.id, FULL.created_at) == (event.id, event.created_at)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"action": "a.b"}, "no time"),
        ({"id": "7", "action": "a.b"}, "no time"),
        ({"created_at": "2026-03-01"}, "no action"),
        ({"created_at": "2026-03-01", "action": ["a"]}, "no action"),
        ({"created_at": True, "action": "a.b"}, "time is none"),
        ({"created_at": 1e300, "action": "a.b"}, "time is none"),
        ({"created_at": "9999-12-31T23:59:59Z", "action": "a.b"}, "years 1970"),
        ({"created_at": "0001-01-01T00:00:00+14:00", "action": "a.b"}, "time is none"),
    ],
)
def test_what_has_no_time_or_action_is_refused(said: dict[str, Any], reason: str) -> None:
    """Anything else is legal: what a field cannot hold is kept beside it."""
    with pytest.raises(RefusedError, match=reason):
        from_json(**said)


@pytest.mark.parametrize("said", [{}, {"tenant_id": None}, {"tenant_id": ""}])
def test_a_record_that_names_no_tenant_is_of_the_one_that_was_said(said: dict[str, Any]) -> None:
    """Null, empty and absent are the same."""
    mapped = from_json(action="auth.login", created_at="2026-03-01", **said)
    assert "t-0" == mapped.event.tenant_id
