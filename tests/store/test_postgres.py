"""What is true of PostgreSQL alone: roles, row-level security, sessions that are left behind, dead connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from loguru import logger
from sqlalchemy import make_url

from audit_async import diagnostics
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.store.postgres import PostgresStore
from audit_async.table_map.layout import Row
from audit_async.table_map.tables import Layouts
from audit_async.timing import Timing
from tests.store.conftest import Place, add_role
from tests.store.entries import WRITER, entries, entry, insert_or_replay

INSERT_ONLY = ("GRANT INSERT ON audit_logs TO {role}",)
SIZES = pytest.mark.parametrize("count", [1, 5, 40])


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What our own diagnostics say meanwhile."""
    lines: list[str] = []
    diagnostics._last_said.clear()
    sink = logger.add(lambda message: lines.append(str(message)), format="{message}")
    yield lines
    logger.remove(sink)


async def raw(place: Place, application_name: str) -> asyncpg.Connection[asyncpg.Record]:
    url = make_url(place.url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(url, server_settings={"application_name": application_name})


@SIZES
async def test_a_role_that_may_only_insert_suffices(postgres_place: Place, count: int) -> None:
    """First attempt, replay and duplicates work without a right to read."""
    place = postgres_place
    store = place.open(url=await add_role(place, *INSERT_ONLY))
    batch = entries(count)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await place.count() == count


async def test_copy_tells_a_duplicate_apart(postgres_place: Place) -> None:
    """COPY knows no conflict clause: the writer is told to replay."""
    store = postgres_place.open()
    batch = entries(20)
    await store.insert(batch)
    with pytest.raises(DuplicateStoreError):
        await store.insert(batch)


async def test_row_level_security_is_written_to_by_insert(postgres_place: Place) -> None:
    """Where the server refuses COPY the rows go in all the same, the first batch included."""
    place = postgres_place
    url = await add_role(place, *INSERT_ONLY)
    await place.execute(
        "ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY writes ON audit_logs FOR INSERT WITH CHECK (tenant_id = 't1')",
    )
    store = place.open(url=url)
    assert isinstance(store, PostgresStore)
    await store.insert(entries(40))
    assert store._copy_is_refused
    await store.insert(entries(40))
    assert await place.count() == 80

    with pytest.raises(ConfigStoreError, match="policy FOR INSERT"):
        await store.insert(entries(40, tenant_id="t2"))


@SIZES
@pytest.mark.parametrize("gives_up_interpreter", [True, False])
async def test_a_task_in_the_applications_loop_stores_the_same(
    postgres_place: Place, count: int, gives_up_interpreter: bool
) -> None:
    """Both ways of giving others a turn store every row, first and again."""
    store = postgres_place.open(gives_up_interpreter=gives_up_interpreter)
    batch = entries(count * 10)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await postgres_place.count() == count * 10


@pytest.mark.parametrize("is_replay", [False, True])
async def test_the_loop_turns_while_a_task_inserts(postgres_place: Place, is_replay: bool) -> None:
    """Between slices of a batch other tasks of the loop get their turn."""
    store = postgres_place.open(gives_up_interpreter=False)
    await store.insert(entries(1))
    turns = 0
    turn_of_row = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    assert isinstance(store, PostgresStore)
    assert store._layouts is not None
    (layout,) = store._layouts.all

    def rows(made: Sequence[Entry]) -> Iterable[Row]:
        turn_of_row.append(turns)
        return layout.rows(made)

    store._layouts = Layouts((replace(layout, rows=rows, bare_rows=None),))
    counting = asyncio.create_task(count_turns())
    await asyncio.sleep(0)
    await store.insert(entries(2000), is_replay=is_replay)
    counting.cancel()
    assert len(set(turn_of_row)) == 20


@pytest.mark.parametrize("statement", ["COPY", "INSERT"])
async def test_a_replay_ends_what_an_earlier_attempt_left(postgres_place: Place, statement: str) -> None:
    """A session that vanished with our keys in its transaction would block the replay; it is ended first."""
    place = postgres_place
    batch = entries(30)
    left = await raw(place, f"audit/{WRITER}")
    other = await raw(place, "audit/another")
    await left.execute("BEGIN")
    names, values = zip(*{**_first_columns(batch[0])}.items(), strict=True)
    if statement == "COPY":
        await left.copy_records_to_table("audit_logs", columns=names, records=[values])
    else:
        places = ", ".join(f"${number + 1}" for number in range(len(names)))
        await left.execute(f"INSERT INTO audit_logs ({', '.join(names)}) VALUES ({places})", *values)

    store = place.open()
    async with asyncio.timeout(3):  # below lock_timeout, after which it would fail
        await store.insert(batch, is_replay=True)
    assert await place.count() == 30
    assert await other.fetchval("SELECT 1") == 1
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)):
        await left.execute("COMMIT")
    left.terminate()
    await other.close()


def _first_columns(made: object) -> dict[str, object]:
    names = ("id", "created_at", "action", "category", "severity", "outcome")
    return {name: getattr(made, name) for name in names} | dict.fromkeys(("details", "metadata", "tags"), "{}")


async def test_without_ending_it_the_earlier_attempt_blocks(
    postgres_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step above is not idle: without it the same replay runs into the server's time-out."""
    place = postgres_place
    batch = entries(1)
    left = await raw(place, f"audit/{WRITER}")
    await left.execute("BEGIN")
    names, values = zip(*_first_columns(batch[0]).items(), strict=True)
    await left.copy_records_to_table("audit_logs", columns=names, records=[values])

    async def skip(self: PostgresStore, connection: object) -> None:
        """Leave the earlier session alone."""

    monkeypatch.setattr(PostgresStore, "_end_own_sessions", skip)
    with pytest.raises(TransientStoreError) as caught:
        await place.open(timing=Timing(lock_seconds=0.2)).insert(batch, is_replay=True)
    assert caught.value.sqlstate == "55P03"
    await left.close()


@SIZES
async def test_a_dead_connection_fails_once(postgres_place: Place, count: int) -> None:
    """After the server has ended our session one attempt fails as transient, the next has a new connection."""
    place = postgres_place
    store = place.open()
    await store.insert(entries(1))
    await place.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'audit/%'"
    )
    with pytest.raises(TransientStoreError):
        await store.insert(entries(count))
    await store.insert(entries(count))
    assert await place.count() == 1 + count


async def test_a_cancelled_attempt_leaves_no_connection_behind(postgres_place: Place) -> None:
    """A batch that is cancelled while it waits for a lock gives its connection up; brought in again, it is stored once.

    The server has all of it by then, and may carry it out although nobody waits for the answer.
    """
    place = postgres_place
    store = place.open()
    await store.insert(entries(1))
    holder = await raw(place, "holder")
    await holder.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
    cancelled = entries(40)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await store.insert(cancelled)
    await holder.close()
    await store.insert(cancelled, is_replay=True)
    assert await place.count() == 41


@pytest.mark.parametrize("other", [{"key": ()}, {"name": "theirs"}], ids=["without a key", "not ours"])
async def test_a_cancelled_attempt_on_such_a_table_stores_nothing(postgres_place: Place, other: dict[str, Any]) -> None:
    """Where no key passes over what is there already, or a trigger may have changed it, a batch that is given up is not
    carried out later."""
    place = postgres_place
    store = place.open()
    assert isinstance(store, PostgresStore)
    await store.insert(entries(1))
    assert store._layouts is not None
    (layout,) = store._layouts.all
    store._layouts = Layouts((replace(layout, **other),))
    holder = await raw(place, "holder")
    await holder.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await store.insert(entries(40))
    await holder.close()
    await store.insert(entries(1), is_replay=True)  # when the session that was left has ended
    assert await place.count() == 2


async def test_the_session_carries_the_writers_name_and_settings(postgres_place: Place) -> None:
    """The server can tell whose session it is, and ends what hangs."""
    place = postgres_place
    store = place.open()
    assert isinstance(store, PostgresStore)
    await store.insert(entries(1))
    rows = await place.rows("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'audit/%'")
    assert [row[0] for row in rows] == [f"audit/{WRITER}"]
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "tcp_keepalives_count",
    )
    shown = [await store._engine.raw.fetchval(f"SHOW {name}") for name in names]
    assert shown == ["20s", "5s", "30s", "3"]

    adopted = entry(1)
    adopted.writer_id = "f" * 32
    await store.insert([adopted])
    assert await store._engine.raw.fetchval("SHOW application_name") == f"audit/{'f' * 32}"


@pytest.mark.parametrize(("found", "kept"), [("off", "on"), ("local", "local"), ("on", "on")])
async def test_commits_reach_the_servers_disk(postgres_place: Place, found: str, kept: str) -> None:
    """A server that is told not to wait for its disk would lose what we have confirmed."""
    place = postgres_place
    database = place.admin.url.database
    await place.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = {found}')
    store = place.open()
    assert isinstance(store, PostgresStore)
    await store.insert(entries(1))
    assert await store._engine.raw.fetchval("SHOW synchronous_commit") == kept


@SIZES
async def test_behind_a_pooler_nothing_is_prepared_and_settings_are_local(postgres_place: Place, count: int) -> None:
    """Switched off in the URL, no statement outlives its transaction, nor does a setting."""
    place = postgres_place
    store = place.open(url=f"{place.url}?prepared_statement_cache_size=0")
    assert isinstance(store, PostgresStore)
    batch = entries(count)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await place.count() == count
    connection = store._engine.raw
    assert await connection.fetchval("SHOW lock_timeout") == "0"
    assert await connection.fetchval("SHOW application_name") == ""
    prepared = await connection.fetch("SELECT statement FROM pg_prepared_statements WHERE statement ~ 'INSERT'")
    assert prepared == []


async def test_another_unique_key_refuses_its_row(postgres_empty: Place) -> None:
    """A key that is not ours is a fault of the row; it is not passed over as if the row were there."""
    place = postgres_empty
    await place.execute(
        "CREATE TABLE audit_logs (id uuid PRIMARY KEY, action text, details json, agent_id text, user_id text,"
        " created_at timestamptz, CONSTRAINT one_each UNIQUE (user_id))"
    )
    store = place.open()
    await store.insert([entry(1)])
    with pytest.raises(DataStoreError) as caught:
        await insert_or_replay(store, [entry(1)])
    assert caught.value.culprit == "one_each"
    assert await place.count() == 1


@SIZES
async def test_a_revoked_right_is_named(postgres_place: Place, count: int) -> None:
    """The hint is the statement that mends it."""
    place = postgres_place
    url = await add_role(place)
    role = make_url(url).username
    store = place.open(url=url)
    with pytest.raises(ConfigStoreError) as caught:
        await store.insert(entries(count))
    assert caught.value.hint == f"GRANT INSERT ON audit_logs TO {role}"
    await place.execute(str(caught.value.hint))
    await store.insert(entries(count))
    assert await place.count() == count


async def test_wrong_settings_say_what_to_mend(postgres_place: Place) -> None:
    """Password, database, an unknown setting and a closed port: each is named, and no password is told."""
    place = postgres_place
    url = make_url(place.url)
    port = url.port

    async def refused(changed: object) -> StoreError:
        with pytest.raises((ConfigStoreError, TransientStoreError)) as caught:
            await place.open(url=str(changed)).insert(entries(1))
        assert "wr0ng" not in str(caught.value)
        return caught.value

    def text(**changes: object) -> str:
        return url.set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]

    wrong_password = await refused(text(password="wr0ng"))
    assert (type(wrong_password), wrong_password.sqlstate) == (ConfigStoreError, "28P01")
    assert "password" in str(wrong_password.hint)
    no_database = await refused(text(database="nowhere"))
    assert (type(no_database), no_database.sqlstate) == (ConfigStoreError, "3D000")
    assert "nowhere" in str(no_database.hint)
    unknown = await refused(f"{text()}?tls=yes")
    assert (type(unknown), "?ssl=verify-full" in str(unknown.hint)) == (ConfigStoreError, True)
    closed = await refused(text(port=1))
    assert (type(closed), ":1" in closed.message, port != 1) == (TransientStoreError, True, True)


async def test_a_foreign_key_violation_may_heal(postgres_place: Place) -> None:
    """The row that is pointed to may be committed a moment later: the error says so."""
    place = postgres_place
    await place.execute(
        "CREATE TABLE people (id text PRIMARY KEY)",
        "ALTER TABLE audit_logs ADD CONSTRAINT who FOREIGN KEY (user_id) REFERENCES people",
    )
    with pytest.raises(DataStoreError) as caught:
        await place.open().insert(entries(20))
    assert caught.value.may_heal
    assert caught.value.culprit == "who"


async def test_ending_partitions_are_told_of(postgres_place: Place, said: list[str]) -> None:
    """Two years ahead nothing is said; once they end too soon, one line says until when."""
    place = postgres_place
    await place.open().insert(entries(1))
    assert said == []
    parts = await place.rows(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass"
    )
    monthly = sorted(row[0] for row in parts if not row[0].endswith("default"))
    for name in monthly[1:]:
        await place.execute(f"DROP TABLE {name}")
    await place.open().insert(entries(1))
    assert len(said) == 1
    assert "audit-async maintain" in said[0]
