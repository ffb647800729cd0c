from __future__ import annotations

import uuid
from typing import Any

import pytest

from audit_async import AuditAction, events
from audit_async.events import Outcome
from audit_async.events.identifier import time_of
from tests.test_values import hostile

USER = uuid.UUID(int=7)


@pytest.mark.parametrize("success", [True, False])
@pytest.mark.parametrize("action", list(AuditAction))
def test_an_old_spelling_comes_back(action: AuditAction, success: bool) -> None:
    """An event gives back exactly the action that was passed, however it went."""
    assert action.value == events.identity(action, success=success).legacy_action()


@pytest.mark.parametrize(("error", "expected"), [(None, {}), ("", {}), (0, {}), ("no", {"error": "no"})])
def test_identity_says_its_details(error: Any, expected: dict[str, str]) -> None:
    """The details of an identity event have an error only where there is one."""
    event = events.identity("sso_login", provider_type="feishu", provider_user_id="ou_1", error_message=error)
    assert {"provider_type": "feishu", "provider_user_id": "ou_1", "success": True, **expected} == event.details


@pytest.mark.parametrize(("target", "expected"), [(USER, str(USER)), (None, None), ("", None), (0, None), (5, "5")])
def test_role_says_its_details(target: Any, expected: str | None) -> None:
    """The ids in the details of a role event are texts, or null."""
    event = events.role("role_assign", target_user_id=target, role_name="admin", granted_by=target)
    assert {"target_user_id": expected, "role_name": "admin", "granted_by": expected} == event.details


def test_tenant_passes_details_on() -> None:
    """The details of a tenant event are the caller's, and the caller's stay the caller's."""
    details: dict[str, Any] = {"plan": "pro"}
    event = events.tenant("tenant_create", tenant_id=USER, details=details)
    assert ({"plan": "pro"}, str(USER), False) == (event.details, event.resource_id, event.details is details)


def test_a_failed_spelling_fails_whatever_success_says() -> None:
    """`login_failed` is a failure although success is true by default."""
    assert Outcome.FAILURE is events.identity("login_failed").outcome


@pytest.mark.parametrize("builder", [events.identity, events.role, events.tenant, events.agent, events.custom])
@pytest.mark.parametrize("base", [object, dict, list, str, int, Exception])
def test_no_value_raises(builder: Any, base: type) -> None:
    """A builder gets an event out of values whose every method raises."""
    value = hostile(base)()
    event = builder(value, error_message=value, success=value, tenant_id=value, details=value, id=value, tags=value)
    assert event.created_at is not None


@pytest.mark.parametrize("builder", [events.identity, events.role, events.tenant, events.agent, events.custom])
def test_a_wrong_keyword_is_told_the_right_one(builder: Any) -> None:
    """A keyword that no event has is the caller's slip."""
    with pytest.raises(TypeError, match="did you mean 'tenant_id'"):
        builder("a", tenantid=1)


@pytest.mark.parametrize("action", ["\0", "a" * 10_000_000, "Ünïcode Action!", "", None, {"password": "x"}, b"x"])
def test_any_action_is_legal(action: Any) -> None:
    """An action of whatever form becomes a short name of plain letters."""
    name = events.custom(action).action
    assert (True, True) == (name.isascii(), 0 < len(name) <= 128)


def test_an_id_leads_to_its_time() -> None:
    """The id of an event carries the exact time of it."""
    event = events.custom("a", created_at="2024-01-02T03:04:05.678901+05:45")
    assert event.created_at == time_of(event.id)


def test_a_foreign_id_gives_the_time() -> None:
    """An id that carries a time, given without one, leads to the same time always."""
    given = "018e5f3a-1c2b-7abc-8def-0123456789ab"
    assert events.custom("a", id=given).created_at == events.custom("a", id=given).created_at == time_of(given)


@pytest.mark.parametrize("value", ["nonsense", float("nan"), 10**30, True, object()])
def test_an_impossible_time_is_kept_beside(value: object) -> None:
    """A time that is none is kept in the metadata, and the event happened now."""
    event = events.custom("a", created_at=value)
    assert (["created_at"], time_of(event.id)) == (list(event.metadata["$invalid"]), event.created_at)


def test_a_nul_in_an_action_is_not_stored() -> None:
    """The spelling that is kept beside the name is clean text."""
    assert "a␀b" == events.custom("a\0b").metadata["$action"]


def test_an_id_that_cannot_say_whether_it_is_true_is_kept() -> None:
    """An id whose truth raises is named rather than dropped."""
    assert "$type" in events.role("role_assign", target_user_id=hostile(object)()).details["target_user_id"]
