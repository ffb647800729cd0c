"""docs/jobs.md is true: its programs run, and leave what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import ashutdown, configure
from audit_async.config import JOB_ITEMS, JOB_NAMES
from audit_async.jobs.job import FAILURES
from tests.jobs.journal import Log
from tests.jobs.page import PAGE, block, python


def members(count: int, *, failing: int) -> list[dict[str, Any]]:
    """Return members of a directory, some of them without a name."""
    return [{"id": f"ou_{number}", "name": "" if number < failing else "Ann"} for number in range(count)]


async def test_a_first_sync_of_thousands_is_as_the_page_says(log: Log) -> None:
    """The sync of the page, of 5,000 members, leaves the details and the number of rows that stand there."""
    await python("sync")["sync"](log.audit, "t-1", members(5_000, failing=10))
    rows = await log.rows()
    details = rows[-1]["details"]
    said: dict[str, Any] = msgspec.json.decode(block("json"))
    assert list(said) == list({**said, **details})
    assert {**said, "job_id": None} == {**details, "job_id": None}
    assert 2 + JOB_ITEMS + 10 == len(rows)
    assert {"t-1"} == {row["tenant_id"] for row in rows}
    assert ["org.sync_start", "org.sync", "partial"] == [rows[0]["action"], rows[-1]["action"], rows[-1]["outcome"]]


async def test_the_decorated_function_runs(sqlite_url: str, tmp_path: Path) -> None:
    """Its call is a job of the logger of the process, which knows what was counted inside."""
    log = Log(configure(sqlite_url, journal_dir=tmp_path / "journal"), sqlite_url)
    try:
        await python("nightly")["nightly"]()
        start, finish = await log.rows()
    finally:
        await ashutdown()
    assert ("job.start", "job.finish") == (start["action"], finish["action"])
    assert ("nightly", 3) == (finish["details"]["schedule"], finish["details"]["reports"])


@pytest.mark.parametrize("said", [f"first {JOB_ITEMS} events", f"At most {JOB_NAMES} counters", *sorted(FAILURES)])
def test_the_numbers_and_words_are_those_of_the_package(said: str) -> None:
    """What the page says of limits and counters is what the package does."""
    assert said in PAGE
