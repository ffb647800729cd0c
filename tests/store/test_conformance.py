"""What every store promises, whichever database it is for."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import msgspec
import pytest
from sqlalchemy import make_url

from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError, DataStoreError
from audit_async.store import Store
from audit_async.store.engine import looking, raw_connection
from audit_async.store.mariadb import MariadbStore
from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row
from tests.polling import eventually
from tests.servers.proxy import BLACK_HOLE, FaultProxy
from tests.store.conftest import Place
from tests.store.entries import entries, entry, insert_or_replay

JSON = {"details", "metadata", "old_values", "new_values", "tags"}


async def stored(place: Place) -> list[dict[str, object]]:
    """Return every row in the order of the log, JSON parsed, times as text."""
    names = ", ".join(COLUMNS)
    rows = await place.rows(f"SELECT {names} FROM audit_logs ORDER BY created_at, id")
    return [plain(dict(row._mapping)) for row in rows]


def plain(row: dict[str, object]) -> dict[str, object]:
    for name in JSON:
        if isinstance(row[name], str):
            row[name] = json.loads(str(row[name]))
    moment = row["created_at"]
    row["created_at"] = moment if isinstance(moment, str) else f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
    return row


def expected(batch: list[Entry]) -> list[dict[str, object]]:
    rows = [plain(dict(zip(COLUMNS, own_row(entry), strict=True))) for entry in batch]
    return sorted(rows, key=lambda row: (str(row["created_at"]), str(row["id"])))


@pytest.mark.parametrize("count", [1, 2, 15, 16, 5000])
async def test_all_that_an_entry_holds_is_in_its_row(place: Place, store: Store, count: int) -> None:
    """A batch of any size is in the table when `insert` returns, each field as it was."""
    batch = entries(count)
    await store.insert(batch)
    assert await stored(place) == expected(batch)


@pytest.mark.parametrize("count", [1, 16])
async def test_an_entry_without_optional_fields_is_stored(place: Place, store: Store, count: int) -> None:
    """What is not set is NULL, not an empty text."""
    nothing = dict.fromkeys(("user_id", "tenant_id", "status_code", "duration_ms", "tags"))
    batch = [entry(number, **nothing) for number in range(count)]
    for made in batch:
        made.old_values = msgspec.Raw(b"")
    await store.insert(batch)
    assert await stored(place) == expected(batch)


@pytest.mark.parametrize("count", [1, 15, 16, 300])
async def test_a_replay_stores_nothing_twice(place: Place, store: Store, count: int) -> None:
    """A batch that is there already is left as it is."""
    batch = entries(count)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await stored(place) == expected(batch)


@pytest.mark.parametrize("count", [2, 40])
async def test_a_batch_half_of_which_is_there_is_completed(place: Place, store: Store, count: int) -> None:
    """Only the rows that are missing are added, and what the others hold stays."""
    batch = entries(count)
    await store.insert(batch[: count // 2])
    await insert_or_replay(store, batch)
    assert await stored(place) == expected(batch)


@pytest.mark.parametrize("count", [1, 20])
async def test_an_entry_twice_in_a_batch_is_stored_once(place: Place, store: Store, count: int) -> None:
    """The same value logged twice is one row."""
    batch = entries(count)
    await insert_or_replay(store, [*batch, *batch])
    assert await stored(place) == expected(batch)


NASTY = [
    "ü€𝄞",
    "a\nb\tc\\d\"e'f",
    "\0",
    "\ud800",
    "=cmd|' /C calc'!A0",
    "%s {0} $1 :name ?",
    "\\N",
    "\\.",
    "",
]


@pytest.mark.parametrize("count", [1, 16])
async def test_any_text_comes_back(place: Place, store: Store, count: int) -> None:
    """Text that means something to a driver, a format or a terminal is only text here."""
    batch = [entry(number, description=text, details={text: text}) for text in NASTY for number in range(count)]
    await store.insert(batch)
    assert await stored(place) == expected(batch)


ADD_CHECK = "ALTER TABLE audit_logs ADD CONSTRAINT no_poison CHECK (description <> 'poison')"
CHECK = {
    "postgresql": [ADD_CHECK],
    "mysql": [ADD_CHECK],
    "sqlite": [
        "CREATE TRIGGER no_poison BEFORE INSERT ON audit_logs WHEN new.description = 'poison'"
        " BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no_poison'); END"
    ],
}


@pytest.mark.parametrize("count", [1, 15, 40])
async def test_a_refused_row_is_named_and_nothing_else_suffers(place: Place, store: Store, count: int) -> None:
    """One poison row refuses its batch, whole; the error tells its culprit and no payload; then all goes on."""
    await place.execute(*CHECK[place.dialect])
    batch = [*entries(count - 1), entry(count, description="poison", details={"secret": "s3cret"})]

    with pytest.raises(DataStoreError) as caught:
        await store.insert(batch)
    assert caught.value.culprit == "no_poison"
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert await place.count() == 0

    session = await eventually(lambda: own_session(place))
    good = entries(count)
    await store.insert(good)
    assert await stored(place) == expected(good)
    assert await eventually(lambda: own_session(place)) == session  # still the same connection


async def own_session(place: Place) -> list[int]:
    """Return the session of the store, as soon as those of our own looks are gone; until then nothing."""
    if place.dialect == "sqlite":
        return [0]
    if place.dialect == "mysql":
        # The list of the server would have our own looks as well, which take a moment to be gone.
        (store,) = place.stores
        assert isinstance(store, MariadbStore)
        return [store._engine.raw.thread_id()]
    rows = await place.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' ORDER BY pid"
    )
    return [row[0] for row in rows] if len(rows) == 1 else []


async def test_a_missing_value_names_its_column(place: Place, store: Store) -> None:
    """NOT NULL is a fault of the row, and the column is told."""
    poison = entry(1)
    poison.action = None  # type: ignore[assignment]
    for batch in ([poison], [*entries(20), poison]):
        with pytest.raises(DataStoreError) as caught:
            await store.insert(batch)
        assert caught.value.culprit == "action"
    assert await place.count() == 0


async def test_a_value_that_the_driver_cannot_send_is_a_fault_of_the_row(place: Place, store: Store) -> None:
    """What fails before it reaches the server is quarantined like what the server refuses."""
    poison = entry(1)
    poison.description = "s3cret \ud800"
    for batch in ([poison], [*entries(20), poison]):
        with pytest.raises(DataStoreError) as caught:
            await store.insert(batch)
        assert "s3cret" not in str(caught.value)
    await store.insert(entries(20))
    assert await place.count() == 20


async def test_stores_that_insert_the_same_entries_at_once_store_them_once(place: Place) -> None:
    """Whoever adopts what another still uploads does no harm."""
    batch = entries(200)

    async def upload(number: int) -> None:
        store = place.open()
        # Of another writer each: a replay would end the others' sessions otherwise.
        own = [msgspec.structs.replace(entry, writer_id=f"{number:032}") for entry in batch]
        for start in range(0, 200, 10):
            await insert_or_replay(store, own[start : start + 10])

    await asyncio.gather(*map(upload, range(4)))
    found = await place.rows("SELECT id FROM audit_logs")
    assert sorted(row[0] for row in found) == sorted(entry.id for entry in batch)


async def test_a_missing_table_is_a_fault_of_the_set_up(empty: Place) -> None:
    """Without a table the hint says how to make it; once made, the same store goes on."""
    from audit_async.table.creation import create_table

    if empty.dialect == "sqlite":
        await empty.execute("CREATE TABLE other (a)")
    store = empty.open()
    with pytest.raises(ConfigStoreError, match="audit-async init"):
        await store.insert(entries(1))
    await create_table(empty.url)
    await store.insert(entries(20))
    assert await empty.count() == 20


async def test_a_table_dropped_meanwhile_is_a_fault_of_the_set_up(place: Place, store: Store) -> None:
    """What was there and is gone is not made anew in silence."""
    await store.insert(entries(1))
    await place.execute("DROP TABLE audit_logs")
    for count in (1, 20):
        with pytest.raises(ConfigStoreError) as caught:
            await store.insert(entries(count))
        assert "audit_logs" in caught.value.message
        assert "audit-async init" in str(caught.value.hint)


async def test_a_missing_column_is_named(place: Place, store: Store) -> None:
    """A column taken away is a fault of the set-up, before the first batch and after it."""
    await store.insert(entries(1))
    await place.execute("ALTER TABLE audit_logs DROP COLUMN trace_id")
    for fresh in (store, place.open()):
        for count in (1, 20):
            with pytest.raises(ConfigStoreError, match="trace_id") as caught:
                await fresh.insert(entries(count))
            assert caught.value.hint
    await place.execute("ALTER TABLE audit_logs ADD COLUMN trace_id text")
    await store.insert(entries(20))
    assert await place.count() == 21


async def test_a_foreign_table_is_refused(empty: Place) -> None:
    """A table of another shape is never written to; the hint names the way out."""
    await empty.execute("CREATE TABLE audit_logs (id integer, message text)")
    with pytest.raises(ConfigStoreError, match="table=") as caught:
        await empty.open().insert(entries(1))
    assert "message" in caught.value.message


async def test_closing_twice_and_abandoning_are_harmless(place: Place, store: Store) -> None:
    """Life ends quietly, and a store that is used again connects again."""
    await store.insert(entries(1))
    await store.close()
    await store.close()
    await store.insert(entries(1))
    store.abandon()
    store.abandon()
    await store.insert(entries(1))
    assert await place.count() == 3


async def test_a_close_that_is_cut_short_is_not_the_applications_business(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever swallows the last words of a connection: giving up on them leaves nothing in the application's log."""
    url = make_url(place.url)
    if url.port is None:
        pytest.skip("a file has no network; a slow disk has a test of its own")
    with FaultProxy(url.port) as proxy:
        through = url.set(host=proxy.host, port=proxy.port).render_as_string(hide_password=False)
        store = place.open(url=through)
        await store.insert(entries(1))
        proxy.breaks(BLACK_HOLE)
        closing = asyncio.create_task(store.close())
        await asyncio.wait({closing}, timeout=0.05)
        closing.cancel()
        await asyncio.wait({closing})
    assert [] == [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]


async def test_an_abandoned_store_leaves_no_connection_open(place: Place) -> None:
    """Also one that was cut off when it had looked at the table, and had not begun with the batch."""
    store: Any = place.open()
    async with looking(store._engine.get()) as connection:
        raw = await raw_connection(connection)
    store.abandon()
    await eventually(lambda: _is_closed(raw))


def _is_closed(raw: Any) -> bool:
    if hasattr(raw, "_thread"):
        return not raw._thread.is_alive()
    if hasattr(raw, "is_closed"):
        return bool(raw.is_closed())
    return bool(raw.closed if hasattr(raw, "closed") else not raw.connected)
