"""What is true of MariaDB and MySQL alone: strictness, rights, keys, packets."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from loguru import logger
from sqlalchemy import make_url

from audit_async import AuditLogger, diagnostics, events
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.inspection import TableName
from audit_async.store import StoreOptions
from audit_async.store.mariadb import MariadbStore
from audit_async.store.opening import open_store
from audit_async.table.columns import COLUMNS
from audit_async.table_map.layout import Row
from audit_async.table_map.tables import Layouts
from tests.servers.mariadb import MariadbServer
from tests.store.conftest import Place
from tests.store.entries import entries, entry, insert_or_replay
from tests.store.test_conformance import expected, stored

SIZES = pytest.mark.parametrize("count", [1, 5, 300])
EMOJI = "\N{GRINNING FACE}"


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What our own diagnostics say meanwhile."""
    lines: list[str] = []
    diagnostics._last_said.clear()
    sink = logger.add(lambda message: lines.append(str(message)), format="{message}")
    yield lines
    logger.remove(sink)


async def connected(place: Place, count: int = 1) -> MariadbStore:
    """Return a store that has inserted *count* entries."""
    store = place.open()
    assert isinstance(store, MariadbStore)
    await store.insert(entries(count))
    return store


async def add_user(place: Place, *grants: str) -> str:
    """Make a user with nothing but *grants* on our table, and return its URL."""
    user = f"writer_{secrets.token_hex(4)}"
    database = make_url(place.url).database
    await place.execute(
        f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'only-here'",
        *(f"GRANT {grant} ON {database}.audit_logs TO {user}@'127.0.0.1'" for grant in grants),
    )
    return make_url(place.url).set(username=user, password="only-here").render_as_string(hide_password=False)


# --- the session --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
async def test_both_names_lead_to_it_and_no_password_is_shown(scheme: str) -> None:
    """`mysql` and `mariadb` with asyncmy are one store, whose `repr` names the place alone."""
    store = open_store(StoreOptions(url=f"{scheme}+asyncmy://me:s3cret@db/app"))
    assert repr(store) == "<MariadbStore db:3306/app audit_logs, not connected>"


async def test_the_session_is_strict_whatever_the_server_is(mariadb_place: Place) -> None:
    """Strict mode, UTC, all of Unicode and time-outs hold, whatever server and URL say."""
    store = mariadb_place.open(url=f"{mariadb_place.url}?charset=latin1")
    assert isinstance(store, MariadbStore)
    await store.insert(entries(1))
    async with store._engine.raw.cursor() as cursor:
        await cursor.execute(
            "SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%', @@time_zone, @@character_set_client, @@autocommit,"
            " @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@max_statement_time, @@idle_transaction_timeout"
        )
        assert await cursor.fetchone() == (1, "+00:00", "utf8mb4", 1, 5, 5, 20.0, 30)


async def test_what_does_not_fit_is_refused_and_not_shortened(mariadb_place: Place) -> None:
    """A text too long for its column refuses its row, by the column's name and without the text."""
    await mariadb_place.execute("ALTER TABLE audit_logs MODIFY description varchar(5)")
    with pytest.raises(DataStoreError) as caught:
        await mariadb_place.open().insert([entry(1), entry(2, description="s3cret description")])
    assert caught.value.culprit == "description"
    assert "s3cret" not in str(caught.value)
    assert await mariadb_place.count() == 0


async def test_times_are_utc_to_the_microsecond(mariadb_place: Place) -> None:
    """The event's time is kept whole; the database's own clock is in UTC for all, though the server lives elsewhere."""
    moment = datetime(2026, 3, 29, 1, 30, 0, 123457, UTC)
    await mariadb_place.open().insert([entry(1, created_at=moment)])
    columns = ", ".join(set(COLUMNS) - {"id"})
    await mariadb_place.execute(f"INSERT INTO audit_logs (id, {columns}) SELECT 'other', {columns} FROM audit_logs")
    rows = await mariadb_place.rows("SELECT created_at, recorded_at FROM audit_logs")
    assert [row.created_at for row in rows] == [moment.replace(tzinfo=None)] * 2
    now = datetime.now(UTC).replace(tzinfo=None)
    assert [row for row in rows if abs(row.recorded_at - now) > timedelta(hours=1)] == []


async def test_ids_differ_by_case_and_by_a_blank_at_the_end(mariadb_place: Place) -> None:
    """Two ids that another collation takes for one are two rows."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    batch = [entry(number, id=name, created_at=moment) for number, name in enumerate(("a", "A", "a ", "ä"))]
    await mariadb_place.open().insert(batch)
    assert await mariadb_place.count() == 4


async def test_an_idle_connection_is_made_anew(mariadb_place: Place) -> None:
    """What has been idle for long is not trusted: no attempt fails for it."""
    store = await connected(mariadb_place)
    first = store._engine.raw.thread_id()
    await store.insert(entries(1))
    assert store._engine.raw.thread_id() == first
    assert store._server is not None
    store._server = replace(store._server, idle_seconds=0)
    await store.insert(entries(1))
    assert store._engine.raw.thread_id() != first


async def test_dangers_to_the_log_are_said(spare: MariadbServer, spare_place: Place, said: list[str]) -> None:
    """A server that forgets commits, and columns that hold no emoji, are told of; healthy ones are not."""
    await connected(spare_place)
    assert said == []
    await spare.run("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
    await spare_place.execute("ALTER TABLE audit_logs MODIFY description text CHARACTER SET utf8mb3")
    store = await connected(spare_place)
    await spare.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    assert ["innodb_flush_log_at_trx_commit" in said[0], "description" in said[1], len(said)] == [True, True, 2]
    with pytest.raises(DataStoreError) as caught:
        await store.insert([entry(1, description=EMOJI)])
    assert caught.value.culprit == "description"


# --- statements ---------------------------------------------------------------------------------------


async def test_a_batch_larger_than_a_packet_is_stored(spare: MariadbServer, spare_place: Place) -> None:
    """Statements stay below what the server takes at once, however large the batch is."""
    await spare.run("SET GLOBAL max_allowed_packet = 1048576")
    batch = entries(60, details={f"k{n}": EMOJI * 250 for n in range(50)})
    await spare_place.open().insert(batch)
    await spare.run("SET GLOBAL max_allowed_packet = 16777216")
    assert await stored(spare_place) == expected(batch)


@pytest.mark.parametrize("is_replay", [False, True])
async def test_a_row_larger_than_a_packet_is_refused(spare: MariadbServer, spare_place: Place, is_replay: bool) -> None:
    """The server would end the connection without a word: such a row is a matter of its own, and no outage."""
    await spare.run("SET GLOBAL max_allowed_packet = 16384")
    store = spare_place.open()
    try:
        with pytest.raises(DataStoreError, match="1153"):
            await store.insert(entries(1, details={"k": "x" * 16400}), is_replay=is_replay)
        (longest,) = entries(1, details={"k": "x" * 15000})
        await store.insert([longest], is_replay=is_replay)
    finally:
        await spare.run("SET GLOBAL max_allowed_packet = 16777216")
    assert await spare_place.count() == 1


@pytest.mark.parametrize("is_replay", [False, True])
async def test_the_loop_turns_while_a_task_inserts(mariadb_place: Place, is_replay: bool) -> None:
    """Between groups of a batch other tasks of the loop get their turn, and rows are made only then."""
    store = await connected(mariadb_place)
    turns = 0
    turn_of_row = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    assert store._layouts is not None
    (layout,) = store._layouts.all

    def rows(made: Sequence[Entry]) -> Iterable[Row]:
        for row in layout.rows(made):
            turn_of_row.append(turns)
            yield row

    store._layouts = replace(store._layouts, all=(replace(layout, rows=rows),))
    counting = asyncio.create_task(count_turns())
    await store.insert(entries(1280), is_replay=is_replay)
    counting.cancel()
    assert len(set(turn_of_row)) >= 10


# --- rights and keys ----------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize("right", ["INSERT", "INSERT, UPDATE"])
async def test_a_user_that_may_only_insert_suffices(mariadb_place: Place, count: int, right: str) -> None:
    """First attempt, duplicate and replay work without a right to read, and without one to update."""
    store = mariadb_place.open(url=await add_user(mariadb_place, right))
    batch = entries(count)
    await store.insert(batch[: count // 2 + 1])
    with pytest.raises(DuplicateStoreError):
        await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await stored(mariadb_place) == expected(batch)


async def test_a_guard_against_updates_is_no_hindrance(mariadb_place: Place) -> None:
    """A trigger that forbids updates does not stop a replay, and no row is changed."""
    store = await connected(mariadb_place)
    await mariadb_place.execute(
        "CREATE TRIGGER guard BEFORE UPDATE ON audit_logs FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    )
    batch = entries(20)
    await store.insert(batch[:7])
    await store.insert(batch, is_replay=True)
    assert await mariadb_place.count() == 21


UNIQUE_USERS = (
    "CREATE TABLE audit_logs (id char(36) PRIMARY KEY, action varchar(100), details json, agent_id varchar(36),"
    " user_id varchar(36), created_at datetime(6), UNIQUE KEY one_each (user_id))"
)


@pytest.mark.parametrize("rights", ["ALL", "INSERT, SELECT", "INSERT"])
async def test_another_unique_key_refuses_its_row(mariadb_empty: Place, rights: str) -> None:
    """A key that is not ours is a fault of the row: it is not passed over as if the row were there."""
    await mariadb_empty.execute(UNIQUE_USERS)
    store = mariadb_empty.open(url=await add_user(mariadb_empty, rights))
    first, second = entry(1), entry(2)
    await store.insert([first, second])
    third = entry(1)
    with pytest.raises(DuplicateStoreError):
        await store.insert([third])
    await store.insert([first, second], is_replay=True)
    with pytest.raises(DataStoreError) as caught:
        await store.insert([first, third], is_replay=True)
    assert (caught.value.culprit, caught.value.sqlstate) == ("one_each", "23505")
    assert await mariadb_empty.count() == 2


async def test_our_key_is_seen_behind_another_that_is_named_first(mariadb_empty: Place) -> None:
    """A row that is there violates every key; whichever the server names, it counts as there."""
    await mariadb_empty.execute(
        "CREATE TABLE audit_logs (number int AUTO_INCREMENT PRIMARY KEY, user_id varchar(36) NOT NULL UNIQUE,"
        " id varchar(36) UNIQUE, action varchar(100), details json, agent_id varchar(36), created_at datetime(6))"
    )
    store = mariadb_empty.open()
    batch = entries(3)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    with pytest.raises(DataStoreError, match="user_id"):
        await store.insert([entry(1)], is_replay=True)
    assert await mariadb_empty.count() == 3


@pytest.mark.parametrize("is_replay", [False, True])
async def test_a_table_without_a_key_takes_every_row(mariadb_place: Place, is_replay: bool) -> None:
    """Where rows cannot be recognised they are inserted; a unique key that objects refuses its row."""
    store = await connected(mariadb_place)
    assert store._layouts is not None
    store._layouts = replace(store._layouts, all=(replace(store._layouts.all[0], key=()),))
    batch = entries(5)
    await store.insert(batch, is_replay=is_replay)
    with pytest.raises(DataStoreError) as caught:
        await store.insert(batch, is_replay=is_replay)
    assert caught.value.culprit == "PRIMARY"


async def test_delivered_ids_beside_a_table_stand_in_for_its_key(mariadb_place: Place) -> None:
    """What is noted as delivered is not inserted again, by one who may only insert as well."""
    database = make_url(mariadb_place.url).database
    await mariadb_place.execute(
        "CREATE TABLE delivered (id varchar(512) PRIMARY KEY)", "ALTER TABLE audit_logs DROP PRIMARY KEY"
    )
    url = await add_user(mariadb_place, "INSERT")
    user = make_url(url).username
    await mariadb_place.execute(f"GRANT INSERT ON {database}.delivered TO {user}@'127.0.0.1'")
    store = mariadb_place.open(url=url)
    assert isinstance(store, MariadbStore)
    await mariadb_place.execute("ALTER TABLE audit_logs ADD PRIMARY KEY (created_at, id)")
    await store.insert(entries(1))
    await mariadb_place.execute("ALTER TABLE audit_logs DROP PRIMARY KEY")
    assert store._layouts is not None
    (layout,) = store._layouts.all
    store._layouts = Layouts((replace(layout, key=(), delivered=TableName(None, "delivered")),))
    batch = entries(10)
    await store.insert(batch[:4])
    await insert_or_replay(store, [*batch, *batch])
    assert (await mariadb_place.count(), await mariadb_place.count("delivered")) == (11, 10)


@SIZES
async def test_a_missing_right_is_named(mariadb_place: Place, count: int) -> None:
    """The hint is the statement that mends it."""
    store = mariadb_place.open(url=await add_user(mariadb_place, "SELECT (id)"))
    with pytest.raises(ConfigStoreError) as caught:
        await store.insert(entries(count))
    await mariadb_place.execute(str(caught.value.hint))
    await store.insert(entries(count))
    assert await mariadb_place.count() == count


async def test_wrong_settings_say_what_to_mend(mariadb_place: Place) -> None:
    """Password, database and a closed port: each is named, and no password is told."""
    url = make_url(mariadb_place.url)

    async def refused(**changes: object) -> StoreError:
        changed = url.set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]
        with pytest.raises((ConfigStoreError, TransientStoreError)) as caught:
            await mariadb_place.open(url=changed).insert(entries(1))
        assert "wr0ng" not in str(caught.value)
        return caught.value

    wrong_password = await refused(password="wr0ng")
    assert (type(wrong_password), "password" in str(wrong_password.hint)) == (ConfigStoreError, True)
    no_database = await refused(database="nowhere")
    assert (type(no_database), "nowhere" in str(no_database.hint)) == (ConfigStoreError, True)
    closed = await refused(port=1)
    assert (type(closed), ":1" in closed.message) == (TransientStoreError, True)


async def test_a_foreign_key_violation_may_heal(mariadb_place: Place) -> None:
    """The row that is pointed to may be committed a moment later: the error says so."""
    await mariadb_place.execute(
        "CREATE TABLE people (id varchar(512) PRIMARY KEY) COLLATE utf8mb4_nopad_bin",
        "ALTER TABLE audit_logs ADD CONSTRAINT who FOREIGN KEY (user_id) REFERENCES people (id)",
    )
    store = mariadb_place.open()
    with pytest.raises(DataStoreError) as caught:
        await store.insert(entries(20))
    assert (caught.value.may_heal, caught.value.culprit) == (True, "who")
    await mariadb_place.execute(*(f"INSERT INTO people VALUES ('u{number + 1}')" for number in range(20)))
    await store.insert(entries(20))


async def test_a_table_without_a_partition_for_today_makes_events_wait(mariadb_place: Place) -> None:
    """That is the table's fault, by its hint; a time far from now without a partition is the row's own."""
    await mariadb_place.execute(
        "ALTER TABLE audit_logs PARTITION BY RANGE COLUMNS (created_at) (PARTITION old VALUES LESS THAN ('2020-01-01'))"
    )
    store = mariadb_place.open()
    with pytest.raises(ConfigStoreError, match="ADD PARTITION"):
        await store.insert(entries(20))
    with pytest.raises(DataStoreError, match="no partition"):
        await store.insert([entry(1, created_at=datetime(2400, 1, 1, tzinfo=UTC))])
    await mariadb_place.execute("ALTER TABLE audit_logs ADD PARTITION (PARTITION rest VALUES LESS THAN (MAXVALUE))")
    await store.insert(entries(20))
    assert await mariadb_place.count() == 20


async def test_a_column_made_wider_refuses_no_row_any_more(mariadb_place: Place) -> None:
    """A row is blamed only if the table is as it was when it was looked at."""
    store = await connected(mariadb_place)
    await mariadb_place.execute("ALTER TABLE audit_logs ADD COLUMN extra int NOT NULL DEFAULT 1 CHECK (extra > 1)")
    with pytest.raises(TransientStoreError, match="changed under way"):
        await store.insert(entries(1))


# --- from the caller on -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
async def test_what_is_logged_is_in_the_table(mariadb_place: Place, scheme: str, tmp_path: object) -> None:
    """From `log` to the row, through either name."""
    url = mariadb_place.url.replace("mysql+", f"{scheme}+")
    async with AuditLogger(url, journal_dir=str(tmp_path)) as audit:
        ids = [audit.log(events.custom("order.paid", description=f"{EMOJI} {n}", user_id=n)).id for n in range(500)]
        assert await audit.flush(timeout_seconds=20)
    rows = await mariadb_place.rows("SELECT id, description, user_id FROM audit_logs ORDER BY created_at, id")
    assert [tuple(row) for row in rows] == [(name, f"{EMOJI} {n}", str(n)) for n, name in enumerate(ids)]
