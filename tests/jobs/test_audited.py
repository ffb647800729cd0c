"""A function whose every call is a job."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from audit_async import (
    AuditEvent,
    AuditLogger,
    ConfigurationError,
    Receipt,
    ashutdown,
    audited_job,
    configure,
    current_job,
)
from tests.jobs.journal import Log
from tests.logs import heard


async def test_each_call_of_a_coroutine_function_is_a_job(log: Log) -> None:
    """Its result is given back, its exception goes on, and each call is a run of its own."""

    @audited_job("schedule.execute", audit=log.audit, schedule="nightly")
    async def work(number: int, *, fails: bool = False) -> int:
        """Do it."""
        job = current_job()
        assert job is not None
        job.count("items", number)
        await asyncio.sleep(0)
        if fails:
            raise ValueError(number)
        return number + 1

    assert [2, 3] == list(await asyncio.gather(work(1), work(2)))
    with pytest.raises(ValueError, match="7"):
        await work(7, fails=True)
    rows = [row for row in await log.rows() if row["action"] == "job.finish"]
    assert {1: "success", 2: "success", 7: "failure"} == {row["details"]["items"]: row["outcome"] for row in rows}
    assert {"nightly"} == {row["details"]["schedule"] for row in rows}
    assert 3 == len({row["resource_id"] for row in rows})
    assert ("work", "Do it.", True) == (work.__name__, work.__doc__, inspect.iscoroutinefunction(work))


def test_no_run_has_what_another_one_changed() -> None:
    """Whoever takes the events of a run may do with them what he wants."""
    seen: list[AuditEvent] = []

    class Taking:
        def log(self, event: AuditEvent) -> Receipt:
            seen.append(event)
            return Receipt(event.id, None, 0)

    @audited_job("schedule.execute", audit=cast("AuditLogger", Taking()), details={"feeds": ["a"]}, metadata={"m": {}})
    def work() -> None: ...

    work()
    seen[0].details["feeds"].append("b")
    seen[0].metadata["m"]["x"] = 1
    work()
    first, last = seen[2:]
    assert (["a"], {"m": {}}) == (first.details["feeds"], first.metadata)
    assert (["a"], {"m": {}}) == (last.details["feeds"], last.metadata)


async def test_a_call_that_is_never_awaited_is_no_job(log: Log) -> None:
    """A coroutine has begun when it runs, and not when it is made."""

    @audited_job("schedule.execute", audit=log.audit)
    async def work() -> None: ...

    work().close()
    assert 0 == log.audit.stats().accepted


async def test_a_plain_function_and_a_method_may_be_one(log: Log) -> None:
    """In whatever way a function is called, its call is the job."""

    class Scheduler:
        @audited_job("schedule.execute", audit=log.audit)
        def run(self, number: int) -> int:
            return number

        @staticmethod
        @audited_job("schedule.execute", audit=log.audit)
        async def stop() -> str | None:
            job = current_job()
            return job.name if job is not None else None

    assert (5, "schedule.execute") == (Scheduler().run(5), await Scheduler.stop())
    assert ["job.start", "job.finish"] * 2 == [row["action"] for row in await log.rows()]


async def test_the_logger_is_that_of_the_call(sqlite_url: str, tmp_path: Path) -> None:
    """Without one the logger of the process is taken, which may be configured long after the function was made."""

    @audited_job("schedule.execute")
    def work() -> None: ...

    log = Log(configure(sqlite_url, journal_dir=tmp_path / "journal"), sqlite_url)
    try:
        work()
        assert 2 == len(await log.rows())
    finally:
        await ashutdown()


def test_a_process_without_a_logger_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names no database that there can be, the work is done, and one log line says so."""

    def broken() -> None:
        raise ConfigurationError("no address", hint="give one")

    monkeypatch.setattr("audit_async.audited.get_audit_logger", broken)

    @audited_job("schedule.execute")
    def work() -> int:
        job = current_job()
        assert job is not None
        job.count("items")
        return 7

    with heard() as lines:
        assert 7 == work()
    assert ["ERROR audit_async: a job cannot be recorded (no address)\n"] == lines


def test_a_logger_that_is_empty_is_one() -> None:
    """A logger that keeps events in a list is taken for what it is also while that is empty."""

    class Recorder(list[Any]):
        def log(self, event: Any, /) -> Any:
            self.append(event)

    recorder = Recorder()

    @audited_job("schedule.execute", audit=recorder)
    def work() -> None: ...

    work()
    assert ["job.start", "job.finish"] == [event.action for event in recorder]


async def test_a_coroutine_that_a_plain_function_made_has_not_run(log: Log) -> None:
    """Of a wrapper that hides a coroutine function the job cannot tell how it goes, and does not pretend to."""

    async def work() -> int:
        return 7

    hidden = functools.wraps(work)(lambda: work())
    assert 7 == await audited_job("schedule.execute", audit=log.audit)(hidden)()
    assert "unknown" == (await log.last())["outcome"]


async def test_an_object_whose_call_is_a_coroutine_function_is_one(log: Log) -> None:
    """Its job ends when it has run, as it has."""

    class Work:
        async def __call__(self) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await audited_job("schedule.execute", audit=log.audit)(Work())()
    assert "failure" == (await log.last())["outcome"]


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [generator, async_generator])
def test_a_generator_is_none(function: Callable[[], Any]) -> None:
    """Its call only makes it: it is told at once."""
    with pytest.raises(TypeError, match="a generator"):
        audited_job("schedule.execute")(function)


@pytest.mark.parametrize("function", [contextmanager(generator), asynccontextmanager(async_generator)])
def test_a_context_manager_is_none(function: Callable[[], Any]) -> None:
    """What it is made of runs in the block of another: it is told at once."""
    with pytest.raises(TypeError, match=r"generator\(\), a context manager"):
        audited_job("schedule.execute")(function)


async def test_what_runs_a_generator_is_a_job(log: Log) -> None:
    """A decorator that makes a whole call of a generator function may be taken."""

    @functools.wraps(generator)
    def listed() -> list[int]:
        return list(generator())

    assert [1] == audited_job("schedule.execute", audit=log.audit)(listed)()
    assert "success" == (await log.last())["outcome"]


@pytest.mark.parametrize(
    ("manager", "made"),
    [
        (contextmanager(generator), "a context manager"),
        (asynccontextmanager(async_generator), "an async context manager"),
    ],
)
async def test_a_context_manager_that_a_plain_function_made_has_not_run(
    log: Log, manager: Callable[[], Any], made: str
) -> None:
    """Of what will be done in its block the job cannot tell, and does not pretend to."""
    audited_job("schedule.execute", audit=log.audit)(lambda: manager())()
    last = await log.last()
    assert ("unknown", True) == (last["outcome"], made in last["error_message"])


@pytest.mark.parametrize("function", [generator, async_generator])
async def test_a_generator_that_a_plain_function_made_has_not_run(log: Log, function: Callable[[], Any]) -> None:
    """Of what it will do the job cannot tell, and does not pretend to."""
    audited_job("schedule.execute", audit=log.audit)(lambda: function())()
    last = await log.last()
    assert ("unknown", True) == (last["outcome"], "generator" in last["error_message"])


class Decorated:
    @classmethod
    def made(cls) -> Decorated:
        return cls()


def test_a_slip_is_told_where_it_is_written() -> None:
    """A forgotten name, a tenant by another name, or what is no function is told when the function is made."""
    nothings: list[Any] = [Log, staticmethod(generator), vars(Decorated)["made"], 7]
    for nothing in nothings:
        with pytest.raises(TypeError, match="takes a function"):
            audited_job("schedule.execute")(nothing)
    with pytest.raises(TypeError, match="integer"):
        audited_job("schedule.execute", each=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name of the job first"):
        audited_job(generator)
    with pytest.raises(TypeError, match="did you mean 'tenant_id'"):
        audited_job("schedule.execute", tenant="t-1")
