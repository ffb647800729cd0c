"""What is counted in the database is what a plain reckoning counts, on every database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit_async import AuditReader, Query, Scope, create_table, events
from audit_async.errors import ConfigurationError
from audit_async.reading.analysis_values import Period
from audit_async.reading.asked import COUNTABLE, LOGINS, PRIVILEGES
from audit_async.reading.periods import LENGTHS, start_of
from tests.reading import recent as plain
from tests.reading.log import everything, ids, stored
from tests.reading.recent import recent, within
from tests.store.conftest import Place

MANY = 10_000

ASKED: list[tuple[str, int, float, tuple[str, ...]]] = [
    ("user_id", 3, 24, LOGINS),
    ("user_id", 12, 24 * 60, ("auth.login", "api.request")),
    ("ip_address", 3, 24, ("api.request",)),
]


async def test_numbers_are_those_of_a_plain_reckoning(place: Place) -> None:
    """By each field and by several, of all events and of some, as many have the same values as are counted."""
    given = recent(400)
    await stored(place, given)
    failed = Query(outcome=["failure", "denied"], since="24h")
    some = [event for event in within(given, hours=24) if event.outcome in ("failure", "denied")]
    async with everything(place) as reader:
        for field in COUNTABLE:
            assert plain.counted(given, field) == await reader.counts(by=field, limit=MANY), field
        pairs = ("action", "outcome")
        assert plain.counted(given, "user_id") == await reader.counts(by=("user_id", "user_id"))
        assert plain.counted(given, *pairs) == await reader.counts(by=pairs, limit=MANY)
        assert plain.counted(some, "user_id", "action") == await reader.counts(failed, ("user_id", "action"), MANY)
        assert plain.counted(given, "action")[:3] == await reader.counts(limit=3)


async def test_the_top_values_come_with_their_times(place: Place) -> None:
    """Each value but none at all is there with its number, its first and its last time, the most first."""
    given = recent(300)
    await stored(place, given)
    async with everything(place) as reader:
        for field in ("user_id", "action", "ip_address", "user_agent", "outcome"):
            expected = plain.top(given, field)
            assert expected == await reader.top(by=field, limit=MANY)
            assert expected[:2] == await reader.top(by=field, limit=2)


async def test_activity_has_no_gaps(place: Place) -> None:
    """Every hour, or day, from the first event to now is there once, in order, with its number, 0 too."""
    given = recent(60)
    await stored(place, given)
    async with everything(place) as reader:
        for unit, length in LENGTHS.items():
            found = await reader.activity(by=unit)
            starts = [period.starts_at for period in found]
            assert min(event.created_at for event in given) - length < starts[0]
            assert datetime.now(UTC) - length * 2 < starts[-1]
            assert {length} == {after - before for before, after in itertools.pairwise(starts)}
            for at, period in zip(starts, found, strict=True):
                assert sum(at <= event.created_at < at + length for event in given) == period.events


async def test_an_event_far_away_is_counted_in_its_own_hour(place: Place) -> None:
    """One with a time of the year 9999, or long ago, ends nobody's count: what lies empty before it is left out."""
    given = recent(60)
    far = [datetime(9999, 12, 31, 23, 59, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]
    async with everything(place) as reader:
        await stored(place, given)
        before = {unit: await reader.activity(by=unit) for unit in LENGTHS}
        await stored(place, [events.custom("app.opened", created_at=at) for at in far])
        for unit, found in before.items():
            last, first = (Period(starts_at=start_of(at, "hour" if unit == "hour" else "day"), events=1) for at in far)
            assert {(period.starts_at, period.events) for period in (*found, first, last)} <= {
                (period.starts_at, period.events) for period in await reader.activity(by=unit)
            }
        with pytest.raises(ConfigurationError, match="hours lie between"):
            await reader.activity(Query(since="99999d"))
        assert [1] == [period.events for period in await reader.activity(Query(since=far[0] - timedelta(minutes=9)))]


async def test_an_hour_ends_with_its_last_microsecond(place: Place) -> None:
    """What happened a microsecond before the full hour is of that hour, whatever zone its caller was in."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for moment in (noon - timedelta(microseconds=1), noon, noon + timedelta(minutes=59, seconds=59.999999)):
        await stored(place, [events.custom("app.opened", created_at=moment)])
    query = Query(since=noon - timedelta(hours=2), until=noon + timedelta(hours=2))
    async with everything(place) as reader:
        assert [0, 1, 2, 0] == [period.events for period in await reader.activity(query)]
        assert [3] == [period.events for period in await reader.activity(query, by="day")]
        assert [] == await reader.activity(Query(user_id="nobody"))


async def test_failed_logins_are_those_of_a_plain_reckoning(place: Place) -> None:
    """Of each address the number, its users, those without one, and the times, of the last day or as asked."""
    given = recent(500)
    await stored(place, given)
    async with everything(place) as reader:
        for query, of in ((None, within(given, hours=24)), (Query(), given)):
            found = await reader.failed_logins(query)
            assert plain.by_address(of) == found
        assert 2 == len(await reader.failed_logins(Query(), limit=2))


async def test_first_seen_is_what_was_never_seen_before(place: Place) -> None:
    """A value of the last month is found unless an older event of the same user has it, the latest first."""
    given = recent(300)
    await stored(place, given)
    now = datetime.now(UTC)
    async with everything(place) as reader:
        for user in ("u1", "u2"):
            for field in ("ip_address", "user_agent"):
                of = plain.seen([event for event in given if event.user_id == user], field)
                new = [seen for seen in of if seen.first_at and seen.first_at > now - timedelta(days=30)]
                expected = sorted(new, key=lambda seen: str(seen.first_at), reverse=True)
                assert expected == await reader.first_seen(user, field)
        assert await reader.first_seen("u1")


async def test_changes_of_privileges_are_listed(place: Place) -> None:
    """Every event that gives or takes a right is there, of the last month or as asked, and no other."""
    given = recent(400)
    await stored(place, given)

    def changes(of: list[Any]) -> list[str]:
        exact = {name for name in PRIVILEGES if "*" not in name}
        return ids(plain.newest(e for e in of if e.action in exact or e.family in ("role", "permission")))

    async with everything(place) as reader:
        assert changes(within(given, days=30)) == ids(await reader.privilege_changes())
        assert changes(given) == ids(await reader.privilege_changes(Query()))
        of_one = [event for event in given if event.user_id == "u1"]
        assert changes(of_one)[:2] == ids(await reader.privilege_changes(Query(user_id="u1"), limit=2))


async def test_repeated_failures_know_of_a_success_behind_them(place: Place) -> None:
    """Who failed at least so often is there, with the first success that had so many failures before it."""
    given = recent(900)
    await stored(place, given)
    async with everything(place) as reader:
        for field, at_least, hours, actions in ASKED:
            found = await reader.repeated_failures(hours, at_least, field, actions)
            expected = plain.repeated(within(given, hours=hours), field, at_least, actions)
            assert plain.most(expected) == found
            assert {True} <= {row.is_followed_by_success for row in found}


async def test_a_success_before_the_failures_is_none_behind_them(place: Place) -> None:
    """Failures count up to the success: one too few before it, and it is not said to follow them."""
    at = datetime.now(UTC) - timedelta(hours=1)
    outcomes = ["success", "failure", "failure", "success", "failure", "success", "pending"]
    login = [
        events.auth("login", user_id="u1", outcome=outcome, created_at=at + timedelta(minutes=number))
        for number, outcome in enumerate(outcomes)
    ]
    await stored(place, login)
    async with everything(place) as reader:
        [three], [two] = [await reader.repeated_failures(at_least=least) for least in (3, 2)]
        assert [] == await reader.repeated_failures(at_least=4)
    assert (3, at + timedelta(minutes=5)) == (three.failures, three.succeeded_at)
    assert (3, at + timedelta(minutes=3)) == (two.failures, two.succeeded_at)
    assert (at + timedelta(minutes=1), at + timedelta(minutes=4)) == (two.first_at, two.last_at)


async def test_nothing_of_another_tenant_is_counted(place: Place) -> None:
    """Each question says of a tenant what it says of a table that has this tenant's events alone."""
    tenants = ("t1", "t2", None)
    given = recent(600, tenants=tenants)
    await stored(place, given)
    for scope in ("t1", None, Scope.of("t2", None), Scope.of()):
        kept = [event for event in given if Scope.read(scope).covers(event.tenant_id)]
        async with AuditReader(place.url, tenant=scope) as reader:
            answers = await _everything_asked(reader)
        assert _everything_reckoned(kept) == answers, scope


async def _everything_asked(reader: AuditReader) -> dict[str, Any]:
    behavior = await reader.user_behavior("u1")
    return {
        "logs": ids(await reader.user_audit_logs("u1")),
        "suspicious": len(await reader.suspicious_activities(limit=MANY // 2)),
        "behavior": {**behavior, "analysis_time": None},
        "counts": await reader.counts(by="tenant_id"),
        "top": await reader.top(limit=MANY),
        "activity": sum(period.events for period in await reader.activity(by="day")),
        "failed": {row.ip_address: row for row in await reader.failed_logins(Query())},
        "first": {seen.value for seen in await reader.first_seen("u1", days=30)},
        "privileges": ids(await reader.privilege_changes(Query(), limit=MANY // 2)),
        "repeated": {row.value: row for row in await reader.repeated_failures(24 * 90, 2)},
    }


def _everything_reckoned(kept: list[Any]) -> dict[str, Any]:
    exact = {name for name in PRIVILEGES if "*" not in name}
    since = datetime.now(UTC) - timedelta(days=30)
    addresses = plain.seen([event for event in kept if event.user_id == "u1"], "ip_address")
    return {
        "logs": ids(plain.newest(event for event in kept if event.user_id == "u1")),
        "suspicious": sum(map(plain.is_suspicious, within(kept, hours=24))),
        "behavior": {**plain.behavior(within(kept, days=30), "u1", 30), "analysis_time": None},
        "counts": plain.counted(kept, "tenant_id"),
        "top": plain.top(kept, "user_id"),
        "activity": len(kept),
        "failed": {row.ip_address: row for row in plain.failed_logins(kept)},
        "first": {seen.value for seen in addresses if seen.first_at and seen.first_at > since},
        "privileges": ids(
            plain.newest((e for e in kept if e.action in exact or e.family in ("role", "permission")), MANY)
        ),
        "repeated": {row.value: row for row in plain.repeated(kept, "user_id", 2, LOGINS)},
    }


WRONG: dict[str, Any] = {
    "field": lambda reader: reader.counts(by="ipaddress"),
    "no field": lambda reader: reader.counts(by=()),
    "nothing": lambda reader: reader.counts(by=None),
    "details": lambda reader: reader.top(by="details"),
    "two for top": lambda reader: reader.top(by=("action", "outcome")),
    "unit": lambda reader: reader.activity(by="week"),
    "limit": lambda reader: reader.counts(limit=0),
    "limit of events": lambda reader: reader.user_audit_logs("u1", limit=5001),
    "hours": lambda reader: reader.suspicious_activities(hours=0),
    "days": lambda reader: reader.user_behavior("u1", days="30"),
    "endless": lambda reader: reader.user_behavior("u1", days=float("inf")),
    "at least": lambda reader: reader.repeated_failures(at_least=True),
    "too many hours": lambda reader: reader.activity(Query(since="2000-01-01")),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_be_meant_is_said_with_a_hint(name: str, sqlite_url: str) -> None:
    """An unknown field, a number out of its range and the like are refused before anything is read."""
    await create_table(sqlite_url)
    async with AuditReader(sqlite_url, tenant=Scope.all()) as reader:
        with pytest.raises(ConfigurationError) as caught:
            await WRONG[name](reader)
    assert caught.value.hint
