"""`audit-async stats`, run as a person runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, events
from audit_async.status import look_around
from tests.children import Child
from tests.polling import eventually_sync
from tests.test_cli import audit_async

NOWHERE = "postgresql+asyncpg://app:very-secret@127.0.0.1:1/app"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of three processes: one lives and has delivered, one was closed and one killed before it had."""
    home = tmp_path_factory.mktemp("three")
    journal_dir = home / "journal"
    with AuditLogger(f"sqlite+aiosqlite:///{home}/audit.db", journal_dir=journal_dir, service="web") as web:
        for _ in range(5):
            web.log(events.custom("report.print"))
        assert web.flush_sync(20)
        jobs = AuditLogger(NOWHERE, journal_dir=journal_dir, service="jobs")
        for _ in range(1200):
            jobs.log(events.custom("report.print"))
        eventually_sync(lambda: jobs.stats().last_error)
        jobs.close_sync(0.1)
        with Child("logging_child", NOWHERE, journal_dir, 0, 7, "none") as child:
            assert len(child.lines(8)) == 8
            eventually_sync(lambda: list(journal_dir.glob("app-*.status")))
        eventually_sync(
            lambda: [5] == [seen.status.stats.stored for seen in look_around(journal_dir, "web") if seen.status]
        )
        yield journal_dir


@pytest.fixture
def three_dead(three: Path, tmp_path: Path) -> Path:
    """What the three have left, in a directory that may be damaged."""
    return Path(shutil.copytree(three, tmp_path / "copy"))


def as_json(journal_dir: Path) -> dict[str, Any]:
    done = audit_async("stats", "--journal-dir", journal_dir, "--json")
    assert (0, "") == (done.returncode, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_process_has_a_line_and_there_is_a_sum(three: Path) -> None:
    """Living, closed and dead processes are told apart, each with its numbers, and the last line adds them up."""
    shown = audit_async("stats", "--journal-dir", three)
    assert (0, "") == (shown.returncode, shown.stderr)
    words = {line.split()[0]: line.split() for line in shown.stdout.splitlines() if line.strip() and ":" not in line}
    assert (str(os.getpid()), "living", "ok", "5", "5", "0") == tuple(words["web"][1:7])
    assert (str(os.getpid()), "closed", "degraded", "1,200", "0", "1,200") == tuple(words["jobs"][1:7])
    assert ("dead", "ok") == tuple(words["app"][2:4])
    assert "all" in words
    assert "nothing takes connections at 127.0.0.1:1" in shown.stdout
    assert "secret" not in shown.stdout


def test_for_programs_it_is_json(three: Path) -> None:
    """`--json` is one object with all numbers, their sums, and the state of each process."""
    found = as_json(three)
    processes = found["processes"]
    assert ["living", "closed", "dead"] == [process["state"] for process in processes]
    accepted = [process["status"]["stats"]["accepted"] for process in processes]
    assert (sum(accepted), 5) == (found["totals"]["accepted"], found["totals"]["stored"])


def test_one_service_can_be_asked_for(three: Path) -> None:
    """`--service` leaves out all others, and takes the name as the application gives it."""
    shown = audit_async("stats", "--journal-dir", three, "--service", "Web").stdout
    assert (True, False, False) == ("web" in shown, "jobs" in shown, "app " in shown)


def test_no_number_is_cut_in_a_narrow_terminal(three: Path) -> None:
    """However narrow the terminal, every number stands whole on the line of its process."""
    narrow = audit_async("stats", "--journal-dir", three, COLUMNS="40").stdout
    (line,) = (line for line in narrow.splitlines() if line.startswith("jobs  "))
    assert line.split()[4:7] == ["1,200", "0", "1,200"]


def test_a_damaged_file_is_a_line_and_no_traceback(three_dead: Path) -> None:
    """A status that cannot be read is said so, and the others are shown."""
    next(iter(three_dead.glob("jobs-*.status"))).write_bytes(b"{ \x1b[31m")
    shown = audit_async("stats", "--journal-dir", three_dead)
    assert (0, True, True, False) == (
        shown.returncode,
        "unreadable" in shown.stdout,
        "web" in shown.stdout,
        "\x1b" in shown.stdout,
    )


def test_what_another_process_wrote_cannot_command_the_terminal(three_dead: Path) -> None:
    """Brackets in a reason are text, and what a terminal would obey is left out."""
    (path,) = three_dead.glob("jobs-*.status")
    path.write_bytes(
        path.read_bytes().replace(b"the database takes", b"\\u001b]0;owned\\u0007 [bold]the database takes")
    )
    shown = audit_async("stats", "--journal-dir", three_dead).stdout
    assert (True, False, False) == ("[bold]the database" in shown, "\x1b" in shown, "\x07" in shown)


def test_the_directory_is_found_as_the_application_finds_it(three: Path) -> None:
    """Without the option the environment names the directory, whatever address is in it."""
    shown = audit_async("stats", AUDIT_JOURNAL_DIR=str(three), AUDIT_DATABASE_URL="nonsense")
    assert (0, True) == (shown.returncode, "web" in shown.stdout)


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped directory is named, is not made, and ends with exit code 2; an empty one is no error."""
    wrong = audit_async("stats", "--journal-dir", tmp_path / "typo")
    assert (2, True, False) == (wrong.returncode, "typo" in wrong.stderr, (tmp_path / "typo").exists())
    assert 0 == audit_async("stats", "--journal-dir", tmp_path).returncode


def test_watching_goes_on_until_interrupted(three: Path) -> None:
    """`--watch` looks again and again; Ctrl-C ends it without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "audit_async", "stats", "--journal-dir", three, "--json", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        looks = [json.loads(watching.stdout.readline())["totals"]["stored"] for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=30)
    assert ([5, 5], "", 130) == (looks, said, watching.returncode)


def test_a_number_that_no_disk_has_is_shown_all_the_same(three_dead: Path) -> None:
    """One file that says nonsense does not hide the others."""
    (path,) = three_dead.glob("jobs-*.status")
    path.write_bytes(re.sub(rb'"journal_bytes":\d+', b'"journal_bytes":1' + 400 * b"0", path.read_bytes()))
    shown = audit_async("stats", "--journal-dir", three_dead)
    assert (0, True) == (shown.returncode, "web" in shown.stdout)
