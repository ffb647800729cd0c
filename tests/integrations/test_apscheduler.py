"""Jobs of APScheduler that really run: each run is a job of the log, those that did not take place are told."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.executors.debug import DebugExecutor  # type: ignore[import-untyped]
from apscheduler.executors.pool import ProcessPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from audit_async import audit_context, current_job, events
from audit_async.integrations.apscheduler import install
from tests.jobs.conftest import log
from tests.jobs.journal import Log
from tests.polling import eventually

__all__ = ["log"]

UNHURRIED = {"misfire_grace_time": None}
"""No run is a missed one for being a second late, as on a busy machine."""


@contextlib.contextmanager
def running(scheduler: Any) -> Iterator[Any]:
    """Start *scheduler*, and end it with what it has under way."""
    scheduler.start()
    try:
        yield scheduler
    finally:
        # A look that is under way takes what it runs out of its store, which a scheduler that has been shut down has no
        # more: its thread would end with an error. Whoever asks for the jobs waits for that look; no other one follows.
        scheduler.pause()
        scheduler.get_jobs()
        scheduler.shutdown()


async def rows_of(log: Log, count: int) -> list[dict[str, Any]]:
    """Return the rows, once there are *count* or more."""

    async def enough() -> list[dict[str, Any]]:
        if log.audit.stats().accepted < count:
            return []
        return await log.rows()

    found = await eventually(enough, 20)
    assert isinstance(found, list)
    return found


def member() -> Any:
    return events.org_sync("org.member_create", member_id=1)


@pytest.mark.parametrize("scheduler", [BackgroundScheduler, AsyncIOScheduler])
async def test_each_run_of_a_function_is_a_job(scheduler: Any, log: Log) -> None:
    """Every run of an interval has a start, what it logs and an end, with the id and the trigger of the schedule."""

    def sync() -> None:
        log.audit.log(member())
        if (job := current_job()) is not None:
            job.count("created")

    made = scheduler(job_defaults=UNHURRIED)
    install(made, log.audit)
    made.add_job(sync, "interval", seconds=0.05, id="nightly", name="org.sync", max_instances=1)

    async def whole_runs() -> list[list[dict[str, Any]]]:
        runs: dict[str, list[dict[str, Any]]] = {}
        for row in await log.rows():
            # Of no trace are those that were skipped, since the one before was slow on a busy machine.
            if row["trace_id"] is not None:
                runs.setdefault(row["trace_id"], []).append(row)
        return [run for run in runs.values() if len(run) == 3]

    async def has_run_twice() -> bool:
        return log.audit.stats().accepted >= 6 and len(await whole_runs()) >= 2

    with running(made):
        await eventually(has_run_twice, 20)
        made.remove_job("nightly")
    whole = await whole_runs()
    assert {("org.sync_start", "org.member_create", "org.sync")} == {tuple(r["action"] for r in run) for run in whole}
    assert {("nightly", 1, "org.sync")} == {
        (run[2]["details"]["schedule_id"], run[2]["details"]["created"], run[2]["actor_id"]) for run in whole
    }
    assert whole[0][0]["details"]["trigger"].startswith("interval")


async def test_a_coroutine_function_is_a_job_that_is_cancelled_with_the_scheduler(log: Log) -> None:
    """One that fails says why; one that is under way at the end is cancelled."""
    begun = asyncio.Event()

    async def fail() -> None:
        raise ValueError("no directory")

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    scheduler = AsyncIOScheduler(job_defaults=UNHURRIED)
    install(scheduler, log.audit)
    with running(scheduler):
        scheduler.add_job(fail, id="f")
        await rows_of(log, 2)
        scheduler.add_job(wait, id="w")
        await asyncio.wait_for(begun.wait(), 20)
    rows = await rows_of(log, 4)
    ends = [(row["details"]["schedule_id"], row["outcome"]) for row in rows if row["action"] == "job.finish"]
    assert [("f", "failure"), ("w", "cancelled")] == ends
    assert "ValueError: no directory" == rows[1]["error_message"]


@pytest.mark.parametrize("scheduler", [BackgroundScheduler, AsyncIOScheduler])
async def test_a_run_is_not_of_the_request_that_added_its_job(scheduler: Any, log: Log) -> None:
    """Added inside a request and a job, it runs as nobody's, and is part of no other job."""

    async def run() -> None:
        log.audit.log(member())

    def call() -> None:
        log.audit.log(member())

    made = scheduler(job_defaults=UNHURRIED)
    install(made, log.audit)
    with running(made):
        await asyncio.sleep(0)  # the scheduler's own first look, which is in no request, is over
        with audit_context(tenant_id="t-1", user_id="u-1"), log.audit.job("schedule.execute") as around:
            made.add_job(run if scheduler is AsyncIOScheduler else call, id="x")
            await rows_of(log, 4)
    mine = [row for row in await log.rows() if row["trace_id"] != around.trace_id]
    assert ["job.start", "org.member_create", "job.finish"] == [row["action"] for row in mine]
    assert {(None, None)} == {(row["tenant_id"], row["user_id"]) for row in mine}
    assert "parent_job_id" not in mine[0]["details"]


async def test_a_run_that_was_missed_is_told(log: Log) -> None:
    """A run whose time is too long ago does not take place: one event, a failure, with the job's name."""
    scheduler = BackgroundScheduler(job_defaults=UNHURRIED)
    install(scheduler, log.audit)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with running(scheduler):
        scheduler.add_job(print, "date", run_date=long_ago, id="once", name="mail.digest", misfire_grace_time=1)
        [missed] = await rows_of(log, 1)
    assert ("job.finish", "failure", "mail.digest") == (missed["action"], missed["outcome"], missed["actor_id"])
    assert missed["error_message"].startswith(f"missed: was to run at {long_ago.isoformat()[:19]}")
    assert "once" == missed["details"]["schedule_id"]


async def test_a_run_that_is_skipped_is_told(log: Log) -> None:
    """While the run before is under way the next one is skipped, and one event of a failure says so."""
    goes_on = threading.Event()
    scheduler = BackgroundScheduler(job_defaults=UNHURRIED)
    install(scheduler, log.audit)
    with running(scheduler):
        scheduler.add_job(goes_on.wait, "interval", args=[20], seconds=0.05, id="slow", name="slow")
        rows = await rows_of(log, 2)
        goes_on.set()
    assert ["job.start", "job.finish"] == [row["action"] for row in rows[:2]]
    assert rows[1]["error_message"].startswith("skipped at ")


async def test_executors_of_all_kinds(log: Log) -> None:
    """One that is added later counts; in a pool of processes a run has one event, when it has ended; installed twice
    each run is one job."""
    scheduler = BackgroundScheduler(executors={"processes": ProcessPoolExecutor(1)}, job_defaults=UNHURRIED)
    install(scheduler, log.audit)
    install(scheduler, log.audit)
    with running(scheduler):
        scheduler.add_executor(DebugExecutor(), "here")
        scheduler.add_job(len, args=["abc"], executor="here", id="here")
        await rows_of(log, 2)
        scheduler.add_job(len, args=[7], executor="processes", id="there")
        rows = await rows_of(log, 3)
    assert [("job.start", "here"), ("job.finish", "here"), ("job.finish", "there")] == [
        (row["action"], row["details"]["schedule_id"]) for row in rows
    ]
    assert "TypeError: object of type 'int' has no len()" == rows[2]["error_message"]
    assert "builtins.TypeError" == rows[2]["details"]["exception"]["$type"]


@pytest.mark.parametrize("executor", ["default", "processes"])
async def test_a_run_that_exits_is_what_its_code_says(executor: str, log: Log) -> None:
    """In a pool of processes as in the program itself: well is a success."""
    executors = {"processes": ProcessPoolExecutor(1), "default": DebugExecutor()}
    scheduler = BackgroundScheduler(executors=executors, job_defaults=UNHURRIED)
    install(scheduler, log.audit)
    with running(scheduler):
        for number, code in enumerate((0, 3)):
            scheduler.add_job(sys.exit, args=[code], executor=executor, name="leave")
            await rows_of(log, (number + 1) * (1 if executor == "processes" else 2))
    ends = [(row["outcome"], row["error_message"]) for row in await log.rows() if row["action"] == "job.finish"]
    assert [("success", None), ("failure", "SystemExit: 3")] == ends


async def test_a_logger_that_cannot_log_is_no_fault_of_a_run(log: Log) -> None:
    """With the logger closed the function is run as ever."""
    scheduler, ran = BackgroundScheduler(job_defaults=UNHURRIED), threading.Event()
    install(scheduler, log.audit)
    await log.audit.close()
    with running(scheduler):
        scheduler.add_job(ran.set)
        with ThreadPoolExecutor(1) as pool:
            assert await asyncio.get_running_loop().run_in_executor(pool, ran.wait, 20)
