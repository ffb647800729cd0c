"""A database that fails when it is told: everything around the fault is the real thing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_async import AuditLogger, configure, create_table, events, get_audit_logger, shutdown, write_audit_log
from audit_async.errors import ConfigStoreError
from audit_async.testing import FlakyDatabase
from tests.polling import eventually
from tests.tables import all_rows

QUICK = {"backoff_first_seconds": 0.01, "backoff_max_seconds": 0.05}


@pytest.fixture
def database() -> FlakyDatabase:
    return FlakyDatabase()


@pytest.fixture
def audit(database: FlakyDatabase, sqlite_url: str, tmp_path: Path) -> Iterator[AuditLogger]:
    with database.logger(sqlite_url, journal_dir=tmp_path / "journal", timing=QUICK) as audit:
        yield audit


def many_failed(audit: AuditLogger, database: FlakyDatabase) -> bool:
    """Return whether the next attempt is many minutes away; till then have the writer try again at once."""
    if database.attempts > 18:
        return True
    audit._process.host.nudge()
    return False


async def test_attempts_fail_as_often_as_was_said(audit: AuditLogger, database: FlakyDatabase, sqlite_url: str) -> None:
    """The batch is tried again until it goes well, and every event is in the table once."""
    database.fail_next(3)
    for number in range(10):
        audit.log(events.custom("a", user_id=number))
    assert await audit.flush(20)
    assert {str(number) for number in range(10)} == {row["user_id"] for row in await all_rows(sqlite_url)}
    assert (10, None, True) == (audit.stats().stored, audit.stats().last_error, database.attempts >= 4)


async def test_an_outage_is_told_and_ends(audit: AuditLogger, database: FlakyDatabase, sqlite_url: str) -> None:
    """While it is away events are safe on disk and `health()` says what is wrong; they arrive when it is back."""
    database.go_down()
    receipt = await audit.write(events.custom("a"))
    assert await eventually(lambda: audit.stats().last_error)
    assert (True, False) == (await receipt.on_disk(10), receipt.is_stored)
    assert "the database is away (a test has said so)" in str(audit.health().reasons)
    assert (1, 0) == (audit.stats().pending, audit.stats().stored)
    database.come_back()
    assert await receipt.stored(20)
    assert audit.health().is_healthy
    assert 1 == len(await all_rows(sqlite_url))


async def test_a_lost_answer_makes_no_second_row(audit: AuditLogger, database: FlakyDatabase, sqlite_url: str) -> None:
    """Rows that are in the table though the writer was told otherwise are not there twice."""
    database.fail_next(after_commit=True)
    database.go_down()
    receipt = audit.log(events.custom("a"))
    assert await eventually(lambda: database.attempts > 1)
    assert (1, False) == (len(await all_rows(sqlite_url)), receipt.is_stored)
    database.come_back()
    assert await receipt.stored(20)
    assert 1 == len(await all_rows(sqlite_url))


async def test_a_lost_answer_of_a_server_makes_no_second_row(postgres_url: str, tmp_path: Path) -> None:
    """The same holds where the rows came by COPY, which knows no conflict."""
    await create_table(postgres_url)
    database = FlakyDatabase()
    with database.logger(postgres_url, journal_dir=tmp_path / "journal", timing=QUICK) as audit:
        database.fail_next(after_commit=True)
        await asyncio.gather(*(audit.write(events.custom("a")) for _ in range(50)))
        assert await audit.flush(20)
    assert 50 == len(await all_rows(postgres_url))


async def test_what_somebody_has_to_mend_is_told(audit: AuditLogger, database: FlakyDatabase, sqlite_url: str) -> None:
    """A fault can be one that waiting does not change: `health()` shows it, and the event waits all the same."""
    database.fail_next(1000, error=ConfigStoreError("table audit_logs is gone", hint="make it"))
    receipt = audit.log(events.custom("a"))
    assert await eventually(lambda: "until somebody mends it: table audit_logs is gone" in str(audit.health().reasons))
    database.come_back()
    assert await receipt.stored(20)
    assert 1 == len(await all_rows(sqlite_url))


async def test_coming_back_is_noticed_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """After a long outage, with long waits between attempts, nobody has to wait for the next one."""
    database = FlakyDatabase()
    patient = {"backoff_first_seconds": 0.01, "backoff_max_seconds": 3600}
    with database.logger(sqlite_url, journal_dir=tmp_path / "journal", timing=patient) as audit:
        database.go_down()
        receipt = audit.log(events.custom("a"))
        assert await eventually(lambda: many_failed(audit, database), 30)
        database.come_back()
        assert await receipt.stored(20)


async def test_the_default_logger_goes_through_it(sqlite_url: str, tmp_path: Path) -> None:
    """In the block every default logger that the program makes has this database; behind it the one before is back."""
    shutdown()
    with FlakyDatabase() as database:
        configure(sqlite_url, journal_dir=tmp_path / "journal", timing=QUICK)
        database.go_down()
        await write_audit_log("report.print")
        assert 1 == get_audit_logger().stats().pending
        database.come_back()
        assert await get_audit_logger().flush(20)
        assert database.attempts >= 2
    assert 1 == len(await all_rows(sqlite_url))


async def test_leaving_the_block_delivers(sqlite_url: str, tmp_path: Path) -> None:
    """A block that ends in an outage ends the outage first: what a test has logged is not left behind."""
    shutdown()
    with FlakyDatabase() as database:
        configure(sqlite_url, journal_dir=tmp_path / "journal")
        database.go_down()
        await write_audit_log("report.print")
        assert repr(database).startswith("<FlakyDatabase down")
    assert 1 == len(await all_rows(sqlite_url))
