"""What the builders of old fixed comes out the same; what was a trap in them does not."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import AuditAction, AuditEvent, events
from audit_async.events import Outcome

CHECKED = (
    *("action", "resource_type", "resource_id", "severity", "category", "success", "tags", "details", "description"),
    *("user_id", "ip_address", "user_agent", "session_id", "request_id", "error_message", "status_code"),
    *("api_key_id", "old_values", "new_values"),
)


def record(event: AuditEvent, dialect: str) -> dict[str, Any]:
    """Return what is set of an event, as a record of old named it."""
    whole = {**event.to_dict(), "action": event.legacy_action(dialect)}
    return {name: whole[name] for name in CHECKED if whole[name] not in (None, {}, [])}


def enclava(event: AuditEvent) -> dict[str, Any]:
    return record(event, "enclava")


def aether(event: AuditEvent) -> dict[str, Any]:
    """Return the record without what that system had no column for, apart from the details."""
    kept = record(event, "aether")
    for name in ("resource_type", "resource_id", "severity", "category", "success", "tags"):
        kept.pop(name, None)
    return kept


LOGIN = {
    "action": "login",
    "user_id": "5",
    "resource_type": "user",
    "resource_id": "5",
    "category": "security",
    "tags": ["authentication", "login"],
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"ip_address": "192.0.2.1", "user_agent": "curl", "session_id": "s1"},
            {
                "severity": "low",
                "success": True,
                "description": "User login successful",
                "details": {"login_method": "password", "success": True},
                "ip_address": "192.0.2.1",
                "user_agent": "curl",
                "session_id": "s1",
            },
        ),
        (
            {"success": False, "error_message": "wrong password"},
            {
                "severity": "medium",
                "success": False,
                "description": "User login failed",
                "details": {"login_method": "password", "success": False},
                "error_message": "wrong password",
            },
        ),
    ],
)
def test_a_login_event(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A log-in by password says so, weighs more when it fails, and is about the user."""
    assert {**LOGIN, **expected} == enclava(events.auth(AuditAction.LOGIN, user_id=5, **given))


def test_a_logout_event() -> None:
    """A log-out is a manual one unless it is said how."""
    assert {
        "action": "logout",
        "user_id": "5",
        "session_id": "s1",
        "resource_type": "user",
        "resource_id": "5",
        "severity": "low",
        "category": "security",
        "success": True,
        "description": "User logout",
        "details": {"logout_method": "manual"},
        "tags": ["authentication", "logout"],
    } == enclava(events.auth(AuditAction.LOGOUT, user_id=5, session_id="s1"))


@pytest.mark.parametrize("action", ["api_key_create", "api_key_delete"])
@pytest.mark.parametrize("success", [True, False])
def test_an_api_key_event(action: str, success: bool) -> None:
    """An event about a key names it, and weighs the same however it went."""
    assert {
        "action": action,
        "user_id": "5",
        "api_key_id": "7",
        "resource_type": "api_key",
        "resource_id": "7",
        "severity": "medium",
        "category": "security",
        "success": success,
        "description": f"API key {action}: deploy bot",
        "details": {"api_key_name": "deploy bot", "action": action},
        "tags": ["api_key", action],
    } == enclava(events.api_key(action, user_id=5, api_key_id=7, api_key_name="deploy bot", success=success))


@pytest.mark.parametrize(
    ("action", "severity"), [("budget_create", "low"), ("budget_update", "low"), ("budget_exceed", "medium")]
)
@pytest.mark.parametrize("details", [None, {"limit_usd": 0}])
def test_a_budget_event(action: str, severity: str, details: dict[str, int] | None) -> None:
    """A budget is financial, and weighs more when it is exceeded."""
    assert {
        "action": action,
        "user_id": "5",
        "resource_type": "budget",
        "resource_id": "3",
        "severity": severity,
        "category": "financial",
        "success": True,
        "description": f"Budget {action}: Q3",
        "tags": ["budget", action],
        **({"details": details} if details else {}),
    } == enclava(events.budget(action, user_id=5, budget_id=3, budget_name="Q3", details=details))


@pytest.mark.parametrize("action", ["module_enable", "module_disable"])
@pytest.mark.parametrize("error", [None, "missing licence"])
def test_a_module_event(action: str, error: str | None) -> None:
    """A module is the system's, and is its own resource."""
    assert {
        "action": action,
        "user_id": "5",
        "resource_type": "module",
        "resource_id": "rag",
        "severity": "medium",
        "category": "system",
        "success": error is None,
        "description": f"Module {action}: rag",
        "tags": ["module", action],
        **({"error_message": error} if error else {}),
    } == enclava(events.module(action, user_id=5, module_name="rag", success=error is None, error_message=error))


@pytest.mark.parametrize("action", ["permission_grant", "permission_revoke"])
@pytest.mark.parametrize("success", [True, False])
def test_a_permission_event(action: str, success: bool) -> None:
    """A permission in its old spelling is a matter of security and of high severity."""
    assert {
        "action": action,
        "user_id": "5",
        "resource_type": "permission",
        "resource_id": "9",
        "severity": "high",
        "category": "security",
        "success": success,
        "description": f"Permission {action}: read for user 9",
        "details": {"permission": "read", "target_user_id": 9},
        "tags": ["permission", action],
    } == enclava(events.permission(action, user_id=5, target_user_id=9, permission="read", success=success))


@pytest.mark.parametrize(("given", "severity"), [({}, "high"), ({"severity": "critical"}, "critical")])
def test_a_security_event(given: dict[str, str], severity: str) -> None:
    """A security event is about its kind, and counts as failed."""
    event = events.security(
        AuditAction.SECURITY_EVENT,
        user_id=5,
        event_type="brute_force",
        description="many attempts",
        details={"attempts": 40},
        ip_address="192.0.2.1",
        **given,
    )
    assert {
        "action": "security_event",
        "user_id": "5",
        "resource_type": "security",
        "resource_id": "brute_force",
        "severity": severity,
        "category": "security",
        "success": False,
        "description": "many attempts",
        "details": {"attempts": 40},
        "ip_address": "192.0.2.1",
        "tags": ["security", "brute_force"],
    } == enclava(event)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"resource_type": "system", "severity": "low"}),
        (
            {"resource_type": "queue", "resource_id": "q1", "severity": "high", "details": {"n": 1}},
            {"resource_type": "queue", "resource_id": "q1", "severity": "high", "details": {"n": 1}},
        ),
    ],
)
@pytest.mark.parametrize("action", ["system_config", "backup"])
def test_a_system_event(given: dict[str, Any], expected: dict[str, Any], action: str) -> None:
    """An event of the system is light, and of nobody, whatever its action."""
    assert {
        "action": action,
        "category": "system",
        "success": True,
        "description": "done",
        "tags": ["system", action],
        **expected,
    } == enclava(events.system(action, description="done", **given))


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_data_change_event(action: str) -> None:
    """A change of data is light in its old spelling, and says what was before and after, and what differs."""
    event = events.data_change(
        action,
        user_id=5,
        resource_type="order",
        resource_id="o1",
        description="paid",
        old_values={"state": "open", "total": 5},
        new_values={"state": "paid", "total": 5},
    )
    assert {
        "action": action,
        "user_id": "5",
        "resource_type": "order",
        "resource_id": "o1",
        "severity": "low",
        "category": "data",
        "success": True,
        "description": "paid",
        "old_values": {"state": "open", "total": 5},
        "new_values": {"state": "paid", "total": 5},
        "details": {"changed": ["state"]},
        "tags": ["data_change", action],
    } == enclava(event)


@pytest.mark.parametrize(
    ("action", "error", "description"),
    [
        ("login_success", None, "Login attempt for joe@example.com"),
        ("login_failed", None, "Login attempt for joe@example.com"),
        ("login_failed", "locked", "Login attempt for joe@example.com: locked"),
        # A reason says something of a failure only.
        ("login_success", "locked", "Login attempt for joe@example.com"),
    ],
)
def test_a_login_attempt(action: str, error: str | None, description: str) -> None:
    """A log-in by e-mail names the address, and why it failed."""
    event = events.auth(action, email="joe@example.com", ip_address="192.0.2.1", user_agent="curl", error_message=error)
    assert {
        "action": action,
        "description": description,
        "details": {"email": "joe@example.com"},
        "ip_address": "192.0.2.1",
        "user_agent": "curl",
        **({"error_message": error} if error else {}),
    } == aether(event)


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        ({}, {}),
        ({"input_tokens": 12, "output_tokens": 3, "cost_usd": 0.5}, {}),
        # What is zero was lost once.
        ({"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}, {}),
        ({"input_tokens": None}, {"input_tokens": None}),
    ],
)
@pytest.mark.parametrize("action", ["request_success", "request_failed"])
def test_an_api_request(action: str, usage: dict[str, Any], kept: dict[str, Any]) -> None:
    """A request names provider and model, and keeps tokens and cost, a zero too."""
    event = events.api_request(
        action,
        user_id="u1",
        api_key_id="k1",
        request_id="r1",
        model="large",
        provider="acme",
        ip_address="192.0.2.1",
        status_code=200,
        **usage,
    )
    assert {
        "action": action,
        "description": "API request to acme/large",
        "user_id": "u1",
        "api_key_id": "k1",
        "request_id": "r1",
        "ip_address": "192.0.2.1",
        "status_code": 200,
        "details": {"model": "large", "provider": "acme", **{k: v for k, v in usage.items() if k not in kept}},
    } == aether(event)


@pytest.mark.parametrize(
    ("given", "severity"), [({}, "medium"), ({"severity": "high"}, "high"), ({"severity": "nonsense"}, "medium")]
)
@pytest.mark.parametrize(
    ("action", "outcome"), [("suspicious_activity", Outcome.FAILURE), ("unauthorized_access", Outcome.DENIED)]
)
def test_a_security_event_of_a_request(action: str, outcome: Outcome, given: dict[str, str], severity: str) -> None:
    """Its severity is said in the details too, and no detail of the caller's can change it."""
    details = {"path": "/admin", "severity": "low"}
    event = events.security(action, description="probe", ip_address="192.0.2.1", details=details, **given)
    assert (severity, outcome) == (event.severity, event.outcome)
    assert {
        "action": action,
        "description": "probe",
        "ip_address": "192.0.2.1",
        "details": {"path": "/admin", "severity": severity, "severity#2": "low"},
    } == aether(event)


def test_a_canonical_action_weighs_what_the_vocabulary_says() -> None:
    """Only the old spelling brings the old category and severity with it."""
    granted = events.permission("permission.grant", permission="read", target_user_id=9)
    deleted = events.data_change("data.delete")
    suspicious = events.security("security.suspicious_activity")
    assert ("access", "medium", "high") == (granted.category, deleted.severity, suspicious.severity)
    assert ("Permission grant: read for user 9", {}) == (granted.description, suspicious.details)
