"""What goes and what stays: rules, whole partitions and single rows, and the event that each purge leaves."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit_async import Retention, maintain
from audit_async.config import PURGE_ROWS
from audit_async.errors import ConfigurationError
from audit_async.inspection import TableName
from audit_async.maintenance import purge
from audit_async.table.guard import guard, is_guarded
from tests.store.conftest import Place, empty, place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries
from tests.table.catalogue import catalogue
from tests.tables import all_rows

NAME = TableName.parse("audit_logs")
NOW = datetime.now(UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def month_ago(months_back: int) -> datetime:
    """Return the first moment of a month that is past."""
    count = NOW.year * 12 + NOW.month - 1 - months_back
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


async def purges(url: str) -> list[dict[str, Any]]:
    """Return what the events `audit.purge` say, in their order."""
    return [row["details"] for row in await all_rows(url) if row["action"] == "audit.purge"]


async def ids(url: str) -> set[str]:
    return {row["id"] for row in await all_rows(url) if not row["action"].startswith("audit.")}


async def test_the_most_specific_rule_counts(place: Place) -> None:  # noqa: F811
    """Tenant and category over tenant over category over all; also where it keeps rows for longer, or for less."""
    rules = {
        (None, None): 365,
        (None, "access"): 30,
        ("acme", None): 1000,
        ("acme", "access"): 10,
        (None, "data"): 2000,
    }
    stay = set()
    for age, tenant, category in itertools.product(
        (1, 20, 100, 500, 1500), ("acme", "other", None), ("access", "data", "system")
    ):
        row = entries(1, created_at=days_ago(age), tenant_id=tenant, category=category)[0]
        await place.open().insert([row])
        chain = [(tenant, category), (tenant, None), (None, category), (None, None)]
        if age < next(rules[each] for each in chain if each in rules):
            stay.add(row.id)
    retention = [Retention(days, category, tenant) for (tenant, category), days in rules.items()]
    done = await maintain(place.url, retention=retention)
    assert stay == await ids(place.url)
    assert 45 - len(stay) == done.rows_purged
    assert () == done.failures


async def test_rows_that_no_rule_matches_stay(place: Place) -> None:  # noqa: F811
    """Without a general rule nothing else goes, however old; without any rule nothing at all."""
    rows = [entries(1, created_at=days_ago(9000), category=category)[0] for category in ("data", "access")]
    await place.open().insert(rows)
    assert 0 == (await maintain(place.url)).rows_purged
    assert 1 == (await maintain(place.url, retention=[Retention(30, category="access")])).rows_purged
    assert {rows[0].id} == await ids(place.url)


async def test_each_purge_leaves_its_event(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Batch by batch the events count what went, exactly, from the first row's time to the last one's."""
    monkeypatch.setattr(purge, "PURGE_ROWS", 40)
    assert PURGE_ROWS > 40
    moments = [days_ago(100 + number) for number in range(100)]
    await place.open().insert([entries(1, created_at=moment, category="access")[0] for moment in moments])
    await place.open().insert(entries(7, created_at=days_ago(100), category="data"))
    done = await maintain(place.url, retention=[Retention(50, category="access")])
    left = await purges(place.url)
    assert (100, 7) == (sum(each["count"] for each in left), len(await ids(place.url)))
    assert 100 == done.rows_purged
    assert all(each["count"] <= 40 and each["root"] is None for each in left)
    assert {"50 days of category access"} == {each["rule"] for each in left}
    spans = sorted((datetime.fromisoformat(each["from"]), datetime.fromisoformat(each["to"])) for each in left)
    assert (min(moments), max(moments)) == (spans[0][0], spans[-1][1])
    assert all(first <= last for first, last in spans)
    written = [row for row in await all_rows(place.url) if row["action"] == "audit.purge"]
    assert {("system", "security")} == {(row["actor_type"], row["category"]) for row in written}
    assert list(range(1, len(left) + 1)) == sorted(row["writer_seq"] for row in written)
    assert 1 == len({row["writer_id"] for row in written})


async def test_a_dry_run_changes_nothing_and_says_the_same(place: Place) -> None:  # noqa: F811
    """Rows, transaction ids and catalogue are as before; what is told is what the real run then does."""
    store = place.open()
    for age in (10, 100, 400):
        await store.insert([*entries(20, created_at=days_ago(age), category="access"), *entries(5, created_at=NOW)])
    if place.dialect == "postgresql":
        await place.execute(f"DROP TABLE audit_logs_{month_ago(-3):%Y_%m}")
    before = await all_rows(place.url), await catalogue(place.url)
    rules = [Retention(365), Retention(30, category="access")]
    told = await maintain(place.url, retention=rules, dry_run=True)
    assert before == (await all_rows(place.url), await catalogue(place.url))
    done = await maintain(place.url, retention=rules)
    assert (40, told.partitions) == (told.rows_purged, done.partitions)
    assert (told.rows_purged, told.held) == (done.rows_purged, done.held)
    assert ("would be" in str(told), "would be" in str(done)) == (True, False)


async def make_month(place: Place, months_back: int) -> str:  # noqa: F811
    """Make the partition of a past month, and return its name."""
    first, after = month_ago(months_back), month_ago(months_back - 1)
    name = f"audit_logs_{first:%Y_%m}"
    await place.execute(
        f"CREATE TABLE {name} PARTITION OF audit_logs"
        f" FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
    )
    return name


async def tables(place: Place) -> set[str]:  # noqa: F811
    return {row[0] for row in await place.rows("SELECT relname FROM pg_class WHERE relkind = 'r'")}


async def test_a_month_of_which_all_may_go_is_dropped(postgres_place: Place) -> None:  # noqa: F811
    """As a whole, if every row may go by some rule; a month with one row that stays loses the others only."""
    old, mixed = await make_month(postgres_place, 20), await make_month(postgres_place, 10)
    store = postgres_place.open()
    for month in (20, 10):
        await store.insert(entries(30, created_at=month_ago(month), category="access"))
    await store.insert(entries(20, created_at=month_ago(20), category="data"))
    kept = entries(1, created_at=month_ago(10), category="data")
    await store.insert(kept)
    done = await maintain(postgres_place.url, retention=[Retention(90, "access"), Retention(400, "data")])
    assert {kept[0].id} == await ids(postgres_place.url)
    there = await tables(postgres_place)
    assert (False, True) == (old in there, mixed in there)
    assert [("dropped", old, 50), ("deleted", mixed, 30)] == [(p.way, p.partition, p.rows) for p in done.purged]
    dropped = (await purges(postgres_place.url))[0]
    assert ([old], 50) == (dropped["partitions"], dropped["count"])
    assert "90 days" in dropped["rule"]
    assert "400 days" in dropped["rule"]


async def test_a_month_can_be_kept_for_the_archive(postgres_place: Place) -> None:  # noqa: F811
    """Detached instead of dropped its rows are out of the log, and in a table of their own."""
    old = await make_month(postgres_place, 20)
    await postgres_place.open().insert(entries(30, created_at=month_ago(20)))
    done = await maintain(postgres_place.url, retention=[Retention(90)], detach=True)
    assert [("detached", old, 30)] == [(each.way, each.partition, each.rows) for each in done.purged]
    assert (set(), 30) == (await ids(postgres_place.url), await postgres_place.count(old))
    again = await maintain(postgres_place.url, retention=[Retention(90)], detach=True)
    assert ((), ()) == (again.purged, again.failures)


async def test_empty_months_go_by_a_general_rule_alone(postgres_place: Place) -> None:  # noqa: F811
    """Where some rows are kept for ever their month stays, since late ones may come."""
    old = await make_month(postgres_place, 20)
    await maintain(postgres_place.url, retention=[Retention(90, category="access")])
    assert old in await tables(postgres_place)
    await maintain(postgres_place.url, retention=[Retention(90, category="access"), Retention(700)])
    assert old in await tables(postgres_place)
    await maintain(postgres_place.url, retention=[Retention(90)])
    assert old not in await tables(postgres_place)


async def test_the_guard_is_on_again(place: Place) -> None:  # noqa: F811
    """Rows of a guarded table go by maintenance, and by nothing else, before and after."""
    async with place.admin.begin() as connection:
        await guard(connection, NAME)
    await place.open().insert([*entries(20, created_at=days_ago(100)), *entries(5)])
    assert 20 == (await maintain(place.url, retention=[Retention(30)])).rows_purged
    async with place.admin.connect() as connection:
        assert await is_guarded(connection, NAME)
    with pytest.raises(Exception, match="append-only"):
        await place.execute("DELETE FROM audit_logs")
    assert 5 == len(await ids(place.url))


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "30", 10**9])
def test_days_that_cannot_be_meant(days: Any) -> None:
    """A rule that would take today's rows, or none ever, is refused."""
    with pytest.raises(ConfigurationError, match="days"):
        Retention(days)


async def test_rules_that_cannot_be_meant(place: Place) -> None:  # noqa: F811
    """An unknown category names the nearest one, an empty tenant and two rules for the same rows are refused."""
    with pytest.raises(ConfigurationError, match="did you mean 'access'"):
        Retention(30, category="acess")
    with pytest.raises(ConfigurationError, match="tenant_id"):
        Retention(30, tenant_id="")
    with pytest.raises(ConfigurationError, match="same rows"):
        await maintain(place.url, retention=[Retention(30), Retention(40)])


async def test_a_table_of_version_1_has_no_retention(place: Place) -> None:  # noqa: F811
    """Where holds cannot be placed nothing is purged: the error says to upgrade. Months are made all the same."""
    await place.execute("DROP TABLE audit_schema", "DROP TABLE audit_logs_holds")
    await place.open().insert(entries(3, created_at=days_ago(100)))
    with pytest.raises(ConfigurationError, match="audit-async upgrade"):
        await maintain(place.url, retention=[Retention(30)])
    assert () == (await maintain(place.url)).failures
    assert 3 == len(await ids(place.url))
