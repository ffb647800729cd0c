"""`audit-async quarantine`, run as a person runs it: nothing leaves it that is not in the table, or told of."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table, events
from audit_async.entry import encode
from audit_async.settings import read_settings
from audit_async.store.kept import Kept, look_through, taking_out
from audit_async.store.quarantine import Quarantine
from tests.polling import eventually
from tests.tables import all_rows, count_rows, run_sql
from tests.test_cli import audit_async

WRITER = "ab" * 16
ELSEWHERE = "postgresql+asyncpg://app@127.0.0.1:1/app"
HOSTILE = "a\x1b[31m\n[bold]:bug:\u202e"


def quarantine(url: str, journal_dir: Path) -> Quarantine:
    return Quarantine(journal_dir, read_settings(url, journal_dir=journal_dir).destination)


def put(url: str, journal_dir: Path, *numbers: int, first_seq: int = 1, action: str = "report.print") -> list[str]:
    """Be a writer whose database refused events, and return their ids."""
    ids = []
    place = quarantine(url, journal_dir)
    for seq, number in enumerate(numbers, first_seq):
        event = events.custom(action, details={"number": number})
        assert place.add(WRITER, seq, encode(event), "table audit_logs refuses a row [22001]", "22001")
        ids.append(event.id)
    return ids


def kept(journal_dir: Path) -> list[Kept]:
    return look_through(journal_dir / "quarantine")


def numbers(url: str) -> list[int]:
    rows = asyncio.run(all_rows(url))
    return sorted(row["details"]["number"] for row in rows if row["action"] == "report.print")


async def test_what_a_real_database_refuses_is_listed_shown_and_tried_again(postgres_url: str, tmp_path: Path) -> None:
    """The reason and the event are told; as long as it is refused it stays, once it is stored its file goes."""
    await create_table(postgres_url)
    await run_sql(postgres_url, "ALTER TABLE audit_logs ADD CONSTRAINT no_secrets CHECK (user_id <> 'u-13')")
    async with AuditLogger(postgres_url, journal_dir=tmp_path) as audit:
        for number in range(20):
            audit.log(events.custom("report.print", user_id=f"u-{number}", tags=["x"], details={"number": number}))
        await eventually(lambda: audit.stats().quarantined)
    [item] = kept(tmp_path)
    at = ("--journal-dir", tmp_path)
    listed = await asyncio.to_thread(audit_async, "quarantine", "ls", *at)
    assert (0, "") == (listed.returncode, listed.stderr)
    assert all(told in listed.stdout for told in (item.id, "report.print", "no_secrets", "23514"))
    shown = await asyncio.to_thread(audit_async, "quarantine", "show", item.id, *at)
    assert all(told in shown.stdout for told in ("user_id: u-13", 'details: {"number":13}', "no_secrets"))
    refused = await asyncio.to_thread(audit_async, "quarantine", "retry", item.id[:30], "--url", postgres_url, *at)
    assert (1, True) == (refused.returncode, f"refused {item.id}" in refused.stdout), refused
    assert [item] == kept(tmp_path)
    await run_sql(postgres_url, "ALTER TABLE audit_logs DROP CONSTRAINT no_secrets")
    stored = await asyncio.to_thread(audit_async, "quarantine", "retry", postgres_url, "--all", *at)
    assert (0, "") == (stored.returncode, stored.stderr)
    assert f"stored {item.id}" in stored.stdout
    assert ([], 20) == (kept(tmp_path), await count_rows(postgres_url))


def test_what_is_in_the_table_already_leaves_the_quarantine(sqlite_url: str, tmp_path: Path) -> None:
    """An earlier retry that was killed between row and file does no harm; others' events need --adopt."""
    put(sqlite_url, tmp_path, 1, 2)
    copy = [(item.path, item.path.read_bytes()) for item in kept(tmp_path)]
    put(ELSEWHERE, tmp_path, 3, first_seq=3)
    first = audit_async("quarantine", "retry", "--all", "--url", sqlite_url, "--journal-dir", tmp_path)
    assert (0, True) == (first.returncode, "1 left, which another database refused" in first.stdout)
    for path, content in copy:
        path.write_bytes(content)
    again = audit_async("quarantine", "retry", sqlite_url, "--all", "--adopt", "--journal-dir", tmp_path)
    assert (0, []) == (again.returncode, kept(tmp_path))
    assert [1, 2, 3] == numbers(sqlite_url)


def test_a_retry_beside_a_writer_loses_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """Whatever a living writer adds while others are taken out is in the table or in quarantine, each once."""
    put(sqlite_url, tmp_path, *range(50))
    retry = ("quarantine", "retry", sqlite_url, "--all", "--journal-dir", tmp_path)
    done: list[int] = []

    def take_out() -> None:
        while 0 not in done:
            done.append(audit_async(*retry).returncode or len(kept(tmp_path)))

    thread = threading.Thread(target=take_out)
    thread.start()
    for number in range(50, 300):
        put(sqlite_url, tmp_path, number, first_seq=number + 1)
        # A crash before the mark adds the same one again.
        put(sqlite_url, tmp_path, number, first_seq=number + 1) if number % 50 == 0 else None
    thread.join(50)
    while kept(tmp_path):
        assert 0 == audit_async(*retry).returncode
    assert set(range(300)) == set(numbers(sqlite_url))


def kill_after(lines: int, *arguments: str) -> list[bytes]:
    """Run the tool, and kill it after so many lines; it cannot say many more than these, and waits."""
    with subprocess.Popen(
        [sys.executable, "-m", "audit_async", *arguments],
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as child:
        assert child.stdout is not None
        fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, 4096)
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
    return said


async def test_a_killed_retry_loses_nothing(postgres_url: str, tmp_path: Path) -> None:
    """Killed after some of them, every event is in the table or in quarantine; the next time brings in the rest."""
    await create_table(postgres_url)
    await asyncio.to_thread(put, postgres_url, tmp_path, *range(200))
    retry = ("quarantine", "retry", postgres_url, "--all", "--journal-dir", str(tmp_path))
    said = await asyncio.to_thread(kill_after, 20, *retry)
    assert all(line.startswith(b"stored ") for line in said)
    left = {(item.item.event or {})["id"] for item in kept(tmp_path) if item.item is not None}
    rows = {row["id"] for row in await all_rows(postgres_url)}
    assert (200, True) == (len(left | rows), 0 < len(left) < 200)
    again = await asyncio.to_thread(audit_async, *retry)
    assert (0, [], 200) == (again.returncode, kept(tmp_path), await count_rows(postgres_url))


def test_two_do_not_take_out_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """The second is told so, and changes nothing."""
    put(sqlite_url, tmp_path, 1)
    with taking_out(tmp_path / "quarantine"):
        done = audit_async("quarantine", "drop", sqlite_url, "--all", "--yes", "--journal-dir", tmp_path)
    assert (1, True, 1) == (done.returncode, "another process" in done.stderr, len(kept(tmp_path)))
    assert [] == asyncio.run(_actions(sqlite_url))


async def _actions(url: str) -> list[str]:
    return [row["action"] for row in await all_rows(url)] if await count_rows(url) else []


def test_what_is_dropped_is_told_in_the_table(sqlite_url: str, tmp_path: Path) -> None:
    """By name and with --yes; an event says how many, which, and who did it."""
    put(sqlite_url, tmp_path, 1, 2)
    first, second = kept(tmp_path)
    done = audit_async("quarantine", "drop", sqlite_url, first.number, "--yes", "--journal-dir", tmp_path)
    assert (0, "") == (done.returncode, done.stderr)
    assert [second] == kept(tmp_path)
    [row] = asyncio.run(all_rows(sqlite_url))
    assert ("audit.quarantine.dropped", {"count": 1, "ids": [first.id]}) == (row["action"], row["details"])
    assert ("user", "security", "high") == (row["actor_type"], row["category"], row["severity"])
    assert row["actor_id"]
    assert ["quarantine"] == [path.name for path in tmp_path.iterdir() if path.suffix != ".db"]


def test_what_is_dropped_while_the_database_is_away_is_told_later(tmp_path: Path) -> None:
    """The event waits on disk, for whoever delivers next, before a file goes."""
    put(ELSEWHERE, tmp_path, *range(51))
    done = audit_async("quarantine", "drop", ELSEWHERE, "--all", "--yes", "--journal-dir", tmp_path)
    assert (0, []) == (done.returncode, kept(tmp_path))
    shown = audit_async("journal", "show", "--json", "--journal-dir", tmp_path).stdout.splitlines()
    assert [50, 1] == [json.loads(line)["event"]["details"]["count"] for line in shown]


@pytest.mark.parametrize(("typed", "left"), [("2\n", 0), ("y\n", 2)])
def test_a_person_confirms_by_the_number(typed: str, left: int, sqlite_url: str, tmp_path: Path) -> None:
    """At a terminal only the right number drops anything."""
    put(sqlite_url, tmp_path, 1, 2)
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "audit_async",
            "quarantine",
            "drop",
            sqlite_url,
            "--all",
            "--journal-dir",
            str(tmp_path),
        ],
        stdin=theirs,
        capture_output=True,
        timeout=50,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert (left, bool(left)) == (len(kept(tmp_path)), bool(done.returncode))
    assert (not left) == bool(asyncio.run(_actions(sqlite_url)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drop", "--all"), "give --yes"),
        (("drop", "--yes"), "say which events"),
        (("retry", "0", "--all"), "say which events"),
        (("retry", "nonsense"), "nothing in quarantine is named 'nonsense'"),
        (("retry", "0"), "give more of the id"),
        (("show", "nonsense"), "nothing in quarantine is named"),
        (("drop", "abababab-3", "--yes"), "another database"),
    ],
)
def test_wrong_use_is_said_and_changes_nothing(
    arguments: tuple[str, ...], said: str, sqlite_url: str, tmp_path: Path
) -> None:
    """What cannot be meant ends with 2, with what to do."""
    put(sqlite_url, tmp_path, 1, 2)
    put(ELSEWHERE, tmp_path, 3, first_seq=3)
    done = audit_async("quarantine", *arguments, "--url", sqlite_url, "--journal-dir", tmp_path)
    assert (2, True, True) == (done.returncode, said in done.stderr, "HINT" in done.stderr), done
    assert 3 == len(kept(tmp_path))


def test_without_a_database_nothing_is_dropped_or_made(tmp_path: Path) -> None:
    """A forgotten address makes no embedded database."""
    put(ELSEWHERE, tmp_path, 1)
    done = subprocess.run(
        [sys.executable, "-m", "audit_async", "quarantine", "drop", "--all", "--yes", "--journal-dir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (2, True) == (done.returncode, "no database is given" in done.stderr)
    assert ["quarantine"] == [path.name for path in tmp_path.iterdir()]


def test_what_cannot_be_read_is_listed_and_stays(sqlite_url: str, tmp_path: Path) -> None:
    """Garbage, links, pipes, another version's files and bytes that are no event: each has a name and a reason, and
    goes only when it is named."""
    put(sqlite_url, tmp_path, 1)
    directory, destination = tmp_path / "quarantine", quarantine(sqlite_url, tmp_path).destination
    quarantine(sqlite_url, tmp_path).add(WRITER, 2, b"\xff\x1b[31m", "no event", None)
    odd = {seq: directory / f"{destination}-{WRITER}-{seq:012d}.json" for seq in range(3, 8)}
    odd[3].write_bytes(b"\x1b[31m{")
    odd[4].symlink_to(kept(tmp_path)[0].path)
    os.mkfifo(odd[5])
    odd[6].write_bytes(b'{"format": 2, "what": "later"}')
    odd[7].mkdir()
    (directory / "[x]\x1b.json").write_bytes(b"")
    (directory / "draft.new").write_bytes(b"")
    listed = audit_async("quarantine", "ls", "--journal-dir", tmp_path)
    assert (0, "") == (listed.returncode, listed.stderr)
    assert listed.stdout.replace("\n", "").isprintable()
    assert all(f"  abababab-{seq}  " in listed.stdout for seq in range(2, 8))
    assert "[x]\\x1b" in listed.stdout
    shown = audit_async("quarantine", "show", "abababab-2", "--journal-dir", tmp_path)
    assert (1, True) == (shown.returncode, r"no event: b'\xff\x1b[31m'" in shown.stdout)
    done = audit_async("quarantine", "retry", sqlite_url, "--all", "--journal-dir", tmp_path)
    assert (1, True) == (done.returncode, "1 stored, 6 still in quarantine" in done.stdout), done
    gone = audit_async("quarantine", "drop", sqlite_url, "--all", "--yes", "--journal-dir", tmp_path)
    assert (0, True) == (gone.returncode, "dropped abababab-2" in gone.stdout)
    assert all(path.exists() or path.is_symlink() for path in odd.values())
    named = audit_async(
        "quarantine", "drop", sqlite_url, "abababab-6", "abababab-4", "--yes", "--journal-dir", tmp_path
    )
    assert (0, True) == (named.returncode, not odd[6].exists() and not odd[4].is_symlink())


def test_what_is_shown_commands_no_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """Whatever the event and the database said is shown as letters."""
    event = events.custom(HOSTILE, id=HOSTILE, actor_id=HOSTILE, details={HOSTILE: HOSTILE})
    quarantine(sqlite_url, tmp_path).add(WRITER, 1, encode(event), HOSTILE, HOSTILE)
    for command in (("ls",), ("show", "abababab-1")):
        shown = audit_async("quarantine", *command, "--journal-dir", tmp_path).stdout
        assert shown.replace("\n", "").isprintable()
        assert "\\x1b[31m" in shown


@pytest.mark.parametrize("command", ["ls", "retry"])
def test_an_empty_quarantine_is_no_fault(command: str, sqlite_url: str, tmp_path: Path) -> None:
    """Where none is there it is said; a linked one is refused."""
    arguments = ("quarantine", command, *(["--all"] if command == "retry" else []), "--journal-dir", tmp_path)
    empty = audit_async(*arguments, AUDIT_DATABASE_URL=sqlite_url)
    assert (0, True) == (empty.returncode, "Nothing is in quarantine" in empty.stdout)
    (tmp_path / "quarantine").symlink_to("/")
    linked = audit_async(*arguments, AUDIT_DATABASE_URL=sqlite_url)
    assert (2, True) == (linked.returncode, "symbolic link" in linked.stderr)
