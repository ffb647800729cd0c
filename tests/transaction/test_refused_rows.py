"""A row that cannot be had: the caller's transaction goes on, and the event shares its fate all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from audit_async import AuditError, AuditLogger
from audit_async.errors import ConfigStoreError, DataStoreError, StoreError
from tests.logs import heard
from tests.polling import eventually
from tests.store.conftest import Place, add_role
from tests.transaction.shop import Order, Shop, make_orders, paid


async def test_the_event_is_logged_after_the_commit(shop_apart: Shop) -> None:
    """Where the caller's database has no audit table, the event is logged once the caller has committed."""
    async with AsyncSession(shop_apart.engine) as session:
        session.add(Order(id=1, what="tea"))
        receipt = await shop_apart.audit.add(session, paid())
        await session.flush()
        assert (0, True, False) == (shop_apart.audit.stats().accepted, receipt.is_accepted, receipt.is_stored)
        await session.commit()
        assert 1 == receipt.writer_seq
    assert await receipt.stored(10)
    assert (1, ["order.paid"]) == (await shop_apart.orders(), await shop_apart.actions())


async def test_the_event_goes_with_the_callers_roll_back(shop_apart: Shop) -> None:
    """What was to be logged after a commit is dropped when the caller rolls back."""
    async with AsyncSession(shop_apart.engine) as session:
        session.add(Order(id=1, what="tea"))
        receipt = await shop_apart.audit.add(session, paid())
        await session.rollback()
        assert "rolled_back" == receipt.refused
        await session.commit()
    assert (0, 0) == (await shop_apart.orders(), shop_apart.audit.stats().accepted)


async def test_closing_a_session_is_rolling_it_back(shop_apart: Shop) -> None:
    """A session that is closed without a commit takes its events with it."""
    async with AsyncSession(shop_apart.engine) as session:
        receipt = await shop_apart.audit.add(session, paid())
    assert ("rolled_back", 0) == (receipt.refused, shop_apart.audit.stats().accepted)


async def test_the_transaction_stays_usable(shop_apart: Shop) -> None:
    """After a row that could not be had, what the caller did before is there, and it goes on."""
    async with await shop_apart.log_in() as session:
        await shop_apart.audit.add(session, paid())
        assert 1 == (await session.execute(text("SELECT count(*) FROM orders"))).scalar_one()
        session.add(Order(id=2, what="milk"))
        await session.commit()
    assert 2 == await shop_apart.orders()


async def test_strict_raises_and_the_transaction_stays_usable(shop_apart: Shop) -> None:
    """With `strict` the fault is an error of ours with a hint, the event is nowhere, and the caller may go on."""
    async with await shop_apart.log_in() as session:
        with pytest.raises(ConfigStoreError, match="no table audit_logs") as caught:
            await shop_apart.audit.add(session, paid(), strict=True)
        assert caught.value.hint
        await session.commit()
    assert (1, 0) == (await shop_apart.orders(), shop_apart.audit.stats().accepted)


async def test_an_event_inside_a_savepoint_that_is_rolled_back_goes_with_it(shop_apart: Shop) -> None:
    """Of what waits for the commit, the part that was inside the caller's rolled back savepoint does not come."""
    async with AsyncSession(shop_apart.engine) as session, session.begin():
        await shop_apart.audit.add(session, paid(1))
        inner = await session.begin_nested()
        await shop_apart.audit.add(session, paid(2))
        async with session.begin_nested():
            await shop_apart.audit.add(session, paid(3))
        await inner.rollback()
        async with session.begin_nested():
            await shop_apart.audit.add(session, paid(4))
    assert await shop_apart.audit.flush(10)
    assert ["1", "4"] == [row["resource_id"] for row in await shop_apart.rows()]


async def test_the_first_event_of_all_may_be_inside_a_savepoint(shop_apart: Shop) -> None:
    """A savepoint that began before anything of ours is known as well."""
    async with AsyncSession(shop_apart.engine) as session, session.begin():
        outer = await session.begin_nested()
        async with session.begin_nested():
            await shop_apart.audit.add(session, paid(1))
        await outer.rollback()
        await shop_apart.audit.add(session, paid(2))
    assert await shop_apart.audit.flush(10)
    assert ["2"] == [row["resource_id"] for row in await shop_apart.rows()]


async def test_a_connections_savepoints_count_as_well(shop_apart: Shop) -> None:
    """On a plain connection savepoints and their roll-back are followed as on a session."""
    async with shop_apart.engine.begin() as connection:
        outer = await connection.begin_nested()
        await shop_apart.audit.add(connection, paid(1))
        await outer.rollback()
        await shop_apart.audit.add(connection, paid(2))
        inner = await connection.begin_nested()
        await shop_apart.audit.add(connection, paid(3))
        await inner.rollback()
        async with connection.begin_nested():
            await shop_apart.audit.add(connection, paid(4))
    assert await shop_apart.audit.flush(10)
    assert ["2", "4"] == [row["resource_id"] for row in await shop_apart.rows()]


@pytest.mark.parametrize("ends", ["commit", "rollback", "close"])
async def test_a_plain_connections_end_decides(shop_apart: Shop, ends: str) -> None:
    """On a plain connection the event is logged as soon as it has committed, and not otherwise."""
    async with shop_apart.engine.connect() as connection:
        receipt = await shop_apart.audit.add(connection, paid(1))
        assert (0, None) == (shop_apart.audit.stats().accepted, receipt.refused)
        await getattr(connection, ends)()
        is_logged = ends == "commit"
        assert (int(is_logged), None if is_logged else "rolled_back") == (
            shop_apart.audit.stats().accepted,
            receipt.refused,
        )


async def test_a_connection_goes_on_to_its_next_transaction(shop_apart: Shop) -> None:
    """Each transaction of one connection decides of its own events."""
    async with shop_apart.engine.connect() as connection:
        for number, end in enumerate((connection.commit, connection.rollback, connection.commit)):
            await shop_apart.audit.add(connection, paid(number))
            await end()
    assert await shop_apart.audit.flush(10)
    assert ["0", "2"] == [row["resource_id"] for row in await shop_apart.rows()]


@pytest.mark.parametrize("kind", ["session", "connection"])
async def test_two_loggers_may_wait_for_one_transaction(shop_apart: Shop, tmp_path: Path, kind: str) -> None:
    """Each logger is told of the transaction's end, and is not in the other's way."""
    url = shop_apart.audit.settings.address.url
    with AuditLogger(url, journal_dir=tmp_path / "second", writer="none") as second:
        maker = AsyncSession(shop_apart.engine) if kind == "session" else shop_apart.engine.connect()
        async with maker as caller:
            for audit in (shop_apart.audit, second):
                await audit.add(caller, paid())
            await caller.commit()
            assert (1, 1) == (shop_apart.audit.stats().accepted, second.stats().accepted)


@pytest.mark.parametrize("kind", ["session", "connection"])
async def test_a_commit_that_fails_is_none(
    postgres_place: Place, postgres_empty: Place, tmp_path: Path, kind: str
) -> None:
    """An event is not logged when the commit is refused by the database."""
    place = postgres_place
    await place.execute(
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    )
    engine = create_async_engine(place.url)
    async with AuditLogger(place.url, journal_dir=tmp_path / "journal", table="elsewhere") as audit:
        maker = AsyncSession(engine) if kind == "session" else engine.connect()
        async with maker as caller:
            await caller.execute(text("INSERT INTO children VALUES (7)"))
            receipt = await audit.add(caller, paid())
            with pytest.raises(Exception, match="children"):
                await caller.commit()
            await caller.rollback()
            assert ("rolled_back", 0) == (receipt.refused, audit.stats().accepted)
    await engine.dispose()


@pytest.mark.parametrize("outer", ["commit", "rollback"])
async def test_a_session_on_somebodys_connection_waits_for_that(shop_apart: Shop, outer: str) -> None:
    """The commit of a session that was bound to a connection ends nothing; the connection's own does."""
    async with shop_apart.engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
            receipt = await shop_apart.audit.add(session, paid())
            await session.commit()
        assert (0, None) == (shop_apart.audit.stats().accepted, receipt.refused)
        await getattr(transaction, outer)()
    assert (outer == "commit") == bool(shop_apart.audit.stats().accepted)


async def test_a_missing_right_leaves_the_transaction_usable(postgres_place: Place, tmp_path: Path) -> None:
    """A role that may not insert gets its own work done, strictly told or not."""
    place = postgres_place
    await make_orders(place.url)
    engine = create_async_engine(await add_role(place, "GRANT INSERT, SELECT ON orders TO {role}"))
    async with AuditLogger(place.url, journal_dir=tmp_path / "journal") as audit, AsyncSession(engine) as session:
        session.add(Order(id=1, what="tea"))
        await session.flush()
        with pytest.raises(ConfigStoreError, match="may not write to table audit_logs") as caught:
            await audit.add(session, paid(1), strict=True)
        assert str(caught.value.hint).startswith("GRANT INSERT ON audit_logs TO writer_")
        receipt = await audit.add(session, paid(2))
        await session.commit()
        assert await receipt.stored(10)
    assert 1 == await place.count("orders")
    assert [("2",)] == [tuple(row) for row in await place.rows("SELECT resource_id FROM audit_logs")]
    await engine.dispose()


async def test_a_role_that_may_only_insert_suffices(postgres_place: Place, tmp_path: Path) -> None:
    """Adding takes no right to read, not even the second time."""
    engine = create_async_engine(await add_role(postgres_place, "GRANT INSERT ON audit_logs TO {role}"))
    twice = paid()
    async with (
        AuditLogger(postgres_place.url, journal_dir=tmp_path / "journal") as audit,
        AsyncSession(engine) as session,
        session.begin(),
    ):
        await audit.add(session, twice, strict=True)
        await audit.add(session, twice, strict=True)
    await engine.dispose()
    assert 1 == await postgres_place.count()


async def test_a_refused_row_is_told_without_its_values(postgres_place: Place, tmp_path: Path) -> None:
    """What is said of a refused row names the constraint, and quotes nothing of it."""
    await postgres_place.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_tea CHECK (description <> 'tea-for-two')")
    engine = create_async_engine(postgres_place.url)
    async with (
        AuditLogger(postgres_place.url, journal_dir=tmp_path / "journal") as audit,
        AsyncSession(engine) as session,
    ):
        with heard() as lines:
            await audit.add(session, paid(description="tea-for-two"))
        with pytest.raises(DataStoreError, match="no_tea") as caught:
            await audit.add(session, paid(description="tea-for-two"), strict=True)
        await audit.add(session, paid(), strict=True)
    await engine.dispose()
    assert any("no_tea" in line for line in lines)
    assert "tea-for-two" not in f"{lines} {caught.value} {caught.value.__cause__}"


async def test_a_session_without_a_database_still_has_its_event_logged(shop: Shop) -> None:
    """Where not even a connection can be had the event waits for the session's commit."""
    async with AsyncSession() as session:
        receipt = await shop.audit.add(session, paid())
        assert 0 == shop.audit.stats().accepted
        await session.commit()
    assert await receipt.stored(10)


async def test_a_session_whose_flush_failed_takes_its_event_along(shop: Shop) -> None:
    """In a session that has to be rolled back first, an event waits, and goes with the roll-back."""
    async with AsyncSession(shop.engine) as session:
        await session.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
        session.add(Order(id=1, what="tea"))
        with pytest.raises(IntegrityError):
            await session.flush()
        receipt = await shop.audit.add(session, paid(1))
        await session.rollback()
        assert "rolled_back" == receipt.refused
        await shop.audit.add(session, paid(2), strict=True)
        await session.commit()
    assert ["2"] == [row["resource_id"] for row in await shop.rows()]


async def test_a_closed_connection_loses_no_event(shop: Shop) -> None:
    """A connection that is closed has no transaction to wait for: the event is logged, or strictly refused."""
    async with shop.engine.connect() as connection:
        pass
    receipt = await shop.audit.add(connection, paid())
    assert await receipt.stored(10)
    with pytest.raises(AuditError):
        await shop.audit.add(connection, paid(), strict=True)


async def test_without_transactions_a_refused_row_is_logged_at_once(shop_apart: Shop) -> None:
    """On an AUTOCOMMIT connection there is no commit to wait for."""
    autocommit = shop_apart.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        assert 1 == (await shop_apart.audit.add(connection, paid(1))).writer_seq
    async with AsyncSession(autocommit) as session:
        assert 2 == (await shop_apart.audit.add(session, paid(2))).writer_seq


async def test_a_lost_connection_is_the_callers_to_see(postgres_place: Place, tmp_path: Path) -> None:
    """When the connection breaks in the middle, `add` is quiet, and the transaction is lost as it would be anyway."""
    engine = create_async_engine(postgres_place.url)
    async with (
        AuditLogger(postgres_place.url, journal_dir=tmp_path / "journal") as audit,
        AsyncSession(engine) as session,
    ):
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await postgres_place.rows("SELECT pg_terminate_backend(:pid)", pid=pid)
        receipt = await audit.add(session, paid(1))
        with pytest.raises(StoreError):
            await audit.add(session, paid(2), strict=True)
        await session.rollback()
        assert "rolled_back" == receipt.refused
        await audit.add(session, paid(3), strict=True)
        await session.commit()
    await engine.dispose()
    assert 1 == await postgres_place.count()


@pytest.mark.parametrize("kind", ["session", "connection"])
async def test_a_cancelled_add_goes_on_being_cancelled(postgres_place: Place, tmp_path: Path, kind: str) -> None:
    """A cancellation in the middle goes on to the caller, and leaves nothing behind but a transaction to roll back."""
    place = postgres_place
    engine = create_async_engine(place.url)
    async with AuditLogger(place.url, journal_dir=tmp_path / "journal") as audit:
        async with place.admin.connect() as locker:
            await locker.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))

            async def add(caller: AsyncSession | AsyncConnection) -> None:
                await audit.add(caller, paid())

            maker = AsyncSession(engine) if kind == "session" else engine.connect()
            async with maker as caller:
                task = asyncio.ensure_future(add(caller))
                await eventually(
                    lambda: place.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND relation IS NOT NULL")
                )
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await locker.rollback()
                await caller.rollback()
                await audit.add(caller, paid(2), strict=True)
                await caller.commit()
        assert 0 == audit.stats().accepted
    await engine.dispose()
    assert [("2",)] == [tuple(row) for row in await place.rows("SELECT resource_id FROM audit_logs")]
