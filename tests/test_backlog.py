"""A large backlog at the start: nobody waits for it, and new events do not stand behind it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, Timing, create_table, events
from audit_async.config import MAX_ORPHANS
from audit_async.entry import Entry, encode
from audit_async.journal.journal import Journal, JournalOptions
from audit_async.journal.segment import SegmentReader
from audit_async.redact import redact
from audit_async.settings import read_settings
from audit_async.store.sqlite import SqliteStore
from tests.journal.journals import die, use_small_segments
from tests.polling import eventually
from tests.tables import all_rows, count_rows, run_sql

BATCH = 50
COUNT = 200 * BATCH
TIMING = Timing(backoff_first_seconds=0.01, backoff_max_seconds=0.02)
CLOSE_BOUND_SECONDS = 10  # far above what closing takes here, far below what the backlog takes


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and batches of which a backlog that is quick to make has hundreds."""
    use_small_segments(monkeypatch)
    monkeypatch.setattr("audit_async.writer.BATCH_ENTRIES", BATCH)


def leave_behind(url: str, journal_dir: Path, count: int, **fields: Any) -> None:
    """Leave a journal with *count* events, as a process does that is killed."""
    settings = read_settings(url, journal_dir=journal_dir)
    options = JournalOptions(
        directory=journal_dir,
        service=settings.service,
        destination=settings.destination,
        max_bytes=None,
        memory_max_bytes=0,
    )
    journal = Journal(options, on_data=lambda: None, on_wait=lambda: None)
    for number in range(count):
        journal.append(encode(events.custom("report.old", details={"number": number}, **fields), redact))
    die(journal)


@pytest.fixture
async def url(sqlite_url: str, journal_dir: Path) -> str:
    """A database for which a backlog of two hundred batches waits."""
    await create_table(sqlite_url)
    leave_behind(sqlite_url, journal_dir, COUNT)
    return sqlite_url


def open_counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the threads that open a segment from now on."""
    threads: list[str] = []
    real: Callable[[Path], SegmentReader | None] = SegmentReader.open

    def opening(path: Path) -> SegmentReader | None:
        threads.append(threading.current_thread().name)
        return real(path)

    monkeypatch.setattr(SegmentReader, "open", opening)
    return threads


async def test_the_caller_reads_nothing_of_it(url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a logger, entering it and logging open no segment of the backlog in the caller's thread."""
    threads = open_counting(monkeypatch)
    audit = AuditLogger(url, journal_dir=journal_dir)
    with audit:
        assert audit.log(events.custom("report.new")).is_accepted
        await eventually(lambda: threads)
    assert {"audit-writer"} == set(threads)


async def test_new_events_come_in_turn(url: str, journal_dir: Path) -> None:
    """In front of a new row there is of the backlog what was there when it was logged, and two batches at most."""
    allowed: dict[str, int] = {}
    async with AuditLogger(url, journal_dir=journal_dir, max_wait_seconds=30) as audit:
        for _ in range(10):
            receipt = audit.log(events.custom("report.new"))
            allowed[receipt.id] = audit.stats().adopted_stored + 2 * BATCH
            assert await receipt.stored(30)
        assert audit.stats().adopted_stored < COUNT // 2
    rows = await ids_as_inserted(url)
    old = 0
    for row_id, action in rows:
        old += action == "report.old"
        assert action == "report.old" or old <= allowed[row_id]


async def ids_as_inserted(url: str) -> list[tuple[str, str]]:
    return [
        (row["id"], row["action"]) for row in await run_sql(url, "SELECT id, action FROM audit_logs ORDER BY rowid")
    ]


async def test_closing_does_not_wait_for_it_and_the_next_process_goes_on(url: str, journal_dir: Path) -> None:
    """`close(t)` ends in time with most of the backlog left, own events in; the next one delivers the rest, once."""
    audit = AuditLogger(url, journal_dir=journal_dir)
    with audit:
        receipt = audit.log(events.custom("report.new"))
        await eventually(lambda: audit.stats().adopted_stored)
        started = time.monotonic()
        assert audit.close_sync(5)
        assert time.monotonic() - started < CLOSE_BOUND_SECONDS
    first = audit.stats().adopted_stored
    assert (True, True) == (receipt.is_stored, first < COUNT)
    async with AuditLogger(url, journal_dir=journal_dir) as successor:
        await eventually(lambda: successor.stats().adopted_stored >= COUNT - first, 60)
    numbers = [row["details"]["number"] for row in await all_rows(url) if row["action"] == "report.old"]
    assert sorted(numbers) == list(range(COUNT))


async def test_a_backlog_that_the_table_refuses_whole_holds_nobody_up(sqlite_url: str, journal_dir: Path) -> None:
    """New events pass by old ones of which the table takes none, and prove that these are at fault: quarantine."""
    await create_table(sqlite_url)
    await run_sql(sqlite_url, "CREATE UNIQUE INDEX once ON audit_logs (session_id)")
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await audit.write(events.custom("report.old", session_id="taken"))
    leave_behind(sqlite_url, journal_dir, 60, session_id="taken")
    async with AuditLogger(sqlite_url, journal_dir=journal_dir, timing=TIMING) as audit:
        await eventually(lambda: audit.stats().last_error)
        receipts = [audit.log(events.custom("report.new", session_id=f"s-{number}")) for number in range(3)]
        assert [True] * 3 == [await receipt.stored(30) for receipt in receipts]
        await eventually(lambda: audit.stats().adopted_quarantined == 60, 30)
        assert await audit.flush()
    assert await count_rows(sqlite_url) == 4


async def test_several_backlogs_that_the_table_refuses_arrive_when_it_is_mended(
    sqlite_url: str, journal_dir: Path
) -> None:
    """What three dead processes left, and the table takes nothing of, is there once it does: each event once."""
    await create_table(sqlite_url)
    await run_sql(
        sqlite_url, "ALTER TABLE audit_logs ADD COLUMN missing TEXT NOT NULL DEFAULT 'x' CHECK (missing = 'y')"
    )
    for _ in range(3):
        leave_behind(sqlite_url, journal_dir, 3 * BATCH)
    async with AuditLogger(sqlite_url, journal_dir=journal_dir, timing=TIMING) as audit:
        await eventually(lambda: audit._process.host.writer is not None and audit._process.host.writer._doubted)
        await run_sql(sqlite_url, "ALTER TABLE audit_logs DROP COLUMN missing")
        await eventually(lambda: audit.stats().adopted_stored == 9 * BATCH, 30)
        assert audit.stats().adopted_quarantined == 0
    assert await count_rows(sqlite_url) == 9 * BATCH
    assert not list(journal_dir.glob("*.audj"))


async def test_the_first_of_it_alone_is_taken_for_a_replay(
    url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the batch that the dead process may have sent, the backlog goes the quick way of what is new."""
    replays: list[bool] = []
    real: Any = SqliteStore.insert

    async def noting(store: SqliteStore, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        replays.append(is_replay)
        await real(store, entries, is_replay=is_replay)

    monkeypatch.setattr(SqliteStore, "insert", noting)
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        await eventually(lambda: audit.stats().adopted_stored == COUNT, 30)
    assert [0] == [number for number, is_replay in enumerate(replays) if is_replay]


async def test_what_the_dead_process_had_sent_is_there_once(postgres_url: str, journal_dir: Path) -> None:
    """Rows of the first batches that are in the table already, without having been settled, do not come twice."""
    await create_table(postgres_url)
    leave_behind(postgres_url, journal_dir, 20 * BATCH)
    left = journal_dir.with_name("copy")
    shutil.copytree(journal_dir, left)
    async with AuditLogger(postgres_url, journal_dir=journal_dir) as audit:
        await eventually(lambda: audit.stats().adopted_stored >= 5 * BATCH, 30)
    async with AuditLogger(postgres_url, journal_dir=left) as audit:
        await eventually(lambda: audit.stats().adopted_stored == 20 * BATCH, 30)
    assert await count_rows(postgres_url) == 20 * BATCH


async def test_many_dead_processes_cost_few_descriptors(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the journals of a night of crashes some are open at a time, and all are delivered without a pause."""
    await create_table(sqlite_url)
    processes = 4 * MAX_ORPHANS
    for _ in range(processes):
        leave_behind(sqlite_url, journal_dir, 3)
    before, most = len(os.listdir("/proc/self/fd")), 0
    real: Any = SegmentReader.read

    def counting(reader: SegmentReader, offset: int, size: int) -> bytes:
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/fd")))
        data: bytes = real(reader, offset, size)
        return data

    monkeypatch.setattr(SegmentReader, "read", counting)
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await eventually(lambda: audit.stats().adopted_stored == 3 * processes, 30)
    assert most - before < 3 * MAX_ORPHANS + 20
    assert await count_rows(sqlite_url) == 3 * processes
