"""`audit-async export`: what was found, as a file; and the log says that it was handed over."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from audit_async import events
from audit_async.cli.export import export
from audit_async.config import EXPORT_SLICE_EVENTS
from audit_async.exports import FORMATS
from tests.tables import run_sql
from tests.terminal import at_terminal, filled, filled_file, here, made
from tests.test_cli import audit_async

GIVEN = made()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A SQLite file with the forty events."""
    return filled_file(tmp_path / "audit.db", GIVEN)


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the event about the export waits until it is stored."""
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path / "journal"))
    return tmp_path / "journal"


def test_a_file_and_an_event_that_tells_of_it(url: str, tmp_path: Path) -> None:
    """The file has what was asked for, for its owner alone; the log has who, what and how many, for that tenant."""
    path = tmp_path / "out.jsonl"
    done = here("export", url, "--tenant", "t-1", "--user", "u-1", "-o", path)
    assert (0, "", f"3 events in {path}\n") == (done.returncode, done.stdout, done.stderr)
    given = [event for event in GIVEN if (event.tenant_id, event.user_id) == ("t-1", "u-1")]
    assert [event.id for event in reversed(given)] == [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    (told,) = asyncio.run(run_sql(url, "SELECT * FROM audit_logs WHERE action = 'audit.export'"))
    assert ("t-1", "success", "audit-async.export") == (told["tenant_id"], told["outcome"], told["actor_id"])
    assert told["on_behalf_of"]
    assert (3, "jsonl", str(path), ["u-1"]) == (
        told["details"]["events"],
        told["details"]["format"],
        told["details"]["file"],
        told["details"]["query"]["user_id"],
    )


@pytest.mark.parametrize("format", ["jsonl", "csv", "ocsf", "cef", "syslog"])
def test_a_pipe_gets_nothing_but_the_events(url: str, format: str) -> None:
    """Standard output is the file; what is said goes to the other one."""
    done = here("export", url, "--all-tenants", "--format", format, "--quiet-log")
    assert (0, "40 events\n") == (done.returncode, done.stderr)
    assert 40 == len(done.stdout.splitlines()) - (format == "csv")


def test_options_of_a_format(url: str) -> None:
    """A mark for Excel, other characters between cells; what another format has not is told."""
    done = here("export", url, "--no-tenant", "--format", "csv", "--bom", "--delimiter", ";", "--quiet-log")
    assert done.stdout.startswith('\ufeff"id";"created_at"')
    wrong = here("export", url, "--no-tenant", "--bom")
    assert (2, True) == (wrong.returncode, "no option 'bom'" in wrong.stderr)


@pytest.mark.parametrize(
    ("name", "begins"), [("a.csv", '"id",'), ("a.CEF", "CEF:0"), ("a", '{"id":'), ("a.log", "<109>1")]
)
def test_a_file_holds_what_its_name_says(name: str, begins: str, url: str, tmp_path: Path) -> None:
    """Where no format is said, nobody is handed JSON in a file that is called a table."""
    assert 0 == here("export", url, "--tenant", "t-1", "--quiet-log", "-o", tmp_path / name).returncode
    assert (tmp_path / name).read_text().startswith(begins)


def test_every_option_of_a_format_can_be_given(url: str) -> None:
    """By a name of its own; the number of an organization is in each line."""
    known = inspect.signature(export).parameters
    assert {option for kind in FORMATS.values() for option in kind.options} <= known.keys()
    sender = ("--sd-id", "audit@12345", "--host", "h", "--app-name", "a", "--max-bytes", 2048)
    done = here("export", url, "--all-tenants", "--format", "syslog", *sender, "--quiet-log")
    assert 40 == len(re.findall(r"^<\d+>1 \S+ h a \S+ \S+ \[audit@12345 ", done.stdout, re.MULTILINE))


def test_a_file_is_not_replaced_by_a_slip(url: str, tmp_path: Path) -> None:
    """One that is there stays, unless it is said."""
    path = tmp_path / "out.csv"
    path.write_text("mine")
    asked = ("export", url, "--all-tenants", "--format", "csv", "--quiet-log", "-o", path)
    refused = here(*asked)
    assert (2, "mine", True) == (
        refused.returncode,
        path.read_text(),
        "already\n  HINT: name another file, or replace it: --replace" in refused.stderr,
    )
    assert 0 == here(*asked, "--replace").returncode
    assert 41 == len(path.read_text().splitlines())


def test_what_is_no_file_is_never_replaced(url: str, tmp_path: Path) -> None:
    """A pipe, or a device as /dev/null, stays what it is, whoever allows it to be replaced."""
    os.mkfifo(path := tmp_path / "pipe")
    done = here("export", url, "--all-tenants", "--quiet-log", "--replace", "-o", path)
    assert (2, True, True) == (done.returncode, "is no file" in done.stderr, path.is_fifo())


def test_misuse_is_told_with_what_is_allowed(url: str, tmp_path: Path) -> None:
    """A format that there is not, a folder that there is not, nothing about whose events; and no file is left."""
    path = tmp_path / "out"
    for asked, said in (
        (("--all-tenants", "--format", "xml", "-o", path), "jsonl, csv, parquet, ocsf, cef, syslog"),
        (("--all-tenants", "-o", tmp_path / "no" / "out"), "no folder"),
        (("--all-tenants", "-o", tmp_path), "is a folder HINT: name a file in it"),
        (("--all-tenants", "--format", "CSV", "-o", path), "did you mean 'csv'?"),
        (("-o", path), "--all-tenants"),
        (("--all-tenants", "--replace"), "--output"),
        (("--all-tenants", "--since", "soon", "-o", path), "24h"),
    ):
        done = here("export", url, *asked)
        assert (2, "") == (done.returncode, done.stdout)
        assert said in " ".join(done.stderr.split())
    assert not [found for found in tmp_path.iterdir() if found.name.startswith("out")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["search", "count", "tail", "export"])
def test_a_full_disk_behind_standard_output_is_told(command: str, url: str) -> None:
    """In a line, and the exit code is 1."""
    program = [sys.executable, "-m", "audit_async", command, url, "--all-tenants"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (1, False) == (done.returncode, "Traceback" in done.stderr)
    assert "Failed: standard output: No space left on device\n  HINT: make room for it\n" in done.stderr


def test_a_name_that_no_file_can_have_is_told(url: str) -> None:
    """In a line, as any other slip."""
    done = here("export", url, "--all-tenants", "--output", "x" * 300)
    assert (2, True) == (done.returncode, "File name too long" in done.stderr)


def test_nothing_to_export_is_exit_code_1(url: str, tmp_path: Path) -> None:
    """The file is there and empty, and the log says that somebody asked."""
    done = here("export", url, "--tenant", "t-9", "-o", tmp_path / "out.jsonl")
    assert (1, b"") == (done.returncode, (tmp_path / "out.jsonl").read_bytes())
    assert 1 == len(asyncio.run(run_sql(url, "SELECT * FROM audit_logs WHERE action = 'audit.export'")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_has_left_when_it_is_ended_is_told(tmp_path: Path, number: signal.Signals) -> None:
    """Into a pipe that nobody reads any more: it ends at once, and the log says that a part of it is gone."""
    large = [events.custom("report.print", tenant_id="t-1", description="x" * 4_000) for _ in range(200)]
    url = filled_file(tmp_path / "audit.db", large)
    command = [sys.executable, "-m", "audit_async", "export", url, "--tenant", "t-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(1) == b"{"
        for _ in range(2 if number == signal.SIGINT else 1):
            # The first Ctrl-C is taken up at the next step of the loop, which waits for the pipe.
            child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(2)
        child.stdout.close()
        assert 130 == child.wait(30)
    (told,) = asyncio.run(run_sql(url, "SELECT * FROM audit_logs WHERE action = 'audit.export'"))
    # The first ones, of which the pipe has taken a part.
    assert ("partial", EXPORT_SLICE_EVENTS) == (told["outcome"], told["details"]["events"])


def test_where_the_log_cannot_be_written_the_event_waits(url: str, tmp_path: Path, journal: Path) -> None:
    """Whoever may only read exports all the same: what tells of it is on disk, and that is said."""
    asyncio.run(run_sql(url, "CREATE TRIGGER no BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no'); END"))
    done = here("export", url, "--tenant", "t-1", "-o", tmp_path / "out.jsonl")
    assert 0 == done.returncode
    assert "waits on this machine" in done.stderr
    assert list(journal.iterdir())


async def test_it_is_the_same_on_a_server(postgres_url: str, tmp_path: Path) -> None:
    """With the database from the environment."""
    await filled(postgres_url, GIVEN)
    asked = ("export", "--all-tenants", "-o", tmp_path / "out.jsonl")
    done = await asyncio.to_thread(audit_async, *asked, AUDIT_DATABASE_URL=postgres_url)
    assert 0 == done.returncode
    assert 40 == len((tmp_path / "out.jsonl").read_text().splitlines())
    assert 41 == (await run_sql(postgres_url, "SELECT count(*) AS n FROM audit_logs"))[0]["n"]


def test_at_a_terminal_its_count_is_gone_at_the_end(url: str, tmp_path: Path) -> None:
    """What was drawn to show how far it is leaves one line."""
    done = at_terminal(80, "export", url, "--all-tenants", "--quiet-log", "-o", tmp_path / "out.jsonl")
    assert "40 events" in done
    assert (tmp_path / "out.jsonl").exists()
