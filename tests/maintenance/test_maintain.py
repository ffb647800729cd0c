"""A run of maintenance beside writers, twice at once, killed, without the right role, or after a year without one."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from audit_async import AuditLogger, Retention, events, maintain
from audit_async.config import PARTITION_MONTHS_AHEAD, STRAY_ROWS
from audit_async.errors import AuditError, ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName
from audit_async.maintenance import maintain as module
from audit_async.table import transactions
from audit_async.table.guard import guard, is_guarded
from audit_async.table.partitions import find_partitions, months
from tests.polling import eventually
from tests.store.conftest import Place, add_role, empty, place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries
from tests.table.catalogue import catalogue
from tests.tables import all_rows

NAME = TableName.parse("audit_logs")
NOW = datetime.now(UTC)


async def drop_months(place: Place) -> None:  # noqa: F811
    """Leave the table with its default partition alone, as one that nobody has looked after for long."""
    async with place.admin.connect() as connection:
        found = [each.name.quoted() for each in await find_partitions(connection, NAME) if not each.is_default]
    await place.execute(*(f"DROP TABLE {name}" for name in found))


async def months_of(place: Place) -> set[str]:  # noqa: F811
    async with place.admin.connect() as connection:
        return {str(each.name) for each in await find_partitions(connection, NAME) if not each.is_default}


async def tables_of(place: Place) -> list[str]:  # noqa: F811
    """Return everything that belongs to the table."""
    return [row[0] for row in await place.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'audit_%'")]


def named(first: datetime) -> str:
    return f"audit_logs_{first:%Y_%m}"


async def test_after_a_year_without_it_all_is_well_again(postgres_place: Place) -> None:  # noqa: F811
    """Rows that went to the default partition meanwhile get their months, and months are ahead again."""
    await drop_months(postgres_place)
    store = postgres_place.open()
    for age in range(0, 360, 30):
        await store.insert(entries(20, created_at=NOW - timedelta(days=age)))
    before = await all_rows(postgres_place.url)
    done = await maintain(postgres_place.url, months_ahead=3)
    assert (240, 0, ()) == (sum(each.rows for each in done.moved), done.left_in_default, done.failures)
    assert before == await all_rows(postgres_place.url)
    assert 0 == await postgres_place.count("audit_logs_default")
    there = await months_of(postgres_place)
    assert {named(first) for first, _ in months(NOW, 3)} <= there
    assert there == set(done.partitions)
    again = await maintain(postgres_place.url, months_ahead=3)
    assert ((), ()) == (again.partitions, again.moved)
    assert "needs nothing" in str(again)


async def test_rows_of_far_away_months_stay_unless_they_are_many(
    postgres_place: Place,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong clock's few rows of 1999 or 2150 get no partition; a month with many rows does."""
    monkeypatch.setattr(module, "STRAY_ROWS", 20)
    assert STRAY_ROWS > 20
    few, many, future = (datetime(year, 5, 5, tzinfo=UTC) for year in (1999, 2001, 2150))
    store = postgres_place.open()
    await store.insert([*entries(19, created_at=few), *entries(5, created_at=future)])
    await store.insert(entries(20, created_at=many))
    done = await maintain(postgres_place.url)
    assert ((named(many),), 24) == (done.partitions, done.left_in_default)
    assert "24 rows" in str(done)


async def test_writers_lose_nothing(postgres_place: Place, tmp_path: Path) -> None:  # noqa: F811
    """A logger that is at work all the while, for months that are just being made, gets every event in."""
    await drop_months(postgres_place)
    async with postgres_place.admin.begin() as connection:
        await guard(connection, NAME)
    await postgres_place.open().insert(entries(20, created_at=NOW - timedelta(days=700)))
    accepted: set[str] = set()
    async with AuditLogger(postgres_place.url, journal_dir=tmp_path) as audit:

        async def write() -> None:
            for number in itertools.count():
                moment = NOW - timedelta(days=30 * (number % 10))
                accepted.add(audit.log(events.custom("report.print", created_at=moment)).id)
                if number % 50 == 0:
                    await audit.flush(30)

        writing = asyncio.ensure_future(write())
        await eventually(lambda: audit.stats().stored > 100)
        for _ in range(3):
            done = await maintain(postgres_place.url, retention=[Retention(500)])
            assert () == done.failures
        writing.cancel()
        assert await audit.flush(30)
        assert (len(accepted), 0) == (audit.stats().stored, audit.stats().quarantined)
    stored = {row["id"] for row in await all_rows(postgres_place.url) if row["action"] != "audit.purge"}
    assert accepted == stored
    async with postgres_place.admin.connect() as connection:
        assert await is_guarded(connection, NAME)


async def test_two_at_once_do_it_once(postgres_place: Place) -> None:  # noqa: F811
    """The second waits for the first, and finds nothing left to do."""
    await drop_months(postgres_place)
    await postgres_place.open().insert(entries(30, created_at=NOW - timedelta(days=700)))
    done = await asyncio.gather(*(maintain(postgres_place.url, retention=[Retention(30)]) for _ in range(3)))
    assert PARTITION_MONTHS_AHEAD + 1 == sum(len(each.partitions) for each in done)
    assert (30, ()) == (sum(each.rows_purged for each in done), sum((each.failures for each in done), ()))


async def test_who_waits_in_vain_says_so(postgres_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Where the first does not end the second gives up, and says why."""
    monkeypatch.setattr(transactions, "LOCK_TURN_SECONDS", 0.2)
    async with postgres_place.admin.connect() as first, transactions.taking_turns(first, NAME):
        with pytest.raises(AuditError, match="another process"):
            await maintain(postgres_place.url)
    assert () == (await maintain(postgres_place.url)).failures


async def pids_that_wait(place: Place, query: str) -> list[int]:  # noqa: F811
    found = await place.rows(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :query"
        " AND datname = current_database()",
        query=query,
    )
    return [row[0] for row in found]


@pytest.mark.parametrize(
    ("in_the_way", "where"),
    [
        ("LOCK TABLE audit_logs_default IN ACCESS SHARE MODE", "LOCK TABLE%default%"),
        ("SELECT 1 FROM old FOR UPDATE", "DELETE FROM%"),
        ("LOCK TABLE audit_logs IN ACCESS SHARE MODE", "DROP TABLE%"),
    ],
)
async def test_killed_in_the_middle(postgres_place: Place, in_the_way: str, where: str) -> None:  # noqa: F811
    """Its session ended while it moves, deletes or drops, the table is as before, guarded, and the next run does it
    all."""
    await drop_months(postgres_place)
    first, after = months(NOW - timedelta(days=700), 0)[0]
    await postgres_place.execute(
        f"CREATE TABLE old PARTITION OF audit_logs FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
    )
    async with postgres_place.admin.begin() as connection:
        await guard(connection, NAME)
    store = postgres_place.open()
    await store.insert(entries(20))
    await store.insert(entries(20, created_at=first, category="access"))
    if "DROP" not in where:
        await store.insert(entries(20, created_at=first, category="data"))
    rule = Retention(30, category="access")
    if "default" not in where:
        await maintain(postgres_place.url)
    before = await all_rows(postgres_place.url), await catalogue(postgres_place.url)

    async with postgres_place.admin.connect() as other:
        await other.execute(text(in_the_way))
        running = asyncio.ensure_future(maintain(postgres_place.url, retention=[rule]))
        pid = (await eventually(lambda: pids_that_wait(postgres_place, where)))[0]
        await postgres_place.rows("SELECT pg_terminate_backend(:pid)", pid=pid)
        with pytest.raises(AuditError):
            await running
    assert before == (await all_rows(postgres_place.url), await catalogue(postgres_place.url))
    async with postgres_place.admin.connect() as connection:
        assert await is_guarded(connection, NAME)
    done = await maintain(postgres_place.url, retention=[rule])
    assert (20, ()) == (done.rows_purged, done.failures)


async def test_what_cannot_be_locked_is_said_and_the_rest_is_done(
    postgres_place: Place,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A report that reads the whole table stops the making of months for now, and no deletion elsewhere."""
    monkeypatch.setattr(transactions, "LOCK_TRIES", 2)
    first, after = months(NOW - timedelta(days=700), 0)[0]
    await postgres_place.execute(
        f"CREATE TABLE old PARTITION OF audit_logs FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')",
        f"DROP TABLE {named(months(NOW, 1)[1][0])}",
    )
    store = postgres_place.open()
    await store.insert([*entries(20, created_at=first, category="access"), *entries(5, created_at=first)])
    rule = [Retention(30, category="access")]
    async with postgres_place.admin.connect() as report:
        await report.execute(text("SELECT count(*) FROM audit_logs"))
        done = await maintain(postgres_place.url, retention=rule)
    assert not done.is_complete
    assert 1 == len(done.failures)
    assert "lock" in done.failures[0]
    assert (20, "not done" in str(done)) == (done.rows_purged, True)
    assert 1 == len((await maintain(postgres_place.url, retention=rule)).partitions)


async def test_who_does_not_own_the_table_is_told_who_does(postgres_place: Place) -> None:  # noqa: F811
    """At once, and with the role that it takes; a member of that role may."""
    url = await add_role(postgres_place, "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    with pytest.raises(ConfigStoreError, match="belongs to role audit_admin") as caught:
        await maintain(url, dry_run=True)
    assert "audit_admin" in str(caught.value.hint)

    owner, member = [await add_role(postgres_place, "GRANT ALL ON SCHEMA public TO {role}") for _ in range(2)]
    owner_name, member_name = (make_url(each).username for each in (owner, member))
    await postgres_place.execute(
        *[f"ALTER TABLE {table} OWNER TO {owner_name}" for table in await tables_of(postgres_place)],
        f"GRANT {owner_name} TO {member_name}",
        f"DROP TABLE {named(months(NOW, 1)[1][0])}",
    )
    await postgres_place.open().insert(entries(20, created_at=NOW - timedelta(days=900)))
    done = await maintain(member, retention=[Retention(30)])
    assert (1, 20, ()) == (len(done.partitions), done.rows_purged, done.failures)
    owners = await postgres_place.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'audit_logs%'")
    assert [owner_name] == [row[0] for row in owners]


async def test_rows_that_a_policy_hides_are_not_taken_for_none(postgres_place: Place) -> None:  # noqa: F811
    """Under row-level security that binds the owner too it refuses, and says what to change."""
    url = await add_role(postgres_place, "GRANT ALL ON SCHEMA public TO {role}")
    role = make_url(url).username
    await postgres_place.execute(
        *[f"ALTER TABLE {table} OWNER TO {role}" for table in await tables_of(postgres_place)],
        "ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY",
    )
    await postgres_place.open().insert(entries(3, created_at=NOW - timedelta(days=900)))
    with pytest.raises(ConfigStoreError, match="row-level security hides rows of audit_logs"):
        await maintain(url, retention=[Retention(30)])
    await postgres_place.execute(f"ALTER ROLE {role} BYPASSRLS")
    assert 3 == (await maintain(url, retention=[Retention(30)])).rows_purged


async def test_a_table_that_is_not_there_is_not_made(place: Place) -> None:  # noqa: F811
    """Neither is one of a newer program touched, nor a foreign one."""
    with pytest.raises(ConfigStoreError, match="no table nowhere"):
        await maintain(place.url, table="nowhere")
    await place.execute("CREATE TABLE foreign_logs (id integer PRIMARY KEY)")
    with pytest.raises(ConfigurationError, match="none of ours"):
        await maintain(place.url, table="foreign_logs", retention=[Retention(1)])
    await place.execute("UPDATE audit_schema SET version = 99")
    with pytest.raises(ConfigurationError, match="newer"):
        await maintain(place.url)


@pytest.mark.parametrize("months_ahead", [-1, 1201, 1.0, True, None])
async def test_months_that_cannot_be_meant(months_ahead: Any) -> None:
    """A number of months is whole and within a century."""
    with pytest.raises(ConfigurationError, match="months_ahead"):
        await maintain("sqlite+aiosqlite:///nowhere.db", months_ahead=months_ahead)


async def test_a_database_whose_transactions_look_back(postgres_place: Place) -> None:  # noqa: F811
    """Where a transaction sees what was there at its begin, as a default, what came meanwhile counts all the same."""
    database = make_url(postgres_place.url).database
    await postgres_place.execute(f"ALTER DATABASE \"{database}\" SET default_transaction_isolation = 'repeatable read'")
    month = months(NOW, 1)[1]
    await postgres_place.execute(f"DROP TABLE {named(month[0])}")
    async with postgres_place.admin.connect() as other:
        await other.execute(text("LOCK TABLE audit_logs_default IN ROW EXCLUSIVE MODE"))
        running = asyncio.ensure_future(maintain(postgres_place.url))
        await eventually(lambda: pids_that_wait(postgres_place, "LOCK TABLE%default%"))
        await other.execute(
            text(
                "INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, details, metadata, tags)"
                " VALUES ('late', :moment, 'a.b', 'data', 'info', 'success', '{}', '{}', '[]')"
            ),
            {"moment": month[0]},
        )
        await other.commit()
    done = await running
    assert ((), [1]) == (done.failures, [each.rows for each in done.moved])


async def test_a_table_in_another_schema_of_the_search_path(postgres_place: Place) -> None:  # noqa: F811
    """Months are made beside the table, wherever the role's path would make new tables."""
    await postgres_place.execute("CREATE SCHEMA first", f"DROP TABLE {named(months(NOW, 1)[1][0])}")
    database = make_url(postgres_place.url).database
    await postgres_place.execute(f'ALTER DATABASE "{database}" SET search_path = first, public')
    done = await maintain(postgres_place.url)
    assert (1, ()) == (len(done.partitions), done.failures)
    where = await postgres_place.rows(
        "SELECT schemaname FROM pg_tables WHERE tablename = :name", name=named(months(NOW, 1)[1][0])
    )
    assert ["public"] == [row[0] for row in where]
