"""Everything that is logged inside a job has its trace, and jobs inside jobs name their parent."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from audit_async import audit_context, events
from audit_async.context import dump, load
from audit_async.context.layers import _Layer
from audit_async.jobs.job import Job
from tests.jobs.journal import Log

TRACE_ID, SPAN_ID, INNER_ID = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", "b7ad6b7169203331"


def span(span_id: str, trace_id: str = TRACE_ID) -> AbstractContextManager[Any]:
    """Return a block in which this span of OpenTelemetry is the current one."""
    found = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))
    return trace.use_span(NonRecordingSpan(found))


def member(number: int = 0) -> Any:
    return events.org_sync("org.member_create", member_id=number)


async def test_whatever_is_logged_inside_has_the_trace_of_the_job(log: Log) -> None:
    """Tasks, threads that inherit the context, and the logger itself: one trace, one span, one tenant, one actor."""
    async with log.audit.job("org.sync", tenant_id="t-1") as job:
        log.audit.log(member())
        await asyncio.gather(*(asyncio.create_task(asyncio.to_thread(log.audit.log, member(n))) for n in range(3)))
        async with asyncio.TaskGroup() as group:
            group.create_task(log.audit.write(member(4)))
    log.audit.log(member(5))
    *inside, outside = sorted(await log.rows(), key=lambda row: row["resource_id"] == "5")
    assert 7 == len(inside)
    assert {(job.trace_id, "t-1")} == {(row["trace_id"], row["tenant_id"]) for row in inside}
    assert {job.trace_id[16:]} == {row["span_id"] for row in inside}
    assert {"org.sync"} == {row["actor_id"] for row in inside}
    assert (None, None, None) == (outside["trace_id"], outside["tenant_id"], outside["actor_id"])
    assert job.trace_id == job.id.replace("-", "")


async def test_a_thread_without_the_context_logs_by_the_job(log: Log) -> None:
    """A plain thread has not inherited the context; `job.log` links its events, and leaves no context there."""
    seen: list[dict[str, Any]] = []

    def work() -> None:
        job.log(member(1))
        log.audit.log(member(2))
        seen.append(dump()["context"])

    with log.audit.job("org.sync", tenant_id="t-1") as job:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, job.log, member(3))
    rows = {row["resource_id"]: row for row in await log.rows()}
    assert [(job.trace_id, "t-1"), (None, None), (job.trace_id, "t-1")] == [
        (rows[number]["trace_id"], rows[number]["tenant_id"]) for number in "123"
    ]
    assert [{}] == seen


async def test_a_job_in_a_job_is_of_the_same_trace(log: Log) -> None:
    """The inner one names its parent, is started by it, and has a span of its own; tenant and actor are its own."""
    with log.audit.job("schedule.execute", tenant_id="t-1") as outer:
        with log.audit.job("org.sync", tenant_id="t-2") as inner:
            log.audit.log(member(1))
            outer.log(member(2))
        log.audit.log(member(3))
    rows = await log.rows()
    assert {outer.trace_id} == {row["trace_id"] for row in rows}
    assert (None, outer.id, outer.id) == (outer.parent_id, inner.parent_id, rows[1]["details"]["parent_job_id"])
    assert "schedule.execute" == rows[1]["actor_id"]
    of_inner = {row["action"] for row in rows if row["span_id"] == inner.id.replace("-", "")[16:]}
    assert {"org.sync_start", "org.sync", "org.member_create"} == of_inner
    of = {row["resource_id"]: (row["tenant_id"], row["actor_id"]) for row in rows}
    assert [("t-2", "org.sync"), ("t-1", "schedule.execute"), ("t-1", "schedule.execute")] == [of[n] for n in "123"]


async def test_a_job_in_a_task_of_a_job_knows_its_parent(log: Log) -> None:
    """Tasks that were begun inside have the job as parent, each its own run, also when they outlive it."""

    async def department() -> str | None:
        await go.wait()
        with log.audit.job("org.department_sync") as job:
            await asyncio.sleep(0)
        return job.parent_id

    go = asyncio.Event()
    with log.audit.job("org.sync") as outer:
        tasks = [asyncio.create_task(department()) for _ in range(5)]
        await asyncio.sleep(0)
    go.set()
    assert {outer.id} == set(await asyncio.gather(*tasks))
    assert {outer.trace_id} == {row["trace_id"] for row in await log.rows()}


async def test_a_chain_of_jobs_keeps_none_that_are_over(log: Log) -> None:
    """Jobs that each begin the next one inside of themselves do not keep all those before, nor their contexts."""
    jobs: list[weakref.ref[Job]] = []
    at_last, go = asyncio.Event(), asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()
    gc.collect()
    before = layers()  # of other tests, whose threads may go on

    async def tick(left: int) -> None:
        async with log.audit.job("schedule.execute") as job:
            jobs.append(weakref.ref(job))
            if left:
                task = asyncio.create_task(tick(left - 1))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                at_last.set()
                await go.wait()

    await tick(50)
    await at_last.wait()
    gc.collect()
    assert sum(job() is not None for job in jobs) <= 2
    assert layers() - before <= 2
    go.set()
    await asyncio.gather(*tasks)


def layers() -> int:
    """Return how many layers of contexts there are in this process."""
    return sum(type(each) is _Layer for each in gc.get_objects())


async def test_a_job_is_of_the_trace_around_it(log: Log) -> None:
    """A request that begins a job, here or by a payload in another process, is of the same trace."""
    with audit_context(trace_id=TRACE_ID, span_id=SPAN_ID, request_id="r-7"):
        payload = dump()
        with log.audit.job("org.sync") as here:
            log.audit.log(member(1))
    with load(payload), log.audit.job("org.sync") as there:
        pass
    with log.audit.job("org.sync", trace_id="mine") as given:
        log.audit.log(member(2))
    rows = await log.rows()
    assert [TRACE_ID] * 5 + ["mine"] * 3 == [row["trace_id"] for row in rows]
    assert [TRACE_ID, TRACE_ID, "mine"] == [here.trace_id, there.trace_id, given.trace_id]
    assert SPAN_ID not in {row["span_id"] for row in rows}
    assert {"r-7"} == {row["request_id"] for row in rows[:5]}


async def test_spans_of_opentelemetry_go_on_inside(log: Log) -> None:
    """Within a trace of OpenTelemetry a job is of that, and each event has the span that it was logged in."""
    with span(SPAN_ID), log.audit.job("org.sync") as job:
        log.audit.log(member(1))
        with span(INNER_ID):
            log.audit.log(member(2))
            inner = dump()["context"]
        with span(INNER_ID, "f" * 32):
            log.audit.log(member(3))
    rows = await log.rows()
    assert {TRACE_ID} == {row["trace_id"] for row in rows} == {job.trace_id}
    assert [SPAN_ID, SPAN_ID, INNER_ID, None, SPAN_ID] == [row["span_id"] for row in rows]
    assert (TRACE_ID, INNER_ID) == (inner["trace_id"], inner["span_id"])


async def test_jobs_that_overlap_in_one_task_keep_apart(log: Log) -> None:
    """Two generators in one task, each with a job of its own tenant: what a job logs is that tenant's, and its ends
    are."""

    def sync(tenant: str) -> Iterator[None]:
        with log.audit.job("org.sync", tenant_id=tenant) as job:
            yield
            job.log(member(int(tenant)))
            yield

    first, second = sync("1"), sync("2")
    for generator in (first, second, first, second):
        next(generator)
    assert [None, None] == [next(first, None), next(second, None)]
    assert {} == dump()["context"]
    rows = await log.rows()
    ends = [row for row in rows if row["action"].startswith("org.sync")]
    assert ["1", "2", "1", "2"] == [row["tenant_id"] for row in ends]
    assert 2 == len({(row["tenant_id"], row["resource_id"], row["trace_id"]) for row in ends})
    members = [row for row in rows if row["action"] == "org.member_create"]
    assert ["1", "2"] == [row["tenant_id"] for row in members] == [row["resource_id"] for row in members]


async def test_a_thousand_jobs_at_once_keep_apart(log: Log) -> None:
    """Interleaved tasks have each its own job: tenant, trace and counters."""

    async def one(number: int) -> None:
        async with log.audit.job("org.sync", tenant_id=f"t-{number}") as job:
            await asyncio.sleep(0)
            job.count("created", number)
            log.audit.log(member(number))
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(1000)))
    rows = await log.rows()
    assert (3000, 1000) == (len(rows), len({row["trace_id"] for row in rows}))
    assert 1000 == len({(row["trace_id"], row["tenant_id"]) for row in rows})
    assert all(
        row["details"]["created"] == int(row["tenant_id"].removeprefix("t-"))
        for row in rows
        if row["action"] == "org.sync"
    )
