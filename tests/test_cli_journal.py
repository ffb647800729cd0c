"""`audit-async journal`, run as a person runs it, on real files of living and dead processes."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import asyncpg
import pytest

from audit_async import AuditLogger, create_table, events
from audit_async.cli.visible import visible, visible_json
from audit_async.config import SEGMENT_HEADER_BYTES
from audit_async.entry import encode
from audit_async.journal.file_set import FileSet
from audit_async.journal.frame import encode_frame
from audit_async.journal.segment import SegmentHeader
from audit_async.journal.survey import Surveyed, survey
from tests.journal.test_adoption import make_later
from tests.polling import eventually
from tests.tables import all_rows, count_rows, run_sql
from tests.test_cli import audit_async, leave_events

ELSEWHERE = "postgresql+asyncpg://app@127.0.0.1:1/app"
HOSTILE = "a\x1b[31mb\x9b1m\n\r[bold]:bug:\x7f\u202e\u2028张\x07\\"


def leave_hostile(url: str, journal_dir: Path) -> None:
    logger = AuditLogger(url, journal_dir=journal_dir, writer="none")
    logger.log(events.custom("report.print", actor_id=HOSTILE, resource_type=HOSTILE, resource_id="7"))
    logger.close_sync()


def set_of(journal_dir: Path, service: str) -> Surveyed:
    [found] = [each for each in survey(journal_dir) if each.file_set.service == service]
    return found


def leave_as(service: str, url: str, journal_dir: Path, count: int = 3) -> Surveyed:
    logger = AuditLogger(url, journal_dir=journal_dir, writer="none", service=service)
    for number in range(count):
        logger.log(events.custom("report.print", details={"number": number}))
    logger.close_sync()
    return set_of(journal_dir, service)


def snapshot(directory: Path) -> dict[str, bytes]:
    """Return what is in *directory*, but for what living processes say of themselves now and then."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if ".status" not in path.name}


def without_rights(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the tool as somebody to whom the permissions of files mean something, even if the tests run as root."""
    libc = ctypes.CDLL(None)
    return subprocess.run(
        [sys.executable, "-m", "audit_async", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        preexec_fn=lambda: [libc.prctl(24, capability, 0, 0, 0) for capability in (1, 2)],
    )


def test_every_file_set_is_listed_with_its_state(sqlite_url: str, tmp_path: Path) -> None:
    """Living, dead, another's, damaged, of another version, without a lock: each is told, and nothing is changed."""
    journal_dir = tmp_path / "j"
    living = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none", service="living")
    living.log(events.custom("report.print"))
    leave_as("dead", sqlite_url, journal_dir)
    leave_as("foreign", ELSEWHERE, journal_dir)
    hurt = leave_as("hurt", sqlite_url, journal_dir).file_set
    hurt.segment_path(1).write_bytes(hurt.segment_path(1).read_bytes()[:700])
    make_later(leave_as("later", sqlite_url, journal_dir).file_set.segment_path(1), "number")
    leave_as("lockless", sqlite_url, journal_dir).file_set.lock_path.unlink()
    before = snapshot(journal_dir)
    shown = audit_async("journal", "ls", sqlite_url, "--journal-dir", journal_dir)
    assert (0, "") == (shown.returncode, shown.stderr)
    heads = {line.split()[0]: line for line in shown.stdout.splitlines() if not line.startswith(" ")}
    for service, told in {
        "living": "living here  1 pending, 0 settled, 1.0 MiB",
        "dead": "orphan  3 pending",
        "foreign": "orphan, other destination  3 pending",
        "hurt": "orphan, damaged  2 pending",
        "later": "unknown format  0 pending",
        "lockless": "orphan  3 pending",
    }.items():
        assert f"{set_of(journal_dir, service).writer_id[:8]}  {told}" in heads[service]
    assert before == snapshot(journal_dir)
    living.close_sync()


@pytest.mark.parametrize("command", ["ls", "show", "verify", "replay"])
def test_a_directory_that_is_not_there_is_wrong_use(command: str, sqlite_url: str, tmp_path: Path) -> None:
    """It is named, is not made, and ends with exit code 2."""
    done = audit_async("journal", command, "--journal-dir", tmp_path / "[typo]", AUDIT_DATABASE_URL=sqlite_url)
    assert (2, True, True) == (done.returncode, "[typo]" in done.stderr, "HINT" in done.stderr)
    assert [] == list(tmp_path.iterdir())


def test_what_may_not_be_read_is_told(sqlite_url: str, tmp_path: Path) -> None:
    """A forbidden directory is no empty one, and a forbidden file is a finding."""
    leave_events(sqlite_url, tmp_path / "j", 3)
    segment = next((tmp_path / "j").glob("*.audj"))
    segment.chmod(0)
    damaged = without_rights("journal", "verify", "--journal-dir", tmp_path / "j")
    assert (1, True) == (damaged.returncode, f"{segment.name} cannot be opened (Permission denied)" in damaged.stdout)
    (tmp_path / "j").chmod(0o300)
    refused = without_rights("journal", "ls", "--journal-dir", tmp_path / "j")
    (tmp_path / "j").chmod(0o700)
    assert (1, "") == (refused.returncode, refused.stdout)
    assert "Permission denied" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_an_event_says_commands_no_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """Escapes, line feeds, markup and what turns text round are shown, one entry a line, and nothing is lost of it."""
    leave_hostile(sqlite_url, tmp_path / "j")
    leave_events(sqlite_url, tmp_path / "j", 2)
    shown = audit_async("journal", "show", "--journal-dir", tmp_path / "j").stdout
    assert shown.replace("\n", "").isprintable()
    assert 3 == len(shown.splitlines())
    assert "a\\x1b[31mb\\x9b1m\\n\\r[bold]:bug:\\x7f\\u202e\\u2028张\\x07\\/7" in shown


def test_json_is_read_back_as_it_was(sqlite_url: str, tmp_path: Path) -> None:
    """Every line is an object with the event as it was logged, and with its bytes where it is none."""
    leave_hostile(sqlite_url, tmp_path / "j")
    segment = next((tmp_path / "j").glob("*.audj"))
    end = segment.read_bytes().rstrip(b"\0")
    files = survey(tmp_path / "j")[0].file_set
    segment.write_bytes(end + encode_frame(2, b"\xffno event", files.salt) + bytes(500))
    writer = files.writer_id
    arguments = ("journal", "show", writer[:4], "--json", "--journal-dir", tmp_path / "j")
    shown = audit_async(*arguments, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    hostile, garbage = map(json.loads, shown.stdout.splitlines())
    assert (HOSTILE, "7") == (hostile["event"]["actor_id"], hostile["event"]["resource_id"])
    assert {"writer_id": writer, "writer_seq": 2, "is_pending": True, "payload": "/25vIGV2ZW50"} == garbage
    assert shown.stdout.isascii()
    assert all(line.isprintable() for line in shown.stdout.splitlines())


@pytest.mark.parametrize("text", [HOSTILE, "", "\ud800", "a" * 1001, "\U000e0041"])
def test_what_is_shown_is_printable(text: str) -> None:
    """Whatever the text, a terminal gets letters only."""
    assert visible(text).isprintable()
    if text != "\ud800":
        for is_ascii in (False, True):
            shown = visible_json([text], is_ascii=is_ascii)
            assert (True, [text]) == (shown.isprintable(), json.loads(shown))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id":"x","created_at":"9999-12-31T23:59:59-10:00"}',
        b'{"id":"x","created_at":"0001-01-01T00:00:00+10:00"}',
    ],
    ids=["nested", "last year", "first year"],
)
def test_an_entry_that_was_made_by_hand_stops_no_command(payload: bytes, tmp_path: Path) -> None:
    """Sound frames with anything in them are listed and shown like others."""
    file_set = FileSet(tmp_path, "app", "ab" * 16)
    header = SegmentHeader(
        number=1, writer_id="ab" * 16, created_ns=1, capacity=0, host="h", service="app", destination="cd" * 16
    )
    file_set.segment_path(1).write_bytes(header.encode() + encode_frame(1, payload, file_set.salt))
    for command in (("ls",), ("show",), ("show", "--json"), ("verify",)):
        done = audit_async("journal", *command, "--journal-dir", tmp_path)
        assert (0, "") == (done.returncode, done.stderr)


def test_a_limit_and_a_closed_pipe_end_it(sqlite_url: str, tmp_path: Path) -> None:
    """`--limit` stops after so many entries, and `| head` whenever it has seen enough."""
    leave_events(sqlite_url, tmp_path / "j", 20_000)
    for command in (f"journal show --journal-dir {tmp_path / 'j'}", "catalog"):
        piped = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {sys.executable} -m audit_async {command} | head -n 2"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (0, "", 2) == (piped.returncode, piped.stderr, len(piped.stdout.splitlines()))
    limited = audit_async("journal", "show", "--limit", 5001, "--json", "--journal-dir", tmp_path / "j")
    assert list(range(1, 5002)) == [json.loads(line)["writer_seq"] for line in limited.stdout.splitlines()]


def test_damage_is_verified_with_its_bytes(sqlite_url: str, tmp_path: Path) -> None:
    """A whole journal ends with 0, a damaged one with 1, its ranges and the missing numbers; nothing is changed."""
    leave_events(sqlite_url, tmp_path / "j", 30)
    fine = audit_async("journal", "verify", "--journal-dir", tmp_path / "j")
    assert (0, True) == (fine.returncode, "30 entries in 1 segment\n" in fine.stdout)
    segment = next((tmp_path / "j").glob("*.audj"))
    content = bytearray(segment.read_bytes())
    at = [index for index in range(len(content)) if content.startswith(b"\xf5\xad\x1e\xf6", index)]
    content[at[9] + 30] ^= 1
    content[at[29] + 30] ^= 1
    segment.write_bytes(content)
    before = snapshot(tmp_path / "j")
    hurt = audit_async("journal", "verify", "--journal-dir", tmp_path / "j")
    assert (1, "") == (hurt.returncode, hurt.stderr)
    assert f"segment 1: damaged, bytes {at[9]:,} to {at[10]:,}" in hurt.stdout
    assert f"segment 1: torn tail, bytes {at[29]:,} to" in hurt.stdout
    assert "entry 10 is missing" in hurt.stdout
    assert before == snapshot(tmp_path / "j")


def test_garbage_is_verified(tmp_path: Path) -> None:
    """Files of any bytes, links and another version end with 1 and words, never with a traceback."""
    base = f"app-{'0' * 32}"
    (tmp_path / f"{base}.lock").write_bytes(b"")
    (tmp_path / f"{base}.confirm").symlink_to(tmp_path)
    (tmp_path / f"{base}-000001.audj").write_bytes(os.urandom(100_000))
    (tmp_path / f"{base}-000002.audj").symlink_to("/dev/zero")
    (tmp_path / f"{base}-000003.audj").write_bytes(b"")
    later = b"AUDJSEG9".ljust(SEGMENT_HEADER_BYTES - 4, b"\0")
    (tmp_path / f"later-{'1' * 32}-000001.audj").write_bytes(later + struct.pack("<I", zlib.crc32(later)) + bytes(1000))
    done = audit_async("journal", "verify", "--journal-dir", tmp_path)
    assert (1, "") == (done.returncode, done.stderr)
    assert "segment 1: torn tail, bytes 256 to 100,000" in done.stdout
    assert "000002.audj cannot be opened" in done.stdout
    assert "another version" in done.stdout


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_url"])
def test_what_is_replayed_twice_is_stored_once(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Replay sends what waits, as often as one likes, leaves the files as they are, and other databases' alone."""
    given = request.getfixturevalue(url)
    journal_dir = tmp_path / "j"
    asyncio.run(create_table(given))
    leave_as("ours", given, journal_dir, 30)
    foreign = leave_as("foreign", ELSEWHERE, journal_dir)
    before = snapshot(journal_dir)
    first = audit_async("journal", "replay", given, "--journal-dir", journal_dir)
    again = audit_async("journal", "replay", given, "--journal-dir", journal_dir)
    assert [(0, ""), (0, "")] == [(done.returncode, done.stderr) for done in (first, again)]
    assert f"foreign {foreign.writer_id[:8]}; --adopt" in first.stdout
    assert (30, before) == (asyncio.run(count_rows(given)), snapshot(journal_dir))
    adopted = audit_async(
        "journal", "replay", foreign.writer_id[:8], "--adopt", "--journal-dir", journal_dir, AUDIT_DATABASE_URL=given
    )
    assert (0, 33) == (adopted.returncode, asyncio.run(count_rows(given)))


async def test_a_living_writer_is_not_disturbed_by_a_replay(postgres_url: str, tmp_path: Path) -> None:
    """What it has delivered and still has comes back into a table that lost it; its session and its lock stay."""
    await create_table(postgres_url)
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "j", service="ours") as audit:
        for number in range(50):
            audit.log(events.custom("report.print", details={"number": number}))
        assert await audit.flush()
        found = set_of(tmp_path / "j", "ours")
        mine = await asyncpg.connect(
            postgres_url.replace("+asyncpg", ""), server_settings={"application_name": f"audit/{found.writer_id}"}
        )
        await run_sql(postgres_url, "DELETE FROM audit_logs")
        done = await asyncio.to_thread(audit_async, "journal", "replay", postgres_url, "--journal-dir", tmp_path / "j")
        assert (0, "") == (done.returncode, done.stderr)
        assert list(range(50)) == sorted(row["details"]["number"] for row in await all_rows(postgres_url))
        assert 1 == await mine.fetchval("SELECT 1")
        await mine.close()
        audit.log(events.custom("report.print", details={"number": 50}))
        assert await audit.flush()
    assert 51 == await count_rows(postgres_url)
    await eventually(lambda: not survey(tmp_path / "j"))


def test_a_part_is_replayed(sqlite_url: str, tmp_path: Path) -> None:
    """By time, by writer, and whole entries of what was kept as damage; what cannot be sent is told."""
    logger = AuditLogger(sqlite_url, journal_dir=tmp_path / "j", writer="none", service="ours")
    for day in (1, 2, 3):
        logger.log(events.custom("report.print", created_at=f"2026-01-0{day}T12:00:00Z"))
    logger.close_sync()
    files = set_of(tmp_path / "j", "ours").file_set
    event = encode(events.custom("report.print", created_at="2026-02-01T00:00:00Z"))
    frames = [encode_frame(seq, payload, files.salt) for seq, payload in ((7, event), (8, b"no event"))]
    files.keep_damage(1, 999, b"\xff" * 9 + frames[0] + b"\xff" + frames[1])
    replay = ("journal", "replay", sqlite_url)
    done = audit_async(*replay, "--since", "2026-01-03", "--journal-dir", tmp_path / "j")
    assert (1, True) == (done.returncode, "1 is no event" in done.stdout), done.stdout
    assert ["2026-01-03", "2026-02-01"] == [row["created_at"][:10] for row in asyncio.run(all_rows(sqlite_url))]
    wrong = audit_async(*replay, "ffff" + files.writer_id, "--journal-dir", tmp_path / "j")
    assert (2, True) == (wrong.returncode, "journal ls" in wrong.stderr)
    wrong = audit_async(*replay, "--since", "yesterday", "--journal-dir", tmp_path / "j")
    assert (2, True) == (wrong.returncode, "is no time" in wrong.stderr)


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    """After the time given, with what to do, and nothing is lost."""
    leave_events(ELSEWHERE, tmp_path / "j", 3)
    done = audit_async("journal", "replay", ELSEWHERE, "--timeout", "0.5", "--journal-dir", tmp_path / "j")
    assert (1, True) == (done.returncode, "127.0.0.1:1" in done.stderr)
    assert "Traceback" not in done.stderr
    assert 3 == len(audit_async("journal", "show", "--journal-dir", tmp_path / "j").stdout.splitlines())
