"""OCSF events of others become the nearest of ours, and ours come back."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async.events import Outcome, Severity
from audit_async.events.vocabulary import TERMS
from audit_async.importing.formats import FORMATS, Mapped, Reading, RefusedError
from audit_async.importing.formats.ocsf import NEAREST, OF_CLASS

LOGON: dict[str, Any] = {
    "class_uid": 3002,
    "class_name": "Authentication",
    "activity_id": 1,
    "type_uid": 300201,
    "type_name": "Authentication: Logon",
    "time": 1772357400123,
    "severity_id": 3,
    "status_id": 2,
    "status_detail": "wrong password",
    "message": "Ann could not log in",
    "metadata": {"version": "1.8.0", "uid": "e-1", "tenant_uid": "t-1", "product": {"name": "door"}},
    "actor": {"user": {"uid": "u-1", "name": "Ann", "risk": 5}},
    "src_endpoint": {"ip": "192.0.2.1", "port": 443},
    "http_request": {"user_agent": "curl/8"},
    "mfa_factors": ["totp"],
    "unmapped": {"shift": "night"},
}


def read(**others: Any) -> Mapped:
    return FORMATS["ocsf"].read({**LOGON, **others}, Reading(tenant_id="t-0"))


def test_a_foreign_event_is_the_nearest_of_ours() -> None:
    """What has a field is in it, and the rest is in the details, without what was taken."""
    event = read().event
    assert ("e-1", 123000, "auth.login") == (event.id, event.created_at.microsecond, event.action)
    assert (Outcome.FAILURE, Severity.MEDIUM, "wrong password") == (event.outcome, event.severity, event.error_message)
    assert ("u-1", "u-1", "Ann", "t-1") == (event.actor_id, event.user_id, event.actor_name, event.tenant_id)
    assert ("192.0.2.1", "curl/8") == (event.ip_address, event.user_agent)
    assert {
        "actor": {"user": {"risk": 5}},
        "src_endpoint": {"port": 443},
        "mfa_factors": ["totp"],
        "unmapped": {"shift": "night"},
    } == event.details
    assert {"class_uid": 3002, "activity_id": 1, "class_name": "Authentication"}.items() <= event.metadata[
        "ocsf"
    ].items()


@pytest.mark.parametrize("name", sorted(TERMS))
def test_our_own_class_and_activity_lead_back(name: str) -> None:
    """To the action itself where the event says it, else to one of the same class and activity."""
    class_uid, activity = TERMS[name].ocsf or (0, 0)
    said = {"class_uid": class_uid, "activity_id": activity}
    assert name == read(**said, metadata={"event_code": name}).event.action
    assert name == read(**said, unmapped={"action": name}).event.action
    assert (class_uid, activity) == TERMS[read(**said).event.action].ocsf


def test_what_is_of_no_class_of_ours_has_its_own_words() -> None:
    """Of a known class any activity is known; of another one the class is the action."""
    assert "user.update" == read(class_uid=3001, activity_id=77).event.action
    assert "ocsf.network_activity" == read(class_uid=4001, class_name="Network Activity").event.action
    assert {*NEAREST.values(), *OF_CLASS.values()} <= set(TERMS)


def test_fields_of_ours_come_back_from_unmapped() -> None:
    """An event that was exported has there what OCSF has no place for."""
    ours = {"created_at": "2026-03-01T09:30:00.123456Z", "tags": ["a"], "details": {"n": 1}, "old_values": {"a": 1}}
    event = read(unmapped=ours).event
    assert (123456, ("a",), {"a": 1}, 1) == (
        event.created_at.microsecond,
        event.tags,
        event.old_values,
        event.details["n"],
    )


@pytest.mark.parametrize(("others", "reason"), [({"class_uid": None}, "class_uid"), ({"time": None}, "no time")])
def test_what_is_no_event_is_refused(others: dict[str, Any], reason: str) -> None:
    """Without class or time it is not OCSF."""
    with pytest.raises(RefusedError, match=reason):
        read(**others)
