"""A legal hold wins over every rule, is told when it is placed and released, and is there until then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from audit_async import Retention, find_holds, maintain, place_hold, release_hold
from audit_async.errors import ConfigStoreError, ConfigurationError
from tests.polling import eventually
from tests.store.conftest import Place, add_role, empty, place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries
from tests.tables import all_rows

OLD = datetime.now(UTC) - timedelta(days=1000)
DAY = timedelta(days=1)


async def ids(url: str) -> set[str]:
    return {row["id"] for row in await all_rows(url) if not row["action"].startswith("audit.")}


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        ({}, {0, 1, 2, 3}),
        ({"tenant_id": "acme"}, {0, 1}),
        ({"category": "access"}, {0, 3}),
        ({"user_id": "u1"}, {0, 1}),
        ({"since": OLD + DAY}, {1, 2, 3}),
        ({"until": OLD + DAY}, {0}),
        ({"since": OLD, "until": OLD + 2 * DAY, "tenant_id": "acme", "category": "access", "user_id": "u1"}, {0}),
        ({"tenant_id": "nobody"}, set()),
    ],
)
async def test_what_is_held_stays(place: Place, hold: dict[str, Any], held: set[int]) -> None:  # noqa: F811
    """All that is given has to match, what is left out holds any; the rest goes. Released, it goes as well."""
    rows = [
        entries(1, created_at=OLD, tenant_id="acme", category="access", user_id="u1")[0],
        entries(1, created_at=OLD + DAY, tenant_id="acme", category="data", user_id="u1")[0],
        entries(1, created_at=OLD + 2 * DAY, tenant_id="other", category="data", user_id="u2")[0],
        entries(1, created_at=OLD + 3 * DAY, tenant_id=None, category="access", user_id=None)[0],
    ]
    await place.open().insert(rows)
    placed = await place_hold(place.url, reason="suit 4711", **hold)
    done = await maintain(place.url, retention=[Retention(30)])
    assert {rows[number].id for number in held} == await ids(place.url)
    assert (len(held), 4 - len(held)) == (done.held, done.rows_purged)
    await release_hold(place.url, placed.id)
    await maintain(place.url, retention=[Retention(30)])
    assert set() == await ids(place.url)


async def test_a_held_row_keeps_its_month(postgres_place: Place) -> None:  # noqa: F811
    """A partition with one row that is held is not dropped; the others of it go."""
    first = OLD.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=40)).replace(day=1)
    await postgres_place.execute(
        f"CREATE TABLE old PARTITION OF audit_logs FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
    )
    await postgres_place.open().insert([*entries(30, created_at=OLD), *entries(1, created_at=OLD, user_id="u-held")])
    hold = await place_hold(postgres_place.url, user_id="u-held", reason="suit")
    done = await maintain(postgres_place.url, retention=[Retention(30)])
    assert [("deleted", "old", 30)] == [(each.way, each.partition, each.rows) for each in done.purged]
    await release_hold(postgres_place.url, hold.id)
    done = await maintain(postgres_place.url, retention=[Retention(30)])
    assert [("dropped", "old", 1)] == [(each.way, each.partition, each.rows) for each in done.purged]


async def test_both_leave_an_event(place: Place) -> None:  # noqa: F811
    """Who held what, and why; the tenant does not see it among its own rows."""
    placed = await place_hold(place.url, tenant_id="acme", since=OLD, reason="  suit 4711 ", placed_by="jane")
    assert [placed] == await find_holds(place.url)
    released = await release_hold(place.url, placed.id, released_by="joe")
    assert (placed, []) == (released, await find_holds(place.url))
    rows = await all_rows(place.url)
    said = [(row["action"], row["actor_type"], row["actor_id"], row["tenant_id"]) for row in rows]
    assert [("audit.hold", "user", "jane", None), ("audit.release", "user", "joe", None)] == said
    assert {(placed.id, "acme", "suit 4711", OLD.isoformat())} == {
        (d["hold"], d["tenant"], d["reason"], d["since"]) for d in (row["details"] for row in rows)
    }


async def test_what_cannot_be_meant_is_refused(place: Place) -> None:  # noqa: F811
    """No reason, no such category, a time without a zone, an id that nobody has: nothing is changed."""
    for wrong in (
        {"reason": " "},
        {"reason": "x", "category": "acess"},
        {"reason": "x", "since": datetime(2026, 1, 1)},  # noqa: DTZ001 -- the point
        {"reason": "x", "tenant_id": ""},
    ):
        with pytest.raises(ConfigurationError):
            await place_hold(place.url, **wrong)
    with pytest.raises(ConfigurationError, match="no legal hold 'nonsense'"):
        await release_hold(place.url, "nonsense")
    assert ([], 0) == (await find_holds(place.url), await place.count())


async def test_only_the_owner_places_one(postgres_place: Place) -> None:  # noqa: F811
    """The writer's role is told which role it takes."""
    url = await add_role(postgres_place, "GRANT INSERT ON audit_logs TO {role}")
    with pytest.raises(ConfigStoreError, match="belongs to role"):
        await place_hold(url, reason="suit")


async def test_a_hold_under_way_is_waited_for(postgres_place: Place) -> None:  # noqa: F811
    """A purge that begins while a hold is being placed takes nothing before it is there."""
    await postgres_place.open().insert(entries(20, created_at=OLD, tenant_id="acme"))
    async with postgres_place.admin.connect() as placing:
        await placing.execute(
            text("INSERT INTO audit_logs_holds (id, tenant_id, reason) VALUES ('h', 'acme', 'not committed yet')")
        )
        purging = asyncio.ensure_future(maintain(postgres_place.url, retention=[Retention(30)]))

        async def waits() -> bool:
            found = await postgres_place.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%_holds%'"
            )
            return bool(found)

        await eventually(waits)
        await placing.commit()
    done = await purging
    assert (0, ()) == (done.rows_purged, done.failures)
    assert 20 == (await maintain(postgres_place.url, retention=[Retention(30)])).held
