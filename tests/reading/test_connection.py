"""A reader cannot write, waits no longer than agreed, and goes on after whatever happened to a question."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audit_async import AuditReader, Query, Scope, create_table
from audit_async.errors import ConfigStoreError, StoreError, TransientStoreError
from audit_async.reading.connection import QueryTimeoutError
from tests.polling import eventually
from tests.reading.log import everything, made, stored
from tests.servers.postgres import PostgresServer
from tests.store.conftest import Place

SLOW = {
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}
WRITES = ("DELETE FROM audit_logs", "INSERT INTO audit_logs (id) VALUES ('x')", "CREATE TABLE mine (a integer)")


@pytest.mark.parametrize("statement", WRITES)
async def test_a_reader_cannot_write(place: Place, statement: str) -> None:
    """Its connection refuses to change anything, whoever gets at it, and reads on."""
    await stored(place, made(5))
    async with everything(place) as reader:
        with pytest.raises(StoreError):
            async with reader._database.transaction() as connection:
                await connection.execute(sa.text(statement))
        assert 5 == await reader.count()
    assert 5 == await place.count()


async def test_a_question_that_takes_too_long_is_given_up(place: Place) -> None:
    """It ends on the server as well, the error says what to do, and the next question is answered."""
    await stored(place, made(5))
    async with AuditReader(place.url, tenant=Scope.all(), statement_seconds=0.3) as reader:
        for _ in range(5):
            with pytest.raises(QueryTimeoutError, match=r"longer than 0.3 s(.|\n)*since="):
                async with reader._database.transaction() as connection:
                    await connection.execute(sa.text(SLOW[place.dialect]))
        assert 5 == await reader.count()


async def test_a_question_that_is_cancelled_leaves_nothing(place: Place) -> None:
    """The task ends at once, and the next question is answered, also when all connections were cancelled."""
    await stored(place, made(5))

    async def ask(reader: AuditReader, has_begun: asyncio.Event) -> None:
        async with reader._database.transaction() as connection:
            has_begun.set()
            await connection.execute(sa.text(SLOW[place.dialect]))

    async with everything(place) as reader:
        for _ in range(2):
            begun = [asyncio.Event() for _ in range(4)]
            tasks = [asyncio.create_task(ask(reader, each)) for each in begun]
            await asyncio.gather(*(each.wait() for each in begun))
            for task in tasks:
                task.cancel()
            assert [True] * 4 == [
                isinstance(found, asyncio.CancelledError)
                for found in await asyncio.gather(*tasks, return_exceptions=True)
            ]
            assert 5 == await reader.count()


async def test_many_questions_at_once_are_answered(place: Place) -> None:
    """More than there are connections: each gets its own answer."""
    given = made(60)
    await stored(place, given)
    async with everything(place) as reader:
        users = [f"u{n % 5}" for n in range(40)]
        found = await asyncio.gather(*(reader.count(Query(user_id=user)) for user in users))
    assert [sum(event.user_id == user for event in given) for user in users] == found


async def test_a_table_that_is_not_there_is_told_when_the_reader_is_entered(empty: Place) -> None:
    """With the command that makes it."""
    with pytest.raises(ConfigStoreError, match="audit-async init"):
        async with everything(empty):
            pass


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """To look for events must not leave an empty database behind."""
    with pytest.raises(ConfigStoreError, match="no SQLite file"):
        async with AuditReader(f"sqlite+aiosqlite:///{tmp_path / 'no.db'}", tenant=None):
            pass
    assert [] == list(tmp_path.iterdir())


async def test_a_server_that_comes_back_is_read_again(postgres_binaries: Path) -> None:
    """A question while it is away is an error that may pass; afterwards the same reader goes on."""
    with PostgresServer(postgres_binaries) as server:
        url = server.url(await server.create_database())
        await create_table(url)
        async with AuditReader(url, tenant=Scope.all()) as reader:
            assert 0 == await reader.count()
            server.stop("immediate")
            with pytest.raises(TransientStoreError):
                await reader.count()
            server.start()
            assert 0 == await reader.count()


@pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
async def test_who_gives_up_while_connecting_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while its driver makes a connection, a reader leaves no error that nobody looks at, and no session."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(str(context)))
    connect = loop.create_connection

    async def cancelled_on_the_way(factory: Any, *args: Any, **options: Any) -> Any:
        def protocol() -> Any:
            loop.call_soon(asking.cancel)
            return factory()

        return await connect(protocol, *args, **options)

    reader = everything(place)
    monkeypatch.setattr(loop, "create_connection", cancelled_on_the_way)
    asking = asyncio.create_task(reader.search())
    with pytest.raises(asyncio.CancelledError):
        await asking
    monkeypatch.undo()
    assert 0 == await reader.count()
    await reader.close()
    # What the driver forgot is told when it is collected.
    await asyncio.sleep(0)
    gc.collect()
    assert [] == told
    ours = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'audit'"
    await eventually(lambda: _is_gone(place, ours))


async def _is_gone(place: Place, sessions: str) -> bool:
    return not await place.rows(sessions)
