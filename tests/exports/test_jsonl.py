"""JSON Lines hold events whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given

from audit_async import AuditEvent, events
from audit_async.errors import AuditError
from audit_async.exports import read_event
from tests.exports.samples import (
    NOON,
    any_event,
    every_action,
    exported,
    line_of,
    nasty_events,
    real_events,
    some,
    whole_event,
)


@some
@given(any_event)
def test_a_line_reads_back_as_the_event(event: AuditEvent) -> None:
    """Whatever is in an event, its line is one, and holds an equal event."""
    assert event == read_event(line_of("jsonl", event))


def test_a_nasty_input_reads_back() -> None:
    """An event of each nasty input is a line, and reads back as it was."""
    for event in nasty_events():
        assert event == read_event(line_of("jsonl", event))


def test_real_events_read_back() -> None:
    """Every event of the real records reads back as it was."""
    found = real_events()
    assert found == [read_event(line) for line in exported("jsonl", found).splitlines()]


def test_a_line_says_what_to_dict_says() -> None:
    """A line has the values of `to_dict()` in its order, without those of which nothing was said."""
    for event in every_action():
        expected = {name: value for name, value in event.to_dict().items() if value not in (None, {}, [])}
        found = json.loads(line_of("jsonl", event))
        assert (expected, list(expected)) == (found, list(found))


@pytest.mark.parametrize("microsecond", [0, 1, 120000])
def test_times_have_six_digits(microsecond: int) -> None:
    """A time is as long whatever its fraction, even where the id and the details look like one."""
    moment = NOON.replace(microsecond=microsecond)
    text = '","created_at":"2020","recorded_at":"x'
    event = whole_event(id=text, created_at=moment, details={"created_at": text, "recorded_at": text})
    event = msgspec.structs.replace(event, recorded_at=moment, tags=(text,))
    line = line_of("jsonl", event)
    assert event == read_event(line)
    found = json.loads(line)
    assert [f"2026-03-01T12:30:00.{microsecond:06}Z"] * 2 == [found["created_at"], found["recorded_at"]]


def test_times_are_in_utc() -> None:
    """A time with another offset, or with none, is written in UTC."""
    east = timezone(timedelta(hours=2))
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 -- that is the point
    event = msgspec.structs.replace(whole_event(), created_at=NOON.astimezone(east), recorded_at=naive)
    found = read_event(line_of("jsonl", event))
    assert (NOON, naive.replace(tzinfo=UTC)) == (found.created_at, found.recorded_at)


@pytest.mark.parametrize("line", [b"", b'{"id":"1","created_at":"2026', b"[]", b'{"id":1}', b"\xff", b"[" * 100_000])
def test_a_line_that_is_none_is_said(line: bytes) -> None:
    """What is no exported event, as a line that broke off, is an error of ours."""
    with pytest.raises(AuditError, match="a line is no exported event"):
        read_event(line)


def test_a_bare_event_is_short() -> None:
    """Of an event that says little the line has little: no nulls, no empty objects."""
    found = json.loads(line_of("jsonl", events.custom("report.print")))
    assert ["id", "created_at", "action", "category", "severity", "outcome", "success"] == list(found)
