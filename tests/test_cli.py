"""The terminal tool, run as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from audit_async.events.catalogue import catalogue
from tests.tables import count_rows, run_sql


def audit_async(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "audit_async", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def leave_events(url: str, journal_dir: Path, count: int = 30) -> None:
    """Journal events as a process that died before it delivered any."""
    logger = AuditLogger(url, journal_dir=journal_dir, writer="none")
    for number in range(count):
        logger.log(events.custom("report.print", details={"number": number}))
    logger.close_sync()


async def test_init_makes_the_table_and_says_so(postgres_url: str) -> None:
    """`init` makes the table, and a second time says that it is there."""
    made = await asyncio.to_thread(audit_async, "init", postgres_url)
    again = await asyncio.to_thread(audit_async, "init", AUDIT_DATABASE_URL=postgres_url)
    assert (0, 0) == (made.returncode, again.returncode)
    assert "audit_logs" in made.stdout
    assert made.stdout != again.stdout
    assert await count_rows(postgres_url) == 0


async def test_init_refuses_a_foreign_table(postgres_url: str) -> None:
    """A table of that name that is not ours is left alone, with a word on what to do, and exit code 1."""
    await run_sql(postgres_url, "CREATE TABLE audit_logs (entry text)")
    refused = await asyncio.to_thread(audit_async, "init", "--url", postgres_url)
    assert refused.returncode in (1, 2)
    assert "HINT" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_drain_uploads_what_others_left(sqlite_url: str, tmp_path: Path) -> None:
    """`drain` brings the events of dead processes into the table, removes their files, and says how many."""
    leave_events(sqlite_url, tmp_path / "j")
    done = audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j")
    assert (0, "") == (done.returncode, done.stderr)
    assert "30" in done.stdout
    assert asyncio.run(count_rows(sqlite_url)) == 30
    assert list((tmp_path / "j").iterdir()) == []


def test_drain_with_nothing_to_do_says_so(sqlite_url: str, tmp_path: Path) -> None:
    """Draining an empty directory is done at once, with exit code 0."""
    (tmp_path / "j").mkdir()
    done = audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j")
    assert (0, "") == (done.returncode, done.stderr)


def test_drain_of_a_directory_that_is_not_there_is_an_error(sqlite_url: str, tmp_path: Path) -> None:
    """A mistyped directory is named, is not made, and ends with exit code 2."""
    done = audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "typo")
    assert done.returncode == 2
    assert "typo" in done.stderr
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql+asyncpg://app@127.0.0.1:1/app", "nothing takes connections at 127.0.0.1:1"),
        ("sqlite+aiosqlite:////nowhere/at/all/audit.db", "there is no folder /nowhere/at/all"),
        ("sqlite+aiosqlite:///", "in memory keeps no audit trail"),
    ],
)
def test_init_tells_a_fault_in_two_lines(address: str, said: str) -> None:
    """What is in the way of making the table is told with what to do, without a traceback."""
    failed = audit_async("init", address)
    assert failed.returncode in (1, 2)
    assert said in failed.stderr
    assert "HINT" in failed.stderr
    assert "Traceback" not in failed.stderr


async def test_init_leaves_the_six_column_table_as_it_is(postgres_url: str) -> None:
    """The six-column table needs no making: `init` says so, and ends well."""
    await run_sql(
        postgres_url,
        "CREATE TABLE audit_logs (id uuid PRIMARY KEY, action text NOT NULL, details json, agent_id uuid, "
        "user_id uuid, created_at timestamptz NOT NULL)",
    )
    done = await asyncio.to_thread(audit_async, "init", postgres_url)
    assert (0, True) == (done.returncode, "six-column" in done.stdout)


def test_a_terminal_without_unicode_is_served(sqlite_url: str) -> None:
    """Where a character cannot be shown the command does its work all the same."""
    done = audit_async(
        "init", sqlite_url, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii"
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_drain_against_a_dead_database_keeps_everything(tmp_path: Path) -> None:
    """When the database takes nothing in the time given, everything stays, the reason is said, and the exit code is
    1."""
    nowhere = "postgresql+asyncpg://app@127.0.0.1:1/app"
    leave_events(nowhere, tmp_path / "j")
    done = audit_async("drain", nowhere, "--journal-dir", tmp_path / "j", "--timeout", "10")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Not all of it arrived" in done.stderr
    assert len(list((tmp_path / "j").glob("*.audj"))) == 1


@pytest.mark.parametrize(("adopt", "rows"), [((), 0), (("--adopt",), 30)])
def test_what_was_meant_for_another_database_is_taken_by_command_only(
    adopt: tuple[str, ...], rows: int, sqlite_url: str, tmp_path: Path
) -> None:
    """Events of another destination are uploaded with `--adopt`, and left alone without."""
    leave_events("postgresql+asyncpg://app@127.0.0.1:1/app", tmp_path / "j")
    audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j", *adopt)
    assert rows == asyncio.run(count_rows(sqlite_url))


def test_a_wrong_address_is_two_lines_and_exit_code_2(tmp_path: Path) -> None:
    """The first mistake is answered with what to write instead, without a traceback."""
    wrong = audit_async("drain", "postgresql://db/app", "--journal-dir", tmp_path)
    assert wrong.returncode == 2
    assert "postgresql+asyncpg://" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_help_names_the_commands() -> None:
    """`--help` tells what there is, and ends well."""
    shown = audit_async("--help")
    assert shown.returncode == 0
    assert all(word in shown.stdout for word in ("init", "drain"))


def test_the_catalogue_is_shown_in_three_forms() -> None:
    """Every action is in the table, in the JSON and on the page; a word finds some of them, or it is said."""
    table, page, data = (audit_async("catalog", *form).stdout for form in ((), ("--md",), ("--json",)))
    actions = [item["action"] for item in json.loads(data)]
    assert ([], []) == ([a for a in actions if a not in table], [a for a in actions if f"| `{a}` |" not in page])
    found = audit_async("catalog", "assign_role")
    assert (True, False) == ("role.assign" in found.stdout, "role.revoke" in found.stdout)
    assert 1 == audit_async("catalog", "no such thing").returncode


@pytest.mark.parametrize("columns", ["80", "200"])
def test_no_name_is_cut_in_the_catalogue(columns: str) -> None:
    """Every action stands whole on one line, however narrow the terminal, and in a pipe."""
    shown = audit_async("catalog", COLUMNS=columns).stdout.split()
    assert [] == [item.action for item in catalogue() if item.action not in shown]


def test_whoever_has_seen_enough_gets_no_traceback() -> None:
    """`| head` closes the pipe, which is no fault."""
    command = f"{sys.executable} -m audit_async catalog --json | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=50, check=False)  # noqa: S602
    assert ("", True) == (done.stderr, done.stdout.startswith("["))


@pytest.mark.parametrize("name", ["[bold]", "a[/b]", "[red", ":bug:"])
def test_brackets_are_text(name: str, tmp_path: Path) -> None:
    """What the user gave comes back to the letter in a message, whatever brackets and colons are in it."""
    found = audit_async("catalog", name)
    drained = audit_async("drain", f"sqlite+aiosqlite:///{tmp_path}/a.db", "--journal-dir", tmp_path / name)
    assert (True, True) == (name in found.stderr, name in drained.stderr)
    assert (1, 2) == (found.returncode, drained.returncode)


@pytest.mark.parametrize(
    "arguments", [("catalog", "--json", "--md"), ("drain", "sqlite+aiosqlite:///a.db", "--once", "--follow")]
)
def test_what_excludes_each_other_is_said(arguments: tuple[str, ...]) -> None:
    """Two wishes at odds are wrong use, and not a silent choice."""
    refused = audit_async(*arguments)
    assert (2, True) == (refused.returncode, "exclude each other" in refused.stderr)
