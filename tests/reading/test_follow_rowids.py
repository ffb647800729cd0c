"""Following on SQLite: numbers of rows that are used again after a deletion, and tables of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit_async import AuditReader, TableMap, create_table, inspect_table
from tests.polling import eventually
from tests.reading.following import insert, rest, taken
from tests.reading.log import everything
from tests.store.conftest import Place, _place

QUICK = 0.001


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite file without a table."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        yield place


@pytest.fixture
async def place(bare: Place) -> Place:
    """Our table in it."""
    await create_table(bare.url)
    return bare


@pytest.mark.parametrize("kept", [0, 1, 4])
@pytest.mark.parametrize("again", [1, 5, 9])
async def test_a_number_that_is_used_again_is_another_row(place: Place, kept: int, again: int) -> None:
    """After the last rows were deleted, and others put in with their numbers, these are given, and nothing twice."""
    async with everything(place) as reader, reader.follow() as follower:
        for number in range(5):
            await place.execute(insert(place, f"old{number}"))
        assert 5 == len(await taken(follower, 5))
        await _later(place, f"DELETE FROM audit_logs WHERE id >= 'old{kept}'")
        await place.execute(*(insert(place, f"new{number}") for number in range(again)))
        assert [f"new{number}" for number in range(again)] == await rest(follower, place)


async def test_a_position_holds_across_a_deletion(place: Place) -> None:
    """A follower that was away while the last rows were replaced gives those that took their numbers."""
    async with everything(place) as reader:
        async with reader.follow() as follower:
            await place.execute(*(insert(place, f"old{number}") for number in range(5)))
            assert 3 == len(await taken(follower, 3))
        await _later(place, "DELETE FROM audit_logs WHERE id >= 'old1'")
        await place.execute(*(insert(place, f"new{number}") for number in range(3)))
        async with reader.follow(position=follower.position) as second:
            assert ["new0", "new1", "new2"] == await rest(second, place)


async def test_a_follower_that_was_away_looks_through_a_stretch_at_a_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the filter keeps of each, and however far numbers are apart, it comes to the end and misses nothing."""
    monkeypatch.setattr("audit_async.reading.follow_rowids.FOLLOW_STRETCH_ROWS", 4)
    async with AuditReader(place.url, tenant="t1") as reader:
        async with reader.follow() as follower:
            position = follower.position
        for number in range(30):
            await place.execute(insert(place, f"x{number:02}", tenant="t1" if number in (0, 17, 29) else "t2"))
        await _later(place, "DELETE FROM audit_logs WHERE id > 'x03' AND id < 'x16'")
        async with reader.follow(position=position) as follower:
            assert ["x00", "x17", "x29"] == await rest(follower, place)


async def test_rows_before_it_may_go_away(place: Place) -> None:
    """Retention of old rows, and of all of them, takes nothing from what is given afterwards."""
    async with everything(place) as reader, reader.follow() as follower:
        await place.execute(*(insert(place, f"old{number}") for number in range(5)))
        assert 5 == len(await taken(follower, 5))
        await _later(place, "DELETE FROM audit_logs WHERE id < 'old3'")
        await place.execute(insert(place, "new1"))
        assert ["new1"] == await taken(follower, 1)
        await _later(place, "DELETE FROM audit_logs")
        await place.execute(insert(place, "new2"))
        assert ["new2"] == await taken(follower, 1)
        assert [] == await rest(follower, place)


async def test_a_vacuum_changes_nothing(place: Place) -> None:
    """The numbers of our table's rows are the same after a VACUUM."""
    async with everything(place) as reader, reader.follow() as follower:
        await place.execute(*(insert(place, f"old{number}") for number in range(5)))
        assert 5 == len(await taken(follower, 5))
        await place.execute("DELETE FROM audit_logs WHERE id = 'old2'")
        async with place.admin.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM")
        assert [] == await rest(follower, place)


async def _later(place: Place, statement: str) -> None:
    """Run *statement*, and return when what comes is recorded later than what was there."""
    last = (await place.rows("SELECT max(recorded_at) FROM audit_logs"))[0][0]
    await place.execute(statement)
    await eventually(lambda: _is_over(place, last))


async def _is_over(place: Place, last: str) -> bool:
    return bool((await place.rows(f"SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' > '{last}'"))[0][0])


@pytest.mark.parametrize("key", ["id TEXT PRIMARY KEY", "id INTEGER PRIMARY KEY", "id TEXT PRIMARY KEY, rowid TEXT"])
@pytest.mark.parametrize("end", ["", "WITHOUT ROWID"])
async def test_a_table_of_others_is_followed(bare: Place, key: str, end: str) -> None:
    """Any table that is mapped is followed, with numbers of rows or without: each row once."""
    await bare.execute(f"CREATE TABLE log ({key}, action TEXT, user_id TEXT, created_at TEXT) {end}")
    table_map = TableMap.from_table(await inspect_table(bare.url, "log"))
    now = datetime.now(UTC).isoformat()
    row = f"INSERT INTO log (id, action, user_id, created_at) VALUES ({{0}}, 'auth.login', 'u{{0}}', '{now}')"
    await bare.execute(row.format(1))
    async with everything(bare, table=table_map) as reader, reader.follow(idle_seconds=QUICK) as follower:
        for number in (2, 3):
            await bare.execute(row.format(number))
            assert f"u{number}" == (await anext(follower)).user_id
        await bare.execute(*(row.format(number) for number in range(4, 9)))
        async with reader.follow(position=follower.position) as second:
            assert [f"u{number}" for number in range(4, 9)] == [(await anext(second)).user_id for _ in range(5)]
