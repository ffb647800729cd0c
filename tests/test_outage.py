"""A database that is away, wrong or frozen: callers do not notice, and everything arrives when it is mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table, events
from tests.logs import heard
from tests.polling import eventually
from tests.servers.postgres import PostgresServer
from tests.tables import count_rows, run_sql

QUICK_SECONDS = 1.0  # far above what a caller waits, far below any time-out of a database
AGREED_SECONDS = 30.0  # that a caller waits for a row, once


@pytest.fixture
async def url(postgres_url: str) -> str:
    await create_table(postgres_url)
    return postgres_url


@pytest.fixture
async def own_server(postgres_binaries: Path) -> AsyncIterator[PostgresServer]:
    """A server that this test alone may stop and freeze."""
    with PostgresServer(postgres_binaries) as server:
        yield server


def log_some(audit: AuditLogger, count: int = 20) -> None:
    """Log events, and see that it takes no time."""
    started = time.monotonic()
    for number in range(count):
        audit.log(events.custom("report.print", details={"number": number}))
    # For each thousand: they are quick, and as many as a slow machine takes a while for.
    assert time.monotonic() - started < QUICK_SECONDS * max(1, count / 1000)


async def test_a_missing_table_is_named_and_healed(postgres_url: str, journal_dir: Path) -> None:
    """Without the table one line says how to make it; once it is made the events are in it, without a restart."""
    with heard() as lines:
        async with AuditLogger(postgres_url, journal_dir=journal_dir) as audit:
            log_some(audit)
            await eventually(lambda: audit.stats().last_error)
            assert audit.health().status == "degraded"
            await create_table(postgres_url)
            assert await audit.flush(20)
    assert await count_rows(postgres_url) == 20
    named = [line for line in lines if "audit-async init" in line and "audit_logs" in line]
    assert len(named) == 1


async def test_a_missing_column_is_named_and_healed(url: str, journal_dir: Path) -> None:
    """A table that lacks a column is named, no event is taken for poison, and all arrive after the repair."""
    await run_sql(url, "ALTER TABLE audit_logs RENAME COLUMN duration_ms TO gone")
    with heard() as lines:
        async with AuditLogger(url, journal_dir=journal_dir) as audit:
            log_some(audit)
            await eventually(lambda: audit.stats().last_error)
            await run_sql(url, "ALTER TABLE audit_logs RENAME COLUMN gone TO duration_ms")
            assert await audit.flush(20)
            assert audit.stats().quarantined == 0
    assert await count_rows(url) == 20
    assert any("duration_ms" in line for line in lines)


async def test_a_column_that_goes_missing_under_way_is_no_poison(url: str, journal_dir: Path) -> None:
    """A table that is altered while the writer is connected makes events wait, not quarantine."""
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        log_some(audit)
        assert await audit.flush(20)
        await run_sql(url, "ALTER TABLE audit_logs RENAME COLUMN duration_ms TO gone")
        log_some(audit)
        await eventually(lambda: audit.stats().last_error)
        await run_sql(url, "ALTER TABLE audit_logs RENAME COLUMN gone TO duration_ms")
        assert await audit.flush(20)
        assert audit.stats().quarantined == 0
    assert await count_rows(url) == 40


async def test_a_wrong_password_is_named_and_healed(url: str, postgres: PostgresServer, journal_dir: Path) -> None:
    """A wrong password is named as such, without the password, and events arrive once it is right."""
    database = url.rsplit("/", 1)[1]
    await run_sql(url, "DROP ROLE IF EXISTS audit_writer_role", "CREATE ROLE audit_writer_role LOGIN PASSWORD 'right'")
    await run_sql(url, "GRANT INSERT ON audit_logs TO audit_writer_role")
    address = postgres.url(database, user="audit_writer_role", password="not-the-one")
    with heard() as lines:
        async with AuditLogger(address, journal_dir=journal_dir) as audit:
            log_some(audit)
            await eventually(lambda: audit.stats().last_error)
            await run_sql(url, "ALTER ROLE audit_writer_role PASSWORD 'not-the-one'")
            assert await audit.flush(20)
    assert await count_rows(url) == 20
    assert any("password" in line for line in lines)
    assert not any("not-the-one" in line for line in lines)
    await run_sql(url, "DROP OWNED BY audit_writer_role", "DROP ROLE audit_writer_role")


async def test_callers_do_not_notice_a_refusing_server(journal_dir: Path) -> None:
    """With nobody listening `log` is instant, and `write` waits for the disk only, once the outage is known."""
    nowhere = "postgresql+asyncpg://app:secret@127.0.0.1:1/app"
    with heard() as lines:
        audit = AuditLogger(nowhere, journal_dir=journal_dir, max_wait_seconds=AGREED_SECONDS)
        log_some(audit)
        await eventually(lambda: audit.stats().last_error)
        started = time.monotonic()
        receipts = [await audit.write(events.custom("report.print")) for _ in range(20)]
        assert time.monotonic() - started < AGREED_SECONDS  # for all of them: a disk may be slow
        assert all(receipt.is_on_disk and not receipt.is_stored for receipt in receipts)
        assert not await audit.flush(0.2)
        assert not await audit.close(0.2)
    assert (40, 40) == (audit.stats().accepted, audit.stats().pending)
    assert len([line for line in lines if "127.0.0.1:1" in line]) == 1
    assert not any("secret" in line for line in lines)


async def test_close_with_a_dead_database_keeps_to_its_time(journal_dir: Path) -> None:
    """`close(t)` returns within t + 1 s and says what remains and where."""
    audit = AuditLogger("postgresql+asyncpg://app@127.0.0.1:1/app", journal_dir=journal_dir)
    log_some(audit, 7)
    with heard() as lines:
        started = time.monotonic()
        assert await audit.close(0.5) is False
        assert time.monotonic() - started < 1.5
    assert any("closed with 7 events pending" in line and str(journal_dir) in line for line in lines)


async def test_close_with_a_frozen_server_keeps_to_its_time(own_server: PostgresServer, journal_dir: Path) -> None:
    """A server that is frozen under way does not keep `close` from returning, nor a caller waiting."""
    url = own_server.url(await own_server.create_database())
    await create_table(url)
    audit = AuditLogger(url, journal_dir=journal_dir)
    log_some(audit)
    assert await audit.flush()
    own_server.freeze()
    log_some(audit)
    started = time.monotonic()
    receipt = await audit.write(events.custom("report.print"))
    assert receipt.is_on_disk
    assert time.monotonic() - started < 2.5
    assert await audit.close(0.5) is False
    assert time.monotonic() - started < 4.5
    own_server.thaw()
    async with AuditLogger(url, journal_dir=journal_dir) as successor:
        await eventually(lambda: successor.stats().adopted_stored == 21, 30)
    assert await count_rows(url) == 41


async def test_everything_arrives_after_crashes_of_the_server(own_server: PostgresServer, journal_dir: Path) -> None:
    """A server that crashes again and again under load ends with each event in the table once."""
    own = own_server.url(await own_server.create_database())
    await create_table(own)
    async with AuditLogger(own, journal_dir=journal_dir) as audit:
        for _ in range(3):
            log_some(audit, 3000)
            await asyncio.to_thread(own_server.restart, "immediate")
        assert await audit.flush(40)
        assert audit.stats().quarantined == 0
    assert await count_rows(own) == 9000


async def test_a_terminated_connection_is_replaced(url: str, journal_dir: Path) -> None:
    """After the server ended our session the next events arrive over a new one."""
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        for _ in range(5):
            log_some(audit, 100)
            assert await audit.flush(20)
            await run_sql(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'audit/%' AND datname = current_database()",
            )
    assert await count_rows(url) == 500


async def test_a_locked_table_makes_nobody_wait(url: str, journal_dir: Path) -> None:
    """Behind a lock on the table `write` returns with the event on disk, and the row follows."""
    agreed = 1.5  # more than a slow disk takes
    async with AuditLogger(url, journal_dir=journal_dir, max_wait_seconds=agreed) as audit:
        await audit.write(events.custom("report.print"))
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(url)
        async with engine.begin() as locker:
            await locker.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))
            started = time.monotonic()
            receipt = await audit.write(events.custom("report.print"))
            assert (True, False) == (receipt.is_on_disk, receipt.is_stored)
            assert time.monotonic() - started < agreed + QUICK_SECONDS
        await engine.dispose()
        assert await audit.flush(20)
    assert await count_rows(url) == 2
