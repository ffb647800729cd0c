"""Rights on MariaDB: accounts that are there get what they are for, and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async.maintenance.roles import RoleNames, apply_roles
from audit_async.table.creation import create_table
from tests.maintenance.conftest import Ruled
from tests.maintenance.test_roles import insert_into
from tests.servers.mariadb import MariadbServer
from tests.store.conftest import Place, mariadb_empty, mariadb_place
from tests.store.entries import entries
from tests.test_cli import audit_async

__all__ = ["mariadb_empty", "mariadb_place"]


@pytest.fixture
async def ruled(mariadb_place: Place) -> Ruled:
    """A table whose rights are set, twice, and accounts that can log in."""
    own = os.urandom(4).hex()
    names = RoleNames(writer=f"writer_{own}", reader=f"reader_{own}@127.0.0.1", auditor=f"auditor_{own}")
    for name in (names.writer, names.reader, names.auditor):
        user, _, host = name.partition("@")
        await mariadb_place.execute(f"CREATE USER '{user}'@'{host or '%%'}' IDENTIFIED BY 'only-here'")
    for _ in range(2):
        await apply_roles(mariadb_place.url, roles=names)
    return Ruled(mariadb_place, names)


@pytest.mark.parametrize("count", [1, 20, 200])
async def test_the_writer_writes(ruled: Ruled, count: int) -> None:
    """Few rows and many, and again what is there already, with the right to insert alone."""
    store = ruled.place.open(url=ruled.url(ruled.roles.writer))
    batch = entries(count)
    await store.insert(batch)
    await store.insert([*batch, *entries(1)], is_replay=True)
    assert await ruled.place.count() == count + 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM audit_logs",
        "UPDATE audit_logs SET action = 'forged'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "LOCK TABLES audit_logs WRITE",
        "ALTER TABLE audit_logs ADD more int",
        "DROP TRIGGER audit_logs_append_only_update",
        "DROP TABLE audit_logs",
        "CREATE TABLE mine (id int)",
        "REPLACE INTO audit_logs (id) VALUES ('x')",
        insert_into("audit_logs", recorded_at="now()"),
        insert_into("audit_logs", seq="1"),
        insert_into("audit_logs") + " ON DUPLICATE KEY UPDATE action = 'forged'",
    ],
)
async def test_the_writer_may_nothing_else(ruled: Ruled, statement: str) -> None:
    """It reads, changes, locks and makes nothing, also after it has said that it may."""
    await ruled.is_refused(
        ruled.roles.writer, "SET @audit_unguarded = 'audit_logs'", statement, match="denied|command denied"
    )


@pytest.mark.parametrize("which", ["reader", "auditor"])
async def test_reading_accounts_only_read(ruled: Ruled, which: str) -> None:
    """They see every row, and add none."""
    await ruled.place.open().insert(entries(3))
    account = getattr(ruled.roles, which).partition("@")[0]
    assert await ruled.run(account, "SELECT count(*) FROM audit_logs") == [(3,)]
    for statement in (insert_into("audit_logs"), "DELETE FROM audit_logs", "TRUNCATE audit_logs"):
        await ruled.is_refused(account, statement, match="denied")


@pytest.mark.parametrize("change", ["UPDATE audit_logs SET action = 'forged'", "DELETE FROM audit_logs"])
async def test_the_guard_holds_for_the_administrator(ruled: Ruled, change: str) -> None:
    """Who may do everything changes no row by mistake, nor by a REPLACE."""
    await ruled.place.execute(insert_into("audit_logs", created_at="'2001-01-01'"))
    for statement in (change, insert_into("audit_logs", created_at="'2001-01-01'").replace("INSERT", "REPLACE")):
        with pytest.raises(DBAPIError, match="append-only"):
            await ruled.place.execute(statement)
    assert await ruled.place.count() == 1


async def test_a_session_that_lifts_the_guard_lifts_it_for_itself(ruled: Ruled) -> None:
    """Another session is refused meanwhile, and one that comes after a killed one is."""
    await ruled.place.execute(insert_into("audit_logs"))
    engine = create_async_engine(make_url(ruled.place.url), poolclass=NullPool)
    try:
        async with engine.connect() as lifted:
            await lifted.execute(text("SET @audit_unguarded = 'audit_logs'"))
            with pytest.raises(DBAPIError, match="append-only"):
                await ruled.place.execute("DELETE FROM audit_logs")
            await lifted.execute(text("DELETE FROM audit_logs"))
            await lifted.invalidate()
        with pytest.raises(DBAPIError, match="append-only"):
            await ruled.place.execute("DELETE FROM audit_logs")
    finally:
        await engine.dispose()


def test_the_printed_script_runs_in_the_client(mariadb: MariadbServer) -> None:
    """What `audit-async roles` prints is read by the database's own client, triggers and all."""
    client = shutil.which("mariadb")
    if client is None:
        pytest.skip("the client of MariaDB is not here")
    database = asyncio.run(mariadb.create_database())
    url = mariadb.url(database)
    asyncio.run(create_table(url))
    asyncio.run(mariadb.run(*(f"CREATE USER IF NOT EXISTS audit_{name}" for name in ("writer", "reader", "auditor"))))
    script = audit_async("roles", url).stdout
    done = subprocess.run(
        [
            client,
            "--no-defaults",
            f"--host={mariadb.host}",
            f"--port={mariadb.port}",
            f"--user={mariadb.user}",
            database,
        ],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        env={"MYSQL_PWD": mariadb.password},
    )
    assert (0, "") == (done.returncode, done.stderr)
    made = asyncio.run(mariadb.run("SHOW TRIGGERS", database=database))
    assert {"audit_logs_append_only_update", "audit_logs_append_only_delete"} == {row[0] for row in made}
    asyncio.run(mariadb.drop_database(database))
