"""A job of thousands leaves one summary, its first items and what failed; and its numbers are those of what was."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, AuditLogger, events
from audit_async.config import JOB_ITEMS, JOB_NAMES, MAX_KEY_CHARS
from audit_async.jobs.tally import Tally
from tests.jobs.journal import Log
from tests.tables import count_rows

MEMBERS = 5_000


def member(number: int) -> AuditEvent:
    return events.org_sync("org.member_create", member_id=number, success=number % 500 != 0)


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    """Return how many rows there are of each action and outcome."""
    return Counter(f"{row['action']} {row['outcome']}" for row in rows)


async def test_a_sync_of_thousands_is_no_flood(log: Log) -> None:
    """Of 5,000 members the first and every failure are logged; of the rest the last event says how many."""
    async with log.audit.job("org.sync", provider="feishu") as job:
        for number in range(MEMBERS):
            job.log(member(number))
            job.count("failed" if number % 500 == 0 else "created")
    rows = await log.rows()
    assert {
        "org.sync_start success": 1,
        "org.member_create success": JOB_ITEMS,
        "org.member_create failure": 10,
        "org.sync partial": 1,
    } == counted(rows)
    details = rows[-1]["details"]
    assert (MEMBERS - 10, 10) == (details["created"], details["failed"])
    assert (JOB_ITEMS + 10, 10) == (details["events_logged"], details["events_failed"])
    assert {"org.member_create": MEMBERS - JOB_ITEMS - 10} == details["events_rolled_up"]


def test_a_number_of_events_that_is_none_is_told(log: Log) -> None:
    """`each="all"` is a slip, and the error names what it is about."""
    with pytest.raises(TypeError, match="each is 'all': it takes how many"):
        log.audit.job("org.sync", each="all")  # type: ignore[arg-type]


@pytest.mark.parametrize(("each", "logged"), [(True, 500), (False, 1), (0, 1), (7, 8), (10_000, 500)])
async def test_how_many_are_logged_can_be_asked_for(log: Log, each: bool | int, logged: int) -> None:
    """All of them, some, or none but what failed."""
    async with log.audit.job("org.sync", each=each) as job:
        receipts = [job.log(member(number)) for number in range(500)]
    rows = await log.rows()
    assert logged == len(rows) - 2 == sum(receipt.is_accepted for receipt in receipts)
    rolled_up = rows[-1]["details"].get("events_rolled_up", {})
    assert 500 - logged == sum(rolled_up.values())


async def test_what_matters_is_never_rolled_up(log: Log) -> None:
    """Any outcome but success, and high severity, is logged one by one."""
    async with log.audit.job("org.sync", each=0) as job:
        for outcome in ("failure", "denied", "error", "partial", "cancelled", "unknown"):
            job.log(events.org_sync("org.member_update", outcome=outcome))
        job.log(events.role("role.assign", target_user_id="u-1", role_name="admin"))
        receipt = job.log(events.org_sync("org.member_update"))
    assert ("rolled_up", False, None) == (receipt.refused, receipt.is_accepted, receipt.writer_seq)
    assert not await receipt.stored(1)
    rows = await log.rows()
    assert 9 == len(rows)
    assert {"org.member_update": 1} == rows[-1]["details"]["events_rolled_up"]
    assert (7, 3) == (rows[-1]["details"]["events_logged"], rows[-1]["details"]["events_failed"])


async def test_what_the_logger_is_told_is_never_rolled_up(log: Log) -> None:
    """`AuditLogger.log` and the helpers log each event, inside of a job as outside."""
    async with log.audit.job("org.sync", each=0):
        for number in range(5):
            log.audit.log(events.org_sync("org.member_create", member_id=number))
    assert 7 == len(await log.rows())


async def test_what_comes_after_the_end_is_logged(log: Log) -> None:
    """No event will tell of it any more, so that it is not rolled up; it still has the job's trace."""
    async with log.audit.job("org.sync", each=0) as job:
        pass
    assert job.log(events.org_sync("org.member_create", member_id=1)).is_accepted
    assert [job.trace_id] * 3 == [row["trace_id"] for row in await log.rows()]


async def test_many_threads_roll_up_without_losing_one(log: Log) -> None:
    """Eight threads log and count at once; logged and rolled up are together what was logged."""

    def work(_: int) -> None:
        for _ in range(500):
            job.log(events.org_sync("org.member_create"))
            job.count("created")

    with log.audit.job("org.sync") as job, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    rows = await log.rows()
    details = rows[-1]["details"]
    assert (4000, JOB_ITEMS) == (details["created"], details["events_logged"])
    assert {"org.member_create": 4000 - JOB_ITEMS} == details["events_rolled_up"]
    assert JOB_ITEMS + 2 == len(rows)


async def test_an_event_without_a_builder_is_not_rolled_up(sqlite_url: str, tmp_path: Path) -> None:
    """One that holds nonsense is logged as it would be outside; what is no event is told so."""
    odd = msgspec.structs.replace(events.auth("auth.login"), outcome=[], severity={}, action=["a"])
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit, audit.job("org.sync", each=0) as job:
        assert job.log(odd).is_accepted
        with pytest.raises(TypeError, match="takes an AuditEvent"):
            job.log("no event")  # type: ignore[arg-type]
    assert 3 == await count_rows(sqlite_url)


def test_a_name_in_a_tally_is_a_key() -> None:
    """However long or odd a name is, what it is counted as can be a key of details."""
    tally = Tally()
    for _ in range(2):
        tally.add("x" * 10_000, 2)
        tally.add("\0")
    [long, nul] = tally.totals().items()
    assert (True, 4) == (len(long[0]) <= MAX_KEY_CHARS, long[1])
    assert ("\u2400", 2) == nul


def test_a_tally_counts_every_addition() -> None:
    """Threads that add at once lose nothing; what came behind the first names is under one."""
    tally = Tally()

    def work(thread: int) -> None:
        for number in range(2000):
            tally.add("all")
            tally.add(f"{thread}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    totals = tally.totals()
    assert (16_000, 32_000, JOB_NAMES + 1) == (totals["all"], sum(totals.values()), len(totals))
