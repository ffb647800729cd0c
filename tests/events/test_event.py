from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from audit_async import events
from tests.test_values import hostile

OF_OLD = (
    *("id", "user_id", "action", "resource_type", "resource_id", "description", "details", "ip_address", "user_agent"),
    *("session_id", "request_id", "severity", "category", "success", "error_message", "tags", "metadata"),
    *("old_values", "new_values", "created_at"),
)


def test_an_event_is_plain_data_too() -> None:
    """As a dict an event has every field, and the names that it had of old; JSON can hold it."""
    event = events.auth("login", user_id=5, tags=["x"], created_at="2024-01-02T03:04:05+00:00")
    whole = event.to_dict()
    assert set(OF_OLD) <= set(whole)
    assert whole == json.loads(json.dumps(whole))
    assert (True, "2024-01-02T03:04:05Z", ["authentication", "login", "x"]) == (
        whole["success"],
        whole["created_at"],
        whole["tags"],
    )


def test_a_summary_is_what_a_list_shows() -> None:
    """The summary has the eight values that it had of old."""
    event = events.auth("login", user_id=5, success=False)
    assert {
        "id": event.id,
        "action": "auth.login",
        "resource_type": "user",
        "description": "User login failed",
        "severity": "medium",
        "success": False,
        "created_at": event.to_dict()["created_at"],
        "user_id": "5",
    } == event.summary()


@pytest.mark.parametrize(
    ("action", "fields", "expected"),
    [
        *(
            ("auth.login", {}, True),
            ("logout", {}, True),
            ("api_key_create", {}, True),
            ("permission_revoke", {}, True),
        ),
        *(("security_event", {}, True), ("sso.login", {}, True), ("mfa.bind", {}, True), ("session.revoke", {}, True)),
        *(("budget.create", {}, False), ("role.assign", {}, False), ("order.paid", {}, False)),
        *(("order.paid", {"category": "security"}, True), ("auth.login", {"category": "system"}, True)),
    ],
)
def test_what_concerns_security(action: str, fields: dict[str, Any], expected: bool) -> None:
    """An event concerns security by its category or by its family."""
    assert expected is events.custom(action, **fields).is_security_event


@pytest.mark.parametrize(
    ("severity", "expected"), [("info", False), ("low", False), ("medium", False), ("high", True), ("critical", True)]
)
def test_what_is_of_high_severity(severity: str, expected: bool) -> None:
    """High and critical are high."""
    assert expected is events.custom("a", severity=severity).is_high_severity


@pytest.mark.parametrize(
    ("outcome", "expected"), [("success", True), ("failure", False), ("partial", False), ("unknown", False)]
)
def test_only_success_is_success(outcome: str, expected: bool) -> None:
    """Half a success is none."""
    assert expected is events.custom("a", outcome=outcome).success


def test_a_tag_is_added_once() -> None:
    """Tags are a set with an order; what does not change an event gives the same one back."""
    event = events.custom("a", tags=["x"])
    tagged = event.with_tag("y")
    assert (("x",), ("x", "y"), True) == (event.tags, tagged.tags, tagged.with_tag("y") is tagged)
    assert (("y",), True) == (tagged.without_tag("x").tags, event.without_tag("z") is event)


def test_a_change_gives_a_new_event_of_the_same_key() -> None:
    """Whatever is changed, id and time stay, and the first event keeps what it had."""
    event = events.custom("a", metadata={"k": 1})
    changed = event.with_metadata("k", 2).with_metadata("l", 3).with_change({"a": 1, "b": 1}, {"a": 2, "b": 1})
    assert ({"k": 1}, {"k": 2, "l": 3}, event.id) == (event.metadata, changed.metadata, changed.id)
    assert ({"a": (1, 2)}, {"changed": ["a"]}) == (changed.changes, changed.details)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, None, {}),
        ({}, {"a": None}, {"a": (None, None)}),
        ({"b": 1, "a": [1]}, {"b": 2, "a": [1]}, {"b": (1, 2)}),
        ({"a": 1}, None, {"a": (1, None)}),
    ],
)
def test_what_has_changed_is_what_differs(old: Any, new: Any, expected: dict[str, Any]) -> None:
    """The difference names what came, what went, and what is another value now."""
    event = events.data_change("update", old_values=old, new_values=new)
    assert (expected, list(expected)) == (event.changes, event.details.get("changed", []))


@pytest.mark.parametrize("base", [object, dict, list, str, Exception])
def test_no_value_raises_in_a_change(base: type) -> None:
    """A view or a change takes any value, as a builder does."""
    value = hostile(base)()
    event = events.custom("a").with_tag(value).without_tag(value).with_metadata(value, value).with_change(value, value)
    assert msgspec.json.encode(event)
