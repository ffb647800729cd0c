"""What a receipt says to a thread that waits for the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from audit_async import AuditLogger, Receipt, diagnostics, events
from tests.polling import eventually_sync, removed


@pytest.fixture
def audit(sqlite_url: str, tmp_path: Path) -> Iterator[AuditLogger]:
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as opened:
        yield opened


def log(audit: AuditLogger) -> Receipt:
    return audit.log(events.custom("report.print"))


def test_a_thread_can_wait_for_the_disk(audit: AuditLogger) -> None:
    """When `on_disk_sync` has said yes, the receipt says so too, and asking again is answered at once."""
    receipt = log(audit)
    assert receipt.on_disk_sync(10)
    assert (True, True) == (receipt.is_on_disk, receipt.on_disk_sync(0))


def test_many_threads_share_a_disk_sync(audit: AuditLogger) -> None:
    """Each of many threads that wait at once is told of its own event."""
    told: list[bool] = []
    threads = [threading.Thread(target=lambda: told.append(log(audit).on_disk_sync(10))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [True] * 16 == told


def test_a_refused_event_is_not_waited_for(audit: AuditLogger) -> None:
    """What was refused never gets to a disk: the answer is no, without a time."""
    audit.close_sync()
    assert not log(audit).on_disk_sync()


def test_without_a_disk_the_answer_is_no(sqlite_url: str, tmp_path: Path) -> None:
    """An event that only memory takes is not waited for any longer than one attempt."""
    (tmp_path / "file").write_text("in the way")
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "file" / "journal", writer="none")
    receipt = log(audit)
    assert (True, False) == (receipt.is_accepted, receipt.on_disk_sync(30))
    audit.close_sync()


def test_the_journals_own_thread_does_not_wait_for_itself(audit: AuditLogger, tmp_path: Path) -> None:
    """A log sink that logs an event and waits for the disk, called in the thread that syncs, is answered at once."""
    assert log(audit).on_disk_sync(10)
    answers: list[tuple[str, bool]] = []

    def sink(line: object) -> None:
        if "removed the journal's files" in str(line):
            answers.append((threading.current_thread().name, log(audit).on_disk_sync(50)))

    diagnostics.forget_all()
    number = logger.add(sink)
    eventually_sync(lambda: removed(tmp_path / "journal"))
    try:
        assert log(audit).on_disk_sync(10)
        eventually_sync(lambda: audit.flush_sync(10))
    finally:
        logger.remove(number)
    assert [("audit-sync", False)] == answers
