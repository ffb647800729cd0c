"""The logger: what its calls promise, on a real SQLite file."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

import pytest
import trio

from audit_async import AuditEvent, AuditLogger, Receipt, events
from tests.polling import eventually
from tests.tables import all_rows, count_rows


def event(number: int = 0) -> AuditEvent:
    return events.custom("report.print", details={"number": number})


async def test_a_logged_event_becomes_one_row(sqlite_url: str, journal_dir: Path) -> None:
    """An event that was logged is one row, with its values, its writer and its number."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        receipt = audit.log(events.role("role_assign", target_user_id=7, role_name="admin", tenant_id="t1"))
        assert await receipt.stored(5)
    (row,) = await all_rows(sqlite_url)
    assert (receipt.id, "role.assign", "t1", 1) == (row["id"], row["action"], row["tenant_id"], row["writer_seq"])
    assert {"target_user_id": "7", "role_name": "admin", "granted_by": None} == row["details"]


async def test_an_event_logged_twice_is_stored_once(sqlite_url: str, journal_dir: Path) -> None:
    """Logging the same value twice stores it once."""
    twice = event()
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        audit.log(twice)
        await audit.write(twice)
        assert await audit.flush()
    assert await count_rows(sqlite_url) == 1


async def test_a_receipt_tells_how_far_its_event_has_come(sqlite_url: str, journal_dir: Path) -> None:
    """A receipt is accepted at once, on disk after the group commit, and stored after the commit."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        receipt = audit.log(event())
        assert receipt.is_accepted
        assert await receipt.on_disk(5)
        assert receipt.is_on_disk
        assert await receipt.stored(5)
        assert f"<Receipt {receipt.id} stored>" == repr(receipt)


async def test_write_returns_with_the_row_in_the_table(sqlite_url: str, journal_dir: Path) -> None:
    """When `write` returns without an outage, another connection sees the row."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        receipt = await audit.write(event())
        assert receipt.is_stored
        assert await count_rows(sqlite_url) == 1


async def test_thousands_at_once_arrive_in_order(sqlite_url: str, journal_dir: Path) -> None:
    """What one process logs keeps its numbers without a gap, through every batch."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        for number in range(12_000):
            audit.log(event(number))
        assert await audit.flush(30)
    rows = await all_rows(sqlite_url)
    assert list(range(1, 12_001)) == [row["writer_seq"] for row in rows]
    assert list(range(12_000)) == [row["details"]["number"] for row in rows]


async def test_many_writers_wait_for_the_same_commit(sqlite_url: str, journal_dir: Path) -> None:
    """A thousand tasks that write at once each see their own row committed."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir, max_wait_seconds=10) as audit:
        receipts = await asyncio.gather(*(audit.write(event(n)) for n in range(1000)))
        assert all(receipt.is_stored for receipt in receipts)
    assert await count_rows(sqlite_url) == 1000


def test_it_works_without_any_event_loop(sqlite_url: str, journal_dir: Path) -> None:
    """Plain synchronous code logs, flushes and closes."""
    with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        audit.log(event())
        assert audit.flush_sync()
    assert asyncio.run(count_rows(sqlite_url)) == 1


def test_it_works_without_with(sqlite_url: str, journal_dir: Path) -> None:
    """A logger that is neither entered nor told to start delivers as well."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    audit.log(event())
    assert audit.flush_sync()
    assert audit.close_sync()
    assert asyncio.run(count_rows(sqlite_url)) == 1


def test_it_works_under_trio(sqlite_url: str, journal_dir: Path) -> None:
    """A trio program may write, wait for a receipt, and close."""

    async def main() -> tuple[bool, bool]:
        async with AuditLogger(sqlite_url, journal_dir=journal_dir, writer="task") as audit:
            receipt = await audit.write(event())
            return receipt.is_stored, await audit.log(event()).on_disk(5)

    assert trio.run(main) == (True, True)
    assert asyncio.run(count_rows(sqlite_url)) == 2


def test_a_loop_for_each_job_is_no_trouble(sqlite_url: str, journal_dir: Path) -> None:
    """`asyncio.run` for each job, over one logger that no loop owns, stores each job's event."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)

    async def job(number: int) -> Receipt:
        return await audit.write(event(number))

    receipts = [asyncio.run(job(number)) for number in range(50)]
    assert all(receipt.is_stored for receipt in receipts)
    assert audit.close_sync()
    assert asyncio.run(count_rows(sqlite_url)) == 50


def test_threads_and_loops_share_a_logger(sqlite_url: str, journal_dir: Path) -> None:
    """Two event loops in two threads and two plain threads log into one journal, each event once."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)

    async def in_a_loop() -> None:
        await asyncio.gather(*(audit.write(event()) for _ in range(100)))

    def plain() -> None:
        for _ in range(100):
            audit.log(event())

    threads = [threading.Thread(target=lambda: asyncio.run(in_a_loop())) for _ in range(2)]
    threads += [threading.Thread(target=plain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.close_sync(10)
    assert asyncio.run(count_rows(sqlite_url)) == 400


async def test_the_writer_may_be_a_task_of_the_callers_loop(sqlite_url: str, journal_dir: Path) -> None:
    """With `writer="task"` no thread of ours touches the database."""
    before = set(threading.enumerate())
    async with AuditLogger(sqlite_url, journal_dir=journal_dir, writer="task") as audit:
        receipts = await asyncio.gather(*(audit.write(event(n)) for n in range(200)))
        assert "audit-writer" not in {thread.name for thread in set(threading.enumerate()) - before}
        assert all(receipt.is_stored for receipt in receipts)
    assert await count_rows(sqlite_url) == 200


@pytest.mark.parametrize("writer", ["thread", "task"])
async def test_the_last_event_of_an_idle_service_arrives(
    sqlite_url: str, journal_dir: Path, writer: Literal["thread", "task"]
) -> None:
    """An event that is logged right before `close`, after the writer had gone to sleep, is stored."""
    for number in range(5):
        audit = AuditLogger(sqlite_url, journal_dir=journal_dir, writer=writer)
        await audit.__aenter__()
        await audit.write(event(number))
        await eventually(lambda audit=audit: audit._process.host.writer.is_idle)  # type: ignore[misc]
        audit.log(event(number))
        assert await audit.close()
    assert await count_rows(sqlite_url) == 10


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 starts no thread once a program ends")
def test_a_program_that_ends_right_after_logging_leaves_a_row(sqlite_url: str, journal_dir: Path) -> None:
    """A script whose last line is `log()` has its event in the table when it has ended."""
    program = (
        "import sys\nimport audit_async.logger\nfrom audit_async import AuditLogger, events\n"
        # On a busy machine the moment that it is given may be over before a thread has had its turn.
        "audit_async.logger.EXIT_SECONDS = 20.0\n"
        "audit = AuditLogger(sys.argv[1], journal_dir=sys.argv[2])\naudit.log(events.custom('report.print'))"
    )
    subprocess.run([sys.executable, "-c", program, sqlite_url, str(journal_dir)], check=True, timeout=30)
    assert asyncio.run(count_rows(sqlite_url)) == 1


async def test_a_cancelled_write_keeps_its_event(sqlite_url: str, journal_dir: Path) -> None:
    """Cancelling a task at any await of `write` leaves its event in the table, once."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        for steps in range(30):
            task = asyncio.create_task(audit.write(event(steps)))
            for _ in range(steps % 5 + 1):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await audit.flush(10)
    assert list(range(30)) == [row["details"]["number"] for row in await all_rows(sqlite_url)]


async def test_log_takes_events_only(sqlite_url: str, journal_dir: Path) -> None:
    """What the caller did wrong is a TypeError that says what to pass."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        with pytest.raises(TypeError, match=r"make one with audit_async\.events"):
            audit.log("login")  # type: ignore[arg-type]


async def test_stats_always_add_up(sqlite_url: str, journal_dir: Path) -> None:
    """`accepted == stored + pending + quarantined + dropped` in every value, while events come and go."""
    unequal = []
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        for number in range(5000):
            audit.log(event(number))
            if number % 10 == 0:
                await asyncio.sleep(0)
                stats = audit.stats()
                if stats.accepted != stats.stored + stats.pending + stats.quarantined + stats.dropped:
                    unequal.append(stats)
        assert await audit.flush(20)
        assert (5000, 5000, 0) == (audit.stats().accepted, audit.stats().stored, audit.stats().pending)
    assert unequal == []
    assert await count_rows(sqlite_url) == 5000


def test_a_signal_handler_may_log_while_log_runs(sqlite_url: str, journal_dir: Path) -> None:
    """`log()` from a signal handler, again and again in the middle of `log()`, neither hangs nor loses."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    from_handler: list[Receipt] = []

    def handler(*_: object) -> None:
        from_handler.append(audit.log(event(-1)))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for number in range(5000):
            audit.log(event(number))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert from_handler
    assert audit.close_sync(20)
    assert 5000 + len(from_handler) == asyncio.run(count_rows(sqlite_url))
    assert all(receipt.is_stored for receipt in from_handler)


def test_a_finaliser_may_log(sqlite_url: str, journal_dir: Path) -> None:
    """`log()` from a `__del__` that the collector runs in the middle of `log()` neither hangs nor loses."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)

    class Resource:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            audit.log(event(-1))

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            Resource()
            audit.log(event(number))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert audit.close_sync(20)
    assert asyncio.run(count_rows(sqlite_url)) == 600


async def test_a_busy_thread_beside_it_loses_nothing(sqlite_url: str, journal_dir: Path) -> None:
    """Beside a thread that hogs the interpreter every event arrives."""
    is_over = threading.Event()

    def hog() -> None:
        while not is_over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=hog)
    thread.start()
    try:
        async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
            for number in range(2000):
                audit.log(event(number))
            assert await audit.flush(30)
    finally:
        is_over.set()
        thread.join()
    assert await count_rows(sqlite_url) == 2000


async def test_a_closed_logger_leaves_nothing_behind(sqlite_url: str, journal_dir: Path) -> None:
    """When everything was delivered, `close` removes the journal's files and ends our threads."""
    before = set(threading.enumerate())
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await audit.write(event())
    assert list(journal_dir.iterdir()) == []
    ours = {thread.name for thread in set(threading.enumerate()) - before}
    assert not ours & {"audit-writer", "audit-sync"}
