"""`within()`: events wait for a session's transaction, and failures are recorded whatever becomes of it."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from audit_async import AuditEvent, AuditLogger, audit_context, config, events
from audit_async.entry import decode
from tests.polling import eventually
from tests.tables import all_rows
from tests.transaction.shop import Order, Shop, make_orders, paid


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """An application on SQLite, and a logger that only journals, to another file."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    await make_orders(url)
    engine = create_async_engine(url)
    async with AuditLogger(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", journal_dir=tmp_path / "j") as audit:
        yield Shop(audit, engine, engine)
    await engine.dispose()


async def logged(shop: Shop) -> list[Any]:
    """Return the resources of the events that were logged, in their order."""
    assert await shop.audit.flush(10)
    return [row["resource_id"] for row in await all_rows(shop.audit.settings.address.url)]


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


def refused(number: int = 9) -> AuditEvent:
    return events.custom("auth.login", success=False, resource_id=number)


async def test_what_went_well_waits_for_the_commit(shop: Shop) -> None:
    """Before the commit nothing is logged, after it everything is, in its order."""
    async with AsyncSession(shop.engine) as session:
        with shop.audit.within(session) as scope:
            receipt = scope.log(paid(1))
            session.add(Order(id=1, what="tea"))
            scope.log(refused(2))
            await session.flush()
            assert (0, True, False) == (shop.audit.stats().accepted, receipt.is_accepted, receipt.is_stored)
            await session.commit()
        assert await receipt.stored(10)
    assert ["1", "2"] == await logged(shop)


@pytest.mark.parametrize("ends", ["rollback", "close"])
async def test_only_failures_outlive_a_roll_back(shop: Shop, ends: str) -> None:
    """A refused log-in inside a request that rolls back is recorded; what the roll-back undid is not."""
    session = AsyncSession(shop.engine)
    scope = shop.audit.within(session)
    await session.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
    receipt = scope.log(paid(1))
    for number, outcome in enumerate(("failure", "denied", "error", "partial", "cancelled", "unknown")):
        scope.log(events.custom("auth.login", outcome=outcome, resource_id=number))
    await getattr(session, ends)()
    assert "rolled_back" == receipt.refused
    await session.close()
    assert ["0", "1", "2"] == await logged(shop)


async def test_an_exception_in_the_request_rolls_back_and_leaves_the_failure(shop: Shop) -> None:
    """The usual shape of a request: its block rolls back by an exception, the failure is in the log."""

    async def request() -> None:
        async with AsyncSession(shop.engine) as session, session.begin():
            scope = shop.audit.within(session)
            session.add(Order(id=1, what="tea"))
            scope.log(paid(1))
            scope.log(refused(2))
            raise LookupError

    with pytest.raises(LookupError):
        await request()
    assert (0, ["2"]) == (await shop.orders(), await logged(shop))


async def test_a_savepoint_takes_its_events_with_it(shop: Shop) -> None:
    """What went well inside a rolled back savepoint does not come; what failed there does."""
    async with AsyncSession(shop.engine) as session, session.begin():
        scope = shop.audit.within(session)
        scope.log(paid(1))
        inner = await session.begin_nested()
        scope.log(paid(2))
        scope.log(refused(3))
        await inner.rollback()
        async with session.begin_nested():
            scope.log(paid(4))
    assert ["1", "3", "4"] == sorted(await logged(shop))


async def test_the_context_is_that_of_the_call(shop: Shop) -> None:
    """Who acts is read when the event is said, not when it is released; a secret is not kept until then."""
    async with AsyncSession(shop.engine) as session:
        scope = shop.audit.within(session)
        with audit_context(tenant_id="t1", user_id="u-1"):
            scope.log(events.custom("a.b", details={"password": "hunter2"}))
        with audit_context(tenant_id="t2"):
            assert "hunter2" not in str(decode(shop.audit._adding._held_with(session.sync_session)._events[0].payload))
            await session.commit()
    assert await shop.audit.flush(10)
    (row,) = await all_rows(shop.audit.settings.address.url)
    assert ("t1", "u-1") == (row["tenant_id"], row["user_id"])


async def test_the_scope_goes_on_with_the_next_transaction(shop: Shop) -> None:
    """Each transaction of a session decides of its own events; one scope serves them all, and so do two."""
    async with AsyncSession(shop.engine) as session:
        for number, end in enumerate((session.commit, session.rollback, session.commit)):
            shop.audit.within(session).log(paid(number))
            await end()
    assert ["0", "2"] == await logged(shop)


async def test_a_flush_that_fails_is_no_end(shop: Shop) -> None:
    """Events wait through a failed flush for the roll-back that must follow."""
    async with AsyncSession(shop.engine) as session:
        scope = shop.audit.within(session)
        session.add(Order(id=1))
        with pytest.raises(Exception, match="what"):
            await session.flush()
        scope.log(refused(1))
        receipt = scope.log(paid(2))
        assert 0 == shop.audit.stats().accepted
        await session.rollback()
        assert "rolled_back" == receipt.refused
    assert ["1"] == await logged(shop)


@pytest.mark.parametrize("begins", [False, True])
def test_a_forgotten_session_has_rolled_back(shop: Shop, begins: bool) -> None:
    """When a session is collected without either end, failures are logged and the rest is dropped."""
    session = Session()
    if begins:
        session.begin().session.begin_nested()
    scope = shop.audit.within(session)
    receipt = scope.log(paid(1))
    scope.log(refused(2))
    assert 0 == shop.audit.stats().accepted
    del session
    gc.collect()
    assert (1, "rolled_back") == (shop.audit.stats().accepted, receipt.refused)
    scope.log(refused(3))
    assert 2 == shop.audit.stats().accepted


@pytest.mark.parametrize("ends", ["rollback", "close", "reset", "invalidate"])
def test_a_session_that_has_begun_nothing_can_be_rolled_back(shop: Shop, ends: str) -> None:
    """Rolling back, or closing, before the first statement lets go as well; the next transaction has its own events."""
    session = Session()
    scope = shop.audit.within(session)
    receipt = scope.log(paid(1))
    scope.log(refused(2))
    getattr(session, ends)()
    assert (1, "rolled_back") == (shop.audit.stats().accepted, receipt.refused)
    scope.log(paid(3))
    session.commit()
    assert 2 == shop.audit.stats().accepted


def test_a_block_that_ends_before_any_transaction_has_rolled_back(shop: Shop) -> None:
    """A session that never began says nothing when it closes: the end of the block is the end."""
    with Session() as session, shop.audit.within(session) as scope:
        scope.log(refused(1))
        receipt = scope.log(paid(2))
    assert (1, "rolled_back") == (shop.audit.stats().accepted, receipt.refused)


async def test_the_end_of_a_block_does_not_end_the_transaction(shop: Shop) -> None:
    """A block inside a transaction waits for that."""
    async with AsyncSession(shop.engine) as session, session.begin():
        with shop.audit.within(session) as scope:
            await session.execute(text("SELECT 1"))
            scope.log(paid(1))
        assert 0 == shop.audit.stats().accepted
    assert ["1"] == await logged(shop)


def test_what_is_held_is_bounded(shop: Shop) -> None:
    """Beyond the limit failures are logged at once; others are refused and counted, not lost in silence."""
    with Session() as session:
        scope = shop.audit.within(session)
        assert all(scope.log(paid(number)).is_accepted for number in range(config.MAX_HELD_EVENTS))
        assert "held_full" == scope.log(paid(-1)).refused
        assert 1 == scope.log(refused(-2)).writer_seq
        session.rollback()
    assert {"held_full": 1} == shop.audit.stats().refused_by_reason


@pytest.mark.parametrize("kind", [AsyncSession, Session])
async def test_a_mirrored_event_is_told_when_it_is_logged(shop: Shop, kind: Callable[..., Any]) -> None:
    """The line in the system log comes with the event, not before it."""
    from tests.logs import heard

    settings = shop.audit.settings
    audit = AuditLogger(settings.address.url, journal_dir=settings.journal_dir, mirror=True, writer="none")
    with heard() as lines, audit:
        session = kind()
        audit.within(session).log(refused(1))
        assert [] == [line for line in lines if "AUDIT" in line]
        done = session.commit()
        if done is not None:
            await done
        assert 1 == len([line for line in lines if "AUDIT" in line])


async def test_many_sessions_do_not_mix(shop: Shop) -> None:
    """Each session's events follow their own transaction."""
    async with AsyncExitStack() as stack:
        engine: AsyncEngine = shop.engine
        sessions = [await stack.enter_async_context(AsyncSession(engine)) for _ in range(3)]
        for number, session in enumerate(sessions):
            shop.audit.within(session).log(paid(number))
        await sessions[1].rollback()
        await sessions[2].commit()
        await sessions[0].commit()
    assert {"0", "2"} == set(await logged(shop))


async def test_a_program_that_ends_keeps_its_failures(tmp_path: Path) -> None:
    """What failed in a session that the end of the program finds open is in the journal, and what went well is not."""
    url, journal = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", str(tmp_path / "journal")
    program = (
        "from sqlalchemy.orm import Session\nfrom audit_async import AuditLogger, events\n"
        f"audit, session = AuditLogger({url!r}, journal_dir={journal!r}, writer='none'), Session()\n"
        "scope = audit.within(session)\n"
        "scope.log(events.custom('a.b'))\nscope.log(events.custom('auth.login', success=False))\n"
    )
    run(program)
    async with AuditLogger(url, journal_dir=journal) as audit:
        await eventually(lambda: audit.stats().adopted_stored)
    assert ["auth.login"] == [row["action"] for row in await all_rows(url)]
