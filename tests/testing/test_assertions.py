"""What a test says of the events that were logged, and what it is told when it was not so."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from audit_async import AuditAction, ConfigurationError, Outcome, events, shutdown
from audit_async.testing import MemoryAuditLogger, Partial, assert_audited, assert_not_audited

USER = uuid.uuid4()


@pytest.fixture
def audit() -> MemoryAuditLogger:
    audit = MemoryAuditLogger()
    audit.log(events.user("create", user_id="admin", target_user_id="u-18", details={"via": "form"}))
    audit.log(events.sso("sso.login", user_id="u-18", provider_type="dingtalk", details={"mfa": True}))
    audit.log(events.auth(AuditAction.LOGIN_FAILED, user_id=USER, ip_address="::ffff:10.0.0.1", duration_ms=3))
    return audit


@pytest.fixture(autouse=True)
def no_default() -> Iterator[None]:
    shutdown()
    yield
    shutdown()


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        (1, {"action": "sso.login"}),
        (1, {"action": AuditAction.SSO_LOGIN, "details": Partial(provider_type="dingtalk")}),
        (1, {"action": re.compile(r"^sso\."), "user_id": "u-18"}),
        (1, {"details": Partial(mfa=True), "family": "sso"}),
        (2, {"action": "login_failed"}),
        (2, {"action": "auth"}),
        (2, {"action": "auth.*", "outcome": "failure", "success": False, "is_security_event": True}),
        (2, {"outcome": Outcome.FAILURE, "user_id": USER, "ip_address": "10.0.0.1", "duration_ms": 3}),
        (2, {"user_id": str(USER).upper(), "tenant_id": None}),
        (0, {"user_id": lambda user: user == "admin"}),
    ],
)
def test_the_event_that_is_meant_is_found(audit: MemoryAuditLogger, place: int, wanted: dict[str, Any]) -> None:
    """Any field can be asked for, as a builder takes it or by a condition; what is found is returned."""
    assert [audit.events[place]] == assert_audited(audit=audit, times=1, **wanted)
    with pytest.raises(AssertionError):
        assert_not_audited(audit=audit, **wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"action": "login"},  # its spelling of a success, too
        {"action": "login_success"},
        {"action": "sso.login", "user_id": "u-17"},
        {"details": Partial(provider_type="feishu")},
        {"details": {"provider_type": "dingtalk"}},
        {"user_id": None},
    ],
)
def test_what_was_not_logged_is_not_found(audit: MemoryAuditLogger, wanted: dict[str, Any]) -> None:
    """One field that differs is enough."""
    if wanted == {"action": "login"}:
        wanted = {"action": "login", "outcome": "success"}
    assert_not_audited(audit=audit, **wanted)
    with pytest.raises(AssertionError):
        assert_audited(audit=audit, **wanted)


def told(audit: MemoryAuditLogger, *, times: int | None = None, **wanted: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_audited(audit=audit, times=times, **wanted)
    return str(caught.value)


def test_the_nearest_event_is_shown_field_by_field(audit: MemoryAuditLogger) -> None:
    """The message shows each field of the event that is nearest, with a mark where it differs, and all events."""
    message = told(audit, action="sso.login", user_id="u-17", details=Partial(provider_type="feishu", mfa=True))
    assert (
        """\
no event as expected among 3 events: action='sso.login', user_id='u-17', details=Partial({'provider_type': 'feishu', \
'mfa': True})

The nearest is number 2, with 1 of 3 fields as expected:
    action                 'sso.login'
  ! user_id                'u-18', expected 'u-17'
  ! details.provider_type  'dingtalk', expected 'feishu'
    details.mfa            True

All events, with > where one is as described:
    1  user.create  success  user_id='admin'  resource_type='user'  resource_id='u-18'
    2  sso.login  success  user_id='u-18'  resource_type='user'  resource_id='u-18'
    3  auth.login  failure  user_id='"""
        + f"{USER}'  resource_type='user'  resource_id='{USER}'"
        == message
    )


def test_of_events_that_are_as_near_the_newest_is_shown(audit: MemoryAuditLogger) -> None:
    """What is looked for was most likely logged last; and one of the right action is nearer than another."""
    for user in ("u-1", "u-2"):
        audit.log(events.auth("auth.logout", user_id=user))
    audit.log(events.auth("auth.login", user_id="u-3"))
    assert "The nearest is number 5," in told(audit, action="auth.logout", user_id="u-3")


def test_an_action_of_old_is_told_with_its_outcome(audit: MemoryAuditLogger) -> None:
    """A spelling that says the outcome, too, is shown with what it means."""
    audit.events.clear()
    audit.log(events.auth("auth.login"))
    assert (
        "! action  'auth.login' with outcome success, expected 'login_failed', which is 'auth.login' with outcome "
        "denied or error or failure"
    ) in told(audit, action="login_failed")


def test_a_misspelt_action_is_told(audit: MemoryAuditLogger) -> None:
    """An action that neither the log nor the vocabulary has is answered with the nearest."""
    assert "Nothing is called 'auth.logn' (did you mean 'auth.login'?)." in told(audit, action="auth.logn")
    assert "Nothing is called" not in told(audit, action="auth.logout")


def test_another_number_is_told(audit: MemoryAuditLogger) -> None:
    """Where there are too many the message marks each; where there are too few it shows the nearest other one."""
    many = told(audit, times=1, outcome="success")
    assert "2 events as expected, not 1: outcome='success'" in many
    assert ["1", "2"] == re.findall(r"^  > (\d)", many, re.MULTILINE)
    assert "nearest" not in many
    few = told(audit, times=3, outcome="success")
    assert "2 events as expected, not 3" in few
    assert "The nearest is number 3, with 0 of 1 fields as expected:\n  ! outcome  'failure', expected 'success'" in few


def test_an_empty_log_is_told() -> None:
    """Where nothing was logged there is nothing to compare with, and the message names what is mostly the reason."""
    message = told(MemoryAuditLogger())
    assert message.startswith("no event was logged at all; expected was any event\n")
    assert "`await`" in message
    assert "audit=MemoryAuditLogger(...)" in message


@pytest.mark.parametrize("given", ["audit", [1], 5, [events.auth("auth.login").to_dict()]])
def test_what_keeps_no_events_is_told(given: Any) -> None:
    """Anything but a logger that keeps events, or events, is a mistake of the test and no failure."""
    with pytest.raises(ConfigurationError, match="keeps no events"):
        assert_audited(audit=given)


def test_a_number_that_is_none_is_told(audit: MemoryAuditLogger) -> None:
    """`times="2"` would never be so."""
    with pytest.raises(TypeError, match="times is '2', and no whole number"):
        assert_audited(times="2", audit=audit)  # type: ignore[arg-type]


def test_a_long_log_is_cut(audit: MemoryAuditLogger) -> None:
    """Of many events the newest are shown."""
    for number in range(1000):
        audit.log(events.custom("report.print", resource_id=number))
    message = told(audit, action="report.print", resource_id=17, outcome="failure")
    assert "The nearest is number 21," in message
    assert "The last 20 events:\n     984  report.print  success  resource_id='980'\n" in message
    assert len(message) < 2500


def test_an_unwanted_event_is_shown_whole(audit: MemoryAuditLogger) -> None:
    """The message of `assert_not_audited` shows what is in the event."""
    with pytest.raises(AssertionError) as caught:
        assert_not_audited("sso.login", audit=audit)
    message = str(caught.value)
    assert "1 event that should not be there: action='sso.login'\n\nNumber 2 of 3 is\n" in message
    assert re.search(r"^ +details +\{.*'provider_type': 'dingtalk'", message, re.MULTILINE)
    assert "  > 2  sso.login" in message


def test_without_a_word_no_event_is_wanted(audit: MemoryAuditLogger) -> None:
    """`assert_not_audited()` says that nothing was logged at all."""
    with pytest.raises(AssertionError):
        assert_not_audited(audit=audit)
    audit.events.clear()
    assert_not_audited(audit=audit)


def test_a_misspelt_field_is_an_error(audit: MemoryAuditLogger) -> None:
    """A field that no event has would never be found, and is no failure of the program under test."""
    for call in (assert_audited, assert_not_audited):
        with pytest.raises(TypeError, match=rf"{call.__name__}\(\).*'user' \(did you mean 'user_id'"):
            call(user="u-17", audit=audit)
    with pytest.raises(ConfigurationError, match="names no action"):
        assert_audited("", audit=audit)


def test_events_from_elsewhere_are_taken(audit: MemoryAuditLogger) -> None:
    """What a reader has found, or any list of events, is looked at as well."""
    assert audit.events[1:2] == assert_audited("sso.login", audit=audit.events[:2])
    assert_not_audited("auth.login", audit=audit.events[:2])


def test_a_logger_that_keeps_nothing_is_told() -> None:
    """Without a recording there is nothing to look at, and the error says what to do."""
    with pytest.raises(ConfigurationError, match="audit_events"):
        assert_audited("sso.login")
