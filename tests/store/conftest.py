"""Every store there is, each with an empty table of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from audit_async.store import Store, StoreOptions
from audit_async.store.opening import open_store
from audit_async.table.creation import create_table
from tests.servers.mariadb import MISSING, MariadbServer, find_mariadbd
from tests.servers.postgres import PostgresCluster


@dataclass
class Place:
    """A database in which a store can be opened, and looked into past the store."""

    url: str
    admin: AsyncEngine
    stores: list[Store]

    def open(self, *, url: str | None = None, **options: Any) -> Store:
        store = open_store(StoreOptions(url=url or self.url, **options))
        self.stores.append(store)
        return store

    async def rows(self, statement: str, **bound: Any) -> list[Any]:
        async with self.admin.connect() as connection:
            return list((await connection.execute(text(statement), bound)).all())

    async def execute(self, *statements: str) -> None:
        async with self.admin.begin() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    async def count(self, table: str = "audit_logs") -> int:
        return int((await self.rows(f"SELECT count(*) FROM {table}"))[0][0])

    @property
    def dialect(self) -> str:
        return self.admin.dialect.name


async def _place(url: str) -> AsyncIterator[Place]:
    place = Place(url, create_async_engine(url, poolclass=NullPool), [])
    yield place
    for store in place.stores:
        await store.close()
    await place.admin.dispose()


KINDS = ["asyncpg", "asyncpg-system", "sqlite", "psycopg", "mariadb"]


@pytest.fixture(params=KINDS)
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Each database, without a table."""
    if request.param == "sqlite":
        async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
            yield place
        return
    server = server_of(request)
    database = await server.create_database()
    async for place in _place(url_of(server, database, request.param)):
        yield place
    await server.drop_database(database)


def server_of(request: pytest.FixtureRequest) -> PostgresCluster | MariadbServer:
    """Return the server for one of `KINDS`, which runs."""
    if request.param == "mariadb":
        name = "mariadb"
    else:
        name = "postgres_system" if request.param.endswith("system") else "postgres"
    server: PostgresCluster | MariadbServer = request.getfixturevalue(name)
    return server


def url_of(server: PostgresCluster | MariadbServer, database: str, kind: str) -> str:
    """Return the address of *database* for one of `KINDS`."""
    if isinstance(server, MariadbServer):
        return server.url(database)
    return server.url(database, driver=kind.partition("-")[0])


@pytest.fixture
async def place(empty: Place) -> Place:
    """Each database, with our table."""
    await create_table(empty.url)
    return empty


@pytest.fixture
async def store(place: Place) -> Store:
    """A store of each kind on our table, empty."""
    return place.open()


@pytest.fixture
async def mariadb_empty(mariadb: MariadbServer) -> AsyncIterator[Place]:
    """MariaDB, without a table."""
    database = await mariadb.create_database()
    async for place in _place(mariadb.url(database)):
        yield place
    await mariadb.drop_database(database)


@pytest.fixture
async def mariadb_place(mariadb_empty: Place) -> Place:
    """MariaDB, with our table."""
    await create_table(mariadb_empty.url)
    return mariadb_empty


@pytest.fixture(scope="module")
def spare() -> Iterator[MariadbServer]:
    """A MariaDB server of one file of tests alone, which may be frozen, and set up worse."""
    program = find_mariadbd()
    if program is None:
        pytest.skip(MISSING)
    with MariadbServer(program) as server:
        yield server


@pytest.fixture
async def spare_place(spare: MariadbServer) -> AsyncIterator[Place]:
    """Our table on that server."""
    database = await spare.create_database()
    async for place in _place(spare.url(database)):
        await create_table(place.url)
        yield place
    await spare.drop_database(database)


@pytest.fixture
async def postgres_empty(each_postgres: PostgresCluster) -> AsyncIterator[Place]:
    """Each PostgreSQL server, through asyncpg, without a table."""
    database = await each_postgres.create_database()
    async for place in _place(each_postgres.url(database)):
        yield place
    await each_postgres.drop_database(database)


@pytest.fixture
async def postgres_place(postgres_empty: Place) -> Place:
    """Each PostgreSQL server, through asyncpg, with our table."""
    await create_table(postgres_empty.url)
    return postgres_empty


async def add_role(place: Place, *grants: str) -> str:
    """Make a role with nothing but *grants*, in which {role} stands for it, and return its URL."""
    role = f"writer_{os.urandom(4).hex()}"
    await place.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'only-here'", *(grant.format(role=role) for grant in grants)
    )
    url = make_url(place.url).set(username=role, password="only-here")
    return url.render_as_string(hide_password=False)
