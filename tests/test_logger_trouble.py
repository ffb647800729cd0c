"""The logger in trouble: no disk, no thread, a task or a loop taken away, a log sink that logs."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from loguru import logger

from audit_async import AuditEvent, AuditLogger, AuditUnavailableError, events, host
from audit_async.event_loop import new_event_loop
from tests.logs import heard
from tests.polling import eventually, eventually_sync
from tests.tables import all_rows, count_rows


def event(number: int = 0) -> AuditEvent:
    return events.custom("report.print", details={"number": number})


def test_a_log_sink_that_logs_audit_events_hangs_nobody(sqlite_url: str, journal_dir: Path) -> None:
    """A sink of loguru that logs an audit event for each line, with trouble to be told in several threads: all end."""
    journal_dir.write_text("in the way")
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)

    def sink(message: object) -> None:
        audit.log(event())

    with heard():
        number = logger.add(sink)
        try:
            threads = [threading.Thread(target=lambda: [audit.log(event()) for _ in range(50)]) for _ in range(4)]
            threads += [threading.Thread(target=lambda: [logger.info("line") for _ in range(50)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert not any(thread.is_alive() for thread in threads)
        finally:
            logger.remove(number)
            audit.close_sync()


def test_a_destination_of_any_length_is_adopted(sqlite_url: str, journal_dir: Path) -> None:
    """What a process left under a long destination is delivered by the next one with the same."""
    name = "production/database of the region eu-central-1" * 3
    left = AuditLogger(sqlite_url, journal_dir=journal_dir, destination=name, writer="none")
    left.log(event())
    left.close_sync()
    with AuditLogger(sqlite_url, journal_dir=journal_dir, destination=name) as audit:
        eventually_sync(lambda: audit.stats().adopted_stored == 1)


def test_a_writer_that_could_not_be_started_is_started_later(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no thread can be had for the writer at first, events are delivered as soon as one can."""
    start = threading.Thread.start

    def refusing(thread: threading.Thread) -> None:
        if thread.name == "audit-writer":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    audit.log(event())
    assert not audit.flush_sync(0.1)
    monkeypatch.undo()
    assert audit.flush_sync(10)
    assert audit.close_sync()


async def test_what_is_lost_with_memory_is_counted_as_lost(journal_dir: Path) -> None:
    """Events that were in memory only when the logger was closed are dropped, not pending, and `close` says False."""
    journal_dir.write_text("in the way")
    audit = AuditLogger("postgresql+asyncpg://nobody@127.0.0.1:1/none", journal_dir=journal_dir)
    for number in range(10):
        audit.log(event(number))
    with heard() as lines:
        assert await audit.close(0.1) is False
    stats = audit.stats()
    assert (10, 0, {"memory_lost": 10}) == (stats.accepted, stats.pending, stats.dropped_by_reason)
    assert not any("they wait in" in line for line in lines)


async def test_a_cancelled_writer_task_is_replaced(sqlite_url: str, journal_dir: Path) -> None:
    """When the application cancels all tasks, ours among them, a thread goes on where it stopped, which is said."""
    with heard() as lines:
        async with AuditLogger(sqlite_url, journal_dir=journal_dir, writer="task") as audit:
            for number in range(12_000):
                audit.log(event(number))
            await eventually(lambda: audit.stats().stored)
            (ours,) = (task for task in asyncio.all_tasks() if task.get_name() == "audit-writer")
            ours.cancel()
            assert await audit.flush(30)
    assert list(range(12_000)) == [row["details"]["number"] for row in await all_rows(sqlite_url)]
    assert len([line for line in lines if "a thread goes on" in line]) == 1


def test_a_closed_loop_does_not_end_the_writing(sqlite_url: str, journal_dir: Path) -> None:
    """A loop that ends while its logger is open leaves nothing behind: the next event brings a thread."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="task")

    async def enter_and_leave() -> None:
        await audit.__aenter__()
        await audit.write(event(0))
        audit.log(event(1))

    asyncio.run(enter_and_leave())
    audit.log(event(2))
    assert audit.flush_sync(10)
    assert audit.close_sync()
    assert [0, 1, 2] == [row["details"]["number"] for row in asyncio.run(all_rows(sqlite_url))]


@pytest.mark.parametrize("kind", ["file", "link", "open"])
async def test_without_a_directory_events_wait_in_memory(
    sqlite_url: str, journal_dir: Path, tmp_path: Path, kind: str
) -> None:
    """Where the journal directory cannot be used events wait in memory, which is said, and arrive all the same."""
    match kind:
        case "file":
            journal_dir.write_text("in the way")
        case "link":
            journal_dir.symlink_to(tmp_path)
        case "open":
            journal_dir.mkdir()
            journal_dir.chmod(0o777)
    with heard() as lines:
        async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
            receipt = audit.log(event())
            assert audit.health().status == "failing"
            assert not await receipt.on_disk(5)
            assert await receipt.stored(5)
    assert len([line for line in lines if "Events wait in memory" in line]) == 1
    assert await count_rows(sqlite_url) == 1


async def test_a_directory_that_is_mended_is_used(sqlite_url: str, journal_dir: Path) -> None:
    """As soon as the journal directory can be used, events go to disk, without a restart."""
    journal_dir.write_text("in the way")
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        audit.log(event())
        journal_dir.unlink()
        await eventually(lambda: audit.health().is_healthy and list(journal_dir.glob("*.audj")))
        assert await audit.log(event()).on_disk(5)
        assert await audit.flush()
    assert await count_rows(sqlite_url) == 2


async def test_require_raises_when_even_memory_is_full(journal_dir: Path) -> None:
    """`require` raises when an event is neither stored nor on disk; `log` counts and says so."""
    journal_dir.write_text("in the way")
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    audit = AuditLogger(nowhere, journal_dir=journal_dir, memory_max_bytes=2000, max_wait_seconds=0.3)
    while audit.log(event()).is_accepted:
        pass
    with pytest.raises(AuditUnavailableError, match="HINT: "):
        await audit.require(event())
    assert {"memory_full": 2} == audit.stats().refused_by_reason
    assert await audit.close(0.1) is False


async def test_require_never_takes_memory_for_safe(journal_dir: Path) -> None:
    """`require` raises for an event that is in memory only."""
    journal_dir.write_text("in the way")
    audit = AuditLogger("postgresql+asyncpg://nobody@127.0.0.1:1/none", journal_dir=journal_dir, max_wait_seconds=0.3)
    with pytest.raises(AuditUnavailableError):
        await audit.require(event())
    assert audit.stats().accepted == 1
    await audit.close(0.1)


async def test_a_refusal_is_told_by_an_event(tmp_path: Path, sqlite_url: str, journal_dir: Path) -> None:
    """After events were refused, an `audit.gap` event says how many and why."""
    (tmp_path / "audit.db").mkdir()
    journal_dir.write_text("in the way")
    async with AuditLogger(sqlite_url, journal_dir=journal_dir, memory_max_bytes=2000) as audit:
        while audit.log(event()).is_accepted:
            pass
        (tmp_path / "audit.db").rmdir()
        await eventually(lambda: audit.stats().pending == 0 and audit.stats().stored)
        audit.log(event())
        await eventually(lambda: count_rows(sqlite_url))
        assert await audit.flush()
    gaps = [row["details"] for row in await all_rows(sqlite_url) if row["action"] == "audit.gap"]
    assert [(1, {"memory_full": 1})] == [(gap["count"], gap["reasons"]) for gap in gaps]


async def test_after_close_events_are_refused_aloud(sqlite_url: str, journal_dir: Path) -> None:
    """An event after `close` is refused, counted and said, and nothing is raised."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    audit.log(event())
    assert await audit.close()
    with heard() as lines:
        receipt = audit.log(event())
    assert (False, "closed") == (receipt.is_accepted, receipt.refused)
    assert any("log before close()" in line for line in lines)
    assert await count_rows(sqlite_url) == 1


def test_a_log_sink_that_closes_waits_for_no_thread_that_it_runs_in(tmp_path: Path, journal_dir: Path) -> None:
    """A sink that closes the logger at the writer's first line of trouble: at once, and what is pending stays."""
    audit = AuditLogger(f"sqlite+aiosqlite:///{tmp_path}/nowhere/audit.db", journal_dir=journal_dir)
    took: list[float] = []

    def sink(message: object) -> None:
        if threading.current_thread().name == "audit-writer":
            begun = time.monotonic()
            audit.close_sync(5)
            took.append(time.monotonic() - begun)

    with heard():
        number = logger.add(sink)
        try:
            audit.log(event())
            eventually_sync(lambda: bool(took))
        finally:
            logger.remove(number)
    assert took[0] < 3
    assert audit.stats().pending == 1


def test_a_thread_that_begins_when_the_time_is_up_ends(
    tmp_path: Path, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's thread that a busy machine lets go on only while its logger closes tries nothing any more."""
    threads: list[threading.Thread] = []
    is_late = threading.Event()
    cancel = host.ThreadHost._cancel

    def make_late() -> asyncio.AbstractEventLoop:
        threads.append(threading.current_thread())
        assert is_late.wait(20)
        return new_event_loop()

    def cancel_too_early(writing: host.ThreadHost) -> None:
        cancel(writing)
        is_late.set()

    monkeypatch.setattr(host, "new_event_loop", make_late)
    monkeypatch.setattr(host.ThreadHost, "_cancel", cancel_too_early)
    audit = AuditLogger(f"sqlite+aiosqlite:///{tmp_path}/nowhere/audit.db", journal_dir=journal_dir)
    audit.log(event())
    eventually_sync(lambda: bool(threads))
    with heard() as lines:
        audit.close_sync(0)
        threads[0].join(20)
    assert not threads[0].is_alive()
    assert ["closed with 1 events pending"] == [line.split(": ", 1)[1].split(";")[0] for line in lines]


@pytest.mark.parametrize("seconds", [float("inf"), 1e12])
async def test_a_wait_without_end_is_none_too_long(sqlite_url: str, journal_dir: Path, seconds: float) -> None:
    """Who waits for as long as it takes is no fault of the clock's."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    audit.log(event())
    assert audit.flush_sync(seconds)
    audit.log(event(1))
    assert await audit.close(seconds)
