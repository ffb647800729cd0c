"""`add_sync()`: the same for sessions and connections that block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from audit_async import AuditLogger
from audit_async.errors import ConfigStoreError
from tests.servers.postgres import FSYNC_OFF, PostgresServer
from tests.transaction.shop import Base, Order, orders_in, paid, statements


def resources(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT resource_id FROM audit_logs ORDER BY created_at, id")).scalars())


def test_commit_keeps_and_roll_back_takes(sync_engine: Engine, audit: AuditLogger) -> None:
    """A row shares the fate of the caller's transaction, in a session and on a connection."""
    with Session(sync_engine) as session:
        audit.add_sync(session, paid(1), strict=True)
        session.rollback()
        audit.add_sync(session, paid(2), strict=True)
        session.commit()
    with sync_engine.begin() as connection:
        audit.add_sync(connection, paid(3), strict=True)
    with sync_engine.connect() as connection:
        audit.add_sync(connection, paid(4), strict=True)
    assert ["2", "3"] == resources(sync_engine)
    assert 0 == audit.stats().accepted


def test_pending_objects_are_not_flushed(sync_engine: Engine, audit: AuditLogger) -> None:
    """A session with objects that the database would refuse can be added to."""
    with Session(sync_engine) as session:
        pending = Order(id=1)
        session.add(pending)
        audit.add_sync(session, paid(), strict=True)
        assert pending in session.new
        pending.what = "tea"
        session.commit()
        assert [1] == orders_in(session)


def test_a_scoped_session_will_do(sync_engine: Engine, audit: AuditLogger) -> None:
    """The session that is current in a scope is the one meant."""
    scoped = scoped_session(sessionmaker(sync_engine))
    audit.add_sync(scoped, paid(), strict=True)
    scoped.commit()
    scoped.remove()
    assert ["1"] == resources(sync_engine)


@pytest.mark.parametrize("kind", ["session", "connection"])
def test_a_refused_row_is_logged_after_the_commit(
    sync_engine: Engine, audit: AuditLogger, tmp_path: Path, kind: str
) -> None:
    """Where the caller's database has no audit table, the event waits for the commit, and goes with a roll-back."""
    apart = create_engine(f"sqlite:///{tmp_path / 'apart.db'}")
    Base.metadata.create_all(apart)
    with Session(apart) if kind == "session" else apart.connect() as caller:
        for number, end in ((1, caller.rollback), (2, caller.commit)):
            caller.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
            audit.add_sync(caller, paid(number))
            caller.execute(text("INSERT INTO orders (id, what) VALUES (2, 'milk')"))
            assert 0 == audit.stats().accepted
            end()
        with pytest.raises(ConfigStoreError, match="there is no table audit_logs"):
            audit.add_sync(caller, paid(3), strict=True)
    assert audit.flush_sync(10)
    assert ["2"] == resources(sync_engine)
    with apart.connect() as connection:
        assert 2 == connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
    apart.dispose()


def test_it_works_inside_a_greenlet_of_an_async_session(sync_engine: Engine, audit: AuditLogger) -> None:
    """What blocks may be a part of something async: the session inside an AsyncSession is a session."""
    import asyncio

    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def run() -> None:
        engine = create_async_engine(str(audit.settings.address.url))
        async with AsyncSession(engine) as session:
            await session.run_sync(lambda inside: audit.add_sync(inside, paid(), strict=True))
            await session.commit()
        await engine.dispose()

    asyncio.run(run())
    assert ["1"] == resources(sync_engine)


@pytest.fixture(scope="module")
def two_phase_url(postgres_binaries: Path) -> Iterator[str]:
    """A server that can prepare a transaction for a second phase."""
    with PostgresServer(postgres_binaries, settings={**FSYNC_OFF, "max_prepared_transactions": "5"}) as server:
        yield server.url(driver="psycopg")


@pytest.mark.parametrize("kind", ["session", "connection"])
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_two_phases_end_as_one_does(two_phase_url: str, tmp_path: Path, kind: str, ends: str) -> None:
    """A transaction of two phases releases its events when the second one has committed."""
    engine = create_engine(two_phase_url)
    with AuditLogger(two_phase_url, journal_dir=tmp_path / "journal", writer="none") as audit:
        caller: Any
        with Session(engine, twophase=True) if kind == "session" else engine.connect() as caller:
            transaction = caller if kind == "session" else caller.begin_twophase()
            receipt = audit.add_sync(caller, paid())
            transaction.prepare()
            assert (0, None) == (audit.stats().accepted, receipt.refused)
            getattr(transaction, ends)()
        is_logged = ends == "commit"
        assert (int(is_logged), None if is_logged else "rolled_back") == (audit.stats().accepted, receipt.refused)
    engine.dispose()


def test_only_the_row_is_sent(sync_engine: Engine, audit: AuditLogger) -> None:
    """From the second event on nothing but the row is sent, between savepoint and release."""
    with Session(sync_engine) as session, session.begin():
        audit.add_sync(session, paid(1), strict=True)
        with statements(sync_engine) as sent:
            audit.add_sync(session, paid(2), strict=True)
    assert ["INSERT"] == [statement.partition(" ")[0] for statement in sent if "SAVEPOINT" not in statement]


@pytest.mark.parametrize("kind", ["session", "connection"])
def test_a_connection_that_was_closed_underneath_harms_nobody(
    sync_engine: Engine, audit: AuditLogger, kind: str
) -> None:
    """Where the driver's connection is gone the call is quiet, and the event goes with the transaction."""
    with Session(sync_engine) if kind == "session" else sync_engine.connect() as caller:
        caller.execute(text("SELECT 1"))
        connection = caller.connection() if isinstance(caller, Session) else caller
        driver: Any = connection.connection.driver_connection
        driver.close()
        receipt = audit.add_sync(caller, paid())
        assert (0, False, None) == (audit.stats().accepted, receipt.is_in_transaction, receipt.refused)
        connection.invalidate()
        caller.rollback()
        assert "rolled_back" == receipt.refused
