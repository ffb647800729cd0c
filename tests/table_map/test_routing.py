"""Events of several kinds in one batch: each goes to its table, all in one transaction, and each once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from audit_async import AuditLogger, TableMap, events
from audit_async.compat.desktop import OLD_TABLES
from audit_async.entry import Entry
from audit_async.errors import DataStoreError, DuplicateStoreError
from audit_async.events import AuditEvent
from audit_async.store import Store
from tests.seeds import desktop as seed
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import entry_of, make_tables

USE, LOGIN = "nano_banana_user_use_log", "nano_banana_user_log"
DELIVERED = "CREATE TABLE audit_delivered (id varchar(255) PRIMARY KEY)"
REMEMBERING = [table_map.with_delivered_ids("audit_delivered") for table_map in OLD_TABLES]
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "psycopg", "sqlite", "mariadb"], indirect=True)


def use(name: str) -> AuditEvent:
    return events.usage("use_log", actor_name=name, status="success")


def login(name: str) -> AuditEvent:
    return events.custom("login_log", actor_name=name)


def mixed(count: int) -> list[Entry]:
    """Return *count* entries of each kind, in turn."""
    made = [make(f"{number:03}") for number in range(count) for make in (use, login)]
    return [entry_of(event, number + 1) for number, event in enumerate(made)]


async def deliver(store: Store, entries: Sequence[Entry]) -> None:
    """Insert as a writer does, that knows nothing of what came before."""
    try:
        await store.insert(entries)
    except DuplicateStoreError:
        await store.insert(entries, is_replay=True)


async def names(place: Place, table: str) -> list[str]:
    return [row[0] for row in await place.rows(f"SELECT user_name FROM {table} ORDER BY id")]


@pytest.mark.parametrize("count", [1, 3, 40])
@ON_EACH
async def test_each_kind_goes_to_its_table_in_its_order(empty: Place, count: int) -> None:  # noqa: F811
    """One batch of both kinds: the rows of each table are in the order of the log."""
    await make_tables(empty, seed.metadata)
    await empty.open(table=OLD_TABLES).insert(mixed(count))
    expected = [f"{number:03}" for number in range(count)]
    assert (expected, expected) == (await names(empty, USE), await names(empty, LOGIN))


@pytest.mark.parametrize("count", [2, 40])
@ON_EACH
async def test_all_or_none_over_both_tables(empty: Place, count: int) -> None:  # noqa: F811
    """A row that the second table refuses takes those of the first with it."""
    await make_tables(empty, seed.metadata)
    batch = [*mixed(count), entry_of(events.custom("login_log", details={"device_name": "x"}), 1000)]
    # Only the last one is refused.
    await empty.execute(
        f"CREATE UNIQUE INDEX once ON {LOGIN} (device_name)",
        f"INSERT INTO {LOGIN} (device_name) VALUES ('x')",
    )
    with pytest.raises(DataStoreError):
        await deliver(empty.open(table=OLD_TABLES), batch)
    assert (0, 1) == (await empty.count(USE), await empty.count(LOGIN))


@ON_EACH
async def test_a_batch_with_one_of_neither_kind_is_refused_whole(empty: Place) -> None:  # noqa: F811
    """Nothing of it is stored, and it is said which kind, and which table takes what."""
    await make_tables(empty, seed.metadata)
    batch = [*mixed(2), entry_of(events.agent("agent.start"), 9)]
    with pytest.raises(DataStoreError, match=r"no table takes agent\.start.*takes api\.request.*takes auth\.login"):
        await empty.open(table=OLD_TABLES).insert(batch)
    assert (0, 0) == (await empty.count(USE), await empty.count(LOGIN))


@ON_EACH
async def test_the_last_table_may_take_all_the_rest(empty: Place) -> None:  # noqa: F811
    """A map without kinds behind the others gets what none of them takes."""
    await make_tables(empty, seed.metadata, "CREATE TABLE rest (action varchar(128) NOT NULL, details json)")
    rest = TableMap(table="rest", columns={"action": "action", "details": "details"}, fold_into="details")
    await empty.open(table=[*OLD_TABLES, rest]).insert([*mixed(2), entry_of(events.agent("agent.start"), 9)])
    assert (2, 2) == (await empty.count(USE), await empty.count(LOGIN))
    assert [("agent.start",)] == [tuple(row) for row in await empty.rows("SELECT action FROM rest")]


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("is_replay", [False, True])
@ON_EACH
async def test_a_repeated_batch_is_stored_once(empty: Place, count: int, is_replay: bool) -> None:  # noqa: F811
    """Into tables without a place for ids, beside which one remembers them: after a commit whose fate was unknown."""
    await make_tables(empty, seed.metadata, DELIVERED)
    store, batch = empty.open(table=REMEMBERING), mixed(count)
    await deliver(store, batch)
    # What follows may begin with what is there already.
    again = [*batch, entry_of(use("more"), 1001), entry_of(login("more"), 1002)]
    await (store.insert(again, is_replay=True) if is_replay else deliver(store, again))
    await store.insert(again, is_replay=True)
    expected = [*(f"{number:03}" for number in range(count)), "more"]
    assert (expected, expected) == (await names(empty, USE), await names(empty, LOGIN))
    assert len(again) == await empty.count("audit_delivered")


@pytest.mark.parametrize("count", [1, 40])
@ON_EACH
async def test_an_event_twice_in_a_batch_is_stored_once(empty: Place, count: int) -> None:  # noqa: F811
    """The first one wins."""
    await make_tables(empty, seed.metadata, DELIVERED)
    batch = mixed(count)
    await deliver(empty.open(table=REMEMBERING), [*batch, batch[0], batch[1]])
    expected = [f"{number:03}" for number in range(count)]
    assert (expected, expected) == (await names(empty, USE), await names(empty, LOGIN))


@ON_EACH
async def test_what_is_around_an_event_in_quarantine_is_stored_once(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """The batch is taken apart until the one that a table refuses is alone; its id is not noted as delivered."""
    await make_tables(empty, seed.metadata, DELIVERED)
    refused = f"CREATE UNIQUE INDEX once ON {LOGIN} (device_name)"
    await empty.execute(refused, f"INSERT INTO {LOGIN} (user_name, device_name) VALUES ('-', 'x')")
    audit = AuditLogger(empty.url, journal_dir=tmp_path / "journal", table=REMEMBERING)
    bad = events.custom("login_log", details={"device_name": "x"})
    for number in range(20):
        audit.log(use(f"{number:03}"))
        audit.log(login(f"{number:03}"))
        if number == 11:
            audit.log(bad)
    assert not await audit.flush(30)
    await audit.close(30)
    assert (40, 1) == (audit.stats().stored, audit.stats().quarantined)
    # Those of a batch that was taken apart arrive as they are found good.
    expected = [f"{number:03}" for number in range(20)]
    assert (expected, ["-", *expected]) == (sorted(await names(empty, USE)), sorted(await names(empty, LOGIN)))
    assert [] == await empty.rows("SELECT id FROM audit_delivered WHERE id = :id", id=bad.id)
