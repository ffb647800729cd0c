"""Events in the caller's transaction on MariaDB, where a deadlock takes all of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from audit_async import AuditEvent, AuditLogger, TableMap
from audit_async.errors import DataStoreError, StoreError, TransientStoreError
from audit_async.inspection import TableName
from audit_async.table.guard import guard
from tests.polling import eventually
from tests.store.conftest import Place
from tests.transaction.conftest import open_shop
from tests.transaction.shop import Shop, make_orders, paid

NAME = TableName.parse("audit_logs")
_WAITS = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
ORDER = text("INSERT INTO orders (id, what) VALUES (:id, 'tea')")


@pytest.fixture
async def shop(mariadb_place: Place, tmp_path: Path) -> AsyncIterator[Shop]:
    """An application on MariaDB."""
    await make_orders(mariadb_place.url)
    async with open_shop(mariadb_place.url, mariadb_place.url, tmp_path / "journal") as made:
        yield made


def open_caller(engine: AsyncEngine, kind: str) -> Any:
    return AsyncSession(engine) if kind == "session" else engine.connect()


async def orders(place: Place) -> list[int]:
    return [row[0] for row in await place.rows("SELECT id FROM orders WHERE id < 100 ORDER BY id")]


async def is_waiting(place: Place) -> bool:
    """Return whether a transaction waits for a row; `innodb_trx` says nothing new to whoever asks often."""
    return [(each[0], int(each[1])) for each in await place.rows(_WAITS)] != [("Innodb_row_lock_current_waits", 0)]


@asynccontextmanager
async def deadlocking(place: Place, shop: Shop, event: AuditEvent) -> AsyncIterator[None]:
    """Have another transaction wait for order 1, which the caller has, with the key of *event* in its hands, and with
    more to lose."""
    async with shop.engine.connect() as other:
        for number in range(100, 150):
            await other.execute(ORDER, {"id": number})
        await shop.audit.add(other, event, strict=True)
        waiting = asyncio.ensure_future(other.execute(text("UPDATE orders SET what = 'coffee' WHERE id = 1")))
        await eventually(lambda: is_waiting(place))
        yield
        await waiting
        await other.rollback()


@pytest.mark.parametrize("kind", ["session", "connection"])
@pytest.mark.parametrize("goes_on", ["statement", "commit"])
async def test_after_a_deadlock_nothing_goes_on_before_a_roll_back(
    shop: Shop, mariadb_place: Place, kind: str, goes_on: str
) -> None:
    """The server has undone all that the caller did: whatever it does next says so, so that no half is committed."""
    event = paid()
    async with open_caller(shop.engine, kind) as caller:
        await caller.execute(ORDER, {"id": 1})
        async with deadlocking(mariadb_place, shop, event):
            receipt = await shop.audit.add(caller, event)
            with pytest.raises(PendingRollbackError):
                await (caller.commit() if goes_on == "commit" else caller.execute(ORDER, {"id": 2}))
            await caller.rollback()
        assert "rolled_back" == receipt.refused
        await caller.execute(ORDER, {"id": 3})
        await shop.audit.add(caller, event, strict=True)
        await caller.commit()
    assert ([3], 1, 0) == (await orders(mariadb_place), await mariadb_place.count(), shop.audit.stats().accepted)


@pytest.mark.parametrize("kind", ["session", "connection"])
async def test_who_is_strict_hears_of_a_deadlock_at_once(shop: Shop, mariadb_place: Place, kind: str) -> None:
    """The error says that all of the transaction is gone, and going on is refused as well."""
    event = paid()
    async with open_caller(shop.engine, kind) as caller:
        await caller.execute(ORDER, {"id": 1})
        async with deadlocking(mariadb_place, shop, event):
            with pytest.raises(TransientStoreError, match=r"rolled back the transaction .*Deadlock.*1213") as caught:
                await shop.audit.add(caller, event, strict=True)
            with pytest.raises(PendingRollbackError):
                await caller.execute(ORDER, {"id": 2})
    assert "roll back" in str(caught.value.hint)
    assert ([], 0) == (await orders(mariadb_place), await mariadb_place.count())


async def test_a_deadlock_inside_the_callers_savepoint_ends_the_whole(shop: Shop, mariadb_place: Place) -> None:
    """A savepoint of the caller's own is no way out: what was before it is gone too."""
    event = paid()
    async with AsyncSession(shop.engine) as session:
        await session.execute(ORDER, {"id": 1})
        inner = await session.begin_nested()
        async with deadlocking(mariadb_place, shop, event):
            receipt = await shop.audit.add(session, event)
            await inner.rollback()
            with pytest.raises(PendingRollbackError):
                await session.commit()
            await session.rollback()
    assert ([], "rolled_back") == (await orders(mariadb_place), receipt.refused)


async def test_a_lock_that_is_not_had_leaves_the_transaction_usable(shop: Shop, mariadb_place: Place) -> None:
    """Waiting in vain undoes the statement alone: the event waits for the commit, and is then logged."""
    event = paid()
    async with shop.engine.connect() as other, AsyncSession(shop.engine) as session:
        await shop.audit.add(other, event, strict=True)
        await session.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        await session.execute(ORDER, {"id": 1})
        with pytest.raises(TransientStoreError, match="1205"):
            await shop.audit.add(session, event, strict=True)
        receipt = await shop.audit.add(session, event)
        await session.execute(ORDER, {"id": 2})
        await other.rollback()
        await session.commit()
        assert await receipt.stored(10)
    assert ([1, 2], 1) == (await orders(mariadb_place), await mariadb_place.count())


async def test_the_right_to_insert_suffices(mariadb_place: Place, tmp_path: Path) -> None:
    """An account that may only add rows to a guarded table adds one twice, and stores it once."""
    async with mariadb_place.admin.begin() as connection:
        await guard(connection, NAME)
    user = f"writer_{os.urandom(4).hex()}"
    await mariadb_place.execute(
        f"CREATE USER {user} IDENTIFIED BY 'only-here'", f"GRANT INSERT, SHOW VIEW ON audit_logs TO {user}"
    )
    engine = create_async_engine(make_url(mariadb_place.url).set(username=user, password="only-here"))
    twice = paid()
    async with AuditLogger(mariadb_place.url, journal_dir=tmp_path / "journal") as audit:
        for _ in range(2):
            async with AsyncSession(engine) as session, session.begin():
                await audit.add(session, twice, strict=True)
                await audit.add(session, twice, strict=True)
    await engine.dispose()
    assert 1 == await mariadb_place.count()


@pytest.mark.parametrize("may_read", [True, False])
async def test_another_unique_key_refuses_the_row(mariadb_place: Place, tmp_path: Path, may_read: bool) -> None:
    """A row whose value for another unique key is there is told apart from one that is there itself."""
    await mariadb_place.execute("CREATE UNIQUE INDEX one_a_request ON audit_logs (request_id(40))")
    user = f"writer_{os.urandom(4).hex()}"
    rights = "INSERT, SELECT" if may_read else "INSERT, SHOW VIEW"
    await mariadb_place.execute(
        f"CREATE USER {user} IDENTIFIED BY 'only-here'", f"GRANT {rights} ON audit_logs TO {user}"
    )
    engine = create_async_engine(make_url(mariadb_place.url).set(username=user, password="only-here"))
    event = paid(request_id="r-7")
    async with (
        AuditLogger(mariadb_place.url, journal_dir=tmp_path / "journal") as audit,
        AsyncSession(engine) as session,
        session.begin(),
    ):
        await audit.add(session, event, strict=True)
        await audit.add(session, event, strict=True)
        with pytest.raises(DataStoreError, match="one_a_request"):
            await audit.add(session, paid(request_id="r-7"), strict=True)
        await audit.add(session, paid(request_id="r-8"), strict=True)
    await engine.dispose()
    assert 2 == await mariadb_place.count()


async def test_what_was_committed_since_the_transaction_began_is_seen(shop: Shop, mariadb_place: Place) -> None:
    """An event that another has stored meanwhile is there, though the caller's transaction does not see it."""
    await mariadb_place.execute("CREATE UNIQUE INDEX one_a_request ON audit_logs (request_id(40))")
    event = paid(request_id="r-7")
    async with AsyncSession(shop.engine) as session:
        assert 0 == (await session.execute(text("SELECT count(*) FROM audit_logs"))).scalar_one()
        assert await shop.audit.log(event).stored(10)
        await shop.audit.add(session, event, strict=True)
        assert 0 == (await session.execute(text("SELECT count(*) FROM audit_logs"))).scalar_one()
        await session.commit()
    assert 1 == await mariadb_place.count()


async def test_nothing_is_shortened_in_the_callers_session(shop: Shop, mariadb_place: Place) -> None:
    """Where the caller's session would cut what does not fit, the row is refused; the session stays as it is."""
    await mariadb_place.execute("ALTER TABLE audit_logs MODIFY user_agent varchar(5)")
    async with AsyncSession(shop.engine) as session:
        before = (await session.execute(text("SELECT @@sql_mode, @@time_zone"))).one()
        assert "" == before[0]
        with pytest.raises(DataStoreError, match="user_agent"):
            await shop.audit.add(session, paid(user_agent="curl/8"), strict=True)
        await shop.audit.add(session, paid(), strict=True)
        assert before == (await session.execute(text("SELECT @@sql_mode, @@time_zone"))).one()
        await session.commit()
    assert 1 == await mariadb_place.count()


async def test_times_are_utc_whatever_the_callers_time_zone(mariadb_place: Place, tmp_path: Path) -> None:
    """A column that follows the session's time zone gets the moment that is meant."""
    await mariadb_place.execute("CREATE TABLE old (id varchar(64) PRIMARY KEY, at timestamp(6) NOT NULL)")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    engine = create_async_engine(mariadb_place.url)
    table = TableMap(table="old", columns={"id": "id", "at": "created_at"})
    async with (
        AuditLogger(mariadb_place.url, journal_dir=tmp_path / "journal", table=table) as audit,
        AsyncSession(engine) as session,
        session.begin(),
    ):
        await audit.add(session, paid(created_at=moment), strict=True)
    await engine.dispose()
    found = await mariadb_place.rows("SELECT unix_timestamp(at) FROM old")
    assert [moment.timestamp()] == [float(row[0]) for row in found]


@pytest.mark.parametrize("how", ["driver", "statement"])
async def test_autocommit_that_sqlalchemy_does_not_know_of(
    shop: Shop, mariadb_place: Place, tmp_path: Path, how: str
) -> None:
    """On a connection that commits each statement the row is there at once, or the event is logged at once."""
    engine = create_async_engine(mariadb_place.url, connect_args={"autocommit": True} if how == "driver" else {})
    async with engine.connect() as connection:
        if how == "statement":
            await connection.execute(text("SET autocommit = 1"))
        await shop.audit.add(connection, paid(), strict=True)
        await connection.rollback()
        with AuditLogger(mariadb_place.url, journal_dir=tmp_path / "j", table="elsewhere", writer="none") as audit:
            assert 1 == (await audit.add(connection, paid())).writer_seq
    await engine.dispose()
    assert (1, 0) == (await mariadb_place.count(), shop.audit.stats().accepted)


async def test_what_blocks_inside_an_async_session(shop: Shop, mariadb_place: Place) -> None:
    """`add_sync` is for the session inside an AsyncSession too."""
    async with AsyncSession(shop.engine) as session:
        for end in (session.rollback, session.commit):
            await session.run_sync(lambda inside: shop.audit.add_sync(inside, paid(), strict=True))
            await end()
    assert 1 == await mariadb_place.count()


async def test_a_lost_connection_is_the_callers_to_see(shop: Shop, mariadb_place: Place) -> None:
    """When the connection breaks in the middle, `add` is quiet, and the transaction is lost as it would be anyway."""
    async with AsyncSession(shop.engine) as session:
        session_id = (await session.execute(text("SELECT connection_id()"))).scalar_one()
        await mariadb_place.execute(f"KILL {session_id}")
        receipt = await shop.audit.add(session, paid(1))
        with pytest.raises(StoreError):
            await shop.audit.add(session, paid(2), strict=True)
        await session.rollback()
        assert "rolled_back" == receipt.refused
        await shop.audit.add(session, paid(3), strict=True)
        await session.commit()
    assert 1 == await mariadb_place.count()


@pytest.mark.parametrize("kind", ["session", "connection"])
async def test_a_cancelled_add_goes_on_being_cancelled(shop: Shop, mariadb_place: Place, kind: str) -> None:
    """A cancellation in the middle goes on to the caller, and leaves nothing behind but a transaction to roll back."""
    event = paid()

    async def add(caller: AsyncSession | AsyncConnection) -> None:
        await shop.audit.add(caller, event)

    async with shop.engine.connect() as other, open_caller(shop.engine, kind) as caller:
        await shop.audit.add(other, event, strict=True)
        task = asyncio.ensure_future(add(caller))
        await eventually(lambda: is_waiting(mariadb_place))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await other.rollback()
        await caller.rollback()
        await shop.audit.add(caller, paid(2), strict=True)
        await caller.commit()
    assert ["2"] == [row["resource_id"] for row in await shop.rows()]
    assert 0 == shop.audit.stats().accepted
