"""What was taken out in one place is not told in another of the same event."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import AuditEvent, events
from audit_async.redact import Redaction, Redactor

KEY = "k" * 32
RULES = Redaction(pseudonymise={"user_id"}, pseudonym_key=KEY)
WHO = RULES.pseudonym(42)


def redacted(event: AuditEvent, rules: Redaction = RULES) -> AuditEvent:
    redactor = Redactor(rules)
    once = redactor.redact(event)
    assert (once, 0) == (redactor.redact(once), redactor.failed)
    return once


@pytest.mark.parametrize(
    "field",
    ["actor_id", "actor_name", "on_behalf_of", "resource_id", "api_key_id", "agent_id", "user_agent", "tags"],
)
def test_an_identity_is_followed_into_the_fields(field: str) -> None:
    """A field whose whole value equals a pseudonymised one gets the same pseudonym, however short it is."""
    event = redacted(events.custom("a", user_id=42, **{field: "42"}))
    expected = (WHO,) if field == "tags" else WHO
    assert (WHO, expected) == (event.user_id, getattr(event, field))


def test_what_a_builder_copied_is_followed() -> None:
    """The resource that a builder made of a user's id does not tell it."""
    event = redacted(events.auth("login", user_id=42, actor_id=42))
    assert [WHO] * 3 == [event.user_id, event.actor_id, event.resource_id]


def test_an_identity_of_a_detail_is_followed_into_the_fields() -> None:
    """The rule names a key of the details, and the fields and the sentence that a builder made of it follow."""
    rules = Redaction(pseudonymise={"target_user_id"}, pseudonym_key=KEY)
    event = redacted(events.permission("permission_grant", target_user_id=42, permission="read"), rules)
    assert (WHO, WHO) == (event.resource_id, event.details["target_user_id"])
    assert f"Permission permission_grant: read for user {WHO}" == event.description


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("target_user_id", 42, WHO),
        ("granted_by", "42", WHO),
        ("transferred_to", [41, 42], [41, WHO]),
        ("owners", [{"id": 42, "level": 42}], [{"id": WHO, "level": 42}]),
        ("createdBy", " 42", WHO),
        ("order_id", 43, 43),
        ("attempts", 42, 42),
        ("tenant_id", 42, 42),
        ("approved_by", None, None),
        ("shared_with_user", True, True),
    ],
)
@pytest.mark.parametrize("name", ["details", "metadata", "old_values", "new_values"])
def test_an_identity_is_followed_into_the_objects(name: str, key: str, value: Any, kept: Any) -> None:
    """What stands under the key of an id or a person, and equals a pseudonymised value, gets the same pseudonym."""
    event = redacted(events.custom("a", user_id=42, **{name: {"x": {key: value}}}))
    assert {"x": {key: kept}} == getattr(event, name)


def test_an_identity_is_followed_into_invalid_values() -> None:
    """What a field could not hold, and is kept for that, does not tell it either."""
    event = redacted(events.custom("a", user_id=42, actor_id=[42], description=["by 42"], status_code="42 x"))
    assert {"actor_id": [WHO], "description": [f"by {WHO}"], "status_code": f"{WHO} x"} == event.metadata["$invalid"]


@pytest.mark.parametrize("field", ["description", "error_message"])
def test_a_short_identity_goes_from_sentences_as_a_word(field: str) -> None:
    """In sentences a pseudonymised value is replaced wherever it is a word of its own, however short."""
    event = redacted(events.custom("a", user_id=42, **{field: "for user 42, not 421, a42 or v4.2; 用户42登录"}))
    assert f"for user {WHO}, not 421, a42 or v4.2; 用户{WHO}登录" == getattr(event, field)


def test_a_name_in_chinese_goes_from_sentences() -> None:
    """In a script without blanks every place is one between words."""
    rules = Redaction(pseudonymise={"actor_name"}, pseudonym_key=KEY)
    event = redacted(events.custom("a", actor_name="张三", description="用户张三登录"), rules)
    assert f"用户{rules.pseudonym('张三')}登录" == event.description


def test_spellings_of_an_identity_are_one() -> None:
    """Case, width and outer spaces do not hide that a value equals a pseudonymised one."""
    rules = Redaction(pseudonymise={"login"}, pseudonym_key=KEY)
    event = redacted(events.custom("a", details={"login": "Jo"}, actor_id=" ｊｏ", resource_id="JO"), rules)
    assert [rules.pseudonym("jo")] * 3 == [event.details["login"], event.actor_id, event.resource_id]


def test_others_are_left_alone() -> None:
    """An id that is not the one stays as it is."""
    event = redacted(events.custom("a", user_id=42, actor_id=7, details={"granted_by": 7}, description="by 7"))
    assert ("7", {"granted_by": 7}, "by 7") == (event.actor_id, event.details, event.description)
