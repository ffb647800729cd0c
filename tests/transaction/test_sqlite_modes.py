"""SQLite's driver begins late or not at all: a row still shares its caller's fate."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from audit_async import AuditLogger, create_table
from audit_async.table_map.tables import Layouts, Tables
from tests.transaction.shop import make_orders, paid

Open = Callable[[], AsyncConnection | AsyncSession]


def by_default(url: str) -> AsyncEngine:
    return create_async_engine(url)


def as_recommended(url: str) -> AsyncEngine:
    """Return an engine with the listeners that SQLAlchemy's documentation recommends for savepoints."""
    engine = create_async_engine(url)

    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


def immediate(url: str) -> AsyncEngine:
    return create_async_engine(url, connect_args={"isolation_level": "IMMEDIATE"})


@pytest.fixture
async def url(tmp_path: Path) -> str:
    found = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    await create_table(found)
    await make_orders(found)
    return found


@pytest.fixture(params=[by_default, as_recommended, immediate])
async def engine(request: pytest.FixtureRequest, url: str) -> AsyncIterator[AsyncEngine]:
    made = request.param(url)
    yield made
    await made.dispose()


@pytest.fixture
async def audit(url: str, tmp_path: Path) -> AsyncIterator[AuditLogger]:
    async with AuditLogger(url, journal_dir=tmp_path / "journal") as made:
        yield made


def seen_by_another(url: str) -> tuple[int, int]:
    """Return how many orders and events another process would see."""
    with closing(sqlite3.connect(url.partition(":///")[2])) as connection:
        orders = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
        return orders, connection.execute("SELECT count(*) FROM audit_logs").fetchone()[0]


@pytest.mark.parametrize("kind", [AsyncSession, AsyncEngine.connect])
async def test_nothing_is_seen_before_the_commit_and_nothing_after_a_roll_back(
    engine: AsyncEngine, url: str, audit: AuditLogger, kind: Callable[[AsyncEngine], Any]
) -> None:
    """A row that comes first in a transaction is not committed by its own savepoint."""
    async with kind(engine) as caller:
        await audit.add(caller, paid(1), strict=True)
        assert (0, 0) == seen_by_another(url)
        await caller.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
        await caller.rollback()
        assert (0, 0) == seen_by_another(url)
        await caller.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
        await audit.add(caller, paid(2), strict=True)
        await caller.commit()
    assert (1, 1) == seen_by_another(url)


async def test_reading_first_changes_nothing(engine: AsyncEngine, url: str, audit: AuditLogger) -> None:
    """A transaction that has only read so far takes a row as well."""
    async with AsyncSession(engine) as session:
        await session.execute(text("SELECT * FROM orders"))
        await audit.add(session, paid(), strict=True)
        await session.rollback()
    assert (0, 0) == seen_by_another(url)


async def test_a_driver_that_never_begins_has_the_row_at_once(url: str, audit: AuditLogger) -> None:
    """Where the driver was told to leave transactions alone, and nobody begins one, each row stands for itself."""
    engine = create_async_engine(url, connect_args={"isolation_level": None})
    async with AsyncSession(engine) as session:
        await session.execute(text("INSERT INTO orders (id, what) VALUES (1, 'tea')"))
        await audit.add(session, paid(), strict=True)
        await session.rollback()
    await engine.dispose()
    assert (1, 1) == seen_by_another(url)


async def test_the_first_look_at_the_table_costs_the_transaction_nothing(
    url: str, audit: AuditLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has read cannot write any more once somebody else has: the look comes before it begins."""
    look = Tables.lay_out

    def look_while_others_write(tables: Tables, connection: Connection) -> Layouts:
        found = look(tables, connection)
        with closing(sqlite3.connect(url.partition("///")[2])) as other:
            other.execute("INSERT INTO orders (id, what) VALUES (99, 'of somebody else')")
            other.commit()
        return found

    monkeypatch.setattr(Tables, "lay_out", look_while_others_write)
    engine = by_default(url)
    async with AsyncSession(engine) as session:
        receipt = await audit.add(session, paid(1), strict=True)
        await session.commit()
    await engine.dispose()
    assert receipt.is_accepted
