"""What waits in the journal for a row that it points to, while everything else goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table, events
from audit_async.config import DOUBT_SAMPLE
from tests.polling import eventually
from tests.refusing import log_all, raise_for, refuse_all, was_tried
from tests.tables import count_rows, run_sql


@pytest.fixture
async def linked_url(postgres_url: str) -> str:
    """A table whose user has to be in the table of users."""
    await create_table(postgres_url)
    await run_sql(
        postgres_url,
        "CREATE TABLE users (id text PRIMARY KEY)",
        "INSERT INTO users VALUES ('known')",
        "ALTER TABLE audit_logs ADD FOREIGN KEY (user_id) REFERENCES users (id)",
    )
    return postgres_url


async def test_a_foreign_key_that_heals_costs_nothing(linked_url: str, journal_dir: Path) -> None:
    """An event about a user whose row is not committed yet is stored once it is; `flush` waits for it."""
    async with AuditLogger(linked_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["known", "new", "known"])
        await eventually(lambda: audit.stats().stored == 2)
        assert audit.stats().pending == 1
        assert not await audit.flush(0.1)
        await run_sql(linked_url, "INSERT INTO users VALUES ('new')")
        assert await audit.flush(20)
        assert (3, 0) == (audit.stats().stored, audit.stats().quarantined)
    assert await count_rows(linked_url) == 3
    assert list(journal_dir.glob("*.audj")) == []


async def test_a_missing_foreign_key_keeps_nobody_waiting(linked_url: str, journal_dir: Path) -> None:
    """Behind an event whose user never comes the others are stored and confirmed at once."""
    async with AuditLogger(linked_url, journal_dir=journal_dir) as audit:
        stranger = audit.log(events.custom("report.print", user_id="stranger"))
        receipts = [await audit.write(events.custom("report.print", user_id="known")) for _ in range(5)]
        assert all(receipt.is_stored for receipt in receipts)
        assert not stranger.is_stored
        stats = audit.stats()
        assert (6, 5, 1) == (stats.accepted, stats.stored, stats.pending)


async def test_an_event_that_waits_for_its_key_outlives_the_process(linked_url: str, journal_dir: Path) -> None:
    """An event that was still waiting for its user when its process ended is stored by the next one, nothing twice."""
    async with AuditLogger(linked_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["known", "new", "known"])
        await eventually(lambda: audit.stats().stored == 2)
    await run_sql(linked_url, "INSERT INTO users VALUES ('new')")
    async with AuditLogger(linked_url, journal_dir=journal_dir):
        await eventually(lambda: count_is(linked_url, 3))
    assert await count_rows(linked_url) == 3


async def test_many_that_are_refused_when_their_row_is_there_go_to_quarantine(
    linked_url: str, journal_dir: Path
) -> None:
    """However many: once the table takes others it is they who are at fault, and nobody waits behind them."""
    # Before the foreign key is looked at it would be refused for good.
    await raise_for(linked_url, "late", when="AFTER")
    many = DOUBT_SAMPLE + 4
    async with AuditLogger(linked_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["late"] * many + ["known"])
        await eventually(lambda: audit.stats().stored == 1)
        await run_sql(linked_url, "INSERT INTO users VALUES ('late')")
        await eventually(lambda: "every event" in (audit.stats().last_error or ""))
        assert (await audit.write(events.custom("report.print", user_id="known"))).is_stored
        await eventually(lambda: audit.stats().quarantined == many)
        assert (2, 0, None) == (audit.stats().stored, audit.stats().pending, audit.stats().last_error)


async def test_a_table_that_breaks_while_events_wait_for_their_row_makes_them_wait_on(
    linked_url: str, journal_dir: Path
) -> None:
    """However few: what is refused alike by the table is not at fault."""
    async with AuditLogger(linked_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["new"] * 4 + ["known"])
        await eventually(lambda: audit.stats().stored == 1)
        await refuse_all(linked_url)
        await run_sql(linked_url, "INSERT INTO users VALUES ('new')")
        await eventually(lambda: "every event" in (audit.stats().last_error or ""))
        await eventually(lambda: was_tried(linked_url, 20), 30)
        assert (4, 0) == (audit.stats().pending, audit.stats().quarantined)
        await run_sql(linked_url, "ALTER TABLE audit_logs DROP CONSTRAINT shift")
        await eventually(lambda: audit.stats().stored == 5)


async def test_what_never_heals_goes_to_quarantine(linked_url: str, journal_dir: Path) -> None:
    """When the time for a foreign key is up its event is put into quarantine, and all is accounted for."""
    async with AuditLogger(linked_url, journal_dir=journal_dir, timing={"foreign_key_seconds": 0.2}) as audit:
        log_all(audit, ["known", "stranger", "known"])
        await eventually(lambda: audit.stats().quarantined == 1)
        stats = audit.stats()
        assert (3, 2, 0, 1) == (stats.accepted, stats.stored, stats.pending, stats.quarantined)
        assert await audit.flush(1) is False


async def test_a_write_inside_its_own_transaction_degrades_nobody_else(linked_url: str, journal_dir: Path) -> None:
    """A `write` about a user that is not committed yet returns from disk at once; other writes see their rows."""
    async with AuditLogger(linked_url, journal_dir=journal_dir, max_wait_seconds=10) as audit:
        own = await asyncio.wait_for(audit.write(events.custom("user.create", user_id="new")), 5)
        other = await audit.write(events.custom("report.print", user_id="known"))
        assert (False, True, True) == (own.is_stored, own.is_on_disk, other.is_stored)


async def count_is(url: str, count: int) -> bool:
    return await count_rows(url) == count
