from __future__ import annotations

import pytest

from audit_async import AuditAction, events
from audit_async.events import vocabulary
from audit_async.events.vocabulary import TERMS, Category, Outcome, Severity, legacy_spelling, term_of


@pytest.mark.parametrize("action", list(AuditAction))
def test_every_old_action_has_a_canonical_one(action: AuditAction) -> None:
    """No old spelling is a free-form action."""
    assert term_of(action.value).name in TERMS


@pytest.mark.parametrize(
    ("spelled", "name", "outcome"),
    [
        ("login_failed", "auth.login", Outcome.FAILURE),
        ("sso_login_failed", "sso.login", Outcome.FAILURE),
        ("SSO_Login", "sso.login", None),
        ("supervision_tick", "supervision_tick", None),
        ("Weird Action!", "weird_action", None),
        ("", "unnamed", None),
    ],
)
def test_a_spelling_has_a_name(spelled: str, name: str, outcome: Outcome | None) -> None:
    """A spelling leads to its canonical name, and to the outcome that it implies."""
    assert (name, outcome) == (term_of(spelled).name, term_of(spelled).outcome)


def test_a_failure_weighs_more() -> None:
    """Category and severity follow from the action and how it went."""
    event = events.identity("sso_login", success=False)
    assert (Category.SECURITY, Severity.MEDIUM) == (event.category, event.severity)


def test_an_action_without_an_old_spelling_stays() -> None:
    """A free-form action is its own old spelling."""
    assert "schedule_execute" == legacy_spelling("schedule_execute", Outcome.FAILURE)


def test_a_large_action_is_not_remembered() -> None:
    """An action of a megabyte does not stay in memory."""
    term_of("x" * 1_000_000)
    assert max(map(len, vocabulary._seen)) < 2000
