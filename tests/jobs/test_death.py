"""Jobs whose process comes to its end inside of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, AuditReader, create_table, events
from tests.children import Child
from tests.jobs.page import block, python
from tests.polling import eventually
from tests.tables import all_rows, run_sql

PROGRAM = "working_child"


def run(url: str, journal_dir: Path, way: str) -> tuple[list[str], int | None]:
    """Run the program; return the ids of its two jobs, and its exit code. One that waits is killed."""
    with Child(PROGRAM, url, journal_dir, way, package="tests.jobs") as child:
        ids = child.lines(2)
        rest = child.kill() if way == "wait" else child.rest()
        assert [] == rest
        return ids, child.returncode


async def delivered(url: str, journal_dir: Path) -> list[dict[str, Any]]:
    """Be the next process, and return the rows of those before when nothing of them is left."""
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        audit.log(events.custom("process.start"))
        await eventually(lambda: len(list(journal_dir.glob("*.lock"))) == 1, 20)
        assert await audit.flush(20)
        return [row for row in await all_rows(url) if row["action"] != "process.start"]


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url", "mariadb_url"])
def test_a_job_that_died_with_its_process_is_found(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """After SIGKILL both jobs are in the log as begun, and both queries of the page find just these two."""
    url = request.getfixturevalue(database)
    asyncio.run(create_table(url))
    ids, _ = run(url, tmp_path / "journal", "wait")

    async def look() -> None:
        rows = await delivered(url, tmp_path / "journal")
        assert ["org.sync_start", "org.sync", "job.start", "org.sync_start"] == [row["action"] for row in rows]
        found = await run_sql(url, block("sql"))
        assert ids == [row["resource_id"] for row in found]
        assert {"t-1"} == {row["tenant_id"] for row in found}
        names = python("unfinished")
        async with AuditReader(url, tenant="t-1") as reader:
            assert ids[::-1] == [event.resource_id for event in await names["unfinished"](reader, until="0s")]
            assert [] == await names["unfinished"](reader, until="1h")

    asyncio.run(look())


async def test_an_exit_inside_ends_both_jobs(sqlite_url: str, tmp_path: Path) -> None:
    """`sys.exit(3)` in the inner job is recorded of both as a failure, and is the program's exit code."""
    ids, code = run(sqlite_url, tmp_path / "journal", "exit")
    rows = await delivered(sqlite_url, tmp_path / "journal")
    ends = [(row["resource_id"], row["outcome"], row["error_message"]) for row in rows[-2:]]
    assert [(each, "failure", "SystemExit: 3") for each in reversed(ids)] == ends
    assert 3 == code


async def test_a_forked_child_does_not_end_the_job(sqlite_url: str, tmp_path: Path) -> None:
    """A child that leaves the block says nothing of its end: each job has ended once, well, in the process that began
    it. What the child logs is not rolled up, since it is in no summary."""
    ids, code = run(sqlite_url, tmp_path / "journal", "fork")
    rows = await delivered(sqlite_url, tmp_path / "journal")
    ends = [(row["resource_id"], row["outcome"]) for row in rows if row["action"] in ("org.sync", "job.finish")]
    assert [(each, "success") for each in reversed(ids)] == ends[1:]
    [told] = [row for row in rows if row["action"] == "org.member_create"]
    assert ids[0].replace("-", "") == told["trace_id"]
    assert 0 == code
