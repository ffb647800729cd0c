"""`audit-async doctor`: what is wrong is named, the rest is looked at all the same, and nothing is changed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from audit_async import AuditLogger, create_table, events
from audit_async.checkup.examine import examine
from audit_async.checkup.finding import Finding
from audit_async.checkup.settings import find_origins
from audit_async.maintenance.roles import RoleNames, apply_roles
from audit_async.settings import read_settings
from audit_async.status import look_around
from tests.children import Child
from tests.journal.test_adoption import make_later
from tests.polling import eventually, eventually_sync
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer
from tests.tables import run_sql
from tests.test_cli import audit_async
from tests.test_cli_journal import leave_as

NOWHERE = "postgresql+asyncpg://app:very-secret@127.0.0.1:1/app"
Found = tuple[Finding, ...]


@pytest.fixture
def journal_dir(journal_dir: Path) -> Path:
    journal_dir.mkdir(mode=0o700)
    return journal_dir


@pytest.fixture(scope="module")
def own_server(postgres_binaries: Path) -> Iterator[PostgresServer]:
    """A server of these tests alone, which may be frozen. As others here it forgets commits: that is told each time."""
    with PostgresServer(postgres_binaries) as server:
        yield server


@pytest.fixture
async def url(own_server: PostgresServer) -> str:
    url = own_server.url(await own_server.create_database())
    await create_table(url)
    return url


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role, password="only-here").render_as_string(hide_password=False)


async def add_role(url: str, *grants: str) -> str:
    role = f"app_{os.urandom(4).hex()}"
    await run_sql(url, f"CREATE ROLE {role} LOGIN PASSWORD 'only-here'", *(each.format(role=role) for each in grants))
    return as_role(url, role)


async def doctor(url: str, journal_dir: Path) -> Found:
    """Return findings, without the cost of a process: level, what about, and message with hint."""
    origins = find_origins(url=url, journal_dir=journal_dir, service=None, table=None)
    return (await examine(read_settings(url, journal_dir=journal_dir), origins)).findings


def run_doctor(url: str, journal_dir: Path) -> tuple[int, Found]:
    """Return exit code and findings of the command itself."""
    done = audit_async("doctor", "--journal-dir", journal_dir, "--json", AUDIT_DATABASE_URL=url)
    assert "" == done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["is_well"] is (done.returncode == 0)
    return done.returncode, tuple(Finding(**one) for one in found["findings"])


def has(found: Found, level: str, about: str, *words: str) -> bool:
    return any(
        (level, about) == (one.level, one.about) and all(word in f"{one.message} {one.hint}" for word in words)
        for one in found
    )


def has_measured_the_disk(found: Found) -> bool:
    """Return whether it is said what a sync takes; on a busy disk that is a note, and no "ok"."""
    return any("one fdatasync takes" in one.message for one in found if one.level in ("ok", "note"))


def problems(found: Found) -> list[str]:
    return [one.about for one in found if one.level in ("warning", "error")]


def snapshot(directory: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of everything below *directory*."""
    return sorted((str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in directory.rglob("*"))


async def test_all_is_well(url: str, journal_dir: Path) -> None:
    """With the writer's role, a guarded table and a living process that delivers there is nothing to see to, but that
    the server of these tests forgets commits."""
    own = os.urandom(4).hex()
    roles = RoleNames(owner=f"o_{own}", writer=f"w_{own}", reader=f"r_{own}", auditor=f"a_{own}")
    await apply_roles(url, roles=roles)
    await run_sql(url, f"ALTER ROLE {roles.writer} PASSWORD 'only-here'")
    async with AuditLogger(as_role(url, roles.writer), journal_dir=journal_dir) as audit:
        await audit.write(events.custom("report.print"))
        await eventually(
            lambda: [one for one in look_around(journal_dir) if one.status and not one.status.stats.pending]
        )
        code, found = await asyncio.to_thread(run_doctor, as_role(url, roles.writer), journal_dir)
    assert (1, ["server"]) == (code, problems(found))
    assert has(found, "warning", "server", "fsync", "ALTER SYSTEM SET fsync = on")
    assert has(found, "ok", "rights", "may add rows, and neither change nor remove any")
    for about in ("guard", "partitions", "database", "clock", "transport", "packages"):
        assert has(found, "ok", about)
    assert has(found, "ok", "settings", roles.writer, "(AUDIT_DATABASE_URL)")
    assert has(found, "ok", "settings", str(journal_dir), "(argument)")
    assert has(found, "ok", "lag", "1 living process, 0 events pending")
    assert has_measured_the_disk(found)
    assert "only-here" not in str(found)


async def test_a_person_reads_one_finding_a_line(url: str, tmp_path: Path) -> None:
    """Each line begins with its level; the last one counts what is to be seen to; passwords are not shown."""
    done = await asyncio.to_thread(audit_async, "doctor", url, "--journal-dir", tmp_path / "none", COLUMNS="40")
    *lines, empty, last = done.stdout.splitlines()
    assert {"ok", "note", "warning"} == {line.split()[0] for line in lines}
    assert (1, "", "2 things to see to") == (done.returncode, empty, last)
    assert str(make_url(url).password) not in done.stdout
    assert any("the password stands on the command line" in line for line in lines)


async def test_an_owner_and_a_role_with_too_many_rights_are_told(url: str, journal_dir: Path) -> None:
    """Whoever logs may not change what was logged: owners, and UPDATE, DELETE or TRUNCATE, are warnings."""
    many = await add_role(url, "GRANT INSERT, DELETE, TRUNCATE ON audit_logs TO {role}")
    owner = await add_role(url, "GRANT ALL ON SCHEMA public TO {role}", "ALTER TABLE audit_logs OWNER TO {role}")
    superuser = await doctor(url, journal_dir)
    as_many = await doctor(many, journal_dir)
    as_owner = await doctor(owner, journal_dir)
    assert has(superuser, "warning", "rights", "superuser", "audit-async roles")
    assert has(as_many, "warning", "rights", "may DELETE, TRUNCATE", "REVOKE DELETE, TRUNCATE")
    assert has(as_owner, "warning", "rights", "owns the table", "audit-async roles")


async def test_a_role_that_may_not_insert_is_told_what_it_lacks(url: str, journal_dir: Path) -> None:
    """Without INSERT no event arrives: an error with the statement that grants it."""
    found = await doctor(await add_role(url), journal_dir)
    assert has(found, "error", "table", "may not insert", "GRANT INSERT")


async def test_a_read_only_server_is_told(url: str, journal_dir: Path) -> None:
    """Where transactions are read-only events wait: an error that says which setting to change."""
    role = await add_role(url, "GRANT INSERT ON audit_logs TO {role}")
    await run_sql(url, f"ALTER ROLE {make_url(role).username} SET default_transaction_read_only = on")
    found = await doctor(role, journal_dir)
    assert has(found, "error", "table", "read-only", "default_transaction_read_only = off")


async def test_a_table_that_is_missing_or_old_is_told(own_server: PostgresServer, journal_dir: Path) -> None:
    """Without a table `init` is named, with one of the first version `upgrade`; neither is done."""
    url = own_server.url(await own_server.create_database())
    missing = await doctor(url, journal_dir)
    assert has(missing, "error", "table", "there is no table audit_logs", "audit-async init")
    await create_table(url)
    await run_sql(url, "UPDATE audit_schema SET version = 1")
    old = await doctor(url, journal_dir)
    assert has(old, "warning", "table", "version 1", "audit-async upgrade")
    assert [{"version": 1}] == await run_sql(url, "SELECT version FROM audit_schema")


async def test_partitions_that_run_out_are_told(url: str, journal_dir: Path) -> None:
    """Months that end soon are a warning with the command that makes more."""
    months = await run_sql(
        url, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass"
    )
    later = sorted(row["name"] for row in months if not row["name"].endswith("default"))[1:]
    await run_sql(url, *(f"DROP TABLE {name}" for name in later))
    found = await doctor(url, journal_dir)
    assert has(found, "warning", "partitions", "end on", "audit-async maintain")


@pytest.mark.parametrize("case", ["gone", "password", "frozen"])
async def test_without_its_database_the_rest_is_looked_at(
    case: str, url: str, own_server: PostgresServer, journal_dir: Path
) -> None:
    """A server that is gone, refuses the log-in, or is frozen is one error; the journal is looked at, and it ends."""
    address = {"gone": NOWHERE, "password": as_role(url, own_server.user), "frozen": url}[case]
    words = {"gone": "nothing takes connections", "password": "refuses the log-in", "frozen": "did not answer"}[case]
    if case == "frozen":
        own_server.freeze()
    try:
        code, found = await asyncio.to_thread(run_doctor, address, journal_dir)
    finally:
        own_server.thaw()
    assert (1, ["database"], True) == (code, problems(found), has(found, "error", "database", words))
    assert has_measured_the_disk(found)
    assert not {"very-secret", "only-here"} & set(str(found).split("'"))


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    """Before the first event there is neither file nor directory: that is well, said, and stays so."""
    code, found = run_doctor(f"sqlite+aiosqlite:///{tmp_path}/audit.db", tmp_path / "journal")
    assert (0, [], []) == (code, problems(found), list(tmp_path.iterdir()))
    assert has(found, "note", "database", "the first event makes it")
    assert has(found, "note", "journal", "the first event makes it")


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """SQLite's file and a journal with a dead process's events are looked at, and not one byte or time changes."""
    url, journal_dir = f"sqlite+aiosqlite:///{tmp_path}/audit.db", tmp_path / "journal"
    with AuditLogger(url, journal_dir=journal_dir) as audit:
        audit.log(events.custom("report.print"))
        assert audit.flush_sync(20)
    with Child("logging_child", url, journal_dir, 0, 7, "none") as child:
        assert len(child.lines(8)) == 8
        eventually_sync(lambda: list(journal_dir.glob("*.status")))
    before = snapshot(tmp_path)
    code, found = run_doctor(url, journal_dir)
    assert (1, before) == (code, snapshot(tmp_path))
    assert has(found, "ok", "file", "journal mode wal")
    assert has(found, "ok", "table", "version 2")
    assert ["journals"] == problems(found)
    assert has(found, "warning", "journals", "dead processes have left journals with events: 1 (1.0 MiB", "drain")


def test_journals_for_others_and_quarantine_are_told(sqlite_url: str, journal_dir: Path) -> None:
    """Events that wait for another database, refused events and pieces of damage are each told with what to do."""
    left = AuditLogger(NOWHERE, journal_dir=journal_dir, writer="none")
    left.log(events.custom("report.print"))
    left.close_sync()
    (journal_dir / "quarantine").mkdir()
    (journal_dir / "quarantine" / "0123-1-000000000001.json").write_text("{}")
    (journal_dir / "app-1-000001-4096.corrupt").write_text("x")
    found = asyncio.run(doctor(sqlite_url, journal_dir))
    assert has(found, "warning", "journals", "another database", "drain --adopt")
    assert has(found, "warning", "quarantine", "refused: 1", "quarantine retry", "1 of them for other databases")
    assert has(found, "note", "journals", "1 pieces of damaged journals")


def test_what_a_restore_left_is_told(sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals without a lock, of a machine that had another name, or of another version: each in its right pile."""
    leave_as("lockless", sqlite_url, journal_dir).file_set.lock_path.unlink()
    monkeypatch.setattr("audit_async.journal.spool.host_name", lambda: "an-older-name")
    leave_as("renamed", sqlite_url, journal_dir)
    make_later(leave_as("later", sqlite_url, journal_dir).file_set.segment_path(1), "number")
    found = asyncio.run(doctor(sqlite_url, journal_dir))
    assert has(found, "warning", "journals", "dead processes have left journals with events: 2 (2.0 MiB", "drain")
    assert has(found, "warning", "journals", "1 journals are in a format of another version")
    assert ["journals", "journals"] == problems(found)


def test_a_living_process_that_only_journals_is_not_dead(sqlite_url: str, journal_dir: Path) -> None:
    """Events of a process that lives, and whose mark nobody holds, wait for no command."""
    with AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none") as audit:
        audit.log(events.custom("report.print"))
        found = asyncio.run(doctor(sqlite_url, journal_dir))
    assert "journals" not in problems(found)
    assert has(found, "ok", "lag", "1 living process")


def test_what_living_processes_say_is_told(sqlite_url: str, journal_dir: Path) -> None:
    """A living process that is not well has its reasons among the findings, with its number."""
    audit = AuditLogger(NOWHERE, journal_dir=journal_dir, service="web")
    audit.log(events.custom("report.print"))
    eventually_sync(lambda: any(b"degraded" in path.read_bytes() for path in journal_dir.glob("*.status")), 20)
    found = asyncio.run(doctor(sqlite_url, journal_dir))
    audit.close_sync(0.1)
    assert has(found, "warning", "process", f"web {os.getpid()}: the database takes no events", "127.0.0.1:1")


def test_a_clock_that_was_set_back_is_told(sqlite_url: str, journal_dir: Path) -> None:
    """A journal that is newer than now shows that the clock was set back."""
    left = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    left.log(events.custom("report.print"))
    left.close_sync()
    (segment,) = journal_dir.glob("*.audj")
    later = segment.stat().st_mtime + 1000
    os.utime(segment, (later, later))
    found = asyncio.run(doctor(sqlite_url, journal_dir))
    assert has(found, "warning", "clock", "which was set back")


async def test_mariadb_is_looked_at(mariadb: MariadbServer, journal_dir: Path) -> None:
    """Rights beyond INSERT, the sql_mode and the character set are told; the writer's account alone is well."""
    database = await mariadb.create_database()
    url, user = mariadb.url(database), f"w_{os.urandom(4).hex()}"
    try:
        missing = await doctor(url, journal_dir)
        await create_table(url)
        await mariadb.run(
            f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'only-here'",
            f"GRANT SHOW VIEW, INSERT ON {database}.audit_logs TO {user}@'127.0.0.1'",
            f"ALTER DATABASE {database} CHARACTER SET latin1",
        )
        as_admin = await doctor(url, journal_dir)
        writer = mariadb.url(database, user=user, password="only-here")
        as_writer = await doctor(writer, journal_dir)
    finally:
        await mariadb.run(f"DROP USER IF EXISTS {user}@'127.0.0.1'")
        await mariadb.drop_database(database)
    assert has(missing, "error", "table", "there is no table audit_logs", "audit-async init")
    assert has(as_admin, "ok", "database", "MariaDB")
    assert has(as_admin, "warning", "rights", "may UPDATE, DELETE, DROP, ALTER")
    assert has(as_admin, "note", "server", "sql_mode")
    assert has(as_admin, "note", "server", "latin1", "utf8mb4")
    assert has(as_writer, "ok", "rights", "may neither change nor remove rows")
    assert set() == set(problems(as_writer)) - {"server"}


async def test_tls_is_seen(postgres_system: PostgresServer, journal_dir: Path) -> None:
    """A server with TLS is reached over it, and the line says with which protocol."""
    if not await add_certificate(postgres_system):
        pytest.skip("no openssl here, or a server without TLS")
    url = postgres_system.url(await postgres_system.create_database())
    found = await doctor(f"{url}?ssl=require", journal_dir)
    assert has(found, "ok", "transport", "TLSv1.3, to this machine")


async def add_certificate(server: PostgresServer) -> bool:
    """Give *server* a certificate and let it use it, or return False where that cannot be done."""
    data = server.home / "data"
    key, certificate = data / "server.key", data / "server.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    try:
        await asyncio.to_thread(
            subprocess.run,
            [*command, "-keyout", str(key), "-out", str(certificate)],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    for file in (key, certificate):
        os.chown(file, data.stat().st_uid, data.stat().st_gid)
        file.chmod(0o600)
    connection = await server.connect()
    try:
        await connection.execute("ALTER SYSTEM SET ssl = on")
        await connection.execute("SELECT pg_reload_conf()")
        await eventually(lambda: run_sql(server.url(), "SELECT 1 WHERE current_setting('ssl') = 'on'"), 5)
    except Exception:
        return False
    finally:
        await connection.close()
    return True


def test_a_driver_that_is_not_installed_is_told(journal_dir: Path) -> None:
    """An address whose driver is missing is one error with what to install, and the journal is looked at."""
    code, found = run_doctor("postgresql+psycopg_async_of_nobody://app@127.0.0.1/app", journal_dir)
    assert (1, True, True) == (code, has(found, "error", "packages"), has(found, "ok", "disk"))


@pytest.mark.parametrize("arguments", [("postgresql://db/app",), ("--table", "a", "--map", "b.toml")])
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """What cannot be meant ends with two lines, and what to write instead."""
    wrong = audit_async("doctor", *arguments)
    assert (2, True, False) == (wrong.returncode, "HINT" in wrong.stderr, "Traceback" in wrong.stderr)


def test_it_needs_no_environment(tmp_path: Path) -> None:
    """Without any setting the embedded default is looked at, which is said, and not made."""
    done = subprocess.run(
        [sys.executable, "-m", "audit_async", "doctor"],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("AUDIT_")},
    )
    assert (0, "", []) == (done.returncode, done.stderr, list(tmp_path.iterdir()))
    assert "set AUDIT_DATABASE_URL" in done.stdout
