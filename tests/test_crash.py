"""Processes that are killed: everything that was logged is in the table exactly once after the next start."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from tests.children import Child
from tests.polling import eventually_sync
from tests.tables import all_rows, count_rows

PROGRAM = "logging_child"


def numbers_in(url: str) -> list[int]:
    """Return the numbers in the table, sorted, doubles included."""
    rows = asyncio.run(all_rows(url))
    return sorted(row["details"]["number"] for row in rows if row["action"] == "report.print")


def deliver(url: str, journal_dir: Path) -> None:
    """Be the next process: start, and wait until no file of another one is left."""
    with AuditLogger(url, journal_dir=journal_dir) as audit:
        audit.log(events.custom("process.start"))
        eventually_sync(lambda: len(list(journal_dir.glob("*.lock"))) == 1, 20)
        assert audit.flush_sync()


def reported(lines: list[str]) -> set[int]:
    return {int(line) for line in lines if line.isdigit()}


@pytest.mark.parametrize("seed", range(8))
def test_what_was_logged_before_a_kill_is_stored_once(seed: int, tmp_path: Path, sqlite_url: str) -> None:
    """SIGKILL at a random moment, twice in a row: each event whose `log` had returned is one row, and none was made
    up."""
    chance = random.Random(seed)
    told: set[int] = set()
    for first in (0, 100_000):
        with Child(PROGRAM, sqlite_url, tmp_path / "journal", first, 100_000) as child:
            told |= reported(child.lines(chance.randrange(1, 3000)))
            told |= reported(child.kill())
    deliver(sqlite_url, tmp_path / "journal")
    found = numbers_in(sqlite_url)
    assert len(found) == len(set(found))
    assert told <= set(found)
    # One event at most for each of the two was taken but not reported any more.
    assert len(set(found) - told) <= 2


def test_two_processes_on_one_directory_may_both_be_killed(tmp_path: Path, sqlite_url: str) -> None:
    """Two processes with one journal directory, both killed, leave every event for the next one, once."""
    told: set[int] = set()
    with (
        Child(PROGRAM, sqlite_url, tmp_path / "journal", 0, 100_000) as one,
        Child(PROGRAM, sqlite_url, tmp_path / "journal", 100_000, 100_000) as other,
    ):
        for child in (one, other):
            told |= reported(child.lines(500))
        for child in (one, other):
            told |= reported(child.kill())
    deliver(sqlite_url, tmp_path / "journal")
    found = numbers_in(sqlite_url)
    assert len(found) == len(set(found))
    assert told <= set(found)


async def test_on_postgresql_as_well(tmp_path: Path, postgres_url: str) -> None:
    """What a killed process left half sent over COPY is in the table once after the next start."""
    from audit_async import create_table

    await create_table(postgres_url)

    def kill_and_deliver() -> tuple[set[int], list[int]]:
        told: set[int] = set()
        for first in (0, 100_000, 200_000):
            with Child(PROGRAM, postgres_url, tmp_path / "journal", first, 100_000) as child:
                told |= reported(child.lines(2000))
                told |= reported(child.kill())
        deliver(postgres_url, tmp_path / "journal")
        return told, numbers_in(postgres_url)

    told, found = await asyncio.to_thread(kill_and_deliver)
    assert len(found) == len(set(found))
    assert told <= set(found)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_process_loses_nothing(number: signal.Signals, tmp_path: Path, sqlite_url: str) -> None:
    """SIGTERM without a handler, and Ctrl-C, leave every event for the next process."""
    with Child(PROGRAM, sqlite_url, tmp_path / "journal", 0, 1_000_000) as child:
        told = reported(child.lines(300))
        told |= reported(child.kill(number))
    deliver(sqlite_url, tmp_path / "journal")
    assert told <= set(numbers_in(sqlite_url))


def test_a_process_that_never_closes_delivers_or_leaves_its_events(tmp_path: Path, sqlite_url: str) -> None:
    """An interpreter that ends without `close` loses nothing."""
    program = (
        "import sys\nfrom audit_async import AuditLogger, events\n"
        "audit = AuditLogger(sys.argv[1], journal_dir=sys.argv[2])\n"
        "for n in range(500): audit.log(events.custom('report.print', details={'number': n}))\n"
    )
    pid = os.spawnv(os.P_NOWAIT, *_python(program, sqlite_url, tmp_path / "journal"))
    assert os.waitpid(pid, 0)[1] == 0
    deliver(sqlite_url, tmp_path / "journal")
    assert list(range(500)) == numbers_in(sqlite_url)


def test_os_exit_right_after_log_loses_nothing(tmp_path: Path, sqlite_url: str) -> None:
    """`os._exit` in the line after `log` leaves the event for the next process."""
    program = (
        "import os, sys\nfrom audit_async import AuditLogger, events\n"
        "audit = AuditLogger(sys.argv[1], journal_dir=sys.argv[2])\n"
        "audit.log(events.custom('report.print', details={'number': 0}))\nos._exit(0)\n"
    )
    pid = os.spawnv(os.P_NOWAIT, *_python(program, sqlite_url, tmp_path / "journal"))
    assert os.waitpid(pid, 0)[1] == 0
    deliver(sqlite_url, tmp_path / "journal")
    assert numbers_in(sqlite_url) == [0]


def test_a_process_without_a_writer_is_served_by_drain(tmp_path: Path, sqlite_url: str) -> None:
    """With `writer="none"` a process only journals; `drain --follow` beside it makes `flush` come true."""
    with (
        Child("draining_child", sqlite_url, tmp_path / "journal"),
        Child(PROGRAM, sqlite_url, tmp_path / "journal", 0, 2000, "none") as child,
    ):
        assert child.rest()[-1] == "done"
    assert list(range(2000)) == numbers_in(sqlite_url)
    assert asyncio.run(count_rows(sqlite_url)) == 2000


def _python(program: str, *arguments: object) -> tuple[str, list[str]]:
    import sys

    return sys.executable, [sys.executable, "-c", program, *map(str, arguments)]
