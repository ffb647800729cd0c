"""The demo is an example, and its proof is worth something: it loses nothing of a record, and it can fail."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import create_engine

from audit_async import AuditLogger, Outcome, create_table
from audit_async.compat.desktop import OLD_TABLES
from scripts.demo_parts.__main__ import USAGE, Demo, main
from scripts.demo_parts.children import Children, Job
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.old_tables import OldTable, OldTables, by_hand
from scripts.demo_parts.places import SqlitePlace
from scripts.demo_parts.proof import Proof, prove
from scripts.demo_parts.records import OWN_RECORDS, REAL_RECORDS, Record, read_records
from scripts.demo_parts.screen import Screen
from tests.seeds import desktop
from tests.tables import all_rows

KEY = ("0192f3a0-0000-7000-8000-000000000001", "2025-03-03T08:00:00.000000Z")
OTHER = ("0192f3a0-0000-7000-8000-000000000002", "2025-03-03T08:00:00.000000Z")
USE_LOG = "nano_banana_user_use_log"
STRANGE_LINES = (
    b'{"CreationTime": "2025-03-03T08:00:00", "Id": "no uuid", "Operation": "CallRecorded", "UserId": 5, "Actor": 7, '
    b'"Target": [1, {"ID": null}], "ModifiedProperties": 3, "ExtendedProperties": '
    b'[{"Name": "additionalDetails", "Value": "["}]}',
    b'{"CreationTime": "yesterday", "Id": "1", "Operation": "UserLoggedIn"}',
    b'{"hello": "\\ud800 \\u0000", "n": 1e999}',
    b"[1, 2]",
    b"no JSON \xff at all",
    b'{"CreationTime": "0001-01-01T00:00:00+14:00", "Id": "1", "Operation": "x"}',
    b"[" * 100_000,
)


@pytest.fixture(scope="module", params=["own", "real"])
def records(request: pytest.FixtureRequest) -> list[Record]:
    file = OWN_RECORDS if request.param == "own" else REAL_RECORDS
    if not file.exists():
        pytest.skip(f"the real records are not on this machine: there is no {file}")
    return read_records(file, rounds=1)


# --- from a record to an event ---------------------------------------------------------------------------


def test_no_value_of_a_record_is_lost(records: list[Record]) -> None:
    """Whatever a record says, its event says somewhere."""
    for record in records:
        assert set(_texts(record.body)) - set(_texts(event_of(record).to_dict(), keys=True)) == set()


async def test_every_record_is_in_the_table_whole(records: list[Record], tmp_path: Path) -> None:
    """No record is refused, and its row says whatever it said, but for what is called a credential."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"
    async with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
        for record in records:
            audit.log(event_of(record))
        assert await audit.flush(30)
        assert (0, 0, len(records)) == (audit.stats().refused, audit.stats().dropped, audit.stats().stored)
    rows = {row["id"]: row for row in await all_rows(url)}
    for record in records:
        lost = set(_texts(record.body)) - set(_texts(rows[record.id], keys=True))
        assert lost <= {text for name, text in _properties(record.body) if name == "Credential"}


def test_event_is_known_by_id_and_time_of_its_record(records: list[Record]) -> None:
    """A record that is read and logged again is the same event."""
    for record in records:
        event = event_of(record)
        assert isinstance(record.body, dict)
        assert (event.id, event.created_at) == (record.body["Id"], record.happened_at)


def test_log_ins_and_roles_get_canonical_names(records: list[Record]) -> None:
    """A log-in is `sso.login` with its outcome, a role that is given `role.assign`, and no operation is unknown."""
    by_operation = {record.body["Operation"]: event_of(record) for record in records if isinstance(record.body, dict)}
    assert _named(by_operation["UserLoggedIn"]) == ("sso.login", Outcome.SUCCESS)
    assert _named(by_operation["UserLoginFailed"]) == ("sso.login", Outcome.FAILURE)
    assert by_operation["UserLoginFailed"].error_message
    assert _named(by_operation["Add member to role."]) == ("role.assign", Outcome.SUCCESS)
    assert by_operation["Add member to role."].details["role_name"]
    assert [event.action for event in by_operation.values() if event.action.startswith("m365.")] == []


def test_rounds_are_events_of_their_own() -> None:
    """A record in another round has another id, always the same one, and the same time."""
    first, again = read_records(OWN_RECORDS, rounds=3), read_records(OWN_RECORDS, rounds=3)
    assert [record.key for record in first] == [record.key for record in again]
    assert len({record.id for record in first}) == 3 * len({record.body["Id"] for record in first})  # type: ignore[index]


def test_any_line_makes_an_event(tmp_path: Path) -> None:
    """A line that is no Microsoft 365 record is refused no more than one that is."""
    file = tmp_path / "strange.jsonl"
    file.write_bytes(b"\n".join((*STRANGE_LINES, b"", b"  ")))
    made = [event_of(record) for record in read_records(file, rounds=1)]
    assert [event.action for event in made] == ["m365.call_recorded", *["import.line"] * 6]


# --- the proof -------------------------------------------------------------------------------------------


def test_proof_holds_when_each_event_is_there_once() -> None:
    """Planned, returned and stored agree; what was returned twice, after a kill, does not matter."""
    assert prove([KEY, OTHER], [OTHER, KEY, KEY], [KEY, OTHER]).holds


@pytest.mark.parametrize(
    ("returned", "stored", "fault"),
    [
        ([KEY, OTHER], [KEY], "missing"),
        ([KEY, OTHER], [KEY, OTHER, OTHER], "doubled"),
        ([KEY, OTHER], [KEY, OTHER, (OTHER[0], "2025-03-03T08:00:01.000000Z")], "doubled"),
        ([KEY, OTHER], [KEY, (OTHER[0], "2025-03-03T08:00:01.000000Z")], "missing"),
        ([KEY, OTHER], [KEY, OTHER, ("unknown", KEY[1])], "foreign"),
        ([KEY], [KEY, OTHER], "unlogged"),
    ],
)
def test_proof_fails(returned: list[tuple[str, str]], stored: list[tuple[str, str]], fault: str) -> None:
    """A row too few, a row too many, one of nobody's, or an event that nobody logged: each is counted."""
    proof = prove([KEY, OTHER], returned, stored)
    assert (proof.holds, getattr(proof, fault)) == (False, 1)


async def test_proof_reads_the_table(tmp_path: Path) -> None:
    """A row that is deleted, or doubled, after it was stored well is found."""
    place = SqlitePlace(tmp_path / "audit.db")
    records = read_records(OWN_RECORDS, rounds=2)
    async with AuditLogger(place.url, journal_dir=tmp_path / "journal") as audit:
        for record in records * 2:
            audit.log(event_of(record))
        assert await audit.flush()
    assert _prove(records, place).holds

    with contextlib.closing(sqlite3.connect(place.file)) as table, table:
        table.execute("UPDATE audit_logs SET created_at = '2025-01-01T00:00:00.000000Z' WHERE rowid = 1")
        columns = "action, category, severity, outcome, details, metadata, tags"
        table.execute(
            f"INSERT INTO audit_logs (id, created_at, {columns}) "
            f"SELECT id, '2025-01-01T00:00:00.000000Z', {columns} FROM audit_logs WHERE rowid = 2"
        )
        table.execute("DELETE FROM audit_logs WHERE rowid = 3")
    proof = _prove(records, place)
    assert (proof.holds, proof.missing, proof.doubled) == (False, 2, 1)


# --- the whole of it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sabotage", "holds"),
    [
        ("", True),
        ("DELETE FROM audit_logs WHERE rowid = NEW.rowid AND action = 'role.assign'", False),
    ],
)
async def test_demo_believes_the_table_alone(tmp_path: Path, sabotage: str, holds: bool) -> None:
    """The demo ends well when all is well, and badly when the table loses rows that it had acknowledged."""
    place = SqlitePlace(tmp_path / "audit.db")
    await create_table(place.url)
    if sabotage:
        with contextlib.closing(sqlite3.connect(place.file)) as table, table:
            table.execute(f"CREATE TRIGGER thief AFTER INSERT ON audit_logs BEGIN {sabotage}; END")
    records = read_records(OWN_RECORDS, rounds=2)
    screen = Screen(Console(file=io.StringIO()))
    demo = Demo(file=OWN_RECORDS, rounds=2, records=records, place=place, folder=tmp_path, screen=screen)
    assert await _in_thread(demo.run) is holds


def test_children_are_gone_when_something_breaks(tmp_path: Path) -> None:
    """Whatever ends the demo, a Ctrl-C above all, ends its child processes."""
    environment = {
        "AUDIT_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}",
        "AUDIT_JOURNAL_DIR": str(tmp_path / "journal"),
    }
    job = Job(way="scheduler", file=OWN_RECORDS, rounds=1000, share=0, shares=1)
    with contextlib.suppress(KeyboardInterrupt), Children(environment) as children:
        child = children.start(job)
        next(children.listen())
        raise KeyboardInterrupt
    assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("sabotage", "holds"),
    [
        ("", True),
        (
            f"CREATE TRIGGER thief AFTER INSERT ON {USE_LOG} BEGIN DELETE FROM {USE_LOG} WHERE id = NEW.id - 1; END",
            False,
        ),
    ],
)
async def test_old_tables_are_believed_alone(tmp_path: Path, sabotage: str, holds: bool) -> None:
    """One event is shown as it stands in each table; a row that is missing in any of them is a failure."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as file:
        sync = create_engine("sqlite://", creator=lambda: file)
        desktop.metadata.create_all(sync)
        file.executescript(sabotage)
    places = [
        OldTable(title="the old ones", url=url, folder=tmp_path / "1", maps=OLD_TABLES, metadata=desktop.metadata),
        OldTable(title="our own", url=f"sqlite+aiosqlite:///{tmp_path / 'own.db'}", folder=tmp_path / "2"),
    ]
    happened = [*by_hand(), *by_hand(), *(event_of(record) for record in read_records(OWN_RECORDS, rounds=1))]
    said = io.StringIO()
    assert await _in_thread(OldTables(places, happened, Screen(Console(file=said))).run) is holds
    lines = [" ".join(line.split()) for line in said.getvalue().splitlines()]
    assert max(map(len, said.getvalue().splitlines())) <= 100
    assert ("action api.request" in lines, "duration_ms 1204" in lines, "duration_ms 1204.5" in lines) == (True,) * 3
    mark = "✓" if holds else "✗"
    counted = [line for line in lines if " events, " in line and "folded" in line]
    assert [f"{mark} the old ones 4 events,", f"✓ our own {len(happened)} events,"] == [
        f"{line.partition(' events,')[0]} events," for line in counted
    ]


def test_missing_file_is_told_in_two_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is named, with what to do, and the exit code says wrong use."""
    assert main(["nowhere.jsonl", "--called-from", str(tmp_path)]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "nowhere.jsonl" in lines[0]
    assert "HINT" in lines[1]


def _texts(value: Any, *, keys: bool = False) -> Iterator[str]:
    """Give every value in *value* as text, and with *keys* also the names: a property's name becomes one."""
    if isinstance(value, dict):
        if keys:
            yield from value
        for item in value.values():
            yield from _texts(item, keys=keys)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, keys=keys)
    elif value not in ("", None):
        yield value if isinstance(value, str) else json.dumps(value, default=str)


def _properties(body: Any) -> Iterator[tuple[str, str]]:
    for item in body.get("ModifiedProperties") or []:
        yield from ((item["Name"], item[name]) for name in ("OldValue", "NewValue"))


def _named(event: Any) -> tuple[str, Outcome]:
    return event.action, event.outcome


def _prove(records: list[Record], place: SqlitePlace) -> Proof:
    keys = [record.key for record in records]
    return prove(keys, keys, [(event_id, moment) for event_id, moment in place.fetch(place.keys)])


async def _in_thread(function: Any) -> Any:
    import anyio.to_thread

    return await anyio.to_thread.run_sync(function)
