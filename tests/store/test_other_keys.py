"""What else of a table is unique, and when it became so: a row that another key refuses is never passed over."""

from __future__ import annotations

import pytest

from audit_async import TableMap, events
from audit_async.errors import DataStoreError
from tests.store.conftest import Place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries, entry, entry_of, insert_or_replay


@pytest.mark.parametrize("count", [1, 20])
async def test_a_key_that_comes_while_the_store_is_open(postgres_place: Place, count: int) -> None:  # noqa: F811
    """Rows that it refuses are refused, and said, also where a replay passes over what is there."""
    store = postgres_place.open()
    await store.insert(entries(1, request_id="r-0"))
    await postgres_place.execute("CREATE UNIQUE INDEX one_request ON audit_logs (request_id, created_at)")
    twice = entries(count, request_id="r-0", created_at="2026-11-25T12:00:00Z")
    await insert_or_replay(store, twice[:1])
    refused = [*twice[1:], *entries(1, request_id="r-0", created_at="2026-11-25T12:00:00Z")]
    with pytest.raises(DataStoreError):
        await insert_or_replay(store, refused)
    assert await postgres_place.count() == 2


async def test_a_key_of_one_month_alone(postgres_place: Place) -> None:  # noqa: F811
    """A partition may have a key that the whole table has not."""
    store = postgres_place.open()
    await store.insert(entries(1))
    (month,) = await postgres_place.rows("SELECT DISTINCT tableoid::regclass::text FROM audit_logs")
    await postgres_place.execute(f"CREATE UNIQUE INDEX ON {month[0]} (request_id)")
    await insert_or_replay(store, entries(1, request_id="r-1"))
    with pytest.raises(DataStoreError):
        await insert_or_replay(store, entries(1, request_id="r-1"))


async def test_an_exclusion_constraint(postgres_empty: Place) -> None:  # noqa: F811
    """It is no unique key, and is passed over by the same clause."""
    await postgres_empty.execute(
        "CREATE TABLE trail (id text PRIMARY KEY, at timestamptz, who text, what text, EXCLUDE USING hash (who WITH =))"
    )
    columns = {"id": "id", "at": "created_at", "who": "user_id", "what": "action"}
    store = postgres_empty.open(table=TableMap(table="trail", columns=columns))
    await insert_or_replay(store, entries(1, user_id="u-1"))
    with pytest.raises(DataStoreError):
        await insert_or_replay(store, entries(1, user_id="u-1"))
    assert await postgres_empty.count("trail") == 1


async def test_a_key_of_fixed_width_is_recognised(empty: Place) -> None:
    """A database that gives a key back with blanks behind it has the row all the same."""
    if empty.dialect == "sqlite":
        pytest.skip("SQLite keeps a text as it is given")
    await empty.execute("CREATE TABLE trail (id char(40) PRIMARY KEY, what varchar(200))")
    store = empty.open(table=TableMap(table="trail", columns={"id": "id", "what": "action"}))
    batch = entries(3)
    await store.insert(batch)
    await store.insert([*batch, entry(9)], is_replay=True)
    assert await empty.count("trail") == 4


async def test_of_several_fields_the_one_that_does_not_fit_is_named(empty: Place) -> None:
    """Who acted and whom it concerned are not taken for each other."""
    await empty.execute("CREATE TABLE trail (id varchar(40) PRIMARY KEY, who bigint, what varchar(200), rest text)")
    table_map = TableMap(
        table="trail",
        columns={"id": "id", "who": ["actor_id", "user_id"], "what": "action", "rest": "details"},
        fold_into="rest",
        left_out=("created_at",),
    )
    store = empty.open(table=table_map)
    await store.insert([entry_of(events.custom("x.y", user_id="u-abc"))])
    (row,) = await empty.rows("SELECT who, rest FROM trail")
    assert (None, '{"user_id": "u-abc"}') == tuple(row)
