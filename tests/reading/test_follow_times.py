"""Following a table that has nothing but times: what holds within the window, and what is said beyond it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import pytest

from audit_async import AuditReader, Scope, TableMap, inspect_table
from audit_async.config import FOLLOW_OVERLAP_SECONDS
from audit_async.reading import follow_times
from audit_async.reading.follow import Follower
from audit_async.reading.follow_times import Times, Window
from tests.logs import heard
from tests.reading.following import WAIT_SECONDS, put, transaction
from tests.store.conftest import Place
from tests.store.conftest import empty as empty

QUICK = 0.001
OVERLAP = timedelta(seconds=FOLLOW_OVERLAP_SECONDS)


@pytest.fixture
async def log(empty: Place) -> Place:
    """A table of others, whose keys are random."""
    moment = "timestamptz" if empty.dialect == "postgresql" else "datetime(6)"
    await empty.execute(
        "CREATE TABLE log (id varchar(36) PRIMARY KEY, action varchar(64) NOT NULL, user_id varchar(64),"
        f" created_at {moment})"
    )
    return empty


@pytest.fixture
async def reader(log: Place) -> AsyncIterator[AuditReader]:
    """A reader of it."""
    table_map = TableMap.from_table(await inspect_table(log.url, "log"))
    async with AuditReader(log.url, tenant=Scope.all(), table=table_map) as reader:
        yield reader


def row(place: Place, user: str, ago: timedelta = timedelta()) -> str:
    at = (datetime.now(UTC) - ago).replace(tzinfo=None).isoformat(timespec="microseconds")
    moment = f"'{at}Z'" if place.dialect == "postgresql" else f"'{at}'"
    values = f"'{uuid.uuid4()}', 'auth.login', '{user}', {moment}"
    return f"INSERT INTO log (id, action, user_id, created_at) VALUES ({values})"


def clock(ahead: timedelta) -> datetime:
    return datetime.now(UTC) + ahead


async def users(follower: Follower, count: int) -> list[str | None]:
    with anyio.fail_after(WAIT_SECONDS):
        return [(await anext(follower)).user_id for _ in range(count)]


each = pytest.mark.parametrize("empty", ["asyncpg", "mariadb"], indirect=True)


@each
async def test_late_rows_are_given_once(log: Place, reader: AuditReader) -> None:
    """Rows that come late, by less than the window, are given, those before it are not, and none comes twice."""
    await log.execute(row(log, "there"))
    async with reader.follow(idle_seconds=QUICK) as follower, transaction(log) as slow:
        await put(slow, row(log, "slow"))
        await log.execute(row(log, "quick"), row(log, "too late", OVERLAP * 2))
        assert ["quick"] == await users(follower, 1)
        await slow.commit()
        assert ["slow"] == await users(follower, 1)
        await log.execute(row(log, "late", OVERLAP / 2))
        assert ["late"] == await users(follower, 1)
        await log.execute(row(log, "ahead", -timedelta(days=400)))
        assert ["ahead"] == await users(follower, 1)
        await log.execute(row(log, "last"))
        assert ["last"] == await users(follower, 1)


@each
async def test_a_position_leads_behind_what_was_given(log: Place, reader: AuditReader) -> None:
    """A follower that goes on gives neither what was given in the window nor less than all that is later."""
    async with reader.follow() as follower:
        await log.execute(*(row(log, f"u{number}") for number in range(5)))
        given = await users(follower, 3)
        await log.execute(row(log, "late", OVERLAP / 2))
    async with reader.follow(position=follower.position) as second:
        rest = await users(second, 3)
    assert sorted([*(f"u{number}" for number in range(5)), "late"]) == sorted(map(str, given + rest))


@each
async def test_the_past_is_given_from_when_it_was_asked_for(log: Place, reader: AuditReader) -> None:
    """With `since`, rows from then on come first, also when that lies within the window."""
    await log.execute(*(row(log, f"{n} min", timedelta(minutes=n)) for n in (60, 30, 5, 1)))
    async with reader.follow(since="40min") as longer, reader.follow(since="3min") as shorter:
        assert ["30 min", "5 min", "1 min"] == await users(longer, 3)
        assert ["1 min"] == await users(shorter, 1)
        await log.execute(row(log, "new"))
        assert ["new"] == await users(longer, 1)
        assert ["new"] == await users(shorter, 1)


@each
async def test_a_window_that_is_too_full_is_said(
    log: Place, reader: AuditReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more rows than are remembered the newest are looked at, and it is said."""
    monkeypatch.setattr(follow_times, "FOLLOW_WINDOW_KEYS", 3)
    with heard() as lines:
        async with reader.follow() as follower:
            await log.execute(*(row(log, f"u{n}", timedelta(seconds=9 - n)) for n in range(6)))
            assert ["u3", "u4", "u5"] == await users(follower, 3)
    assert [line for line in lines if "more than 3 rows" in line]


@each
async def test_a_clock_that_is_set_back_gives_nothing_again(log: Place, reader: AuditReader) -> None:
    """Rows that a window of an earlier time holds as well were given, or were there."""
    await log.execute(row(log, "there"), row(log, "long there", OVERLAP * 3 / 2))
    async with reader.follow(idle_seconds=QUICK) as follower:
        await log.execute(row(log, "first"))
        assert ["first"] == await users(follower, 1)
        way = follower._way
        assert isinstance(way, Times)
        for ahead in (-OVERLAP, OVERLAP * 2, timedelta()):
            way._clock = partial(clock, ahead)
            await log.execute(row(log, "then", -OVERLAP * 2))
            assert ["then"] == await users(follower, 1)


def test_a_window_begins_before_the_last_look() -> None:
    """What was looked through to its end is looked through again, as far back as is said."""
    now = datetime.now(UTC)
    assert now - OVERLAP == Window(now).starts


@pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
async def test_a_window_is_read_as_it_was_written(log: Place, reader: AuditReader) -> None:
    """A position holds when the last look was, and which rows of the window are known."""
    way = Times(await reader._look(), [])
    state = Window(datetime.now(UTC), (b"12345678", b"abcdefgh"))
    assert state == way.read(way.write(state))
