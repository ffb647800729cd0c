"""Tasks of taskiq on its broker in memory: whose they are, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from taskiq import AsyncBroker, BrokerMessage, Context, InMemoryBroker, SimpleRetryMiddleware, TaskiqDepends

from audit_async import audit_context, current_job, events
from audit_async.integrations.taskiq import LABEL, AuditMiddleware
from tests.jobs.conftest import log
from tests.jobs.journal import Log
from tests.logs import heard

__all__ = ["log"]


class Elsewhere(AsyncBroker):
    """A broker whose tasks run in workers."""

    async def kick(self, message: BrokerMessage) -> None: ...

    async def listen(self) -> AsyncGenerator[bytes, None]:
        yield b""


class Brokers:
    """A broker with its tasks."""

    def __init__(self, log: Log, *, await_inplace: bool, log_tasks: Any = True) -> None:
        retry = SimpleRetryMiddleware(default_retry_count=3)
        self.broker = InMemoryBroker(await_inplace=await_inplace).with_middlewares(
            retry, AuditMiddleware(log.audit, log_tasks=log_tasks)
        )
        self.runs = 0

        def say(number: int) -> None:
            log.audit.log(events.org_sync("org.member_create", member_id=number))

        @self.broker.task(task_name="send")
        async def send(number: int) -> None:
            await asyncio.sleep(0)
            say(number)
            if (job := current_job()) is not None:
                job.count("sent")

        @self.broker.task(task_name="plain")
        def plain(number: int) -> None:
            say(number)

        @self.broker.task(task_name="again", retry_on_error=True)
        async def again() -> None:
            self.runs += 1
            if self.runs < 3:
                raise ConnectionError("no answer")

        @self.broker.task(task_name="fail")
        async def fail() -> None:
            raise ValueError("no such address")

        @self.broker.task(task_name="slow", timeout=0.01)
        async def slow() -> None:
            await asyncio.Event().wait()

        @self.broker.task(task_name="outer")
        async def outer() -> None:
            with audit_context(tenant_id="t-inner"):
                await send.kiq(7)
            say(8)

        @self.broker.task(task_name="requeue")
        async def requeue(context: Context = TaskiqDepends()) -> None:  # noqa: B008 -- taskiq's way
            self.runs += 1
            if self.runs == 1:
                await context.requeue()

        self.tasks = {each.task_name: each for each in (send, plain, again, fail, slow, outer, requeue)}

    async def run(self, name: str, *arguments: Any) -> None:
        await self.tasks[name].kiq(*arguments)
        while self.broker._running_tasks:
            await self.broker.wait_all()
            await asyncio.sleep(0)


@pytest.fixture(params=[True, False], ids=["in place", "in a task"])
async def brokers(request: pytest.FixtureRequest, log: Log) -> AsyncIterator[Brokers]:
    """A broker that runs a task inside the call that queues it, and one that begins a task of the loop for it."""
    made = Brokers(log, await_inplace=request.param)
    await made.broker.startup()
    yield made
    await made.broker.shutdown()


async def test_a_task_is_a_job_in_the_context_in_which_it_was_queued(brokers: Brokers, log: Log) -> None:
    """Coroutine functions, and functions in the broker's threads, know tenant and user; nothing is left behind."""
    with audit_context(tenant_id="t-1", user_id="u-1"):
        await brokers.run("send", 1)
        await brokers.run("plain", 2)
        log.audit.log(events.org_sync("org.member_create", member_id=3))
    rows = await log.rows()
    assert {("t-1", "u-1")} == {(row["tenant_id"], row["user_id"]) for row in rows}
    assert ["job.start", "org.member_create", "job.finish"] * 2 == [row["action"] for row in rows[:-1]]
    assert ["send"] * 3 + ["plain"] * 3 + [None] == [row["actor_id"] for row in rows]
    assert 1 == rows[2]["details"]["sent"]
    assert {rows[2]["details"]["task_id"].replace("-", "")} == {row["trace_id"] for row in rows[:3]}


async def test_a_task_that_fails_or_takes_too_long_says_why(brokers: Brokers, log: Log) -> None:
    """The exception of the function, or of the time limit, is the error of the job."""
    await brokers.run("fail")
    await brokers.run("slow")
    ends = [(row["outcome"], row["error_message"]) for row in await log.rows() if row["action"] == "job.finish"]
    assert [("failure", "ValueError: no such address"), ("failure", "TimeoutError")] == ends


async def test_each_retry_is_a_run_of_its_own_of_the_same_caller(brokers: Brokers, log: Log) -> None:
    """Three runs of one task id, of one trace, each with its outcome; the last ones are not those of the first."""
    with audit_context(tenant_id="t-1", user_id="u-1"):
        await brokers.run("again")
    rows = await log.rows()
    ends = [row for row in rows if row["action"] == "job.finish"]
    assert ["failure", "failure", "success"] == sorted(row["outcome"] for row in ends)
    assert (3, 1) == (len({row["resource_id"] for row in ends}), len({row["details"]["task_id"] for row in ends}))
    assert {("t-1", "u-1")} == {(row["tenant_id"], row["user_id"]) for row in rows}
    assert 1 == len({row["trace_id"] for row in rows})


async def test_a_task_inside_a_task(brokers: Brokers, log: Log) -> None:
    """Both end, each with its own; what is queued inside is of the same trace, with what was said around the call."""
    with audit_context(user_id="u-1"):
        await brokers.run("outer")
    rows = await log.rows()
    told = {row["resource_id"]: row for row in rows if row["action"] == "org.member_create"}
    assert ("t-inner", "send", "u-1") == tuple(told["7"][name] for name in ("tenant_id", "actor_id", "user_id"))
    assert (None, "outer") == (told["8"]["tenant_id"], told["8"]["actor_id"])
    assert 1 == len({row["trace_id"] for row in rows})
    assert 2 == sum(row["action"] == "job.finish" for row in rows)


async def test_a_task_that_is_put_back_has_not_failed(brokers: Brokers, log: Log) -> None:
    """`Context.requeue` ends one run, and begins another."""
    await brokers.run("requeue")
    assert ["success"] * 2 == [row["outcome"] for row in await log.rows() if row["action"] == "job.finish"]


async def test_only_those_that_are_chosen_are_jobs(log: Log) -> None:
    """Of others each run knows the context, and leaves nothing but what it logs."""
    made = Brokers(log, await_inplace=True, log_tasks=["send"])
    with audit_context(tenant_id="t-1"):
        await made.run("plain", 1)
        await made.run("send", 2)
    rows = await log.rows()
    assert ["org.member_create", "job.start", "org.member_create", "job.finish"] == [row["action"] for row in rows]
    assert {"t-1"} == {row["tenant_id"] for row in rows}


@pytest.mark.parametrize("log_tasks", ["sned", ["plain", "sned"], ("sned", "plain")])
async def test_a_name_that_is_no_task_is_said_where_tasks_run(log: Log, log_tasks: Any) -> None:
    """When the broker starts in a worker, or in memory, with the name that may be meant."""
    with heard() as lines:
        await Brokers(log, await_inplace=True, log_tasks=log_tasks).broker.startup()
    [said] = lines
    assert said.endswith("no task of this worker when it starts: 'sned' (did you mean 'send'?)\n")


@pytest.mark.parametrize(("log_tasks", "is_worker"), [("send", True), (True, True), (False, True), (["sned"], False)])
async def test_names_of_tasks_and_of_those_elsewhere_are_not_said(log: Log, log_tasks: Any, is_worker: bool) -> None:
    """All is well, or it cannot be known where tasks are only queued."""
    broker = Elsewhere().with_middlewares(AuditMiddleware(log.audit, log_tasks=log_tasks))
    broker.is_worker_process = is_worker
    broker.task(task_name="send")(lambda: None)
    with heard() as lines:
        await broker.startup()
    assert [] == lines


@pytest.mark.parametrize("payload", ["\0", "{}", 7, '{"v": 1, "context": {"tenant_id": "t-9"}}'])
async def test_what_is_in_the_label_is_read_and_never_trusted_to_be_whole(payload: Any, log: Log) -> None:
    """A damaged payload is an empty one; one that the caller gave himself is kept."""
    made = Brokers(log, await_inplace=True)
    await made.tasks["send"].kicker().with_labels(**{LABEL: payload}).kiq(1)  # type: ignore[call-overload]
    rows = await log.rows()
    assert 3 == len(rows)
    assert {"t-9" if "t-9" in str(payload) else None} == {row["tenant_id"] for row in rows}
