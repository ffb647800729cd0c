"""Real MariaDB servers of our own.

    with MariadbServer(find_mariadbd()) as server:
        database = await server.create_database()
        engine = create_async_engine(server.url(database))

A server listens on the loopback, wants a password of everyone, keeps its data in a folder of its own, and ends with us,
however we end. It is set up as one would not like to find it (no strict mode, latin1, another time zone), since what is
tested has to hold there too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote

import asyncmy

from tests.polling import eventually_sync
from tests.servers.postgres import ADMIN
from tests.servers.process import START_SECONDS, STOP_SECONDS, OwnServer, free_port, run_installer

MISSING = "no mariadbd here: apt-get install mariadb-server"
NOT_AS_ONE_LIKES = MappingProxyType(
    {"sql_mode": "", "character_set_server": "latin1", "default_time_zone": "+05:30", "skip_name_resolve": "1"}
)
FSYNC_OFF = MappingProxyType({"innodb_flush_method": "nosync"})
SMALL = MappingProxyType({"innodb_buffer_pool_size": "128M", "innodb_log_file_size": "64M"})

StopMode = Literal["fast", "kill"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = MappingProxyType({"fast": signal.SIGTERM, "kill": signal.SIGKILL})


class MariadbServer(OwnServer):
    """A MariaDB server: a context manager that starts and stops it.

    Args:
        program: `mariadbd`; `mariadb-install-db` is looked for beside it and on the path.
        fsync: off for speed; on for benchmarks and for tests of faults.
        settings: further ones, as in `my.cnf`.
    """

    def __init__(
        self, program: Path, *, fsync: bool = False, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.program = program
        self.host, self.port = "127.0.0.1", free_port()
        self.user, self.password = ADMIN, secrets.token_hex(12)
        self.settings = {**NOT_AS_ONE_LIKES, **SMALL, **({} if fsync else FSYNC_OFF), **settings}

    def url(
        self,
        database: str = "",
        *,
        driver: str = "asyncmy",
        scheme: str = "mysql",
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Return the address of *database*."""
        credentials = f"{quote(user or self.user)}:{quote(password or self.password)}"
        return f"{scheme}+{driver}://{credentials}@{self.host}:{self.port}/{database}"

    async def run(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run *statements* as the administrator, and return the rows of the last one."""
        connection = await asyncmy.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
        )
        try:
            async with connection.cursor() as cursor:
                for statement in statements:
                    await cursor.execute(statement)
                return list(await cursor.fetchall()) if cursor.description else []
        finally:
            await connection.ensure_closed()

    async def create_database(self) -> str:
        """Make a database and return its name."""
        name = f"t_{uuid.uuid4().hex}"
        await self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name

    async def drop_database(self, name: str) -> None:
        """Drop the database. Whoever has a transaction open in it is ended first: it would be waited for."""
        for (session,) in await self.run(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"):
            with contextlib.suppress(asyncmy.errors.OperationalError):  # it may have ended by itself
                await self.run(f"KILL {session}")
        await self.run(f"DROP DATABASE IF EXISTS {name}")

    def start(self) -> None:
        """Start the server, making its data folder the first time, and return when it takes connections."""
        if self._home is None:
            self._create()
        said = self._log.stat().st_size if self._log.exists() else 0
        self._begin(
            [
                *(str(self.program), "--no-defaults", *_as_ourselves(), f"--datadir={self.home / 'data'}"),
                *(f"--port={self.port}", f"--bind-address={self.host}", f"--socket={self.home / 'socket'}"),
                *(f"--pid-file={self.home / 'pid'}", f"--init-file={self.home / 'init.sql'}"),
                *(f"--{name}={value}" for name, value in self.settings.items()),
            ],
            ending='kill -KILL "$0"',
            cwd=self.home,
            env=_environment(self.home),
        )
        eventually_sync(lambda: self._is_ready(said), START_SECONDS)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server, and return when it is gone."""
        if self._process is None:
            return
        self.thaw()
        try:
            self._process.send_signal(STOP_SIGNALS[mode])
            self._process.wait(STOP_SECONDS)
        finally:
            self._bury()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start again, on the same port and data."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop at once and remove all files."""
        self.stop("kill")
        self._remove_files()

    def freeze(self) -> None:
        """Halt the server: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on; do nothing to another."""
        if self.is_running:
            os.kill(self.pid, signal.SIGCONT)

    def _create(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="audit-mariadb-"))
        self._home = home
        (home / "tmp").mkdir()
        # Run at each start. Its own administrator has no password, and goes.
        (home / "init.sql").write_text(
            f"CREATE OR REPLACE USER {self.user}@'{self.host}' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {self.user}@'{self.host}' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS root@localhost, root@'127.0.0.1', root@'::1';\n"
        )
        run_installer(
            [
                *(_beside(self.program, "mariadb-install-db"), "--no-defaults", *_as_ourselves()),
                *(f"--datadir={home / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            cwd=home,
            env=_environment(home),
        )

    def _is_ready(self, said: int) -> bool:
        text = self._log.read_bytes()[said:].decode()
        if not self.is_running:
            raise RuntimeError(f"MariaDB did not start:\n{text}")
        return "ready for connections" in text


def find_mariadbd() -> Path | None:
    """Return the server's program, which is not on everybody's path, or None."""
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/libexec")
    return Path(found) if found and shutil.which("mariadb-install-db") else None


def _environment(home: Path) -> dict[str, str]:
    # A server that starts removes what it takes for the leavings of an earlier one, from wherever these are put.
    return {**os.environ, "TMPDIR": str(home / "tmp")}


def _as_ourselves() -> list[str]:
    # It refuses to run as root unless told to.
    return ["--basedir=/usr", *(["--user=root"] if os.geteuid() == 0 else [])]


def _beside(program: Path, name: str) -> str:
    return shutil.which(name) or str(program.with_name(name))
