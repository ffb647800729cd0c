"""Following our table on PostgreSQL: other databases, COPY, restarts, restored tables, standbys, plans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
import sqlalchemy as sa

from audit_async import AuditReader, Scope, create_table
from audit_async.reading.connection import QueryTimeoutError
from audit_async.reading.follow import Follower
from audit_async.reading.follow_snapshots import Seen, Snapshot, Snapshots
from tests.logs import heard
from tests.polling import eventually
from tests.reading.following import WAIT_SECONDS, insert, put, rest, taken, transaction
from tests.reading.log import START, everything, ids, made, stored
from tests.servers.postgres import PostgresCluster, PostgresServer
from tests.servers.standby import StandbyServer
from tests.store.conftest import Place, _place
from tests.store.conftest import postgres_empty as postgres_empty
from tests.store.conftest import postgres_place as postgres_place

QUICK = 0.001
COPIED = 12_000  # more than two pages


@pytest.fixture
def diagnostics() -> Iterator[list[str]]:
    """What the library says of itself."""
    with heard() as lines:
        yield lines


@pytest.fixture
async def own_server(postgres_binaries: Path) -> AsyncIterator[PostgresServer]:
    """A server of one test alone."""
    with PostgresServer(postgres_binaries) as server:
        yield server


@pytest.fixture
async def own_place(own_server: PostgresServer) -> AsyncIterator[Place]:
    """Our table on that server."""
    async for place in _place(own_server.url(await own_server.create_database())):
        await create_table(place.url)
        yield place


async def test_a_long_transaction_in_another_database_holds_up_nobody(
    postgres_place: Place, each_postgres: PostgresCluster
) -> None:
    """Events come while a transaction that wrote is open elsewhere in the cluster, each once, also from a position."""
    other = await each_postgres.connect()
    try:
        await other.execute("BEGIN; SELECT pg_current_xact_id()")
        async with everything(postgres_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
            for number in range(5):
                await postgres_place.execute(insert(postgres_place, f"x{number}"))
                assert [f"x{number}"] == await taken(follower, 1)
            await other.execute("ROLLBACK")
            async with reader.follow(position=follower.position) as second:
                assert [] == await rest(second, postgres_place)
    finally:
        await other.close()


async def test_thousands_that_are_copied_are_given_once(postgres_place: Place) -> None:
    """A COPY of more than two pages comes whole, while smaller transactions go on, and one is open all the while."""
    given = made(COPIED)
    async with everything(postgres_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        async with transaction(postgres_place) as slow:
            await put(slow, insert(postgres_place, "slow"))
            copying = asyncio.create_task(stored(postgres_place, given))
            for number in range(10):
                await postgres_place.execute(insert(postgres_place, f"x{number}"))
            found = await taken(follower, COPIED + 10)
            await copying
            await slow.commit()
        assert ["slow"] == await taken(follower, 1)
        assert sorted([*ids(given), *(f"x{number}" for number in range(10))]) == sorted(found)
        assert [] == await rest(follower, postgres_place)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_restarts_is_waited_for(
    own_place: Place, own_server: PostgresServer, mode: Any, diagnostics: list[str]
) -> None:
    """Followers go on when the server is back: nothing is missed, nothing comes twice, and it is said once."""
    async with everything(own_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        await own_place.execute(insert(own_place, "before"))
        assert ["before"] == await taken(follower, 1)
        waiting = asyncio.create_task(taken(follower, 2))
        own_server.stop(mode)
        await eventually(lambda: any("waits for the database" in line for line in diagnostics))
        own_server.start()
        await own_place.execute(insert(own_place, "after"), insert(own_place, "behind"))
        assert ["after", "behind"] == await waiting
        assert [] == await rest(follower, own_place)
    assert 1 == len([line for line in diagnostics if "waits for the database" in line])


# --- numbers of another server -----------------------------------------------------------------------


async def _now(place: Place) -> int:
    return int((await place.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))[0][0])


async def _burn(place: Place, until: int) -> None:
    """Use the numbers of transactions up, as far as *until*."""
    async with place.admin.connect() as connection:
        while await _now(place) <= until:
            await put(connection, "SELECT pg_current_xact_id()", "COMMIT", "BEGIN")


async def test_rows_of_another_server_are_not_new_when_their_numbers_come(
    postgres_place: Place, diagnostics: list[str]
) -> None:
    """Of a table that was restored the old rows never come, though their numbers are handed out again; new ones do."""
    ahead = await _now(postgres_place) + 10
    await postgres_place.execute(
        *(insert(postgres_place, f"old{number}") for number in range(5)),
        f"UPDATE audit_logs SET xact_id = {ahead}, recorded_at = recorded_at - interval '1 day'",
    )
    async with everything(postgres_place) as reader, reader.follow() as follower, reader.follow(since=START) as whole:
        assert [line for line in diagnostics if "restored from another server" in line]
        await postgres_place.execute(insert(postgres_place, "new1"))
        await _burn(postgres_place, ahead)
        await postgres_place.execute(insert(postgres_place, "new2"))
        assert ["new1", "new2"] == await taken(follower, 2)
        assert [*(f"old{number}" for number in range(5)), "new1", "new2"] == await taken(whole, 7)
        assert [] == await rest(follower, postgres_place)


async def test_nobody_hides_what_is_to_come(postgres_place: Place) -> None:
    """A row with a number and a time of the future, which a writer made up, does not keep later ones from coming."""
    await postgres_place.execute(
        insert(postgres_place, "made up"),
        f"UPDATE audit_logs SET xact_id = {2**62}, recorded_at = '9999-01-01'",
    )
    async with everything(postgres_place) as reader, reader.follow() as follower:
        await postgres_place.execute(insert(postgres_place, "new"))
        assert ["new"] == await rest(follower, postgres_place)


def _with_numbers_ahead(follower: Follower, by: int) -> str:
    """Return the position of *follower* as if its server had come further."""
    at, way = follower._at, follower._way
    assert at is not None
    assert way is not None
    state = at().state
    ahead = Seen(Snapshot(state.seen.xmax + by, state.seen.running))
    follower._at = lambda: type(at())(ahead)
    position = follower.position
    assert position is not None
    return position


async def test_numbers_that_were_lost_are_waited_for_again(postgres_place: Place, diagnostics: list[str]) -> None:
    """Where a server has not come as far as a position, its next transactions are new; it is said."""
    async with everything(postgres_place) as reader:
        async with reader.follow() as follower:
            position = _with_numbers_ahead(follower, 100_000)
        async with reader.follow(position=position) as second:
            waiting = asyncio.create_task(taken(second, 1))
            await eventually(lambda: [line for line in diagnostics if "went back" in line])
            await postgres_place.execute(insert(postgres_place, "new"))
            assert ["new"] == await waiting
            assert [] == await rest(second, postgres_place)


async def test_a_position_of_the_server_before_goes_on_behind_the_dump(postgres_place: Place) -> None:
    """On the server to which a dump was restored, a position from before gives what was recorded since."""
    async with everything(postgres_place) as reader:
        await postgres_place.execute(insert(postgres_place, "old"))
        async with reader.follow() as follower:
            position = _with_numbers_ahead(follower, 100_000)
        await postgres_place.execute(
            "UPDATE audit_logs SET xact_id = xact_id + 50000, recorded_at = recorded_at - interval '1 hour'"
        )
        await postgres_place.execute(insert(postgres_place, "new"))
        async with reader.follow(position=position) as second:
            assert ["new"] == await rest(second, postgres_place)


async def test_a_standby_gives_what_arrived_there(
    own_place: Place, own_server: PostgresServer, postgres_binaries: Path
) -> None:
    """On a standby each event comes once, though a transaction is open on the primary, and goes on when promoted."""
    with StandbyServer(own_server, postgres_binaries) as standby:
        database = own_place.url.rpartition("/")[2]
        copy = Place(standby.url(database), own_place.admin, [])
        async with everything(copy) as reader, reader.follow(idle_seconds=QUICK) as follower:
            async with transaction(own_place) as slow:
                await put(slow, insert(own_place, "slow"))
                await own_place.execute(insert(own_place, "quick"))
                await slow.commit()
            assert ["slow", "quick"] == sorted(await taken(follower, 2), reverse=True)
            await own_place.execute(insert(own_place, "more"))
            assert ["more"] == await taken(follower, 1)
            await anyio.to_thread.run_sync(standby.promote)
            async for promoted in _place(copy.url):
                await _became_primary(promoted)
                await promoted.execute(insert(promoted, "promoted"))
                assert ["promoted"] == await rest(follower, promoted)


async def _became_primary(place: Place) -> None:
    async def is_primary() -> bool:
        return not (await place.rows("SELECT pg_is_in_recovery()"))[0][0]

    await eventually(is_primary, WAIT_SECONDS)


# --- snapshots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "does"),
    [
        ("10:10:", "10:10:", True),
        ("10:10:", "9:11:9", False),
        ("5:10:5,7", "7:12:7,11", True),
        ("5:10:5", "5:10:5,7", False),
        ("10:10:", "9:9:", False),
        ("5:10:5", "10:10:", True),
    ],
)
def test_a_snapshot_that_knows_less_is_no_later_one(earlier: str, later: str, does: bool) -> None:
    """A snapshot follows another one exactly if all that was done is done."""
    assert does == Snapshot.parse(later).follows(Snapshot.parse(earlier))


def test_a_snapshot_is_written_as_the_server_writes_it() -> None:
    """What is kept in a position is the server's own form."""
    for text in ("10:10:", "5:10:5,7"):
        assert text == str(Snapshot.parse(text))
    assert Snapshot(5) == Snapshot.parse("5:10:", is_standby=True)


def test_a_part_of_a_snapshot_is_one() -> None:
    """What is known of the next few transactions follows what was known, and what is known in all follows it."""
    before, now = Snapshot.parse("5:10:5,7"), Snapshot.parse("7:30:7,11,25")
    part = now.within(4, before)
    assert Snapshot.parse("7:14:7,11") == part
    assert part.follows(before)
    assert now.follows(part)
    assert now == now.within(20, before)


# --- plans -------------------------------------------------------------------------------------------

_FILL = """
INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, tenant_id, user_id, details, metadata,
                        tags)
SELECT gen_random_uuid()::text, now() - number * interval '1 second', 'sso.login', 'security', 'info', 'success',
       't' || number % 20, 'u' || number % 500, '{}', '{}', '[]' FROM generate_series(1, 4000) AS number
"""


async def test_a_look_asks_the_index_of_commits(postgres_place: Place) -> None:
    """In a table with rows from many transactions a look reads no partition that is full from end to end."""
    for _ in range(10):
        await postgres_place.execute(_FILL)
    connection = await asyncpg.connect(postgres_place.url.replace("+asyncpg", ""))
    try:
        await connection.execute("VACUUM ANALYZE audit_logs")
    finally:
        await connection.close()
    full = f"audit_logs_{datetime.now(UTC):%Y_%m}"
    plan = await _plan_of_a_look(postgres_place, None)
    assert f"{full}_xact_id_idx" in plan
    for each in (plan, await _plan_of_a_look(postgres_place, "t7")):
        assert f"Seq Scan on {full}" not in each


async def _plan_of_a_look(place: Place, tenant: str | None) -> str:
    async with everything(place) as reader:
        view = await reader._look()
        assert view.commit is not None
        where = [] if tenant is None else [view.source.c.tenant_id == tenant]
        way = Snapshots(view, where, view.commit, reader.scope)
        now = await _now(place)
        state = Seen(Snapshot(now - 2, frozenset({now - 9})), Snapshot(now))
        async with reader._database.transaction() as connection:
            statement = way.statement(state).compile(
                dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
            )
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            values = [statement.params[name] for name in statement.positiontup or ()]
            return "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {statement}", *values))


async def test_a_look_that_takes_too_long_is_repeated_with_less_to_look_through(postgres_place: Place) -> None:
    """One who was away long is not stuck before a stretch of transactions that no question gets through."""
    async with AuditReader(postgres_place.url, tenant=Scope.all(), statement_seconds=0.2) as reader:
        view = await reader._look()
        assert view.commit is not None
        slow = Snapshots(view, [sa.func.pg_sleep(60).is_(None)], view.commit, reader.scope)
        async with reader._database.transaction() as connection:
            state = await slow.begin(connection, None)
        await stored(postgres_place, made(3))
        before = slow._stride
        for looks in (1, 2):
            with pytest.raises(QueryTimeoutError):
                async with reader._database.transaction() as connection:
                    await slow.look(connection, state)
            assert before // 2**looks == slow._stride
