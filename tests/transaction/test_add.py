"""`add()`: a row in the caller's own transaction, which it neither commits nor harms."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine

from audit_async import AuditLogger, audit_context, create_table, events
from audit_async.errors import ConfigStoreError
from tests.transaction.shop import Order, Shop, paid, statements


async def test_the_row_is_there_when_the_caller_commits(shop: Shop) -> None:
    """What was added is in the table after the caller's commit, and did not go through the journal."""
    async with AsyncSession(shop.engine) as session:
        session.add(Order(id=1, what="tea"))
        receipt = await shop.audit.add(session, paid(details={"sum": 7}, tags=["x"], old_values={"a": 1}))
        await session.commit()
    (row,) = await shop.rows()
    assert (receipt.id, "order.paid", None, None) == (row["id"], row["action"], row["writer_id"], row["writer_seq"])
    assert (1, 0) == (await shop.orders(), shop.audit.stats().accepted)


async def test_the_row_goes_with_the_callers_roll_back(shop: Shop) -> None:
    """After a roll-back nothing of what was added remains, whatever the driver's own idea of a savepoint."""
    async with AsyncSession(shop.engine) as session:
        await shop.audit.add(session, paid())
        await session.rollback()
        await shop.audit.add(session, paid(2))
    assert ([], 0) == (await shop.rows(), shop.audit.stats().accepted)


async def test_the_row_is_the_one_that_the_writer_writes(shop: Shop) -> None:
    """Context, redaction, types and times are those of `log()`."""
    with audit_context(tenant_id="t1", request_id="r-7"):
        one, two = (
            paid(details={"password": "p", "n": [1, 2.5, None]}, status_code=200, duration_ms=1.5) for _ in "12"
        )
        async with AsyncSession(shop.engine) as session, session.begin():
            await shop.audit.add(session, one)
        assert await shop.audit.log(two).stored(10)
    added, logged = await shop.rows()
    assert "t1" == added["tenant_id"]
    its_own = ("id", "created_at", "writer_id", "writer_seq", "recorded_at", "xact_id", "seq")
    assert {k: v for k, v in logged.items() if k not in its_own} == {k: v for k, v in added.items() if k not in its_own}
    assert type(logged["created_at"]) is type(added["created_at"])


async def test_an_event_is_stored_once_however_often_it_is_said(shop: Shop) -> None:
    """Added twice, and logged before and after, an event is one row."""
    twice, before = paid(1), paid(2)
    assert await shop.audit.log(before).stored(10)
    async with AsyncSession(shop.engine) as session, session.begin():
        for each in (twice, twice, before):
            await shop.audit.add(session, each, strict=True)
    assert await shop.audit.log(twice).stored(10)
    assert 2 == len(await shop.rows())


async def test_pending_objects_are_not_flushed(shop: Shop) -> None:
    """What the caller has not flushed stays so, and what it has loaded is not expired."""
    async with AsyncSession(shop.engine) as session:
        loaded, pending = Order(id=1, what="tea"), Order(id=2, what="milk")
        session.add(loaded)
        await session.flush()
        session.add(pending)
        loaded.what = "coffee"
        with statements(shop.engine) as sent:
            await shop.audit.add(session, paid())
        assert pending in session.new
        assert loaded in session.dirty
        assert not [statement for statement in sent if "orders" in statement]
        with statements(shop.engine) as sent:
            assert "coffee" == loaded.what
        assert [] == sent
        await session.commit()
    assert 2 == await shop.orders()


async def test_a_connection_will_do(shop: Shop) -> None:
    """An AsyncConnection's transaction is as good as a session's."""
    async with shop.engine.connect() as connection:
        await shop.audit.add(connection, paid(1), strict=True)
        await connection.rollback()
        await shop.audit.add(connection, paid(2), strict=True)
        await connection.commit()
    assert ["2"] == [row["resource_id"] for row in await shop.rows()]


async def test_a_scoped_session_will_do(shop: Shop) -> None:
    """The session that is current in a scope is the one meant."""
    scoped = async_scoped_session(async_sessionmaker(shop.engine), scopefunc=lambda: 1)
    await shop.audit.add(scoped, paid(), strict=True)
    await scoped.commit()
    await scoped.remove()
    assert 1 == len(await shop.rows())


async def test_an_event_inside_the_callers_savepoint_goes_with_it(shop: Shop) -> None:
    """The caller's own savepoints take their events with them, and leave the others."""
    async with AsyncSession(shop.engine) as session, session.begin():
        await shop.audit.add(session, paid(1))
        inner = await session.begin_nested()
        await shop.audit.add(session, paid(2))
        await inner.rollback()
        async with session.begin_nested():
            await shop.audit.add(session, paid(3))
    assert ["1", "3"] == [row["resource_id"] for row in await shop.rows()]


async def test_the_table_is_looked_at_once(shop: Shop) -> None:
    """From the second event on one engine only the row itself is sent, between savepoint and release."""
    async with AsyncSession(shop.engine) as session, session.begin():
        await shop.audit.add(session, paid(1))
    async with AsyncSession(shop.engine) as session, session.begin():
        with statements(shop.engine) as sent:
            await shop.audit.add(session, paid(2))
    assert 1 == len([statement for statement in sent if "INSERT INTO" in statement])
    assert [] == [s for s in sent if "INSERT INTO" not in s and not s.startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]


async def test_a_table_that_was_mended_is_looked_at_anew(postgres_url: str, tmp_path: Path) -> None:
    """A row that the table is not made for lets go of what was found: the next one is made for the table as it is."""
    await create_table(postgres_url)
    engine = create_async_engine(postgres_url)
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal") as audit, engine.connect() as connection:
        await audit.add(connection, paid(), strict=True)
        await connection.exec_driver_sql("DROP TABLE audit_logs")
        await connection.exec_driver_sql(
            "CREATE TABLE audit_logs (id uuid PRIMARY KEY, action text, agent_id uuid, user_id uuid, "
            "details json, created_at timestamptz)"
        )
        await connection.commit()
        with pytest.raises(ConfigStoreError):
            await audit.add(connection, paid(), strict=True)
        await audit.add(connection, paid(), strict=True)
        found = (await connection.exec_driver_sql("SELECT action FROM audit_logs")).scalars().all()
    await engine.dispose()
    assert ["order.paid"] == found


async def test_the_receipt_says_that_the_row_is_in_the_transaction(shop: Shop) -> None:
    """The receipt of a row in the caller's transaction is accepted, claims no more, and does not wait."""
    async with AsyncSession(shop.engine) as session, session.begin():
        receipt = await shop.audit.add(session, paid())
        assert (True, False, False) == (receipt.is_accepted, receipt.is_on_disk, receipt.is_stored)
        assert receipt.is_in_transaction
        assert not await receipt.stored()
        assert f"<Receipt {receipt.id} in the caller's transaction>" == repr(receipt)


@pytest.mark.parametrize("strict", [False, True])
async def test_without_transactions_the_row_is_there_at_once(shop: Shop, strict: bool) -> None:
    """On an AUTOCOMMIT connection the row is a transaction of its own, as every other statement is."""
    autocommit = shop.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        await shop.audit.add(connection, paid(1), strict=strict)
        await connection.rollback()
    async with AsyncSession(autocommit) as session:
        await shop.audit.add(session, paid(2), strict=strict)
    assert 2 == len(await shop.rows())


async def test_an_engine_made_for_autocommit_is_known(shop: Shop) -> None:
    """The isolation level that an engine was made with counts as that of a connection."""
    engine = create_async_engine(shop.engine.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await shop.audit.add(connection, paid(1), strict=True)
        await connection.rollback()
    await engine.dispose()
    assert 1 == len(await shop.rows())


async def test_a_first_event_leaves_the_session_free_to_begin(shop: Shop) -> None:
    """An event is a statement like any other: it begins the session's transaction, which the caller then ends."""
    async with AsyncSession(shop.engine) as session:
        await shop.audit.add(session, paid(1))
        assert session.in_transaction()
        await session.commit()
        async with session.begin():
            await shop.audit.add(session, paid(2))
    assert 2 == len(await shop.rows())


@pytest.mark.parametrize("kind", ["json", "jsonb", "text"])
async def test_the_six_column_table_is_added_to(postgres_url: str, tmp_path: Path, kind: str) -> None:
    """A table with uuid ids and JSON of any type takes an added event, through every driver."""
    columns = (
        "id uuid PRIMARY KEY, action varchar(100) NOT NULL, agent_id uuid, user_id uuid, "
        f"details {kind}, created_at timestamptz NOT NULL"
    )
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"CREATE TABLE audit_logs ({columns})")
    user = "018f3f5e-8a53-7c0e-9a55-2f6d1f0a7c11"
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal") as audit:
        event = events.identity("sso_login", user_id=user, provider_type="feishu", tenant_id="t1")
        for driver in ("asyncpg", "psycopg"):
            other = create_async_engine(engine.url.set(drivername=f"postgresql+{driver}"))
            async with AsyncSession(other) as session, session.begin():
                await audit.add(session, event, strict=True)
                await audit.add(session, events.custom("a.b"), strict=True)
            await other.dispose()
    async with engine.connect() as connection:
        found = (await connection.execute(text("SELECT action, user_id FROM audit_logs ORDER BY created_at"))).all()
    await engine.dispose()
    assert [("sso_login", user), ("a.b", "None"), ("a.b", "None")] == [(a, str(u)) for a, u in found]


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_our_table_takes_json_of_both_kinds(postgres_url: str, tmp_path: Path, kind: str) -> None:
    """Our own table may have its objects as `json` or as `jsonb`."""
    await create_table(postgres_url)
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE audit_logs ALTER COLUMN details TYPE {kind}")
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal") as audit:
        for driver in ("asyncpg", "psycopg"):
            other = create_async_engine(engine.url.set(drivername=f"postgresql+{driver}"))
            async with AsyncSession(other) as session, session.begin():
                await audit.add(session, paid(details={"ü": [1]}), strict=True)
            await other.dispose()
    async with engine.connect() as connection:
        found = (await connection.execute(text("SELECT details FROM audit_logs"))).scalars().all()
    await engine.dispose()
    assert [{"ü": [1]}] * 2 == found
