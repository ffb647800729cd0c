"""The writer: poison rows, damaged journals, leftovers of others, and what is a fault of the table."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async import AuditLogger, create_table, events
from audit_async.config import DOUBT_SAMPLE, SEGMENT_HEADER_BYTES
from audit_async.entry import Entry, decode
from tests.logs import heard
from tests.polling import eventually
from tests.programs import logging_child
from tests.refusing import NO_POISON, check, log_all, raise_for, refuse_all, was_tried
from tests.tables import all_rows, count_rows, run_sql

NOWHERE = "postgresql+asyncpg://app@127.0.0.1:1/app"


@pytest.fixture
async def picky_url(postgres_url: str) -> str:
    """A table that refuses the user `poison`."""
    await create_table(postgres_url)
    await check(postgres_url, no_poison=NO_POISON)
    return postgres_url


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Keep everybody out of the table for as long as the block runs."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))
        yield
    await engine.dispose()


async def test_one_poison_row_does_not_keep_the_others_out(picky_url: str, journal_dir: Path) -> None:
    """Of 500 events one is refused for what is in it: 499 are stored, one is in quarantine, all is accounted for."""
    users = ["u1"] * 500
    users[317] = "poison"
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, users)
        await eventually(lambda: audit.stats().pending == 0)
        stats = audit.stats()
        assert await audit.flush() is False
    assert (500, 499, 1, 0) == (stats.accepted, stats.stored, stats.quarantined, stats.dropped)
    assert sorted(set(range(500)) - {317}) == [row["details"]["number"] for row in await all_rows(picky_url)]


async def test_a_poison_event_is_kept_whole(picky_url: str, journal_dir: Path) -> None:
    """What is in quarantine is a readable file with the event as logged and the reason, without its values in the
    log."""
    with heard() as lines:
        async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
            receipt = audit.log(events.custom("report.print", user_id="poison", details={"canary": "c4n4ry"}))
            assert await receipt.stored(5) is False
            assert audit.health().status == "degraded"
    (file,) = (journal_dir / "quarantine").iterdir()
    kept = json.loads(file.read_text())
    assert (receipt.id, {"canary": "c4n4ry"}) == (kept["event"]["id"], kept["event"]["details"])
    assert "no_poison" in kept["reason"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any("c4n4ry" in line for line in lines)


async def test_many_poison_rows_in_a_row_do_not_stop_the_good_ones(picky_url: str, journal_dir: Path) -> None:
    """Behind fifty poison events, good ones arrive."""
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["u1"] + ["poison"] * 50 + ["u1"] * 10)
        await eventually(lambda: audit.stats().pending == 0)
        assert (11, 50) == (audit.stats().stored, audit.stats().quarantined)


async def test_callers_that_wait_together_come_in_together(postgres_url: str, journal_dir: Path) -> None:
    """Who was told of his row a moment before the others does not start a batch that all others have to wait for."""
    await create_table(postgres_url)

    async def write_some(turns_between: int) -> None:
        for _ in range(10):
            await audit.write(events.custom("report.print"))
            for _ in range(turns_between):
                await asyncio.sleep(0)

    async with AuditLogger(postgres_url, journal_dir=journal_dir, writer="task") as audit:
        await asyncio.gather(write_some(0), *(write_some(2) for _ in range(9)))
    found = await run_sql(postgres_url, "SELECT count(*) AS rows, count(DISTINCT xact_id) AS batches FROM audit_logs")
    assert [{"rows": 100, "batches": 10}] == found


async def test_a_bad_pair_does_not_stop_the_log(picky_url: str, journal_dir: Path) -> None:
    """Two bad events in a row wait for proof that they are at fault, not the table: the next good one is it."""
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        async with locked(picky_url):
            # Behind one that waits, the two come in one batch.
            log_all(audit, ["u1"])
            await eventually(lambda: run_sql(picky_url, "SELECT 1 FROM pg_locks WHERE NOT granted"))
            log_all(audit, ["poison", "poison"])
        await eventually(lambda: "every event" in (audit.stats().last_error or ""))
        assert (2, 0) == (audit.stats().pending, audit.stats().quarantined)
        log_all(audit, ["u1"] * 5)
        await eventually(lambda: audit.stats().pending == 0)
        assert (6, 2) == (audit.stats().stored, audit.stats().quarantined)
        assert audit.stats().last_error is None


async def test_events_refused_for_different_causes_are_all_kept(picky_url: str, journal_dir: Path) -> None:
    """Whichever of them is tried alone to find out whether the table is at fault."""
    await check(picky_url, no_venom="user_id <> 'venom'")
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["poison", "venom"] * DOUBT_SAMPLE + ["u1"])
        await eventually(lambda: audit.stats().pending == 0)
        assert (1, 2 * DOUBT_SAMPLE) == (audit.stats().stored, audit.stats().quarantined)
    assert 1 == await count_rows(picky_url)
    assert 2 * DOUBT_SAMPLE == len(list((journal_dir / "quarantine").glob("*.json")))


async def test_a_row_that_a_trigger_refuses_in_its_own_words_holds_up_no_other(
    postgres_url: str, journal_dir: Path
) -> None:
    """Whatever code it raises: it is about the one row."""
    await create_table(postgres_url)
    await raise_for(postgres_url, "poison", state="AA001")
    async with AuditLogger(postgres_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["u1"] * 20 + ["poison"] + ["u1"] * 20)
        await eventually(lambda: audit.stats().quarantined == 1)
        await eventually(lambda: audit.stats().stored == 40)


async def test_what_quarantine_cannot_take_stays_in_the_journal(picky_url: str, journal_dir: Path) -> None:
    """A refused event that no disk takes into quarantine is pending until one does, and the others go on."""
    journal_dir.mkdir(mode=0o700)
    (journal_dir / "quarantine").write_text("in the way")
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["u1", "poison", "u1"])
        await eventually(lambda: audit.stats().stored == 2)
        assert (1, 0, "degraded") == (audit.stats().pending, audit.stats().quarantined, audit.health().status)
        (journal_dir / "quarantine").unlink()
        await eventually(lambda: audit.stats().quarantined == 1)
        assert audit.stats().pending == 0


async def test_many_that_quarantine_could_not_take_go_there_later(picky_url: str, journal_dir: Path) -> None:
    """However many are refused for one cause: that the table takes others was seen before they were set aside."""
    journal_dir.mkdir(mode=0o700)
    (journal_dir / "quarantine").write_text("in the way")
    many = DOUBT_SAMPLE + 1
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["poison"] * many + ["u1"])
        await eventually(lambda: audit.stats().stored == 1)
        (journal_dir / "quarantine").unlink()
        await eventually(lambda: audit.stats().quarantined == many)
        assert (0, None) == (audit.stats().pending, audit.stats().last_error)


async def test_what_every_event_violates_is_a_fault_of_the_table(postgres_url: str, journal_dir: Path) -> None:
    """When the table refuses every event for the same constraint, events wait, and go in once it is mended."""
    await create_table(postgres_url)
    await refuse_all(postgres_url)
    with heard() as lines:
        async with AuditLogger(postgres_url, journal_dir=journal_dir) as audit:
            log_all(audit, ["u1"] * 40)
            await eventually(lambda: audit.stats().last_error)
            await run_sql(postgres_url, "ALTER TABLE audit_logs DROP CONSTRAINT shift")
            assert await audit.flush(20)
            assert audit.stats().quarantined == 0
    assert await count_rows(postgres_url) == 40
    assert any("shift" in line and "every event" in line for line in lines)


@pytest.mark.parametrize("place", [0, 20])
async def test_a_bad_row_does_not_take_the_others_along_where_the_table_is_at_fault(
    picky_url: str, journal_dir: Path, place: int
) -> None:
    """One that is refused for a cause of its own proves nothing of those that the table refuses all alike."""
    await refuse_all(picky_url)
    users = ["u1"] * 40
    users[place] = "poison"
    timing = {"backoff_first_seconds": 0.01, "backoff_max_seconds": 0.02}
    async with AuditLogger(picky_url, journal_dir=journal_dir, timing=timing) as audit:
        log_all(audit, users)
        await eventually(lambda: audit.stats().last_error)
        # Each of the writer's attempts draws a sample of others.
        await eventually(lambda: was_tried(picky_url, 20 * (1 + DOUBT_SAMPLE)), 30)
        assert (40, 0) == (audit.stats().pending, audit.stats().quarantined)
        await run_sql(picky_url, "ALTER TABLE audit_logs DROP CONSTRAINT shift")
        await eventually(lambda: audit.stats().pending == 0)
        assert (39, 1) == (audit.stats().stored, audit.stats().quarantined)


async def test_single_events_wait_although_bad_ones_come_between(picky_url: str, journal_dir: Path) -> None:
    """Of a table that refuses all alike one event may be taken for poison: not each behind one that is bad itself."""
    await refuse_all(picky_url)
    async with AuditLogger(picky_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["u1"])
        await eventually(lambda: audit.stats().quarantined == 1)
        log_all(audit, ["poison"])
        await eventually(lambda: audit.stats().quarantined == 2)
        log_all(audit, ["u1"])
        await eventually(lambda: "every event" in (audit.stats().last_error or ""))
        assert (1, 2) == (audit.stats().pending, audit.stats().quarantined)
        await run_sql(picky_url, "ALTER TABLE audit_logs DROP CONSTRAINT shift")
        await eventually(lambda: audit.stats().stored == 1)


async def test_a_fault_of_our_own_is_waited_out(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When our own code fails in the middle of a batch the batch is tried again, and stored once."""
    faults = iter([RuntimeError("once"), RuntimeError("twice")])

    def failing(payload: bytes, writer_id: str, seq: int) -> Entry:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        return decode(payload, writer_id, seq)

    monkeypatch.setattr("audit_async.writer.decode", failing)
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        log_all(audit, ["u1"] * 10)
        assert await audit.flush(10)
        assert audit.stats().stored == 10
    assert await count_rows(sqlite_url) == 10


async def test_what_damage_took_is_counted_and_told(sqlite_url: str, journal_dir: Path) -> None:
    """An entry lost to damage is counted as dropped by whoever finds it, kept aside, and told of by an `audit.gap`
    event."""
    left_behind = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    for number in range(10):
        left_behind.log(events.custom("report.print", details={"number": number}))
    await left_behind.close()
    (segment,) = journal_dir.glob("*.audj")
    with segment.open("r+b") as file:
        content = file.read()
        at = content.index(b'"number":4')
        file.seek(at)
        file.write(b"\0")
    assert at > SEGMENT_HEADER_BYTES
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await eventually(lambda: audit.stats().adopted_stored == 9)
        assert audit.stats().adopted_dropped == 1
        audit.log(events.custom("report.print", details={"number": 10}))
        assert await audit.flush()
    rows = await all_rows(sqlite_url)
    gaps = [row["details"] for row in rows if row["action"] == "audit.gap"]
    assert [(1, {"journal_damaged": 1})] == [(gap["count"], gap["reasons"]) for gap in gaps]
    assert len(list(journal_dir.glob("*.corrupt"))) == 1


async def test_only_what_is_meant_for_the_same_table_is_adopted(tmp_path: Path, journal_dir: Path) -> None:
    """Two applications with one journal directory never get each other's events."""
    other = AuditLogger(NOWHERE, journal_dir=journal_dir, writer="none")
    other.log(events.custom("other.event"))
    await other.close()
    url = f"sqlite+aiosqlite:///{tmp_path / 'mine.db'}"
    with heard() as lines:
        async with AuditLogger(url, journal_dir=journal_dir) as audit:
            await audit.write(events.custom("my.event"))
    assert ["my.event"] == [row["action"] for row in await all_rows(url)]
    assert len(list(journal_dir.glob("*.lock"))) == 1
    assert any("drain --adopt" in line for line in lines)


async def test_a_backlog_does_not_starve_the_newest(sqlite_url: str, journal_dir: Path) -> None:
    """While another process's large backlog is delivered, a new event is stored after a batch or two."""
    left_behind = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    for number in range(40_000):
        left_behind.log(events.custom("report.print", details={"number": number}))
    await left_behind.close()
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await eventually(lambda: audit.stats().adopted_stored)
        assert await audit.log(events.custom("report.print")).stored(10)
        assert audit.stats().adopted_stored < 40_000
        await eventually(lambda: audit.stats().adopted_stored == 40_000, 30)
    assert await count_rows(sqlite_url) == 40_001


async def test_idle_writers_linger_only_when_nobody_waits(sqlite_url: str, journal_dir: Path) -> None:
    """Events that nobody waits for share transactions; the program that logs them is none the slower."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        for number in range(200):
            audit.log(events.custom("report.print", details={"number": number}))
        assert await audit.flush()
    assert await count_rows(sqlite_url) == 200


def test_the_programs_are_importable() -> None:
    """The programs that other tests start as processes exist where these look for them."""
    assert os.path.basename(logging_child.__file__ or "") == "logging_child.py"
