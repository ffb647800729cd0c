"""By whose clock rows are old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit_async import Retention, maintain
from audit_async.errors import ConfigStoreError
from audit_async.maintenance.clock import agreed_time
from tests.store.conftest import Place, empty, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries


async def set_clock(place: Place, ahead: str) -> None:
    """Let the server's clock go *ahead* for everybody who connects to the database from now on."""
    database = place.url.rpartition("/")[2]
    await place.execute(
        "CREATE SCHEMA clock",
        "CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        f" AS $$ SELECT pg_catalog.clock_timestamp() + interval '{ahead}' $$",
        f'ALTER DATABASE "{database}" SET search_path = public, clock, pg_catalog',
    )


async def test_the_time_is_utc_whatever_the_zone(empty: Place) -> None:  # noqa: F811
    """Each server's answer is an aware time between two looks at our own clock on the same host."""
    before = datetime.now(UTC)
    async with empty.admin.connect() as connection:
        time = await agreed_time(connection)
    slack = timedelta(seconds=1)
    assert before - slack <= time <= datetime.now(UTC) + slack
    assert timedelta(0) == time.utcoffset()


@pytest.mark.parametrize("ahead", ["73 years", "-6 minutes"])
async def test_nothing_goes_where_the_clocks_differ(postgres_place: Place, ahead: str) -> None:  # noqa: F811
    """The error names both times, and neither a row nor a month is touched."""
    await postgres_place.open().insert(entries(3))
    await set_clock(postgres_place, ahead)
    with pytest.raises(ConfigStoreError, match=r"the clocks differ: it is \d{4}-\S+ \S+ UTC on .* UTC here"):
        await maintain(postgres_place.url, retention=[Retention(1)])
    assert 3 == await postgres_place.count()


async def test_the_servers_clock_decides(postgres_place: Place) -> None:  # noqa: F811
    """A row that is old by the server's clock, and not yet by ours, goes."""
    day_old = datetime.now(UTC) - timedelta(days=1)
    await postgres_place.open().insert(entries(3, created_at=day_old + timedelta(minutes=2)))
    await set_clock(postgres_place, "4 minutes")
    done = await maintain(postgres_place.url, retention=[Retention(1)])
    assert 3 == sum(each.rows for each in done.purged)
