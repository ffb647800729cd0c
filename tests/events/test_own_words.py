"""What a family's builder makes of the words that callers really use."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import AuditEvent, events
from audit_async.events import Category, Outcome, Severity


@pytest.mark.parametrize(
    ("event", "action"),
    [
        (events.api_key("create", api_key_name="bot"), "api_key.create"),
        (events.user("delete"), "user.delete"),
        (events.role("update"), "role.update"),
        (events.tenant("create"), "tenant.create"),
        (events.sso("login"), "sso.login"),
        (events.mfa("verify"), "mfa.verify"),
        (events.org_sync("member_create"), "org.member_create"),
        (events.usage("request"), "api.request"),
        (events.data_change("update"), "data.update"),
        (events.job("start"), "job.start"),
        # What is no verb of the family is looked up as ever.
        (events.user("login"), "auth.login"),
        (events.custom("create"), "data.create"),
        (events.api_key("data.delete"), "data.delete"),
    ],
    ids=lambda value: value.action if isinstance(value, AuditEvent) else "",
)
def test_a_bare_verb_is_of_the_builders_family(event: AuditEvent, action: str) -> None:
    """A family's builder takes the verb alone for an action of its own."""
    assert action == event.action


def test_a_bare_verb_comes_back() -> None:
    """The verb that a caller wrote is what a table of old gets, and not that of another action."""
    event = events.api_key("create", api_key_id=7, api_key_name="bot")
    assert ("create", "create") == (event.legacy_action("enclava"), event.legacy_action("clawith"))
    assert ("API key create: bot", Category.SECURITY, Severity.MEDIUM) == (
        event.description,
        event.category,
        event.severity,
    )


@pytest.mark.parametrize(
    ("event", "category", "outcome", "severity"),
    [
        (events.security("brute_force"), "security", "failure", "high"),
        (events.security("brute_force", outcome="success"), "security", "success", "high"),
        (events.auth("magic_link_login"), "security", "success", "low"),
        (events.budget("budget_closed"), "financial", "success", "low"),
        (events.permission("permission_expire"), "security", "success", "high"),
        (events.api_key("rotate"), "security", "success", "medium"),
        (events.module("module_reload", success=False), "system", "failure", "medium"),
        (events.system("security_event"), "system", "success", "low"),
        (events.api_request("order.paid"), "system", "success", "low"),
        (events.custom("schedule_execute"), "system", "success", "low"),
    ],
    ids=lambda value: value.action if isinstance(value, AuditEvent) else "",
)
def test_an_own_word_is_of_the_builders_category(event: AuditEvent, category: str, outcome: str, severity: str) -> None:
    """An action that nobody knows is weighed by the builder that it was told to."""
    assert (category, outcome, severity) == (event.category, event.outcome, event.severity)


@pytest.mark.parametrize(
    ("success", "outcome"),
    [
        *(("no", "failure"), ("false", "failure"), ("0", "failure"), ("failed", "failure"), (b"no", "failure")),
        *(
            ("yes", "success"),
            ("True", "success"),
            (1, "success"),
            (0, "failure"),
            ("", "unknown"),
            ("so-so", "unknown"),
        ),
    ],
)
def test_success_is_understood_in_words(success: Any, outcome: str) -> None:
    """A form field that says no is no success, and one that says neither is neither."""
    event = events.custom("auth.login", success=success)
    assert (outcome, outcome == "unknown") == (event.outcome, "$invalid" in event.metadata)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [("failed", Outcome.FAILURE), ("OK", Outcome.SUCCESS), (True, Outcome.SUCCESS), (False, Outcome.FAILURE)],
)
def test_an_outcome_is_understood_in_other_words(given: Any, outcome: Outcome) -> None:
    """What other logs call an outcome is one."""
    event = events.custom("a", outcome=given)
    assert (outcome, {}) == (event.outcome, event.metadata)


@pytest.mark.parametrize("action", ["sso_login_failed", "sso.login"])
def test_the_details_of_a_sign_on_say_what_the_outcome_says(action: str) -> None:
    """Details and outcome are never at odds."""
    event = events.sso(action, outcome=None if "failed" in action else "failure", provider_type="feishu")
    assert (Outcome.FAILURE, False) == (event.outcome, event.details["success"])


@pytest.mark.parametrize("keyword", ["login_method", "logout_method"])
@pytest.mark.parametrize("action", ["login", "logout", "auth.lockout"])
def test_no_keyword_vanishes(action: str, keyword: str) -> None:
    """What a caller says by a keyword is in the details, whether the action needs it or not."""
    keywords: dict[str, Any] = {keyword: "ldap"}
    assert "ldap" == events.auth(action, **keywords).details[keyword]


def test_nobody_is_not_named_null() -> None:
    """A description leaves out whom it does not know."""
    assert "Permission grant: read" == events.permission("permission.grant", permission="read").description


@pytest.mark.parametrize("value", ["hunter2", {"value": "hunter2"}, 7])
def test_a_bare_value_of_a_setting_is_kept_under_its_name(value: Any) -> None:
    """The name of a setting says whether its values are secret, so they stand under it."""
    event = events.config("config.change", key="smtp_password", old_values=value, new_values={"host": "a"})
    bare = value["value"] if isinstance(value, dict) else value
    assert ({"smtp_password": bare}, {"host": "a"}) == (event.old_values, event.new_values)


def test_actions_in_another_script_stay_apart() -> None:
    """Two actions that have no letter of the alphabet are two actions, the same ones always."""
    one, other = events.custom("审批通过"), events.custom("审批拒绝")
    assert (True, True) == (one.action != other.action, one.action == events.custom("审批通过").action)
    assert ("审批通过", True) == (one.legacy_action(), one.action.isascii())


def test_no_action_is_unnamed() -> None:
    """None is no name."""
    assert "unnamed" == events.custom(None).action
