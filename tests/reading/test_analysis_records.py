"""The analyses of 595 real records are what a plain reckoning finds in them."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from audit_async import Query
from audit_async.reading.asked import LOGINS
from audit_async.reading.periods import LENGTHS, start_of
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.records import read_records
from tests.reading import recent as plain
from tests.reading.log import everything, ids, stored
from tests.shared import shared_file
from tests.store.conftest import Place

AGO = 24 * 365 * 20


@pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
async def test_analyses_of_real_records_are_those_of_a_plain_reckoning(place: Place) -> None:
    """Numbers, times, addresses, failures and successes are those of the records, counted one by one."""
    records = read_records(shared_file("data/m365_identity_events.jsonl"), rounds=1)
    given = [event_of(record) for record in records]
    await stored(place, given)
    user = Counter(event.user_id for event in given).most_common(1)[0][0]
    async with everything(place) as reader:
        assert 595 == len(given) == await reader.count()
        for fields in (("action",), ("user_id", "outcome"), ("ip_address",), ("tenant_id", "actor_type")):
            assert plain.counted(given, *fields) == await reader.counts(by=fields, limit=10_000)
        assert plain.top(given, "user_agent") == await reader.top(by="user_agent", limit=10_000)
        by_day = Counter(start_of(event.created_at, "day") for event in given)
        query = Query(until=max(by_day) + LENGTHS["day"])
        assert by_day == {day.starts_at: day.events for day in await reader.activity(query, by="day") if day.events}
        assert plain.by_address(given) == await reader.failed_logins(Query())
        assert plain.most(plain.repeated(given, "user_id", 5, LOGINS)) == await reader.repeated_failures(AGO)
        mine = [event for event in given if event.user_id == user]
        assert ids(plain.newest(mine)) == ids(await reader.user_audit_logs(user))
        found = await reader.user_behavior(user, 20 * 365)
        found.pop("analysis_time")
        assert plain.behavior(mine, str(user), 20 * 365) == found
        failed = [event for event in given if plain.is_suspicious(event)]
        assert ids(plain.newest(failed)) == ids(await reader.suspicious_activities(AGO))
        new = {seen.value for seen in await reader.first_seen(user, days=20 * 365)}
        assert {event.ip_address for event in mine} - {None} == new
    assert msgspec.to_builtins(found)
