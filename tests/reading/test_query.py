"""A query is checked when it is made, and says what it was given."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from audit_async import AuditAction, Query
from audit_async.errors import ConfigurationError
from audit_async.events import Outcome, Severity
from audit_async.reading.moments import read_moment, resolved
from tests.reading.log import QUERIES

DAY = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("24h", timedelta(hours=24)),
        ("90 s", timedelta(seconds=90)),
        ("15min", timedelta(minutes=15)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        (timedelta(hours=1), timedelta(hours=1)),
        ("2026-01-31", DAY),
        (date(2026, 1, 31), DAY),
        ("2026-01-31T00:00Z", DAY),
        ("2026-01-31T01:00+01:00", DAY),
        ("2026-01-31 00:00:00", DAY),
        (datetime(2026, 1, 31), DAY),  # noqa: DTZ001 -- one without a zone
        (datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=8))), DAY),
    ],
)
def test_times_are_read_as_people_write_them(given: Any, meant: Any) -> None:
    """How long ago, a day, a time with a zone or without one, which is UTC."""
    assert meant == read_moment("since", given)


def test_a_day_ends_where_the_next_one_begins() -> None:
    """Until a day holds all of it, since a day begins with it."""
    query = Query(since="2026-01-31", until="2026-01-31")
    assert (DAY, DAY + timedelta(days=1)) == (query.starts, query.ends)


def test_a_very_long_time_ago_is_the_beginning() -> None:
    """Nobody gets an error for asking for everything."""
    assert datetime.min.replace(tzinfo=UTC) == resolved(read_moment("since", "999999w"), datetime.now(UTC))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a time": ({"since": "yesterday"}, "24h"),
    "an empty time": ({"until": ""}, "24h"),
    "a time of another type": ({"since": 5}, "24h"),
    "the future": ({"since": timedelta(-1)}, "24h"),
    "exchanged": ({"since": "2026-02-01", "until": "2026-01-01"}, "exchange"),
    "exchanged ago": ({"since": "1h", "until": "2h"}, "exchange"),
    "outcome": ({"outcome": "fail_ure"}, "success, failure"),
    "category": ({"category": "secure"}, "security, access"),
    "severity": ({"severity_at_least": "urgent"}, "info, low"),
    "no severity left": ({"severity": "low", "severity_at_least": "high"}, "leave one"),
    "address": ({"ip_address": "localhost"}, "IPv4"),
    "a blank address": ({"ip_address": " "}, "IPv4"),
    "status": ({"status_code": "ok"}, "whole number"),
    "an object": ({"user_id": {"a": 1}}, "a text"),
    "no values": ({"user_id": []}, "leave user_id out"),
    "too many": ({"user_id": range(1001)}, "1 to 1000"),
    "no action": ({"actions": ""}, "auth.login"),
    "an action that is none": ({"actions": 5}, "auth.login"),
    "a long action": ({"actions": "x" * 5000}, "auth.login"),
    "limit": ({"limit": 0}, "1 to 500"),
    "a large limit": ({"limit": 10**9}, "1 to 500"),
    "a limit of another type": ({"limit": "10"}, "1 to 500"),
    "true": ({"limit": True}, "1 to 500"),
    "text": ({"text": ""}, "some characters"),
    "details": ({"details": "kind=feishu"}, "provider_type"),
    "no details": ({"details": {}}, "provider_type"),
    "a detail that is none": ({"details": {"a": [1, {}]}}, "a number"),
    "a key that is none": ({"details": {(): 1}}, "geo.country"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked_is_told_with_what_can(name: str) -> None:
    """The error names the value, and its hint what is allowed."""
    fields, allowed = WRONG[name]
    with pytest.raises(ConfigurationError) as error:
        Query(**fields)
    assert allowed in (error.value.hint or "")
    assert "\n" not in error.value.message


def test_an_unknown_field_is_told_with_the_one_that_is_meant() -> None:
    """By name, as a form or a command line gives it."""
    assert Query(user_id="u1") == Query.of({"user_id": "u1"})
    with pytest.raises(ConfigurationError, match=r"'user' \(did you mean 'user_id'\?\)"):
        Query.of({"user": 1})


def test_values_are_those_that_an_event_holds() -> None:
    """Words, ids and addresses are brought into the form in which events have them; each counts once."""
    query = Query(outcome=["failed", True], user_id=[7, "7"], ip_address="::ffff:192.0.2.1", category="Security")
    assert (Outcome.FAILURE, Outcome.SUCCESS) == query.outcome
    assert (("7",), ("192.0.2.1",)) == (query.user_id, query.ip_address)
    assert (Severity.HIGH, Severity.CRITICAL) == Query(severity_at_least="high").severity


def test_actions_are_meant_as_they_are_spelled() -> None:
    """A family, a pattern, a constant, a spelling of old with its outcome."""
    failed = frozenset({Outcome.FAILURE, Outcome.DENIED, Outcome.ERROR})
    query = Query(actions=["auth", "sso.*", AuditAction.ROLE_ASSIGN, "login_failed", "login_success", "login"])
    assert [
        ("auth.*", None),
        ("sso.*", None),
        ("role.assign", None),
        ("auth.login", failed),
        ("auth.login", frozenset(Outcome) - failed),
        ("auth.login", None),
    ] == [(each.text, each.outcomes) for each in query.named or ()]


class Own(enum.Enum):
    """Actions as a program has them, which are no texts."""

    FAILED = "login_failed"
    FIVE = 5


def test_an_action_may_be_of_a_programs_own_enumeration() -> None:
    """A member of any enumeration means the action that its value names; one whose value is no text is refused."""
    assert Query(actions="login_failed") == Query(actions=Own.FAILED) == Query(actions=[Own.FAILED])
    with pytest.raises(ConfigurationError, match="5 names no action"):
        Query(actions=Own.FIVE)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_a_value(name: str) -> None:
    """It can be made anew from itself with another limit, compared, and written down."""
    query = Query(**QUERIES[name])
    other = dataclasses.replace(query, limit=7)
    assert dataclasses.replace(other, limit=query.limit) == query
    assert {**query.to_dict(), "limit": 7} == other.to_dict()
    assert hash(repr(query)) == hash(repr(Query(**QUERIES[name])))
