from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncmy
import pytest

from tests.polling import eventually_sync
from tests.servers.mariadb import MISSING, MariadbServer, StopMode, find_mariadbd
from tests.servers.postgres import is_alive


@pytest.fixture
def own() -> Iterator[MariadbServer]:
    """A server of this test alone, which may be left in any state."""
    program = find_mariadbd()
    if program is None:
        pytest.skip(MISSING)
    with MariadbServer(program) as server:
        yield server


async def test_databases_are_made_and_dropped(mariadb: MariadbServer) -> None:
    """A new database is empty, and is gone once dropped, though somebody has a transaction open in it."""
    database = await mariadb.create_database()
    await mariadb.run("CREATE TABLE kept (value int)", database=database)
    held: Any = await asyncmy.connect(
        host=mariadb.host, port=mariadb.port, user=mariadb.user, password=mariadb.password, database=database
    )
    await held.query("INSERT INTO kept VALUES (7)")
    await mariadb.drop_database(database)
    with pytest.raises(asyncmy.errors.OperationalError, match="Unknown database"):
        await mariadb.run("SELECT 1", database=database)
    held.close()


@pytest.mark.parametrize("user", ["root", "audit_admin"])
async def test_a_wrong_password_is_refused(mariadb: MariadbServer, user: str) -> None:
    """Nobody gets in without the password."""
    with pytest.raises(asyncmy.errors.OperationalError, match="Access denied"):
        await asyncmy.connect(host=mariadb.host, port=mariadb.port, user=user)


@pytest.mark.parametrize("mode", ["fast", "kill"])
async def test_a_restart_keeps_port_and_data(own: MariadbServer, mode: StopMode) -> None:
    """However it was stopped, even frozen, the server comes back where it was, with what it had."""
    port, database = own.port, await own.create_database()
    own.freeze()
    owed = asyncio.ensure_future(own.run("SELECT 42"))
    assert await asyncio.wait({owed}, timeout=0.1) == (set(), {owed})
    own.thaw()
    assert await owed == [(42,)]
    own.freeze()
    own.restart(mode)
    assert own.port == port
    assert await own.run("SELECT 42", database=database) == [(42,)]


def test_nothing_is_left_behind(own: MariadbServer) -> None:
    """Closed, the server has left neither a process nor a file."""
    pid, home = own.pid, own.home
    own.close()
    assert not home.exists()
    assert not is_alive(pid)


def test_a_server_that_cannot_start_says_why() -> None:
    """What MariaDB objects to is in the error, and nothing is left behind."""
    program = find_mariadbd()
    if program is None:
        pytest.skip(MISSING)
    server = MariadbServer(program, settings={"no_such_setting": "1"})
    with pytest.raises(RuntimeError, match="no_such_setting"), server:
        pass
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.home


def test_the_server_ends_with_a_killed_owner(mariadb: MariadbServer) -> None:
    """A process killed without a chance to clean up takes its server along."""
    program = (
        "from tests.servers.mariadb import *\n"
        "server = MariadbServer(find_mariadbd())\n"
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
def test_a_plain_user_runs_it(mariadb: MariadbServer) -> None:
    """Without root, the server runs as whoever starts it."""
    user = pwd.getpwnam("nobody")
    child = os.fork()  # what is imported stays so: Python itself may lie where only root may read
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            with MariadbServer(mariadb.program) as server:
                os._exit(0 if server.is_running else 1)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
