"""`audit-async import`, run as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audit_async.config import SHOWN_REJECTS
from tests.children import Child
from tests.importing.files import TIME, events_of, lines, real_records
from tests.polling import eventually_sync
from tests.tables import all_rows, count_rows
from tests.test_cli import audit_async


def import_(file: Path, format: str, url: str, *others: object) -> subprocess.CompletedProcess[str]:
    journal_dir = file.parent / "j"
    return audit_async("import", file, "--format", format, "--url", url, "--journal-dir", journal_dir, *others)


def test_the_real_records_as_a_person_imports_them(sqlite_url: str, tmp_path: Path) -> None:
    """A table of operations and actions, what was folded, how many arrived: exit code 0, and one event of the import,
    in which the program acts for whoever ran it."""
    done = import_(real_records(tmp_path), "m365", sqlite_url)
    assert (0, "") == (done.returncode, done.stderr)
    shown = {tuple(line.split()) for line in done.stdout.splitlines()}
    assert {("207", "UserLoggedIn", "sso.login"), ("3", "Add", "group.", "group.create")} <= shown
    assert ("DeviceProperties 197" in done.stdout, "595 have arrived" in done.stdout) == (True, True)
    (own,) = [row for row in asyncio.run(all_rows(sqlite_url)) if row["action"] == "data.import"]
    assert ("system", "audit-async.import") == (own["actor_type"], own["actor_id"])
    assert own["on_behalf_of"]


def test_what_is_refused_is_told(sqlite_url: str, tmp_path: Path) -> None:
    """Each by its line, up to a number; exit code 1, and the others are in the table."""
    file = lines(tmp_path / "file", [*events_of(2), *({"action": "a.b"} for _ in range(SHOWN_REJECTS + 1))])
    done = import_(file, "jsonl", sqlite_url, "--rejects", tmp_path / "rejects", "--quiet-log")
    assert (1, 2) == (done.returncode, asyncio.run(count_rows(sqlite_url)))
    assert ["Refused line 3: it has no time", "Refused 1 more"] == [done.stderr.splitlines()[n] for n in (0, -1)]
    assert SHOWN_REJECTS + 1 == len((tmp_path / "rejects").read_bytes().splitlines())


def test_a_dry_run_needs_no_database(tmp_path: Path) -> None:
    """Nothing is logged, and nothing made."""
    file = lines(tmp_path / "file", events_of(2))
    done = import_(file, "jsonl", "postgresql+asyncpg://nobody@127.0.0.1:1/none", "--dry-run")
    assert (0, True) == (done.returncode, "Nothing was logged" in done.stdout)
    assert ["file"] == [each.name for each in tmp_path.iterdir()]


def test_json_commands_no_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """Names in a file, and its own, are escaped in the report as everywhere."""
    file = lines(tmp_path / "a\x9b2J\u202e", [{"action": "a\x9b.b", "created_at": TIME, "c\u202e": 1}])
    done = import_(file, "jsonl", sqlite_url, "--dry-run", "--json")
    assert (True, str(file)) == (done.stdout.isascii(), json.loads(done.stdout)["file"])


def test_json_is_for_programs(sqlite_url: str, tmp_path: Path) -> None:
    """The whole report, one object on one line; options for tenant, zone and fields do what they say."""
    file = tmp_path / "file.csv"
    file.write_text("when,what\n2026-03-01 18:30,report.print\n")
    options = ("--field", "when=created_at", "--field", "what=action", "--zone", "Asia/Tokyo", "--tenant", "t-1")
    done = import_(file, "csv", sqlite_url, *options, "--json", "--quiet-log")
    report = json.loads(done.stdout)
    assert (0, 1, 1, True) == (done.returncode, report["records"], report["confirmed"], report["is_complete"])
    (row,) = asyncio.run(all_rows(sqlite_url))
    assert ("t-1", True) == (row["tenant_id"], str(row["created_at"]).replace("T", " ").startswith("2026-03-01 09:30"))


@pytest.mark.parametrize(
    ("file", "options", "named"),
    [
        ("file", ("--format", "m356"), "did you mean 'm365'"),
        ("file", (), "--format is missing: m365, jsonl,"),
        ("file", ("sqlite+aiosqlite:///a.db", "--format", "m365"), "The database is named by --url"),
        ("missing", ("--format", "m365"), "missing"),
        (".", ("--format", "m365"), "not a file"),
        ("file", ("--format", "csv", "--field", "created_at"), "--field"),
        ("file", ("--format", "csv", "--zone", "Mars/Base"), "--zone"),
        ("file", ("--format", "csv", "--timeout", "-1"), "--timeout"),
        ("file", ("--format", "csv", "--timeout", "nan"), "--timeout"),
        ("file", ("--format", "csv", "--tenant", ""), "tenant"),
        ("file", ("--format", "csv", "--field", "x=id", "--field", "x=action"), "'x'"),
        ("file", ("--format", "csv", "--rejects", __file__), "already"),
        ("file", ("--format", "csv", "--replace"), "--rejects"),
        ("/dev/stdin", ("--format", "csv"), "write it to a file"),
        ("pipe", ("--format", "csv", "-"), "no command reads standard input"),
    ],
)
def test_wrong_use_is_told_in_a_line(file: str, options: tuple[str, ...], named: str, tmp_path: Path) -> None:
    """Exit code 2, what is wrong and what would be right, and no traceback."""
    lines(tmp_path / "file", events_of(1))
    done = audit_async("import", tmp_path / file, *options, AUDIT_JOURNAL_DIR=str(tmp_path / "j"))
    assert (2, True, False) == (done.returncode, named in done.stderr, "Traceback" in done.stderr), done.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 1000,
        b"x" * 10_000_000,
        b'{"CreationTime": "2026-03-01", "Operation": "\\u001b[31m[red]", "\\u001b[31m": 1}\n'
        b'{"CreationTime": "\\u001b[31m", "Operation": "x"}',
        b'{"a":' * 100_000,
    ],
)
def test_no_file_ends_it_with_a_traceback(data: bytes, tmp_path: Path) -> None:
    """Whatever is in it: exit code 0 or 1, and no character that commands the terminal."""
    (tmp_path / "file").write_bytes(data)
    done = audit_async("import", tmp_path / "file", "--format", "m365", "--dry-run")
    assert (done.returncode in (0, 1), "Traceback" in done.stderr, "\x1b" in done.stdout + done.stderr) == (
        True,
        False,
        False,
    ), done.stderr


def test_a_table_that_is_away_is_told(tmp_path: Path) -> None:
    """After the time that is given: exit code 1, what the database said, and how to go on."""
    file = lines(tmp_path / "file", events_of(2))
    done = import_(file, "jsonl", "postgresql+asyncpg://nobody@127.0.0.1:1/none", "--timeout", "0.5")
    assert (1, True, True) == (done.returncode, "Stopped:" in done.stderr, "goes on where it was" in done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    """Exit code 130, one line, and what was logged waits on the disk."""
    file = lines(tmp_path / "file", events_of(2))
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    arguments = ("import", file, "--format", "jsonl", "--url", url, "--journal-dir", tmp_path / "j")
    errors = tmp_path / "errors"
    with Child("__main__", *arguments, package="audit_async", errors=errors) as child:
        eventually_sync(lambda: b"nothing takes connections" in errors.read_bytes(), 40)
        child.kill(number)
    assert (130, True) == (child.returncode, "goes on where it was" in errors.read_text())
    assert "Traceback" not in errors.read_text()


def test_who_watches_sees_how_far_it_is(sqlite_url: str, tmp_path: Path) -> None:
    """A bar on the terminal, of which nothing goes into the output."""
    file = lines(tmp_path / "file.jsonl", events_of(3))
    ours, theirs = pty.openpty()
    arguments: tuple[Any, ...] = ("import", file, "--format", "jsonl", "--url", sqlite_url, "--json")
    done = subprocess.run(
        [sys.executable, "-m", "audit_async", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=50,
        env={**os.environ, "TERM": "xterm", "AUDIT_JOURNAL_DIR": str(tmp_path / "j")},
    )
    os.close(theirs)
    said = os.read(ours, 100_000)
    os.close(ours)
    assert (0, True, 3) == (done.returncode, b"file.jsonl" in said, json.loads(done.stdout)["records"])
    assert TIME.encode() not in said
