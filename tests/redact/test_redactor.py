"""Events as a whole: made by hand, broken, or too much."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, events
from audit_async.entry import decode, encode
from audit_async.redact import Redaction, Redactor, redact
from audit_async.redact.sweep import Sweep
from tests.logs import heard
from tests.test_values import laughs

REDACTORS = {"built-in": Redactor(), "own": Redactor(Redaction(patterns=["never-there"]))}
FIELDS = [name for name in AuditEvent.__struct_fields__ if name not in ("id", "created_at")]
SPOKEN = [
    "description",
    "error_message",
    "user_agent",
    "resource_id",
    "actor_name",
    "actor_id",
    "api_key_id",
    "session_id",
]


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"password": "hunter2"}
    value["self"] = value
    return value


def deep() -> dict[str, Any]:
    value: dict[str, Any] = {"password": "hunter2"}
    for _ in range(100_000):
        value = {"a": value}
    return value


@pytest.mark.parametrize("redactor", REDACTORS.values(), ids=REDACTORS)
@pytest.mark.parametrize(
    "value",
    [
        *({"password": "hunter2"}, [{"pwd": "hunter2"}], [("password", "hunter2")], ({"a": {"secret": "hunter2"}},)),
        *(["Bearer hunter2"], {1: {"password": "hunter2"}}, cycle()),
    ],
)
@pytest.mark.parametrize("field", FIELDS)
def test_an_event_made_by_hand_is_redacted_too(field: str, value: Any, redactor: Redactor) -> None:
    """A value of any kind, put into any field past the builders, does not bring a secret into the bytes."""
    event = msgspec.structs.replace(events.custom("a", details={"a": 1}), **{field: value})
    payload = encode(redactor.redact(event), redactor.redact)
    assert b"hunter2" not in payload
    decode(payload, "w", 1)


@pytest.mark.parametrize("value", [{"password": "hunter2"}, [("password", "hunter2")]])
@pytest.mark.parametrize("field", ["id", "created_at"])
def test_a_key_made_by_hand_is_redacted_too(field: str, value: Any) -> None:
    """An event whose key is none gets a proper one, and what was in its place is redacted."""
    event = msgspec.structs.replace(events.custom("a", details={"a": 1}), **{field: value})
    assert b"hunter2" not in encode(redact(event))


@pytest.mark.parametrize("field", [*SPOKEN, "tags"])
def test_a_text_for_tags_or_in_a_field_is_looked_at(field: str) -> None:
    """Fields that hold what others gave are searched, also by the quick look."""
    event = msgspec.structs.replace(events.custom("a", details={"a": 1}), **{field: "Bearer hunter2"})
    assert b"hunter2" not in encode(redact(event))


def doubled() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    for _ in range(40):
        value = {"a": value, "b": value}
    return value


@pytest.mark.parametrize("redactor", REDACTORS.values(), ids=REDACTORS)
@pytest.mark.parametrize("make", [deep, cycle, laughs, doubled])
def test_what_has_no_end_is_redacted_in_time(make: Any, redactor: Redactor) -> None:
    """An object that is too deep, or unfolds without end, is made plain before it is looked at."""
    event = msgspec.structs.replace(events.custom("a"), details={"a": make(), "password": "hunter2"})
    payload = encode(redactor.redact(event), redactor.redact)
    assert (True, False, 0) == (len(payload) < 2**20, b"hunter2" in payload, redactor.failed)


def test_a_secret_in_the_place_of_a_text_goes() -> None:
    """A container given for a text field keeps its parts apart, so that its secrets are found."""
    event = redact(events.custom("a", description={"password": "hunter2"}))
    assert (None, b"hunter2" in msgspec.json.encode(event)) == (event.description, False)


def test_an_object_stays_an_object() -> None:
    """What looks like bytes in the place of a whole object, and holds a secret, leaves a mark in an object."""
    assert {"$redacted": "[redacted]"} == redact(events.custom("a", details={"$bytes": "cHdkPWh1bnRlcjI="})).details


def test_redacting_twice_is_redacting_once() -> None:
    """A redacted event is left alone."""
    details = {"secret": "hunter2", "note": "password=abc, Cookie: a=b", "n": ["Bearer x", 4111111111111111]}
    event: AuditEvent = redact(events.custom("a", details=details, description="hunter2"))
    assert redact(event) is event


def test_a_fault_of_our_own_drops_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """When redaction itself fails, who did what stays, all that was said goes, it is counted, and said without it."""
    redactor = Redactor(Redaction(patterns=["x"]))

    def fail(*_: object) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr(Sweep, "over", fail)
    made = events.custom("a", details={"a": "hunter2"}, description="hunter2", tags="hunter2", user_id="u1")
    with heard() as lines:
        event = redactor.redact(made)
    assert b"hunter2" not in msgspec.json.encode(event)
    assert ("u1", {"$redacted": "[redacted: fault]"}, 1, 1) == (
        event.user_id,
        event.details,
        redactor.failed,
        len(lines),
    )
    assert "hunter2" not in lines[0]
