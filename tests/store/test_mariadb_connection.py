"""MariaDB's connections: ended, frozen, cancelled, waiting for locks, and inherited by a child."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import asyncmy
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from audit_async.config import MIB
from audit_async.entry import Entry
from audit_async.errors import TransientStoreError
from audit_async.store.engine import looking
from audit_async.store.mariadb_engine import new_engine
from audit_async.table_map.layout import Row
from audit_async.table_map.tables import Layouts
from audit_async.timing import Timing
from tests.polling import eventually
from tests.servers.mariadb import MariadbServer
from tests.servers.proxy import FaultProxy, Trouble
from tests.store.conftest import Place
from tests.store.entries import entries
from tests.store.test_mariadb import SIZES, connected


async def test_answers_that_make_no_sense_end_a_connection(mariadb_place: Place) -> None:
    """Where tables are looked at and the answer is nonsense, the next look has a connection of its own, and gets in."""
    url = make_url(mariadb_place.url)
    with FaultProxy(url.port or 0) as proxy:
        engine = new_engine(url.set(host=proxy.host, port=proxy.port), Timing())

        async def look() -> None:
            async with looking(engine) as connection:
                await connection.execute(text("SELECT 1"))
                proxy.breaks(Trouble(garbage=True))
                await connection.execute(text("SELECT 2"))

        with pytest.raises(DBAPIError, match="sequence number"):
            await look()
        proxy.heals()
        async with looking(engine) as connection:
            assert await connection.scalar(text("SELECT 3")) == 3
        await engine.dispose()
    # A connection that the pool takes for lent out is a warning here.
    gc.collect()


async def raw(place: Place) -> Any:
    """Open a connection that is no store's."""
    url = make_url(place.url)
    return await asyncmy.connect(
        host=url.host, port=url.port, user=url.username, password=url.password, database=url.database
    )


@SIZES
async def test_a_dead_connection_fails_once(mariadb_place: Place, count: int) -> None:
    """After the server has ended our session one attempt fails as transient, the next has a new connection."""
    store = await connected(mariadb_place)
    await mariadb_place.execute(f"KILL {store._engine.raw.thread_id()}")
    with pytest.raises(TransientStoreError):
        await store.insert(entries(count))
    await store.insert(entries(count))
    assert await mariadb_place.count() == 1 + count


@SIZES
@pytest.mark.parametrize("is_under_way", [False, True])
async def test_a_frozen_server_costs_one_attempt(
    spare: MariadbServer, spare_place: Place, count: int, is_under_way: bool
) -> None:
    """An attempt that is given up takes its connection along, at once; thawed, the server gets the same batch again."""
    store = await connected(spare_place, 33)  # prepares the statements that large rows need
    kept = store._engine.raw
    sender = kept._transport.get_extra_info("socket")
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that not all of it can be sent
    batch = entries(count, details={f"k{n}": "x" * 1000 for n in range(30)})
    assert store._layouts is not None
    (layout,) = store._layouts.all

    def rows(made: Sequence[Entry]) -> Iterable[Row]:
        spare.freeze()
        return layout.rows(made)

    store._layouts = replace(store._layouts, all=(replace(layout, rows=rows),))
    if not is_under_way:
        spare.freeze()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await store.insert(batch)
        assert (kept.connected, store._engine.raw) == (False, None)
        await eventually(lambda: sender.fileno() == -1)
    finally:
        spare.thaw()
    store._layouts = Layouts((layout,))
    await store.insert(batch, is_replay=True)
    assert await spare_place.count() == 33 + count


async def test_abandoning_does_not_wait_for_what_is_to_be_sent(spare: MariadbServer, spare_place: Place) -> None:
    """The socket is closed though a frozen server has not taken what was written to it."""
    store = await connected(spare_place)
    transport = store._engine.raw._transport
    sender = transport.get_extra_info("socket")
    spare.freeze()
    try:
        transport.write(bytes(32 * MIB))  # more than the system takes for it
        assert transport.get_write_buffer_size() > 0
        store.abandon()
        await eventually(lambda: sender.fileno() == -1)
    finally:
        spare.thaw()
    await store.insert(entries(20))
    assert await spare_place.count() == 21


async def test_a_cancelled_attempt_leaves_no_connection_behind(mariadb_place: Place) -> None:
    """A batch that is cancelled while it waits for a lock gives its connection up; the next one goes through."""
    store = await connected(mariadb_place)
    holder = await raw(mariadb_place)
    await holder.query("LOCK TABLES audit_logs WRITE")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await store.insert(entries(40))
    await holder.ensure_closed()
    await store.insert(entries(40))
    assert await mariadb_place.count() == 41


async def held_by_another(place: Place, held: Entry, others: int) -> Any:
    """Insert *held* and rows of no matter in a transaction that stays open."""
    holder = await raw(place)
    await holder.query("SET time_zone = '+00:00'")
    await insert_bare(holder, held, *entries(others))
    return holder


async def insert_bare(connection: Any, *made: Entry) -> None:
    async with connection.cursor() as cursor:
        for one in made:
            await cursor.execute(
                "INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, details, metadata, tags)"
                " VALUES (%s, %s, 'a', 'c', 's', 'o', '{}', '{}', '[]')",
                (one.id, one.created_at.replace(tzinfo=None)),
            )


@pytest.mark.parametrize("is_replay", [False, True])
async def test_a_lock_that_is_not_given_is_waited_out(mariadb_place: Place, is_replay: bool) -> None:
    """Rows that somebody else holds make the attempt a transient one; once they are free all goes on."""
    batch = entries(5)
    holder = await held_by_another(mariadb_place, batch[3], 0)
    store = mariadb_place.open(timing=Timing(lock_seconds=0.2))
    with pytest.raises(TransientStoreError, match="1205"):
        await store.insert(batch, is_replay=is_replay)
    await holder.rollback()
    await store.insert(batch, is_replay=is_replay)
    assert await mariadb_place.count() == 5
    await holder.ensure_closed()


async def test_the_victim_of_a_deadlock_tries_again(mariadb_place: Place) -> None:
    """A batch that the server sacrifices is not at fault: nothing of it is there, and it goes in later."""
    batch = entries(2)
    holder = await held_by_another(mariadb_place, batch[1], 50)  # the one that has done less is sacrificed
    store = mariadb_place.open()
    attempt = asyncio.create_task(store.insert(batch))

    async def waits() -> bool:
        # Not the list of transactions, which is made anew only if nobody has looked for a tenth of a second.
        ((_, count),) = await mariadb_place.rows("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
        return int(count) > 0

    await eventually(waits)
    await insert_bare(holder, batch[0])
    with pytest.raises(TransientStoreError, match="1213"):
        await attempt
    await holder.rollback()
    await store.insert(batch)
    assert await mariadb_place.count() == 2
    await holder.ensure_closed()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
async def test_a_forked_child_leaves_the_connection_to_its_parent(mariadb_place: Place) -> None:
    """The child forgets it without a word, so that the parent goes on with it."""
    store = await connected(mariadb_place)
    session = store._engine.raw.thread_id()
    child = os.fork()
    if child == 0:
        try:
            store.abandon()
        finally:
            os._exit(0)
    assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
    await store.insert(entries(20))
    assert (store._engine.raw.thread_id(), await mariadb_place.count()) == (session, 21)
