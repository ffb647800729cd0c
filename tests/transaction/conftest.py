"""Applications on every database, with the audit table in their own or in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async import AuditLogger, create_table
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresCluster
from tests.store.conftest import (  # noqa: F401 -- fixtures
    Place,
    empty,
    mariadb_empty,
    mariadb_place,
    place,
    postgres_empty,
    postgres_place,
)
from tests.transaction.shop import Shop, make_orders


@asynccontextmanager
async def open_shop(url: str, audit_url: str, journal_dir: Path) -> AsyncIterator[Shop]:
    engine, audit_engine = create_async_engine(url), create_async_engine(audit_url, poolclass=NullPool)
    try:
        async with AuditLogger(audit_url, journal_dir=journal_dir) as audit:
            yield Shop(audit, engine, audit_engine)
    finally:
        await engine.dispose()
        await audit_engine.dispose()


@pytest.fixture
async def shop(place: Place, tmp_path: Path) -> AsyncIterator[Shop]:  # noqa: F811
    """An application whose database has the audit table as well."""
    await make_orders(place.url)
    async with open_shop(place.url, place.url, tmp_path / "journal") as made:
        yield made


@pytest.fixture
async def shop_apart(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> AsyncIterator[Shop]:  # noqa: F811
    """An application whose database has no audit table: that is in another one."""
    if place.dialect == "sqlite":
        url, drop = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", None
    else:
        server: PostgresCluster | MariadbServer = request.getfixturevalue(
            "mariadb" if place.dialect == "mysql" else "postgres"
        )
        drop = await server.create_database()
        url = server.url(drop, driver=make_url(place.url).get_driver_name())
    await make_orders(url)
    async with open_shop(url, place.url, tmp_path / "journal") as made:
        yield made
    if drop is not None:
        await server.drop_database(drop)


@pytest.fixture(params=["psycopg", "sqlite"])
async def sync_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address, without a driver that must be async, of a database with both tables.

    No driver for MariaDB that blocks is among what is installed; its `add_sync` is tried inside an async session.
    """
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
        await create_table(url)
        await make_orders(url)
        yield url
        return
    server: PostgresCluster = request.getfixturevalue("postgres")
    database = await server.create_database()
    await create_table(server.url(database))
    await make_orders(server.url(database))
    yield server.url(database, driver="psycopg")
    await server.drop_database(database)


@pytest.fixture
def sync_engine(sync_url: str) -> Iterator[Engine]:
    """An engine that blocks."""
    engine = create_engine(sync_url.replace("+aiosqlite", ""))
    yield engine
    engine.dispose()


@pytest.fixture
def audit(sync_url: str, tmp_path: Path) -> Iterator[AuditLogger]:
    """A logger to the same database."""
    with AuditLogger(sync_url, journal_dir=tmp_path / "journal") as made:
        yield made
