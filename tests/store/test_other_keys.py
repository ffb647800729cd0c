"""What else of a table is unique, and when it became so: a row that another key refuses is never passed over."""

from __future__ import annotations

import pytest

from audit_async import TableMap, events
from audit_async.delivery import Delivery
from audit_async.errors import ConfigStoreError, DataStoreError
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


async def test_delivered_ids_need_a_table_that_can_do_it(empty: Place) -> None:
    """Before the first event it is said which table is missing, or keeps no ids apart, and how it is made."""
    await empty.execute("CREATE TABLE trail (what varchar(200))")
    table_map = TableMap(table="trail", columns={"what": "action"}, delivered_ids="trail_delivered")
    store = empty.open(table=table_map)
    with pytest.raises(ConfigStoreError, match=r"trail_delivered.*is not there") as caught:
        await store.insert(entries(1))
    await empty.execute("CREATE TABLE trail_delivered (id varchar(100))")
    with pytest.raises(ConfigStoreError, match="no unique column id"):
        await store.insert(entries(1))
    await empty.execute("DROP TABLE trail_delivered", (caught.value.hint or "").partition(";")[0])
    batch = entries(3)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await empty.count("trail") == 3


@pytest.mark.parametrize("engine", ["MyISAM", "MEMORY"])
async def test_what_knows_no_transactions_cannot_say_what_was_delivered(empty: Place, engine: str) -> None:
    """Ids that stay when their rows are rolled back would have them taken for delivered."""
    if empty.dialect != "mysql":
        pytest.skip("every table of this database is transactional")
    await empty.execute(
        "CREATE TABLE trail (what varchar(200)) ENGINE = InnoDB",
        f"CREATE TABLE trail_delivered (id varchar(100) PRIMARY KEY) ENGINE = {engine}",
    )
    table_map = TableMap(table="trail", columns={"what": "action"}, delivered_ids="trail_delivered")
    with pytest.raises(ConfigStoreError, match="knows no transactions"):
        await empty.open(table=table_map).insert(entries(1))


async def test_a_tenant_without_a_partition_holds_nobody_up(postgres_empty: Place) -> None:  # noqa: F811
    """Where it is no time that is missing, the row is at fault."""
    await postgres_empty.execute(
        "CREATE TABLE trail (id text, ten text, what text, PRIMARY KEY (id, ten)) PARTITION BY LIST (ten)",
        "CREATE TABLE trail_t1 PARTITION OF trail FOR VALUES IN ('t1')",
    )
    columns = {"id": "id", "ten": "tenant_id", "what": "action"}
    store = postgres_empty.open(table=TableMap(table="trail", columns=columns))
    await store.insert(entries(20, tenant_id="t1"))
    with pytest.raises(DataStoreError, match="no partition for a row"):
        await store.insert(entries(1, tenant_id="zz"))
    assert await postgres_empty.count("trail") == 20


async def test_a_sample_brings_no_row_in_twice(postgres_empty: Place) -> None:  # noqa: F811
    """One bad event among many in a table without a key: each good one is there once."""
    await postgres_empty.execute("CREATE TABLE trail (who text CONSTRAINT no_bad CHECK (who <> 'bad'), what text)")
    table_map = TableMap(table="trail", columns={"who": "user_id", "what": "action"})
    delivery = Delivery(lambda: postgres_empty.open(table=table_map), on_slow=lambda: None)
    batch = [*entries(60, user_id="good"), *entries(1, user_id="bad"), *entries(39, user_id="good")]
    refused = await delivery.insert(batch, is_replay=False)
    await delivery.close()
    assert (1, 99) == (len(refused), await postgres_empty.count("trail"))
