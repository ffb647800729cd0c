"""A connection of its own, to a server that freezes: it is given up, with all that it held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from audit_async import create_table, maintain
from audit_async.errors import ConfigStoreError, TransientStoreError
from audit_async.inspection import TableName
from audit_async.maintenance.holds import find_holds
from audit_async.maintenance.roles import apply_roles
from audit_async.table import sessions
from audit_async.table.connection import connected
from audit_async.table.creation import inspect_table
from audit_async.table.transactions import short_transaction, taking_turns
from audit_async.table.upgrade import upgrade_table
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer
from tests.store.conftest import Place, postgres_empty, postgres_place, spare  # noqa: F401 -- fixtures

NAME = TableName.parse("audit_logs")
HANGS_SECONDS = 20  # far above what is given up here, far below what a driver waits by itself
TOOLS: list[Callable[[str], Awaitable[object]]] = [
    inspect_table,
    create_table,
    upgrade_table,
    maintain,
    find_holds,
    apply_roles,
]


@pytest.fixture(params=["postgres", "mariadb"])
async def frozen(request: pytest.FixtureRequest) -> AsyncIterator[PostgresServer | MariadbServer]:
    """A server that a test may freeze; it is thawed behind it."""
    if request.param == "mariadb":
        server: MariadbServer = request.getfixturevalue("spare")
        yield server
        server.thaw()
        return
    binaries: Path = request.getfixturevalue("postgres_binaries")
    with PostgresServer(binaries) as own:
        yield own


async def freeze_within(server: PostgresServer | MariadbServer, url: str) -> None:
    """Freeze the server in the middle of a transaction in our turn, and ask it for more."""
    async with asyncio.timeout(HANGS_SECONDS), connected(url, NAME, "maintain", statement_seconds=0.5) as connection:
        try:
            async with taking_turns(connection, NAME), short_transaction(connection):
                await connection.execute(text("SELECT 1"))
                server.freeze()
                await connection.execute(text("SELECT 1"))
        finally:
            assert connection.invalidated


async def test_a_server_that_freezes_in_the_middle_is_given_up(frozen: PostgresServer | MariadbServer) -> None:
    """The statement ends with an error and takes its connection along; once the server is thawed the turn is free."""
    url = frozen.url(await frozen.create_database())
    with pytest.raises(TransientStoreError):
        await freeze_within(frozen, url)
    frozen.thaw()
    async with asyncio.timeout(HANGS_SECONDS), connected(url, NAME, "maintain") as later, taking_turns(later, NAME):
        assert 1 == (await later.execute(text("SELECT 1"))).scalar()


async def test_no_tool_waits_for_a_frozen_server(
    frozen: PostgresServer | MariadbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gives up when no connection is made in time."""
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 0.5)
    url = frozen.url(await frozen.create_database())
    await create_table(url)
    frozen.freeze()
    for tool in TOOLS:
        with pytest.raises(TransientStoreError):
            async with asyncio.timeout(HANGS_SECONDS):
                await tool(url)


async def test_the_server_ends_what_a_lost_client_left(postgres_place: Place) -> None:  # noqa: F811
    """Its session asks whether we are still there, as the store's does."""
    async with connected(postgres_place.url, NAME, "maintain") as connection:
        for name, seconds in (("idle", 15), ("interval", 5), ("count", 3)):
            assert str(seconds) == (await connection.execute(text(f"SHOW tcp_keepalives_{name}"))).scalar()


async def test_the_address_may_say_another_time(postgres_place: Place) -> None:  # noqa: F811
    """A number in the URL goes before ours; one that is none is said."""
    url = make_url(postgres_place.url)
    limited = url.update_query_dict({"command_timeout": "0.2"}).render_as_string(hide_password=False)
    with pytest.raises(TransientStoreError):
        async with connected(limited, NAME, "maintain") as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))
    wrong = url.update_query_dict({"command_timeout": "soon"}).render_as_string(hide_password=False)
    with pytest.raises(ConfigStoreError, match="settings"):
        await inspect_table(wrong)
