"""docs/background.md is true: its programs run, and what they log knows who queued it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit_async import ashutdown, audit_context, configure
from tests.jobs.journal import Log
from tests.polling import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "background.md").read_text()
WHO = {"tenant_id": "t-1", "user_id": "u-7"}


def program(heading: str) -> dict[str, Any]:
    """Run the block below *heading*, and return its names."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {"__name__": __name__}
    exec(block, names)
    return names


@pytest.fixture
async def log(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Log]:
    """The logger of the process."""
    yield Log(configure(sqlite_url, journal_dir=tmp_path / "journal", strict=True), sqlite_url)
    await ashutdown()


async def said(log: Log) -> list[tuple[str, str | None, str | None]]:
    """Return action, tenant and user of every event."""
    return [(row["action"], row["tenant_id"], row["user_id"]) for row in await log.rows()]


JOB = [("job.start", "t-1", "u-7"), ("job.finish", "t-1", "u-7")]


async def test_threads(log: Log) -> None:
    """Both a pool's thread and a plain one act as whoever has carried the function."""
    names = program("Threads and executors")
    with ThreadPoolExecutor(1) as pool:
        await names["handle"](pool)
    assert [("data.export", "t-1", "u-7")] * 2 == await said(log)


async def test_celery(log: Log) -> None:
    """The task of the page is a job, in its caller's context."""
    names = program("Celery")
    names["app"].conf.task_always_eager = True
    with audit_context(**WHO):
        names["send"].delay("ann")
    assert JOB == await said(log)


async def test_apscheduler(log: Log) -> None:
    """The run of a schedule is nobody's; one that was given a context is, inside, of whoever has added it."""
    names = program("APScheduler 3")
    scheduler = names["scheduler"]
    with audit_context(**WHO):
        names["add_jobs"]()
    for job in scheduler.get_jobs():
        job.modify(misfire_grace_time=None)  # else a run that is a second late, on a busy machine, is a missed one
    scheduler.start()
    scheduler.modify_job("members", next_run_time=datetime.now(UTC))
    try:
        await eventually(lambda: log.audit.stats().accepted == 5, 20)
    finally:
        scheduler.shutdown()
    assert {
        ("org.sync_start", None, None),
        ("org.sync", None, None),
        ("job.start", None, None),
        ("user.update", "t-1", "u-7"),
        ("job.finish", None, None),
    } == set(await said(log))


async def test_taskiq(log: Log) -> None:
    """The task of the page is a job, in its caller's context."""
    names = program("taskiq")
    with audit_context(**WHO):
        task = await names["send"].kiq("ann")
    await task.wait_result(timeout=20)
    await names["broker"].shutdown()
    assert JOB == await said(log)


async def test_procrastinate(log: Log) -> None:
    """A worker on the connector in memory runs the task as a job of its caller."""
    names = program("procrastinate")
    async with names["app"].open_async():
        with audit_context(**WHO):
            await names["queue"]()
        await names["app"].run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
    assert JOB == await said(log)


async def test_pgqueuer(log: Log) -> None:
    """A worker on the queue in memory runs the job of the page as one of its caller."""
    from pgqueuer.types import QueueExecutionMode

    names = program("PgQueuer")
    with audit_context(**WHO):
        await names["queue"]()
    await names["app"].qm.run(mode=QueueExecutionMode.drain)
    assert JOB == await said(log)


def test_dramatiq(sqlite_url: str, tmp_path: Path) -> None:
    """A worker's thread on the stub broker runs the actor as a job of its caller."""
    from dramatiq import Worker

    names = program("dramatiq")
    audit = configure(sqlite_url, journal_dir=tmp_path / "journal", strict=True)
    worker = Worker(names["broker"], worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        with audit_context(**WHO):
            names["queue"]()
        names["broker"].join("default", timeout=20_000)
        worker.join()
    finally:
        worker.stop()
    assert JOB == asyncio.run(said(Log(audit, sqlite_url)))
    audit.close_sync()


async def test_the_functions_of_arq_and_rq(log: Log) -> None:
    """Called with what is queued, after JSON, each is a job of its caller."""
    names = program("arq and RQ")
    queued: list[tuple[Any, ...]] = []

    class Redis:
        async def enqueue_job(self, *what: Any) -> None:
            queued.append(what)

        def enqueue(self, *what: Any) -> None:
            queued.append(what)

    with audit_context(**WHO):
        await names["arq_queue"](Redis())
        names["rq_queue"](Redis())
    (_, *first), (function, *second) = queued
    await names["arq_send"]({}, *json.loads(json.dumps(first)))
    thread = threading.Thread(target=function, args=json.loads(json.dumps(second)))
    thread.start()
    thread.join()
    assert JOB * 2 == await said(log)
