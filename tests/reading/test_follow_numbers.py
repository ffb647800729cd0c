"""Following by numbers that the database hands out: what is left out on the way up is waited for."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from audit_async import AuditReader, Scope, TableMap, inspect_table
from audit_async.config import FOLLOW_GAP_SECONDS
from audit_async.reading import follow_numbers
from audit_async.reading.follow_numbers import Gap, Numbered, Numbers
from tests.logs import heard
from tests.reading.following import insert, put, rest, taken, transaction
from tests.reading.log import everything
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
        state = Numbered(900, (Gap(1, 2, since=1_800_000_000), Gap(500, 500, since=1_800_000_010)))
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
