"""What an event is made of: nothing that the caller holds, and nothing that encoding it changes."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from audit_async import AuditEvent, events
from audit_async.entry import decode, encode
from audit_async.redact import redact
from tests.test_values import anything

FIELDS = (
    "details",
    "metadata",
    "old_values",
    "new_values",
    "tags",
    "user_id",
    "error_message",
    "created_at",
    "severity",
)


class Held:
    """An object of the caller's, whose end can be seen."""


def containers(value: object) -> Iterator[object]:
    """Give *value* and every container inside of it."""
    if isinstance(value, (dict, list, tuple, set, bytearray)):
        yield value
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from containers(inner)


def event_of(value: object) -> AuditEvent:
    return events.custom("a", **dict.fromkeys(FIELDS, value))


def parts_of(event: AuditEvent) -> list[object]:
    return [part for name in event.__struct_fields__ for part in containers(getattr(event, name))]


@given(anything)
def test_no_container_is_shared(value: object) -> None:
    """No dict, list or set of an event is one that the caller holds. An empty tuple is the same one everywhere."""
    event = event_of(value)
    own = {id(part) for part in parts_of(event) if part != ()}
    assert set() == own & {id(part) for part in containers(value)}


@given(anything)
def test_the_caller_s_value_is_as_before(value: object) -> None:
    """Neither building an event nor encoding it changes what the caller passed."""
    before = copy.deepcopy(value)
    encode(event_of(value))
    assert repr(before) == repr(value)


def test_no_object_of_the_caller_lives_on() -> None:
    """Objects inside of a value, as items, keys, errors and attributes, end when the caller lets go of them."""
    held = [Held() for _ in range(4)]
    error = ValueError(held[2])
    error.__cause__ = KeyError(held[3])
    ends = [weakref.ref(each) for each in held]
    event = event_of({"a": [held[0]], held[1]: 1, "e": error})
    del held, error
    gc.collect()
    assert [None] * 4 == [end() for end in ends]
    assert event.details["a"] == [{"$type": f"{__name__}.Held"}]


def test_nothing_of_ours_refers_to_the_caller_s_containers() -> None:
    """Once the event is built, nobody but the caller refers to its containers."""
    value: dict[str, Any] = {"a": {"b": [{"c": 1}]}}
    inner = value["a"]["b"]
    event = event_of(value)
    gc.collect()
    assert [value["a"]] == [found for found in gc.get_referrers(inner) if isinstance(found, (dict, list, tuple))]
    assert {"a": {"b": [{"c": 1}]}} == event.details


def test_what_the_caller_changes_afterwards_is_not_in_the_event() -> None:
    """An event holds what was so when it was built."""
    value: dict[str, Any] = {"a": {"b": [1]}, "c": bytearray(b"x")}
    event = event_of(value)
    value["a"]["b"].append(2)
    value["c"][0] = 0
    value["d"] = 1
    assert {"a": {"b": [1]}, "c": {"$bytes": "eA==", "length": 1}} == event.details


@given(st.dictionaries(st.text(), anything))
@example({"": [[b"\\u0000", None]], "TOTPSEED": []})  # looks like a NUL, for whose sake an entry is built anew
def test_what_was_stored_can_be_logged_again(value: dict[str, object]) -> None:
    """An event that is read back and built anew is the same, as often as one likes."""
    first = encode(redact(event_of(value)))
    entry = decode(first, "w", 1)
    again = events.custom(
        entry.action,
        **{name: entry.objects(name) for name in ("details", "metadata", "old_values", "new_values")},
        **{name: getattr(entry, name) for name in ("id", "created_at", "user_id", "error_message", "severity")},
        tags=msgspec.json.decode(entry.tags),
    )
    assert msgspec.json.decode(first) == msgspec.json.decode(encode(again))
