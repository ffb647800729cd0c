"""A file comes into the table: all of it, each record once, at the pace of the table, and with a true report."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from audit_async import AuditLogger, TableMap, audit_context, create_table, events
from audit_async.config import IMPORT_BATCH_RECORDS, JOURNAL_MIN_BYTES, MAX_OPERATIONS
from audit_async.errors import AuditError
from audit_async.importing import Report, Seen, import_file
from audit_async.importing.cursor import SUFFIX
from audit_async.importing.repeats import remembered
from audit_async.importing.report import OTHERS
from tests.importing.cancelled import import_in_part
from tests.importing.files import TIME, events_of, lines, operations_of, real_records
from tests.logs import heard
from tests.polling import eventually
from tests.slow_disk import Disk
from tests.tables import all_rows, count_rows, run_sql


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Each database, empty."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


async def test_the_real_records_are_in_the_table(url: str, tmp_path: Path) -> None:
    """Counts by operation are those of a plain re-calculation, in the report and in the table; a second time changes
    nothing."""
    await create_table(url)
    file = real_records(tmp_path)
    counts = operations_of(file)
    for run in (1, 2):
        async with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
            report = await import_file(file, "m365", audit=audit)
        assert (595, 595, 0, 0, True) == (
            report.mapped,
            report.confirmed,
            report.earlier,
            report.refused,
            report.is_complete,
        )
        assert counts == {each.operation: each.count for each in report.mappings}
        rows = [row for row in await all_rows(url) if row["action"] != "data.import"]
        assert counts == Counter(row["metadata"]["operation"] for row in rows)
        assert run == await count_rows(url) - len(rows)
    ids = {json.loads(line)["Id"] for line in file.read_bytes().splitlines()}
    assert ids == {row["id"] for row in rows}
    assert not file.with_name(file.name + SUFFIX).exists()


async def test_records_that_are_alike_are_each_in_the_table(
    audit: AuditLogger, sqlite_url: str, tmp_path: Path
) -> None:
    """Without an id of their own as well: as many as there are, and no more of them after a second time."""
    file = lines(tmp_path / "file", [*events_of(3), *events_of(5), *events_of(1)])
    for _ in range(2):
        report = await import_file(file, "jsonl", audit=audit, logs_itself=False)
        assert (9, 9) == (report.confirmed, await count_rows(sqlite_url))


async def test_a_table_of_somebody_else_knows_an_event_by_its_id(sqlite_url: str, tmp_path: Path) -> None:
    """There one of two with the same id is refused, whatever their times."""
    await run_sql(sqlite_url, "CREATE TABLE seen (id TEXT PRIMARY KEY, what TEXT)")
    table = TableMap(table="seen", columns={"id": "id", "what": "action"}, left_out=("details",))
    both = [{"id": "1", "created_at": f"2026-03-0{day}", "action": "a.b"} for day in (1, 2)]
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "j", table=table) as audit:
        report = await import_file(lines(tmp_path / "file", both), "jsonl", audit=audit, logs_itself=False)
    assert (1, 1, 1) == (report.confirmed, report.refused, await count_rows(sqlite_url, "seen"))
    assert "it has the id of line 1, and says something else" == report.rejected[0].reason


def test_what_an_import_remembers_needs_room_on_disk() -> None:
    """Where there is none it ends, and says what to do."""
    event = events.custom("a.b")
    with remembered(has_time_in_key=True) as repeats:
        repeats._connection.execute("PRAGMA max_page_count=20")
        with pytest.raises(AuditError, match="cannot be kept") as told:
            any(repeats.is_repeated(msgspec.structs.replace(event, id=str(number)), number) for number in range(20_000))
    assert "SQLITE_TMPDIR" in str(told.value.hint)


async def test_an_import_tells_of_itself(audit: AuditLogger, sqlite_url: str, tmp_path: Path) -> None:
    """One event says which file, with a digest of it, how many, and how it ended, and who the caller says it was."""
    file = lines(tmp_path / "file", [*events_of(2), {"action": "no.time"}])
    with audit_context(actor_id="ann", request_id="r-1"):
        report = await import_file(file, "jsonl", audit=audit, tenant_id="t-1")
    assert await audit.flush()
    (own,) = [row for row in await all_rows(sqlite_url) if row["action"] == "data.import"]
    assert ("partial", "t-1", "ann", "file", 2, str(file)) == (
        *(own[name] for name in ("outcome", "tenant_id", "actor_id", "resource_id")),
        own["details"]["row_count"],
        own["details"]["source"],
    )
    assert (3, 1, report.sha256) == tuple(own["details"][name] for name in ("records", "refused", "sha256"))


async def test_the_caller_s_context_is_not_the_records(audit: AuditLogger, sqlite_url: str, tmp_path: Path) -> None:
    """Who imports a log did none of what it tells."""
    file = lines(tmp_path / "file", events_of(1))
    with audit_context(actor_id="ann", tenant_id="t-1", request_id="r-1"):
        await import_file(file, "jsonl", audit=audit, logs_itself=False)
    (row,) = await all_rows(sqlite_url)
    assert (None, None, None) == (row["actor_id"], row["tenant_id"], row["request_id"])


async def test_a_dry_run_logs_nothing(audit: AuditLogger, tmp_path: Path) -> None:
    """It says what would become of the file, and leaves no trace."""
    file = lines(tmp_path / "file", events_of(3, other=1))
    report = await import_file(file, "jsonl", audit=audit, dry_run=True)
    assert (3, 0, True, (("other", 3),)) == (report.mapped, report.confirmed, report.is_dry_run, report.folded)
    assert (0, ["file"]) == (audit.stats().accepted, [each.name for each in tmp_path.iterdir() if each.is_file()])


@pytest.mark.parametrize("seconds", [0.0, 0.3])
async def test_the_smallest_journal_will_do(seconds: float, sqlite_url: str, tmp_path: Path, disk: Disk) -> None:
    """An import that is larger than the journal refuses nothing: it waits for the table, and for a slow disk."""
    disk.seconds = seconds
    size = 5 * JOURNAL_MIN_BYTES // 4
    file = lines(tmp_path / "file", events_of(size // 8000, description="a word " * 1200))
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "j", journal_max_bytes=JOURNAL_MIN_BYTES) as audit:
        report = await import_file(file, "jsonl", audit=audit, logs_itself=False)
        assert (size // 8000, 0, 0) == (report.confirmed, audit.stats().refused, audit.stats().waits)
    assert size // 8000 == await count_rows(sqlite_url)


async def test_a_table_that_takes_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """It stops, says why, and a later run with a table brings all of it, each once."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'locked' / 'audit.db'}"
    file = lines(tmp_path / "file", events_of(IMPORT_BATCH_RECORDS + 5))
    async with AuditLogger(url, journal_dir=tmp_path / "j") as audit:
        stopped = await import_file(file, "jsonl", audit=audit, wait_seconds=0.2, logs_itself=False)
        assert (False, 0, True) == (stopped.is_complete, stopped.confirmed, bool(stopped.stopped))
        await audit.close(0)
    (tmp_path / "locked").mkdir()
    async with AuditLogger(url, journal_dir=tmp_path / "j") as audit:
        report = await import_file(file, "jsonl", audit=audit, logs_itself=False)
        assert (True, len(events_of(0)) + IMPORT_BATCH_RECORDS + 5) == (report.is_complete, report.confirmed)
        await eventually(lambda: audit.stats().adopted_stored)
    assert IMPORT_BATCH_RECORDS + 5 == await count_rows(url)


@pytest.mark.parametrize("suffix", ["", ".gz"])
async def test_a_cancelled_import_goes_on_where_it_was(
    suffix: str, audit: AuditLogger, sqlite_url: str, tmp_path: Path
) -> None:
    """What was confirmed is not logged again, the report is of the whole file, and the cancelled run is told of."""
    count = 3 * IMPORT_BATCH_RECORDS
    file = lines(tmp_path / "plain", events_of(count))
    if suffix:
        file = tmp_path / "packed.gz"
        file.write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    await import_in_part(file, audit)
    report = await import_file(file, "jsonl", audit=audit)
    assert (count, True, True) == (report.confirmed, report.earlier >= IMPORT_BATCH_RECORDS, report.is_complete)
    assert await audit.flush()
    told = [row["outcome"] for row in await all_rows(sqlite_url) if row["action"] == "data.import"]
    assert (["cancelled", "success"], count + 2) == (told, await count_rows(sqlite_url))


@pytest.mark.parametrize("change", ["another file", "another tenant", "another table", "damage"])
async def test_a_cursor_of_something_else_counts_for_nothing(change: str, audit: AuditLogger, tmp_path: Path) -> None:
    """Only the same records, read in the same way, into the same table go on; anything else begins anew."""
    file = lines(tmp_path / "file", events_of(3 * IMPORT_BATCH_RECORDS))
    await import_in_part(file, audit)
    cursor = file.with_name(file.name + SUFFIX)
    assert cursor.exists()
    options: dict[str, Any] = {"audit": audit}
    other = AuditLogger(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}", journal_dir=tmp_path / "other")
    if change == "another file":
        lines(file, [*events_of(IMPORT_BATCH_RECORDS - 1), *events_of(1, user_id="u"), *events_of(10)])
    elif change == "another tenant":
        options["tenant_id"] = "t-1"
    elif change == "another table":
        options["audit"] = other
    else:
        cursor.write_bytes(b'{"records": 5')
    report = await import_file(file, "jsonl", **options)
    assert (0, True) == (report.earlier, report.is_complete)
    await other.close()


async def test_who_may_not_write_beside_the_file_imports_all_the_same(audit: AuditLogger, tmp_path: Path) -> None:
    """Without a cursor an interrupted import begins anew, which is said."""
    file = lines(tmp_path / "file", events_of(2))
    file.with_name(file.name + SUFFIX).mkdir()
    with heard() as said:
        report = await import_file(file, "jsonl", audit=audit)
    assert (True, True) == (report.is_complete, "begin anew" in "".join(said))


async def test_what_the_table_refuses_is_in_quarantine(sqlite_url: str, tmp_path: Path) -> None:
    """It is kept, counted, and stops nothing."""
    await create_table(sqlite_url)
    await run_sql(
        sqlite_url,
        "CREATE TRIGGER poison BEFORE INSERT ON audit_logs WHEN NEW.user_id = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'no such user'); END",
    )
    file = lines(tmp_path / "file", [*events_of(3), *events_of(1, user_id="bad"), *events_of(3, user_id="u")])
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "j") as audit:
        report = await import_file(file, "jsonl", audit=audit, logs_itself=False)
    assert (7, 1, False, 6) == (report.confirmed, report.quarantined, report.is_complete, await count_rows(sqlite_url))


async def test_progress_is_told(audit: AuditLogger, tmp_path: Path) -> None:
    """After each batch, up to the end of the file."""
    file = lines(tmp_path / "file", events_of(2 * IMPORT_BATCH_RECORDS + 1))
    seen: list[Seen] = []
    await import_file(file, "jsonl", audit=audit, on_progress=seen.append)
    assert [IMPORT_BATCH_RECORDS, 2 * IMPORT_BATCH_RECORDS, 2 * IMPORT_BATCH_RECORDS + 1] == [
        each.records for each in seen
    ]
    assert (file.stat().st_size, file.stat().st_size) == (seen[-1].bytes_read, seen[-1].bytes_total)


async def test_a_report_is_bounded(tmp_path: Path) -> None:
    """Who makes each name anew fills no memory: what is beyond the bound is counted together."""
    each_its_own = [
        {"created_at": TIME, "action": f"a.b{number}", f"key{number}": 1} for number in range(MAX_OPERATIONS + 9)
    ]
    report = await import_file(lines(tmp_path / "file", each_its_own), "jsonl", dry_run=True)
    assert (MAX_OPERATIONS + 1, 9) == (len(report.mappings), _count_of(report, OTHERS))
    assert MAX_OPERATIONS + 9 == sum(count for _, count in report.folded)


def _count_of(report: Report, operation: str) -> int:
    return sum(each.count for each in report.mappings if each.operation == operation)


async def test_times_without_a_zone_are_said_to_be_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTC where nothing is said; a queue of the desktop program is of this machine's own."""
    file = lines(tmp_path / "file", [{"kind": "login_log", "ts": "2026-07-01T12:00:00", "user_name": "ann"}])
    report = await import_file(file, "seed003-ndjson", dry_run=True)
    assert [("login_log", "auth.login", 1)] == [(each.operation, each.action, each.count) for each in report.mappings]


async def test_an_event_logged_beside_it_is_not_held_up(audit: AuditLogger, tmp_path: Path) -> None:
    """The event loop goes on while a file is read."""
    file = lines(tmp_path / "file", events_of(3 * IMPORT_BATCH_RECORDS))
    task = asyncio.create_task(import_file(file, "jsonl", audit=audit))
    turns = 0
    while not task.done():
        turns += 1
        if turns <= 1000:  # enough to be in its way, and not as many as a slow machine takes minutes to store
            audit.log(events.custom("report.print"))
        await asyncio.sleep(0)
    assert (True, True, True) == (task.result().is_complete, turns > 3, await audit.flush())


def test_it_runs_under_trio(sqlite_url: str, tmp_path: Path) -> None:
    """As everything else of the logger."""
    file = lines(tmp_path / "file", events_of(IMPORT_BATCH_RECORDS + 1))

    async def bring_in() -> Report:
        async with AuditLogger(sqlite_url, journal_dir=tmp_path / "j") as audit:
            return await import_file(file, "jsonl", audit=audit)

    assert IMPORT_BATCH_RECORDS + 1 == trio.run(bring_in).confirmed


def test_a_process_that_only_journals_imports_beside_a_drain(sqlite_url: str, tmp_path: Path) -> None:
    """What it logs is settled by whoever uploads it; without one it stops after its time, and says so."""
    file = lines(tmp_path / "file", events_of(2))
    logger = AuditLogger(sqlite_url, journal_dir=tmp_path / "j", writer="none")
    report = asyncio.run(import_file(file, "jsonl", audit=logger, wait_seconds=0.2))
    assert (0, True) == (report.confirmed, "took nothing" in str(report.stopped))
    logger.close_sync(0)


async def test_a_logger_that_is_closed_meanwhile_is_told(tmp_path: Path) -> None:
    """What it leaves in the journal counts as not arrived, and not as refused by the table."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'audit.db'}"
    audit = AuditLogger(url, journal_dir=tmp_path / "j")
    task = asyncio.create_task(import_file(lines(tmp_path / "file", events_of(2)), "jsonl", audit=audit))
    await eventually(lambda: audit.stats().accepted == 2)
    await audit.close(0)
    report = await task
    assert (0, 0, "the logger was closed") == (report.confirmed, report.quarantined, report.stopped)
