"""Forked processes: each has a journal of its own, and takes nothing from its parent."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from tests.tables import all_rows

# Forking a process that has threads is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def audit(tmp_path: Path, sqlite_url: str) -> AuditLogger:
    return AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")


def in_child(work: Callable[[], bool]) -> int:
    """Run *work* in a forked child, which ends without any clean-up, and return its process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return pid


def ended_well(*pids: int) -> bool:
    return all(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 for pid in pids)


def log(audit: AuditLogger, who: str, count: int) -> None:
    for number in range(count):
        audit.log(events.custom("report.print", user_id=who, details={"number": number}))


def stored_by(url: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in asyncio.run(all_rows(url)):
        counts[row["user_id"]] = counts.get(row["user_id"], 0) + 1
    return counts


def test_parent_and_children_each_deliver(audit: AuditLogger, sqlite_url: str) -> None:
    """After the parent has logged, four children and the parent log on, and every event is stored once."""
    log(audit, "before", 50)

    def work(who: str) -> Callable[[], bool]:
        def run() -> bool:
            log(audit, who, 100)
            return audit.flush_sync(20)

        return run

    pids = [in_child(work(f"child{n}")) for n in range(4)]
    log(audit, "parent", 100)
    assert ended_well(*pids)
    assert audit.close_sync(20)
    expected = {"before": 50, "parent": 100, **{f"child{n}": 100 for n in range(4)}}
    assert expected == stored_by(sqlite_url)


def test_a_logger_made_before_the_fork_and_used_after(audit: AuditLogger, sqlite_url: str) -> None:
    """A logger that was only made in the parent works in the child."""

    def run() -> bool:
        log(audit, "child", 10)
        return audit.close_sync(20)

    assert ended_well(in_child(run))
    assert stored_by(sqlite_url) == {"child": 10}


def test_a_child_that_dies_at_once_leaves_its_events_to_the_parent(
    audit: AuditLogger, sqlite_url: str, tmp_path: Path
) -> None:
    """What a child logged before `os._exit` is delivered by the next logger with this directory."""
    log(audit, "parent", 1)

    def run() -> bool:
        log(audit, "child", 10)
        return True

    assert ended_well(in_child(run))
    assert audit.close_sync(20)
    from tests.test_crash import deliver

    deliver(sqlite_url, tmp_path / "journal")
    assert 10 == stored_by(sqlite_url)["child"]


def test_a_fork_while_another_thread_logs(audit: AuditLogger, sqlite_url: str) -> None:
    """Forking in the middle of another thread's `log()` leaves no child hanging and loses nothing."""
    is_over = threading.Event()
    logged = []

    def keep_logging() -> None:
        while not is_over.is_set():
            log(audit, "thread", 50)
            logged.extend([1] * 50)
            # As fast as the file takes them, which the children write to as well.
            audit.flush_sync(20)

    thread = threading.Thread(target=keep_logging)
    thread.start()

    def run() -> bool:
        log(audit, "child", 5)
        return audit.flush_sync(20)

    try:
        for _ in range(15):
            assert ended_well(in_child(run))
    finally:
        is_over.set()
        thread.join()
    assert audit.close_sync(20)
    assert {"thread": len(logged), "child": 75} == stored_by(sqlite_url)


def test_a_child_does_not_take_its_parents_lock(audit: AuditLogger, tmp_path: Path) -> None:
    """After a child has come and gone, the parent still holds its locks."""
    log(audit, "parent", 1)
    assert ended_well(in_child(lambda: True))
    for path in [*(tmp_path / "journal").glob("*.lock"), *(tmp_path / "journal").glob("*.confirm")]:
        descriptor = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert audit.close_sync(20)


def test_a_child_closes_what_it_inherits(audit: AuditLogger, tmp_path: Path) -> None:
    """A child holds none of its parent's journal files open."""
    log(audit, "parent", 1)

    def run() -> bool:
        links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
        opened = [os.readlink(link) for link in links if os.path.lexists(link)]
        mapped = Path("/proc/self/maps").read_text()
        return not any(str(tmp_path / "journal") in path for path in [*opened, mapped])

    assert ended_well(in_child(run))
    assert audit.close_sync(20)


def test_a_fork_in_the_middle_of_a_close(audit: AuditLogger, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread closes the logger another one forks: the child's events go into a journal of its own."""
    log(audit, "parent", 5)
    assert audit.flush_sync(20)
    close = audit._process.close
    children: list[int] = []

    def work() -> bool:
        log(audit, "child", 5)
        return audit.flush_sync(20)

    def forking() -> None:
        children.append(in_child(work))
        assert ended_well(*children)
        close()

    monkeypatch.setattr(audit._process, "close", forking)
    assert audit.close_sync()
    assert children
    assert {"parent": 5, "child": 5} == stored_by(sqlite_url)


def test_a_child_that_logs_to_a_closed_logger_is_refused(audit: AuditLogger) -> None:
    """It does not wait for a thread of its parent's that was inside the logger at the moment of the fork."""
    log(audit, "parent", 1)
    audit.close_sync()
    held, goes_on = threading.Event(), threading.Event()

    def stay_inside() -> None:
        with audit._process.losses._lock:
            held.set()
            goes_on.wait(20)

    inside = threading.Thread(target=stay_inside)
    inside.start()
    held.wait(20)

    def work() -> bool:
        signal.alarm(10)
        return not audit.log(events.custom("report.print")).is_accepted and audit.stats().refused == 1

    try:
        assert ended_well(in_child(work))
    finally:
        goes_on.set()
        inside.join()
