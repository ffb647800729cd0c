"""`audit-async drain` says what it leaves, and why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table, events
from audit_async.cli.drain import _why
from audit_async.config import DRAIN_SECONDS, FOREIGN_KEY_SECONDS, MAX_TIMING_SECONDS
from audit_async.drain import _patience, drain
from audit_async.journal.survey import survey
from audit_async.settings import read_settings
from audit_async.stats import Stats
from tests.journal.test_adoption import make_later
from tests.tables import count_rows, run_sql
from tests.test_cli import audit_async
from tests.test_cli_journal import ELSEWHERE, leave_as, without_rights


def test_what_lies_beside_is_said_and_no_failure(sqlite_url: str, tmp_path: Path) -> None:
    """Everything for this database arrived: exit code 0, and each other journal is named once, with the way out."""
    journal_dir = tmp_path / "j"
    leave_as("ours", sqlite_url, journal_dir)
    foreign = leave_as("foreign", ELSEWHERE, journal_dir)
    later = leave_as("later", sqlite_url, journal_dir)
    make_later(later.file_set.segment_path(1), "number")
    done = audit_async("drain", sqlite_url, "--journal-dir", journal_dir)
    assert (0, 3) == (done.returncode, asyncio.run(count_rows(sqlite_url)))
    other, version = [line for line in done.stderr.splitlines() if line.startswith("Left where they are")]
    assert (True, True) == (f"foreign {foreign.writer_id[:8]} on " in other, "--adopt" in other)
    assert (True, True) == (f"later {later.writer_id[:8]}" in version, "another version" in version)
    assert 1 == done.stderr.count("--adopt")
    adopted = audit_async("drain", sqlite_url, "--adopt", "--journal-dir", journal_dir)
    assert (0, 6) == (adopted.returncode, asyncio.run(count_rows(sqlite_url)))
    assert [later.writer_id] == [each.writer_id for each in survey(journal_dir)]


def test_a_living_process_of_another_database_is_no_news(sqlite_url: str, tmp_path: Path) -> None:
    """Two applications may share a directory: what its own writer delivers is not talked about."""
    living = AuditLogger(ELSEWHERE, journal_dir=tmp_path / "j", writer="none")
    living.log(events.custom("report.print"))
    done = audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j")
    assert (0, "") == (done.returncode, done.stderr)
    living.close_sync()


def test_what_a_backup_brought_back_arrives(sqlite_url: str, tmp_path: Path) -> None:
    """Segments that came back without their lock file are delivered like any dead process's."""
    leave_as("ours", sqlite_url, tmp_path / "j").file_set.lock_path.unlink()
    done = audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j")
    assert (0, "", 3) == (done.returncode, done.stderr, asyncio.run(count_rows(sqlite_url)))


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_directory_of_another_user_is_no_empty_one(mode: int, sqlite_url: str, tmp_path: Path) -> None:
    """Who may not look into the journal, or not write there, is told so: that is not the same as nothing left."""
    leave_as("ours", sqlite_url, tmp_path / "j")
    (tmp_path / "j").chmod(mode)
    done = without_rights("drain", sqlite_url, "--journal-dir", tmp_path / "j")
    (tmp_path / "j").chmod(0o700)
    assert (1, "") == (done.returncode, done.stdout)
    assert (True, True) == ("Permission denied" in done.stderr, "as the user that" in done.stderr), done.stderr


def test_a_time_before_now_is_wrong_use(sqlite_url: str, tmp_path: Path) -> None:
    """Nothing would be tried, and nothing arrive, without a word."""
    done = audit_async("drain", sqlite_url, "--timeout", "-1", "--journal-dir", tmp_path)
    assert (2, True) == (done.returncode, "--timeout" in done.stderr)


class HandedClock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


async def test_an_event_that_waits_for_a_foreign_key_is_said_to(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the time is up; it stays in the journal, and arrives once the row that it points to is there."""
    await create_table(postgres_url)
    await run_sql(
        postgres_url,
        "CREATE TABLE people (id text PRIMARY KEY)",
        "ALTER TABLE audit_logs ADD FOREIGN KEY (user_id) REFERENCES people",
    )
    logger = AuditLogger(postgres_url, journal_dir=tmp_path, writer="none")
    for user in (None, "u-1", None):
        logger.log(events.custom("report.print", user_id=user))
    await logger.close()
    clock = HandedClock()
    monkeypatch.setattr("audit_async.drain.time", clock)

    def end_when_all_but_one_are_in(stats: Stats) -> None:
        clock.now = 1000.0 if stats.adopted_stored == 2 else 0.0

    settings = read_settings(postgres_url, journal_dir=tmp_path)
    late = await drain(settings, timeout_seconds=30, on_progress=end_when_all_but_one_are_in)
    assert (False, 1, 2) == (late.is_complete, late.waits_for_rows, await count_rows(postgres_url))
    assert _why(late, 30).startswith("1 event waits for a foreign key")
    await run_sql(postgres_url, "INSERT INTO people VALUES ('u-1')")
    done = await asyncio.to_thread(audit_async, "drain", postgres_url, "--journal-dir", tmp_path)
    assert (0, "", 3) == (done.returncode, done.stderr, await count_rows(postgres_url))


@pytest.mark.parametrize("timeout", [DRAIN_SECONDS, 2 * DRAIN_SECONDS])
def test_an_event_is_given_the_time_that_there_is(timeout: float) -> None:
    """Long enough, it gets into quarantine before the end: a file set is not held up by it in every run to come."""
    assert FOREIGN_KEY_SECONDS / 2 < _patience(read_settings(), timeout) < timeout
    assert MAX_TIMING_SECONDS == _patience(read_settings(), 1e9)
    assert {FOREIGN_KEY_SECONDS} == {_patience(read_settings(), None), _patience(read_settings(), 3)}
