"""A table that somebody changes under a running writer: events wait or find their way, and none is taken for poison."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async import AuditLogger, create_table, events
from tests.polling import eventually
from tests.servers.postgres import server_user
from tests.tables import count_rows, run_sql

SECONDS = 30


@pytest.fixture
async def url(postgres_url: str) -> str:
    await create_table(postgres_url)
    return postgres_url


@pytest.fixture
async def audit(url: str, tmp_path: Path) -> AsyncIterator[AuditLogger]:
    """A logger that is connected, with two rows in the table."""
    async with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
        log_some(audit, 2)
        assert await audit.flush(SECONDS)
        yield audit


def log_some(audit: AuditLogger, count: int) -> None:
    for number in range(count):
        audit.log(events.custom("report.print", status_code=200, duration_ms=1.5, details={"number": number}))


async def said(audit: AuditLogger, words: str) -> None:
    """Wait until the writer says of the fault that it met what is to be known."""
    await eventually(lambda: words in (audit.stats().last_error or ""))


async def healed(audit: AuditLogger, url: str, rows: int) -> None:
    assert await audit.flush(SECONDS)
    stats = audit.stats()
    assert (rows, 0, 0) == (await count_rows(url), stats.quarantined, stats.pending)


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize(
    ("harm", "repair", "named"),
    [
        ("ALTER TABLE audit_logs RENAME TO gone", "ALTER TABLE gone RENAME TO audit_logs", "audit-async init"),
        (
            "ALTER TABLE audit_logs RENAME COLUMN status_code TO gone",
            "ALTER TABLE audit_logs RENAME COLUMN gone TO status_code",
            "status_code",
        ),
        (
            "ALTER TABLE audit_logs ALTER COLUMN status_code TYPE boolean USING true",
            "ALTER TABLE audit_logs ALTER COLUMN status_code TYPE integer USING 200",
            "status_code",
        ),
        (
            "ALTER TABLE audit_logs ALTER COLUMN duration_ms TYPE boolean USING true",
            "ALTER TABLE audit_logs ALTER COLUMN duration_ms TYPE double precision USING 1.5",
            "duration_ms",
        ),
        (
            "ALTER TABLE audit_logs ADD COLUMN needed text NOT NULL DEFAULT 'x';"
            " ALTER TABLE audit_logs ALTER COLUMN needed DROP DEFAULT",
            "ALTER TABLE audit_logs DROP COLUMN needed",
            "needed",
        ),
    ],
    ids=["table", "column", "int", "float", "not null"],
)
async def test_a_table_that_was_changed_is_named_and_healed(
    audit: AuditLogger, url: str, count: int, harm: str, repair: str, named: str
) -> None:
    """Whether one event waits or many, in whichever way they go in: all are there when the table is as it was."""
    await run_sql(url, *harm.split(";"))
    log_some(audit, count)
    await said(audit, named)
    await run_sql(url, *repair.split(";"))
    await healed(audit, url, 2 + count)


@pytest.mark.parametrize("count", [1, 40])
async def test_a_type_that_is_wider_needs_no_repair(audit: AuditLogger, url: str, count: int) -> None:
    """jsonb in the place of json, bigint in that of integer: the next batch is prepared anew."""
    await run_sql(
        url,
        "ALTER TABLE audit_logs ALTER COLUMN details TYPE jsonb",
        "ALTER TABLE audit_logs ALTER COLUMN status_code TYPE bigint",
    )
    log_some(audit, count)
    await healed(audit, url, 2 + count)


@pytest.mark.parametrize("count", [1, 40])
async def test_a_right_that_was_taken_is_named_and_healed(url: str, tmp_path: Path, count: int) -> None:
    """The hint is the statement that gives it back."""
    role = "audit_trouble_writer"
    await run_sql(url, f"DROP ROLE IF EXISTS {role}", f"CREATE ROLE {role} LOGIN PASSWORD 'only-here'")
    await run_sql(url, f"GRANT INSERT ON audit_logs TO {role}")
    host = url.rpartition("@")[2]
    address = f"postgresql+asyncpg://{role}:only-here@{host}"
    async with AuditLogger(address, journal_dir=tmp_path / "journal") as audit:
        log_some(audit, 2)
        assert await audit.flush(SECONDS)
        await run_sql(url, f"REVOKE INSERT ON audit_logs FROM {role}")
        log_some(audit, count)
        await said(audit, f"GRANT INSERT ON audit_logs TO {role}")
        await run_sql(url, f"GRANT INSERT ON audit_logs TO {role}")
        await healed(audit, url, 2 + count)
    await run_sql(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("count", [1, 40])
async def test_a_missing_partition_for_today_makes_events_wait(audit: AuditLogger, url: str, count: int) -> None:
    """It is the table's fault and not the row's: nothing goes to quarantine, and the hint is `maintain`."""
    await run_sql(
        url,
        "CREATE TABLE kept AS SELECT * FROM audit_logs",
        "DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT inhrelid FROM pg_inherits"
        " WHERE inhparent = 'audit_logs'::regclass LOOP EXECUTE format('DROP TABLE %s', part); END LOOP; END $$",
    )
    log_some(audit, count)
    await said(audit, "audit-async maintain")
    await run_sql(
        url,
        "CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT",
        "INSERT INTO audit_logs SELECT * FROM kept",
    )
    await healed(audit, url, 2 + count)


async def test_a_row_far_from_today_without_a_partition_is_the_rows_own_matter(audit: AuditLogger, url: str) -> None:
    """A table without a default partition refuses a row of 1999; the others go in, that one waits in quarantine."""
    await run_sql(url, "DROP TABLE audit_logs_default")
    audit.log(events.custom("report.print", created_at="1999-01-01T00:00:00Z"))
    log_some(audit, 40)
    assert not await audit.flush(SECONDS)
    await eventually(lambda: audit.stats().pending == 0)
    assert (42, 1) == (await count_rows(url), audit.stats().quarantined)


async def test_a_database_that_only_reads_is_waited_for(audit: AuditLogger, url: str) -> None:
    """As on a standby: transient, whatever it says."""
    database = url.rpartition("/")[2]
    await run_sql(url, f'ALTER DATABASE "{database}" SET default_transaction_read_only = on', END_OTHERS)
    log_some(audit, 20)
    await said(audit, "read-only")
    await run_sql(
        url,
        "SET TRANSACTION READ WRITE",
        f'ALTER DATABASE "{database}" RESET default_transaction_read_only',
        END_OTHERS,
    )
    await healed(audit, url, 22)


END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_a_serialization_failure_is_tried_again(audit: AuditLogger, url: str) -> None:
    """40001 means: the same once more."""
    await run_sql(
        url,
        "CREATE TABLE fails (is_on boolean)",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF EXISTS (SELECT FROM fails) THEN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END IF;"
        " RETURN NEW; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION fail()",
        "INSERT INTO fails VALUES (true)",
    )
    log_some(audit, 20)
    await said(audit, "could not serialize")
    await run_sql(url, "DELETE FROM fails")
    await healed(audit, url, 22)


@pytest.mark.parametrize("count", [2, 40])
async def test_a_trigger_that_refuses_everything_is_the_tables_fault(audit: AuditLogger, url: str, count: int) -> None:
    """It names no column and no constraint; still nothing more than one event is taken for poison."""
    await run_sql(
        url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    log_some(audit, count)
    await said(audit, "P0001")
    assert audit.stats().quarantined <= 1
    await run_sql(url, "DROP TRIGGER refuse ON audit_logs")
    await eventually(lambda: audit.stats().pending == 0)
    assert await count_rows(url) == 2 + count - audit.stats().quarantined


async def test_a_deadlock_is_tried_again(audit: AuditLogger, url: str) -> None:
    """The writer is the one that the server chooses to end; its batch goes in when the other is done."""
    # The server looks for a cycle once, when the writer has waited so long; by then the other has to wait as well.
    database = url.rpartition("/")[2]
    await run_sql(url, f"ALTER DATABASE \"{database}\" SET deadlock_timeout = '3s'", END_OTHERS)
    log_some(audit, 1)
    await healed(audit, url, 3)
    starter = events.custom("report.print", details={"of": "the writer, alone"})
    first = events.custom("report.print", details={"of": "the writer"})
    second = events.custom("report.print", details={"of": "both"})
    engine = create_async_engine(url, poolclass=NullPool)
    insert = text(
        "INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, details, metadata, tags)"
        " VALUES (:id, :at, 'x', 'system', 'low', 'success', '{}', '{}', '[]') ON CONFLICT DO NOTHING"
    )
    try:
        async with engine.connect() as other:
            await other.execute(text("SET deadlock_timeout = '20s'"))
            await other.execute(insert, {"id": second.id, "at": second.created_at})
            async with other.begin_nested() as savepoint:
                await other.execute(insert, {"id": starter.id, "at": starter.created_at})
                audit.log(starter)
                await eventually_waits(url)
                # Behind one that waits, the two come in one batch.
                audit.log(first)
                audit.log(second)
                await savepoint.rollback()
            await eventually(lambda: audit.stats().stored == 4)
            # The writer has the first key, and waits for the second.
            await eventually_waits(url)
            blocked = asyncio.create_task(other.execute(insert, {"id": first.id, "at": first.created_at}))
            await said(audit, "deadlock")
            await blocked
            await other.rollback()
        await healed(audit, url, 6)
    finally:
        await engine.dispose()


async def eventually_waits(url: str) -> None:
    await eventually(lambda: run_sql(url, "SELECT 1 FROM pg_locks WHERE NOT granted"))


SMALL_DISK_BYTES = 12 * 1024 * 1024


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of the server's own that holds little; only root can make one."""
    owner, mount = server_user(), shutil.which("mount")
    place = Path(tempfile.mkdtemp(prefix="audit-small-"))
    options = f"size={SMALL_DISK_BYTES},mode=0700,uid={owner.pw_uid if owner else 0}"
    command = [mount or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if owner is None or mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        place.rmdir()
        pytest.skip("no file system can be mounted here: that takes root")
    yield place
    subprocess.run([mount.replace("mount", "umount"), "--lazy", str(place)], check=True)
    place.rmdir()


async def test_a_full_disk_of_the_server_is_waited_for(postgres_url: str, small_disk: Path, tmp_path: Path) -> None:
    """Its disk is full, something is removed, and everything arrives."""
    database = postgres_url.rpartition("/")[2]
    engine = create_async_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE TABLESPACE small_{database} LOCATION '{small_disk}'"))
        await connection.execute(text(f'ALTER DATABASE "{database}" SET default_tablespace = small_{database}'))
    try:
        await create_table(postgres_url)
        await run_sql(postgres_url, "CREATE TABLE filler (block text)")
        await eventually(lambda: is_filled(postgres_url))
        async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal") as audit:
            for number in range(1000):
                audit.log(events.custom("report.print", details={"number": number, "text": "x" * 2000}))
            await said(audit, "No space left")
            await run_sql(postgres_url, "DROP TABLE filler")
            await healed(audit, postgres_url, 1000)
    finally:
        async with engine.connect() as connection:
            await connection.execute(text("DROP TABLE IF EXISTS audit_logs, audit_schema, audit_logs_holds, filler"))
            await connection.execute(text(f'ALTER DATABASE "{database}" RESET default_tablespace'))
            await connection.execute(text(f"DROP TABLESPACE small_{database}"))
        await engine.dispose()


async def is_filled(url: str) -> bool:
    """Write some more, and say whether the disk is full now."""
    try:
        await run_sql(url, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 500)")
    except DBAPIError as error:
        return "No space left" in str(error)
    return False
