"""The context in threads, pools, tasks and processes: what is kept by itself, and what has to be carried."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import anyio
import anyio.to_thread
import pytest

from audit_async import audit_context, current_job, events
from audit_async.context import carried, current, dump, fill, load, nothing_said
from tests.jobs.journal import Log


def who(*_: object) -> str | None:
    """Return the user that an event would be told of here."""
    return current().get("user_id")


def who_of(payload: dict[str, Any]) -> str | None:
    with load(payload):
        return who()


async def ask() -> str | None:
    return who()


async def by_task() -> str | None:
    return await asyncio.create_task(ask())


async def by_group() -> str | None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ask())
    return task.result()


async def by_anyio_group() -> str | None:
    seen: list[str | None] = []

    async def look() -> None:
        seen.append(who())

    async with anyio.create_task_group() as group:
        group.start_soon(look)
    return seen[0]


async def by_callback() -> str | None:
    told: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0, lambda: told.set_result(who()))
    return await told


async def by_threadsafe() -> str | None:
    """From a thread that has a context of its own, into the loop."""
    loop = asyncio.get_running_loop()

    def call() -> str | None:
        with audit_context(user_id="of-the-thread"):
            return asyncio.run_coroutine_threadsafe(ask(), loop).result(20)

    return await asyncio.to_thread(call)


async def by_executor(function: Callable[[], str | None] = who) -> str | None:
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, function)


async def by_thread(function: Callable[[], str | None] = who) -> str | None:
    seen: list[str | None] = []
    thread = threading.Thread(target=lambda: seen.append(function()))
    thread.start()
    await asyncio.to_thread(thread.join)
    return seen[0]


async def by_timer(function: Callable[[], str | None] = who) -> str | None:
    seen: list[str | None] = []
    timer = threading.Timer(0, lambda: seen.append(function()))
    timer.start()
    await asyncio.to_thread(timer.join)
    return seen[0]


async def by_to_thread() -> str | None:
    return await asyncio.to_thread(who)


async def by_anyio_thread() -> str | None:
    return await anyio.to_thread.run_sync(who)


@pytest.mark.parametrize("way", [by_task, by_group, by_anyio_group, by_callback, by_to_thread, by_anyio_thread])
async def test_kept_by_itself(way: Callable[[], Any]) -> None:
    """Tasks, groups, callbacks of the loop and the threads of `to_thread` act as whoever began them."""
    with audit_context(user_id="u-1"):
        assert "u-1" == await way()
    assert await way() is None


async def test_a_coroutine_that_a_thread_gives_to_the_loop_acts_as_the_thread() -> None:
    """`run_coroutine_threadsafe` takes the context of the thread, not that of the loop's own task."""
    with audit_context(user_id="u-1"):
        assert "of-the-thread" == await by_threadsafe()


@pytest.mark.parametrize("way", [by_executor, by_thread, by_timer])
async def test_not_kept_unless_carried(way: Callable[..., Any]) -> None:
    """An executor, a plain thread and a timer begin with nothing; a carried function acts as whoever carried it."""
    with audit_context(user_id="u-1"):
        assert await way() is None
        function = carried(who)
    with audit_context(user_id="u-2"):
        assert "u-1" == await way(function)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_to_another_process_by_a_payload() -> None:
    """A worker of a pool that forks goes on in the context that it was forked in, whoever asks it; what is dumped for
    it names who asks."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        with audit_context(user_id="first"):
            found = [await loop.run_in_executor(pool, who)]
        with audit_context(user_id="second"):
            found += [await loop.run_in_executor(pool, who), await loop.run_in_executor(pool, who_of, dump())]
    assert ["first", "first", "second"] == found


def test_one_carried_function_runs_in_many_threads_at_once() -> None:
    """Each call has a copy: none waits for another one, or sees what that has said."""
    together = threading.Barrier(4)

    def work(number: int) -> tuple[str | None, str | None]:
        before = who()
        with audit_context(user_id=f"of-{number}"):
            together.wait(20)
            return before, who()

    with audit_context(user_id="u-1"):
        function = carried(work)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(function, range(4)))
    assert [("u-1", f"of-{number}") for number in range(4)] == found
    assert who() is None


async def test_a_carried_function_is_inside_the_job(log: Log) -> None:
    """What it logs has the job's trace, and `current_job` is the job."""

    def work() -> bool:
        log.audit.log(events.org_sync("org.member_create", member_id=1))
        return current_job() is job

    async with log.audit.job("schedule.execute") as job:
        with ThreadPoolExecutor(1) as pool:
            assert await asyncio.get_running_loop().run_in_executor(pool, carried(work))
    assert {job.trace_id} == {row["trace_id"] for row in await log.rows()}


def test_it_gives_what_the_function_gives() -> None:
    """Arguments, keywords, result and exception go through; a partial and a method may be carried, too."""
    assert {"a": 1, "b": 2} == carried(dict)(a=1, b=2)
    assert 7 == carried(functools.partial(int, base=8))("7")
    assert who.__name__ == carried(who).__name__
    with pytest.raises(ZeroDivisionError):
        carried(lambda: 1 // 0)()


def test_what_only_makes_a_coroutine_is_refused() -> None:
    """A coroutine function, a generator and an async generator would run elsewhere, later, in another context."""

    def generator() -> Any:
        yield

    async def async_generator() -> Any:
        yield

    for lazy in (ask, generator, async_generator):
        with pytest.raises(TypeError, match=f"cannot take {lazy.__name__}"):
            carried(lazy)


def test_nothing_said_ends_all_that_is_around() -> None:
    """Neither a field of the context around, nor a value that none holds, nor its actor is left inside."""
    event = events.custom("a")
    with audit_context(user_id="u-1", actor_id="a-1", ip_address="not an address") as around, nothing_said():
        assert event == fill(event)
        with around:
            assert "u-1" == fill(event).user_id
    with audit_context(ip_address="not an address"):
        assert event != fill(event)
