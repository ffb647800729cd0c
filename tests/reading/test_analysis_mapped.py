"""On tables of systems that came before, the same is counted as in the events that are read of them."""

from __future__ import annotations

import pytest

from audit_async import AuditReader, Query, TableMap
from audit_async.events.vocabulary import FAILED, Outcome
from audit_async.reading.asked import COUNTABLE, LOGINS
from audit_async.reading.periods import LENGTHS
from tests.reading import recent as plain
from tests.reading.log import everything, stored
from tests.reading.recent import recent, within
from tests.reading.test_analysis import MANY
from tests.store.conftest import Place
from tests.table_map.test_ready_all import TABLES, unlimited, without_foreign_keys

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
USERS = {
    "aether": ("u1", "u2", None),
    "clawith": ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", None),
    "enclava": ("1", "2", None),
    "wecom": ("u1", "u2"),
}


async def fill(name: str, place: Place) -> None:
    await without_foreign_keys(place, unlimited(TABLES[name]))
    given = recent(400, users=USERS[name], tenants=("t1", "t2", None))
    await stored(place, given, table=TableMap.ready(name))


@pytest.mark.parametrize("name", TABLES)
@ON_EACH
async def test_numbers_are_those_of_the_events_that_are_read(name: str, empty: Place) -> None:
    """By every field that a table has, and in every analysis, what is counted is what a plain reckoning counts."""
    await fill(name, empty)
    async with everything(empty, table=TableMap.ready(name)) as reader:
        there = [event async for event in reader.events()]
        for field in COUNTABLE:
            assert plain.counted(there, field) == await reader.counts(by=field, limit=MANY), field
        expected = plain.top(there, "action")
        assert expected == await reader.top(by="action", limit=MANY)
        for unit, length in LENGTHS.items():
            for period in await reader.activity(by=unit):
                at = period.starts_at
                assert sum(at <= event.created_at < at + length for event in there) == period.events
        assert plain.by_address(there) == await reader.failed_logins(Query())
        again = plain.repeated(there, "user_id", 3, LOGINS)
        found = await reader.repeated_failures(24 * 90, 3)
        assert again
        assert plain.most(again) == found


@pytest.mark.parametrize("name", TABLES)
@ON_EACH
async def test_a_user_is_told_of_from_the_events_that_are_read(name: str, empty: Place) -> None:
    """What a user did, and from where for the first time, is what a plain reckoning finds in the same events."""
    await fill(name, empty)
    async with everything(empty, table=TableMap.ready(name)) as reader:
        there = [event async for event in reader.events()]
        recently = within(there, days=30)
        for user in USERS[name][:2]:
            found = await reader.user_behavior(user)
            requests = [e for e in recently if e.user_id == user and e.action == "api.request"]
            outcomes = [e.outcome for e in requests if e.legacy_action("aether") != "api_key_used"]
            assert outcomes.count(Outcome.SUCCESS) == found["success_requests"]
            assert sum(outcome in FAILED for outcome in outcomes) == found["failed_requests"]
            assert sum(e.user_id == user for e in recently) == sum(found["event_counts"].values())
            addresses = plain.seen([e for e in there if e.user_id == user], "ip_address")
            new = {seen.value for seen in addresses if seen.first_at and seen.first_at >= recently[-1].created_at}
            assert new == {seen.value for seen in await reader.first_seen(user)}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
async def test_a_tenant_in_the_json_is_kept_to(name: str, empty: Place) -> None:
    """Where the tenant stands in a JSON column nothing of another's is counted either."""
    await fill(name, empty)
    async with everything(empty, table=TableMap.ready(name)) as reader:
        there = [event async for event in reader.events()]
    async with AuditReader(empty.url, tenant="t1", table=TableMap.ready(name)) as reader:
        kept = [event for event in there if event.tenant_id == "t1"]
        assert kept
        assert plain.counted(kept, "action") == await reader.counts(limit=MANY)
        assert len(kept) == sum(seen.events for seen in await reader.top(by="action", limit=MANY))
        assert len(kept) == sum(period.events for period in await reader.activity(by="day"))
