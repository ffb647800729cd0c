from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given

from audit_async import AuditEvent, events
from audit_async.config import MAX_EVENT_BYTES
from audit_async.entry import decode, encode
from audit_async.events.fields import ENDS_OF_TIME
from tests.test_values import anything

SOUND = events.custom("report.print", user_id="u1", details={"pages": 3})
OWN = [name for name in AuditEvent.__struct_fields__ if name not in ("writer_id", "writer_seq", "recorded_at")]


def by_hand(**fields: Any) -> AuditEvent:
    return msgspec.structs.replace(SOUND, **fields)


def test_an_event_arrives_as_it_was() -> None:
    """What was encoded is decoded with its place in the log."""
    entry = decode(encode(SOUND), "w", 7)
    assert (SOUND.id, SOUND.created_at, "u1", {"pages": 3}, "w", 7) == (
        *(entry.id, entry.created_at, entry.user_id),
        *(entry.objects("details"), entry.writer_id, entry.writer_seq),
    )


@given(anything)
def test_any_value_arrives(value: object) -> None:
    """No value of any field keeps an event from being encoded and decoded."""
    event = events.custom(value, details=value, user_id=value, tags=value, created_at=value, status_code=value)
    assert event.id == decode(encode(event), "w", 1).id


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("value", [object(), "a\0b", "\ud800", 2**70, [1], {"a": {1}}, "x" * 10_000_000, b"\xff", ""])
def test_a_field_set_by_hand_is_repaired(name: str, value: Any) -> None:
    """Garbage in one field leaves the event's key, and nothing that a database refuses."""
    payload = encode(by_hand(**{name: value}))
    entry = decode(payload, "w", 1)
    kept = [getattr(entry, key) == getattr(SOUND, key) for key in ("id", "created_at") if key != name]
    assert (True, True) == (all(kept), len(payload) <= MAX_EVENT_BYTES)
    assert entry == decode(payload, "w", 1)
    assert not [text for text in msgspec.structs.astuple(entry) if isinstance(text, str) and "\0" in text]


def test_a_naive_time_set_by_hand_is_utc() -> None:
    """A time without an offset is taken as UTC, never as the host's."""
    naive = datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 -- this is the case
    assert naive.replace(tzinfo=UTC) == decode(encode(by_hand(created_at=naive)), "w", 1).created_at


@pytest.mark.parametrize("moment", ENDS_OF_TIME)
def test_an_end_of_time_set_by_hand_is_none(moment: datetime) -> None:
    """A driver would take it for infinity on one way into the table, and not on the other."""
    entry = decode(encode(by_hand(created_at=moment)))
    assert (SOUND.id, SOUND.created_at) == (entry.id, entry.created_at)
    assert moment.isoformat() == entry.objects("metadata")["$invalid"]["created_at"]


def test_fields_of_a_subclass_are_kept() -> None:
    """What a subclass adds to an event has no column, and is kept in its metadata."""

    class Longer(AuditEvent, frozen=True, kw_only=True):
        extra: str = ""

    fields = {name: getattr(SOUND, name) for name in AuditEvent.__struct_fields__}
    entry = decode(encode(Longer(**fields, extra="more")), "w", 1)
    assert {"extra": "more"} == entry.objects("metadata")["$fields"]


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_no_event_exceeds_its_limit(size: int) -> None:
    """Whatever is large, and be it everything, an encoded event is within the limit."""
    text = "\x01" * 20 * size
    large = {f"{text[:100]}{number}": text for number in range(100)}
    named = {name: text for name in OWN if name not in ("id", "created_at", "category", "severity", "outcome")}
    objects = dict.fromkeys(("details", "metadata", "old_values", "new_values"), large)
    fields = {**named, **objects, "tags": [f"{text[:900]}{number}" for number in range(1000)]}
    del fields["action"]
    payload = encode(events.custom("a", **fields))
    assert 0 < len(payload) <= MAX_EVENT_BYTES
    assert "a" == decode(payload, "w", 1).action


def test_a_large_object_says_what_it_was() -> None:
    """An object that had to go leaves its size, its hash and its first keys."""
    entry = decode(encode(events.custom("a", details={str(n): "x" * 1000 for n in range(100)})), "w", 1)
    assert ["$truncated", "keys"] == list(entry.objects("details"))


def test_a_spelling_outlives_large_metadata() -> None:
    """The action as it was spelled is kept when the rest of the metadata has to go."""
    event = events.custom("Weird Action!", metadata={str(n): "x" * 1000 for n in range(100)})
    assert "Weird Action!" == decode(encode(event), "w", 1).objects("metadata")["$action"]


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{", b"\xff"])
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    """Bytes that hold no JSON object are an error, never an invented event."""
    with pytest.raises((msgspec.DecodeError, ValueError)):
        decode(payload, "w", 1)
