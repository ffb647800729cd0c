"""Following by numbers that the database hands out: what is left out on the way up is waited for."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import anyio
import pytest

from audit_async import AuditReader, Scope, TableMap, inspect_table
from audit_async.config import FOLLOW_GAP_SECONDS
from audit_async.reading import follow_numbers
from audit_async.reading.follow_marks import Marks
from audit_async.reading.follow_numbers import Gap, Numbered, Numbers
from tests.logs import heard
from tests.reading.following import WAIT_SECONDS, insert, put, rest, taken, transaction
from tests.reading.log import START, everything
from tests.store.conftest import Place
from tests.store.conftest import mariadb_empty as mariadb_empty
from tests.store.conftest import mariadb_place as mariadb_place
from tests.store.conftest import postgres_empty as postgres_empty

QUICK = 0.001


def _known(state: Numbered, up_to: int) -> set[int]:
    """Return which numbers *state* knows."""
    waited = {number for gap in state.gaps for number in range(gap.first, gap.last + 1)}
    return {number for number in range(1, up_to + 1) if number <= state.top and number not in waited}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_known_is_what_was_seen(seed: int) -> None:
    """Whatever numbers come in whatever looks, those are known that came, and no gap is empty or touches another."""
    chance = random.Random(seed)
    state, seen = Numbered(0), set[int]()
    for now in range(20):
        new = sorted(set(chance.sample(range(1, 10 + 5 * now), chance.randrange(8))) - seen)
        state = state.taken(new, now)
        seen.update(new)
        assert seen == _known(state, 200)
        assert all(gap.first <= gap.last for gap in state.gaps)
        assert all(one.last < two.first for one, two in zip(state.gaps, state.gaps[1:], strict=False))


def test_a_gap_is_given_up_after_its_time() -> None:
    """A number that was left out is waited for as long as is said, and no longer."""
    state = Numbered(9, (Gap(1, 2, since=0), Gap(5, 5, since=10)))
    assert state == state.aged(int(FOLLOW_GAP_SECONDS) - 1)
    assert Numbered(9, (Gap(5, 5, since=10),)) == state.aged(int(FOLLOW_GAP_SECONDS))


async def test_a_position_is_read_as_it_was_written(mariadb_place: Place) -> None:
    """All that is waited for is in the position."""
    async with everything(mariadb_place) as reader:
        view = await reader._look()
        assert view.number is not None
        way = Numbers(view, [], view.number)
        state = Numbered(900, (Gap(1, 2, since=1_800_000_000), Gap(500, 500, since=1_800_000_010)), Marks(((7, "a"),)))
        assert state == way.read(way.write(state))


async def test_other_tenants_rows_are_no_gaps(mariadb_place: Place) -> None:
    """Rows that the scope or the query keeps out are not waited for."""
    async with AuditReader(mariadb_place.url, tenant="t1") as reader, reader.follow() as follower:
        rows = [insert(mariadb_place, f"x{n}", tenant="t1" if n % 5 == 0 else "t2") for n in range(20)]
        await mariadb_place.execute(*rows)
        assert ["x0", "x5", "x10", "x15"] == await rest(follower, mariadb_place)
        assert follower._at is not None
        assert () == follower._at().state.gaps


async def test_more_gaps_than_are_kept_are_said(mariadb_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more gaps than can be waited for the newest are kept, and it is said which rows will not be followed."""
    monkeypatch.setattr(follow_numbers, "FOLLOW_GAPS", 2)
    async with everything(mariadb_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        with heard() as lines:
            async with transaction(mariadb_place) as first, transaction(mariadb_place) as last:
                await put(first, insert(mariadb_place, "first"))
                await mariadb_place.execute(insert(mariadb_place, "a"))
                async with transaction(mariadb_place) as lost:
                    await put(lost, insert(mariadb_place, "lost"))
                    await lost.rollback()
                await mariadb_place.execute(insert(mariadb_place, "b"))
                await put(last, insert(mariadb_place, "last of all"))
                await mariadb_place.execute(insert(mariadb_place, "c"))
                assert ["a", "b", "c"] == await taken(follower, 3)
                await mariadb_place.execute(insert(mariadb_place, "d"))
                assert ["d"] == await taken(follower, 1)
                await first.commit()
                await last.commit()
            assert ["last of all"] == await rest(follower, mariadb_place)
        assert [line for line in lines if "gaps in its numbers" in line]


async def test_a_mapped_table_with_numbers_gives_late_commits(postgres_empty: Place) -> None:
    """In a table of others with a serial key, what began earlier and is committed later is given, once."""
    await postgres_empty.execute(
        "CREATE TABLE log (id bigserial PRIMARY KEY, action text NOT NULL, user_id text, created_at timestamptz)"
    )
    table_map = TableMap.from_table(await inspect_table(postgres_empty.url, "log"))
    row = "INSERT INTO log (action, user_id, created_at) VALUES ('auth.login', '{}', now())"
    async with AuditReader(postgres_empty.url, tenant=Scope.all(), table=table_map) as reader:
        async with reader.follow(idle_seconds=QUICK) as follower, transaction(postgres_empty) as slow:
            await put(slow, row.format("slow"))
            await postgres_empty.execute(row.format("quick"))
            assert "quick" == (await anext(follower)).user_id
            kept = follower.position
            await slow.commit()
            assert "slow" == (await anext(follower)).user_id
            await postgres_empty.execute(row.format("more"))
            assert "more" == (await anext(follower)).user_id
        async with reader.follow(position=kept) as second:
            assert ["slow", "more"] == [(await anext(second)).user_id for _ in range(2)]


async def test_a_table_that_was_emptied_begins_anew(mariadb_place: Place) -> None:
    """After TRUNCATE, which lets numbers begin anew, every row that comes is given: fewer than before, or more."""
    async with everything(mariadb_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        for count, name in ((3, "old"), (2, "fewer"), (5, "more")):
            rows = [f"{name}{number}" for number in range(count)]
            with heard() as lines:
                await mariadb_place.execute(*(insert(mariadb_place, row) for row in rows))
                assert rows == await taken(follower, count)
            assert (name != "old") == any("are used again" in line for line in lines)
            kept = follower.position
            await mariadb_place.execute("TRUNCATE TABLE audit_logs")
        await mariadb_place.execute(*(insert(mariadb_place, f"last{number}") for number in range(9)))
        async with reader.follow(position=kept) as second:
            assert [f"last{number}" for number in range(9)] == await taken(second, 9)


async def test_rows_that_are_deleted_are_no_reason_to_begin_anew(mariadb_place: Place) -> None:
    """Of what is left when the newest rows, or most, are deleted nothing comes again, nor is a late commit missed."""
    rows = [f"x{number}" for number in range(40)]
    async with everything(mariadb_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        async with transaction(mariadb_place) as slow:
            await put(slow, insert(mariadb_place, "slow"))
            await mariadb_place.execute(*(insert(mariadb_place, row) for row in rows))
            assert rows == await taken(follower, 40)
            # Each by its key: whoever looks through the table would wait for the row of the open transaction.
            gone = f"DELETE FROM audit_logs WHERE created_at = '{START:%Y-%m-%d %H:%M:%S}' AND id = '{{}}'"
            await mariadb_place.execute(*(gone.format(row) for row in rows[15:]))
            await mariadb_place.execute(insert(mariadb_place, "new"))
            assert ["new"] == await taken(follower, 1)
            await slow.commit()
        assert ["slow"] == await rest(follower, mariadb_place)
        await mariadb_place.execute("DELETE FROM audit_logs", insert(mariadb_place, "newer"))
        assert ["newer"] == await taken(follower, 1)


async def test_a_mapped_table_that_was_emptied_begins_anew(mariadb_empty: Place) -> None:
    """In a table of others as well, what has the numbers of rows that are gone is new."""
    await mariadb_empty.execute(
        "CREATE TABLE log (id bigint AUTO_INCREMENT PRIMARY KEY, action text, user_id text, at datetime(6))"
    )
    await _emptied_again_and_again(mariadb_empty, "TRUNCATE log")


async def test_a_sequence_that_begins_anew_is_seen(postgres_empty: Place) -> None:
    """With RESTART IDENTITY PostgreSQL counts from one again: what has those numbers then is new."""
    await postgres_empty.execute("CREATE TABLE log (id bigserial PRIMARY KEY, action text, user_id text, at timestamp)")
    await _emptied_again_and_again(postgres_empty, "TRUNCATE log RESTART IDENTITY")


async def _emptied_again_and_again(place: Place, truncate: str) -> None:
    table_map = TableMap(table="log", columns={"action": "action", "user_id": "user_id", "at": "created_at"})
    row = "INSERT INTO log (action, user_id, at) VALUES ('auth.login', '{}', '2026-01-01 12:00:0{}')"
    reader = AuditReader(place.url, tenant=Scope.all(), table=table_map)
    async with reader, reader.follow(idle_seconds=QUICK) as follower:
        for second, count in enumerate((3, 5, 1, 2)):
            users = [f"{second}-{user}" for user in range(count)]
            await place.execute(*(row.format(user, second) for user in users))
            with anyio.fail_after(WAIT_SECONDS):
                assert users == [(await anext(follower)).user_id for _ in users]
            await place.execute(truncate)


async def test_a_table_that_was_restored_gives_what_comes_behind(mariadb_place: Place) -> None:
    """Where the last rows are lost and their numbers used again, only these are new."""
    async with everything(mariadb_place) as reader, reader.follow(idle_seconds=QUICK) as follower:
        rows = [f"x{number}" for number in range(20)]
        await mariadb_place.execute(*(insert(mariadb_place, row) for row in rows))
        assert rows == await taken(follower, 20)
        await mariadb_place.execute(
            "DELETE FROM audit_logs WHERE seq > 17", "ALTER TABLE audit_logs AUTO_INCREMENT = 18"
        )
        new = [f"y{number}" for number in range(5)]
        await mariadb_place.execute(*(insert(mariadb_place, row) for row in new))
        assert new == await rest(follower, mariadb_place)


@pytest.mark.parametrize("seed", range(10))
def test_marks_are_few_and_lie_everywhere(seed: int) -> None:
    """Of a hundred thousand numbers some tens are kept; numbers that are used again are seen not much farther away."""
    chance = random.Random(seed)
    marks, top = Marks(), 0
    while top < 100_000:
        step = chance.choice((1, 7, 500))
        marks = marks.with_rows((number, f"old{number}") for number in range(top + 1, top + step + 1))
        top += step
    assert top == marks.numbers[-1]
    assert len(marks.rows) < 25
    for lost in (1, 3, 50, 4_000, 50_000):
        there = [(n, f"old{n}" if n <= top - lost else f"new{n}") for n in marks.numbers]
        reached = marks.reached(there)
        assert reached is not None
        assert top - 16 * lost - 600 <= reached <= top - lost


def test_a_row_that_was_altered_is_no_number_that_is_used_again() -> None:
    """Before a row that is as it was nothing is used again; where none is, all is."""
    marks = Marks(((1, "a"), (5, "b"), (6, "c"), (9, "d")))
    assert 9 == marks.reached([(1, "other"), (5, "b")])
    assert 5 == marks.reached([(5, "b"), (6, "other")])
    assert 9 == marks.reached([(1, "a")])
    assert marks.reached([]) is None
    assert marks.reached([(1, "other")]) is None


async def test_the_index_of_numbers_is_asked(mariadb_place: Place) -> None:
    """A look at a table of thousands of rows is a range of the index of numbers, with gaps as well."""
    place = mariadb_place
    fill = insert(place, "x{}", at=datetime.now(UTC)).partition("VALUES ")
    rows = ", ".join(fill[2].replace("x{}", f"x{number}") for number in range(3000))
    await place.execute(fill[0] + fill[1] + rows, "ANALYZE TABLE audit_logs")
    plan = await place.rows(
        "EXPLAIN SELECT * FROM audit_logs WHERE tenant_id = 't1' AND (seq > 2990 OR seq BETWEEN 5 AND 6 OR seq = 9)"
        " AND seq <= 3000 ORDER BY seq"
    )
    assert "audit_logs_seq_idx" in str(plan)
