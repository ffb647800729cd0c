"""Following, on every database: what becomes visible is given once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async import AuditEvent, AuditLogger, AuditReader, Query, Scope, events
from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.reading.follow import Follower
from tests.children import Child
from tests.polling import eventually
from tests.reading.following import LAST, WAIT_SECONDS, insert, put, rest, taken, transaction
from tests.reading.log import everything, ids, made, stored
from tests.store.conftest import Place

QUICK = 0.001
PAGE = 50
MANY = 4 * PAGE + 7


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what goes over pages go over many."""
    for module in ("follow", "follow_snapshots", "follow_rowids", "follow_numbers", "follow_times"):
        monkeypatch.setattr(f"audit_async.reading.{module}.EXPORT_PAGE_EVENTS", PAGE)
    monkeypatch.setattr("audit_async.reading.follow_snapshots.FOLLOW_TRANSACTIONS", 1)


async def test_only_what_comes_after_the_beginning_is_given(place: Place) -> None:
    """A follower that has begun gives every later event, and none that was there."""
    await stored(place, made(5))
    async with everything(place) as reader, reader.follow() as follower:
        later = made(7, seed=1)
        await stored(place, later)
        assert sorted(ids(later)) == sorted(await taken(follower, 7))
        assert [] == await rest(follower, place)


async def test_events_of_before_come_first(place: Place) -> None:
    """With `since`, events from then on that were there come in the order of time, then the new ones."""
    given = made(9)
    await stored(place, given)
    async with everything(place) as reader, reader.follow(since=given[3].created_at) as follower:
        assert sorted(ids(given[3:])) == sorted(await taken(follower, 6))
        assert [] == await rest(follower, place)


async def test_what_is_committed_while_the_past_is_read_is_given_once(place: Place) -> None:
    """A row that is committed between the pages of what was there is new, wherever its time puts it."""
    given = made(MANY)
    await stored(place, given)
    async with everything(place) as reader, reader.follow(since=given[0].created_at) as follower:
        found = await taken(follower, 1)
        await place.execute(insert(place, "x1", at=given[0].created_at), insert(place, "x2", at=given[-1].created_at))
        found += await taken(follower, MANY + 1)
        assert sorted([*ids(given), "x1", "x2"]) == sorted(found)
        assert {"x1", "x2"} == set(found[-2:])
        assert [] == await rest(follower, place)


async def test_thousands_in_one_transaction_are_given_once(place: Place) -> None:
    """A batch of many pages comes whole, and a follower that goes on from within it goes on there."""
    given = made(MANY)
    async with everything(place) as reader, reader.follow() as follower:
        writing = asyncio.create_task(stored(place, given))
        found = await taken(follower, MANY // 2)
        async with reader.follow(position=follower.position) as second:
            found += await taken(second, MANY - len(found))
            assert sorted(ids(given)) == sorted(found)
            assert [] == await rest(second, place)
        await writing


async def test_a_follower_goes_on_behind_each_event(place: Place) -> None:
    """From the position after any event another follower gives exactly the later ones."""
    given = sorted(ids(made(6)))
    async with everything(place) as reader, reader.follow() as follower:
        positions = [follower.position]
        for row_id in given:
            await place.execute(insert(place, row_id))
            assert [row_id] == await taken(follower, 1)
            positions.append(follower.position)
        for number, position in enumerate(positions):
            async with reader.follow(position=position) as other:
                assert given[number:] == await taken(other, len(given) - number)
                assert position == follower.position or number < len(given)


async def test_a_row_without_a_place_in_the_query_is_never_given(place: Place) -> None:
    """Query and scope hold for what comes, and rows that are kept out do not come later either."""
    async with AuditReader(place.url, tenant="t1") as reader, reader.follow(Query(user_id=[None])) as follower:
        for number in range(20):
            await place.execute(insert(place, f"x{number:02}", tenant=["t1", "t2", None][number % 3]))
        assert [f"x{number:02}" for number in range(0, 20, 3)] == await rest(follower, place)


async def test_a_scope_of_nothing_gives_nothing(place: Place) -> None:
    """A follower in an empty scope waits for ever."""
    async with AuditReader(place.url, tenant=Scope.of()) as reader, reader.follow(idle_seconds=QUICK) as follower:
        await place.execute(insert(place, "x"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(follower)


async def test_transactions_that_commit_in_the_other_order_are_both_given(place: Place) -> None:
    """What began later and is committed earlier comes first; what began earlier comes when it is committed."""
    if place.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    async with everything(place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        async with transaction(place) as first, transaction(place) as second:
            await put(first, insert(place, "a1"))
            await put(second, insert(place, "b1"))
            await put(first, insert(place, "a2"))
            await second.commit()
            assert ["b1"] == await taken(follower, 1)
            await place.execute(insert(place, "c1"))
            assert ["c1"] == await taken(follower, 1)
            kept = follower.position
            await first.commit()
        assert ["a1", "a2"] == sorted(await taken(follower, 2))
        async with reader.follow(position=kept) as other:
            assert ["a1", "a2"] == sorted(await taken(other, 2))
            assert [] == await rest(other, place)


async def test_what_is_open_when_a_follower_begins_is_given(place: Place) -> None:
    """A transaction that began before the follower, and is committed after it began, is new; so it is after a past."""
    if place.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    async with everything(place) as reader, transaction(place) as early:
        await put(early, insert(place, "early"))
        await place.execute(insert(place, "there"))
        async with reader.follow() as follower, reader.follow(since=datetime(2020, 1, 1, tzinfo=UTC)) as whole:
            assert ["there"] == await taken(whole, 1)
            await early.commit()
            assert ["early"] == await taken(follower, 1)
            assert ["early"] == await taken(whole, 1)
            assert [] == await rest(follower, place)


async def test_what_is_rolled_back_is_not_given(place: Place) -> None:
    """Rows of a savepoint or a transaction that were rolled back never come; those around them do."""
    async with everything(place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        async with transaction(place) as connection:
            await put(connection, insert(place, "a"), "SAVEPOINT s", insert(place, "b"), "ROLLBACK TO SAVEPOINT s")
            await put(connection, "SAVEPOINT t", insert(place, "c"), "RELEASE SAVEPOINT t", insert(place, "d"))
            await connection.commit()
        async with transaction(place) as connection:
            await put(connection, insert(place, "e"))
            await connection.rollback()
        assert ["a", "c", "d"] == sorted(await rest(follower, place))


SEEDS = 20


@pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
async def test_whatever_the_order_each_committed_row_is_given_once(place: Place) -> None:
    """In random interleavings of transactions, followers that end and go on give the rows that are committed."""
    writers = 1 if place.dialect == "sqlite" else 4
    connections = [await place.admin.connect() for _ in range(writers)]
    async with everything(place) as reader:
        for seed in range(SEEDS):
            chance = random.Random(seed)
            found: list[str] = []
            first = reader.follow(idle_seconds=QUICK)
            async with first:
                position = first.position
            async with asyncio.TaskGroup() as group, asyncio.timeout(WAIT_SECONDS):
                group.create_task(_collected(reader, found, position, f"{seed}-{LAST}", random.Random(seed)))
                committed = await _interleaved(place, connections, seed, chance)
            assert committed == sorted(found), f"seed {seed}"
    for connection in connections:
        await connection.close()


async def _collected(
    reader: AuditReader, found: list[str], position: str | None, last: str, chance: random.Random
) -> None:
    while True:
        async with reader.follow(position=position, idle_seconds=QUICK) as follower:
            async for event in follower:
                if event.id == last:
                    return
                found.append(event.id)
                position = follower.position
                if chance.random() < 0.2:
                    break


async def _interleaved(
    place: Place, connections: Sequence[AsyncConnection], seed: int, chance: random.Random
) -> list[str]:
    """Have writers begin, insert, set savepoints, commit and roll back in an order of chance."""
    committed: list[str] = []
    waiting: list[list[str]] = [[] for _ in connections]
    for number in range(50):
        which = chance.randrange(len(connections))
        connection, rows = connections[which], waiting[which]
        match chance.choice(["insert", "insert", "savepoint", "commit", "roll back", "pause"]):
            case "insert":
                if place.dialect == "sqlite" and not rows:
                    await connection.rollback()
                    await put(connection, "BEGIN IMMEDIATE")
                row_id = f"{seed}-{number:03}"
                at = datetime.now(UTC) - timedelta(seconds=chance.choice([0, 5, 86400 * 90]))
                await put(connection, insert(place, row_id, at=at))
                rows.append(row_id)
            case "savepoint" if rows:
                await put(connection, "SAVEPOINT s", insert(place, f"{seed}-{number}-undone"))
                await put(connection, "ROLLBACK TO SAVEPOINT s")
            case "commit":
                await connection.commit()
                committed += rows
                rows.clear()
            case "roll back":
                await connection.rollback()
                rows.clear()
            case "pause":
                await asyncio.sleep(chance.random() / 200)
    for connection, rows in zip(connections, waiting, strict=True):
        await connection.commit()
        committed += rows
    await place.execute(insert(place, f"{seed}-{LAST}"))
    return sorted(committed)


async def test_a_killed_process_s_events_are_given_when_they_are_adopted(place: Place, tmp_path: Path) -> None:
    """Late events, with times long before those that were given already, come once another process brings them in."""
    journal = tmp_path / "journal"
    with Child("logging_child", place.url, journal, 0, 200, "none") as child:
        assert "199" == child.lines(201)[-1]
        child.kill()
    async with everything(place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        await place.execute(insert(place, "newer", at=datetime.now(UTC) + timedelta(hours=1)))
        assert ["newer"] == await taken(follower, 1)
        async with AuditLogger(place.url, journal_dir=journal) as audit:
            await audit.write(events.custom("process.start"))
            await eventually(lambda: audit.stats().adopted_stored == 200)
        with anyio.fail_after(WAIT_SECONDS):
            found = [await anext(follower) for _ in range(201)]
        numbers = sorted(event.details["number"] for event in found if event.action == "report.print")
        assert list(range(200)) == numbers
        assert [] == await rest(follower, place)


# --- its life ----------------------------------------------------------------------------------------


async def test_a_look_that_is_cancelled_loses_nothing(place: Place) -> None:
    """However often its caller gives up waiting, a follower gives every event once, and the reader answers."""
    async with everything(place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        given = made(40)
        writing = asyncio.create_task(stored(place, given))
        found: list[str] = []
        chance = random.Random(1)
        while len(found) < 40:
            try:
                async with asyncio.timeout(chance.random() / 100):
                    found.append((await anext(follower)).id)
            except TimeoutError:
                continue
        await writing
        assert sorted(ids(given)) == sorted(found)
        assert [] == await rest(follower, place)
        assert 41 == await reader.count()


async def test_it_ends_when_its_caller_stops(place: Place) -> None:
    """After a break, and after `aclose`, nothing of a follower is left, and it gives nothing any more."""
    async with everything(place) as reader:
        async with aclosing(reader.follow()) as follower:
            waiting = asyncio.create_task(_next(follower))
            await eventually(lambda: follower.position is not None)
        assert await waiting is None
        assert await anext(follower, None) is None
        assert 0 == await reader.count()


async def _next(follower: Follower) -> AuditEvent | None:
    return await anext(follower, None)


async def test_a_reader_that_closes_ends_its_followers(place: Place) -> None:
    """Whoever waits for a follower's next event gets the end when its reader is closed in the middle of a look."""
    async with everything(place) as reader:
        waiting = asyncio.create_task(_next(reader.follow(idle_seconds=QUICK)))
        await asyncio.sleep(0)
    with anyio.fail_after(WAIT_SECONDS):
        assert await waiting is None


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_who_waits_for_the_next_look_is_woken_by_the_end(place: Place) -> None:
    """However long it is until then."""
    async with everything(place) as reader, reader.follow() as follower:
        follower._due = time.monotonic() + 600
        waiting = asyncio.create_task(_next(follower))
        await asyncio.sleep(0)
    with anyio.fail_after(WAIT_SECONDS):
        assert await waiting is None


async def test_two_who_take_from_one_follower_get_each_event_once(place: Place) -> None:
    """Tasks that wait for the same follower share its events."""
    given = made(20)
    async with everything(place) as reader, reader.follow() as follower:
        await stored(place, given)
        both = await asyncio.gather(taken(follower, 10), taken(follower, 10))
        assert sorted(ids(given)) == sorted(both[0] + both[1])


async def test_a_table_that_goes_away_ends_it(place: Place) -> None:
    """What waiting does not mend is raised."""
    async with everything(place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        await place.execute("DROP TABLE audit_logs")
        waiting = asyncio.create_task(_next(follower))
        while not waiting.done():
            # On PostgreSQL a table is not looked at where nothing was committed.
            await place.execute("CREATE TABLE t (n int)", "DROP TABLE t")
        with pytest.raises(ConfigStoreError):
            await waiting


async def test_a_position_of_another_query_is_refused(place: Place) -> None:
    """A position that is damaged, or of another query or scope, or a page's cursor, is told, and not taken for one."""
    await stored(place, made(5))
    async with everything(place) as reader, AuditReader(place.url, tenant="t1") as narrow:
        async with reader.follow(Query(user_id="u1")) as follower:
            position = follower.position
        cursor = (await reader.search(Query(limit=1))).next_cursor
        assert position is not None
        assert cursor is not None
        for other in (
            reader.follow(Query(user_id="u2"), position=position),
            narrow.follow(Query(user_id="u1"), position=position),
            reader.follow(Query(user_id="u1"), position=position[:-2]),
            reader.follow(Query(user_id="u1"), position=cursor),
        ):
            with pytest.raises(ConfigurationError, match="position"):
                await anext(other)
        async with reader.follow(Query(user_id="u1", limit=7, oldest_first=True), position=position):
            pass


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_looks_have_to_be_some_time_apart(sqlite_url: str, seconds: float) -> None:
    """No time between two looks, or an endless one, is refused."""
    with pytest.raises(ConfigurationError, match="idle_seconds"):
        AuditReader(sqlite_url, tenant="t").follow(idle_seconds=seconds)
