"""However a job ends, that is in the log, and what ended it goes on."""

from __future__ import annotations

import asyncio
import enum
import functools
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing, suppress
from typing import Any

import anyio
import click
import pytest
import trio

from audit_async import AuditEvent, Receipt, audited_job, current_job, events
from audit_async.jobs.ending import outcome_of
from audit_async.jobs.job import Job
from tests.jobs.journal import Log
from tests.logs import heard


class HostileError(Exception):
    """One whose text raises what it was made of."""

    def __str__(self) -> str:
        raise self.args[0]


class CancelledOrderError(Exception):
    """One of an application's own, about something that was cancelled."""


class PanicError(BaseException):
    """As an extension in Rust raises it: no Exception, and meant for nobody."""


class GreenletExit(BaseException):
    """As greenlet raises it in one that is killed."""


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (ValueError("no such department"), "failure", "ValueError: no such department"),
        (TimeoutError(), "failure", "TimeoutError"),
        (CancelledOrderError("o-7"), "failure", "CancelledOrderError: o-7"),
        (PanicError("rust"), "failure", "PanicError: rust"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (SystemExit(3), "failure", "SystemExit: 3"),
        (SystemExit("no such directory"), "failure", "SystemExit: no such directory"),
        (SystemExit(0, 0), "failure", "SystemExit: (0, 0)"),
        (GeneratorExit(), "cancelled", "GeneratorExit"),
        (GreenletExit(), "cancelled", "GreenletExit"),
        (asyncio.CancelledError("shutting down"), "cancelled", "CancelledError: shutting down"),
        (HostileError(RuntimeError()), "failure", "HostileError: its text cannot be read"),
        (HostileError(SystemExit(1)), "failure", "HostileError"),
        (HostileError(KeyboardInterrupt()), "failure", "HostileError"),
        (HostileError(asyncio.CancelledError()), "failure", "HostileError"),
    ],
)
async def test_what_ends_a_job_is_recorded_and_goes_on(
    log: Log, error: BaseException, outcome: str, message: str
) -> None:
    """The very same exception leaves the block, with nothing behind it; its type and text are in the last event."""
    left: BaseException | None = None
    try:
        with log.audit.job("schedule.execute") as job:
            raise error
    except BaseException as caught:
        left = caught
    assert left is error
    assert left.__context__ is None
    row = await log.last()
    assert (outcome, outcome, message) == (job.outcome, row["outcome"], row["error_message"])
    assert row["details"]["exception"]["$type"].endswith(type(error).__name__)
    assert current_job() is None


class Done(SystemExit):
    """One whose code cannot be asked for."""

    @property
    def code(self) -> int:  # type: ignore[override]
        raise RuntimeError


class Code(enum.IntEnum):
    """As programs name them."""

    OK = 0
    USAGE = 2


@pytest.mark.parametrize(
    ("exit", "counted", "outcome"),
    [(SystemExit(*code), {}, "success") for code in ((), (0,), (None,), (False,), (Code.OK,))]
    + [(Done(), {}, "success"), (SystemExit(0), {"failed": 1}, "partial")]
    + [(SystemExit(code), {}, "failure") for code in (Code.USAGE, -1, 256, "", 0.0, b"")],
    ids=repr,
)
async def test_an_exit_is_what_its_code_says(log: Log, exit: SystemExit, counted: dict[str, int], outcome: str) -> None:
    """Without a code, or with 0, the block has come to its end: it goes by what was counted, and there is no error."""
    left: BaseException | None = None
    try:
        with log.audit.job("org.sync") as job:
            for name, n in counted.items():
                job.count(name, n)
            raise exit
    except SystemExit as caught:
        left = caught
    row = await log.last()
    assert left is exit
    assert (outcome, outcome, outcome == "failure") == (job.outcome, row["outcome"], row["error_message"] is not None)
    assert ("exception" in row["details"]) == (outcome == "failure")


async def test_a_command_of_click_is_a_job(log: Log) -> None:
    """It always ends by an exit: of one that went well it is a success, of a wrong option a failure."""

    @click.command()
    @click.option("--times", type=int)
    def command(times: int | None) -> None: ...

    for arguments in ([], ["--times", "x"]):
        with suppress(SystemExit):
            audited_job("schedule.execute", audit=log.audit)(command)(arguments)
    ends = [(row["outcome"], row["error_message"]) for row in await log.rows() if row["action"] == "job.finish"]
    assert [("success", None), ("failure", "SystemExit: 2")] == ends


class Stopping:
    """Handlers of a signal, as programs have them. They exit well: the process has done what it was told."""

    def method(self, number: int, frame: object) -> None:
        sys.exit(0)

    __call__ = method

    def once(self, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        self.method(number, None)


@pytest.mark.parametrize(
    "handler",
    [Stopping(), Stopping().method, Stopping().once, lambda *_: sys.exit(0), functools.partial(Stopping().method)],
)
async def test_an_exit_by_a_signal_is_a_cancellation(log: Log, handler: Callable[[int, Any], Any]) -> None:
    """Whatever its code: what was interrupted is not done."""

    def work() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(SystemExit), log.audit.job("schedule.execute"):
            work()
    finally:
        signal.signal(signal.SIGUSR1, before)
    row = await log.last()
    assert ("cancelled", "SystemExit: 0") == (row["outcome"], row["error_message"])


def test_a_group_with_exits_is_the_worst_of_them() -> None:
    """A failure outweighs a cancellation, and that an exit that says nothing."""
    well, cancelled = SystemExit(0), asyncio.CancelledError()
    assert "success" == outcome_of(BaseExceptionGroup("a", [well, BaseExceptionGroup("b", [well])]))
    assert "cancelled" == outcome_of(BaseExceptionGroup("a", [well, cancelled]))
    assert "failure" == outcome_of(BaseExceptionGroup("a", [well, cancelled, SystemExit(1)]))


@pytest.mark.parametrize(
    ("counted", "failing", "outcome"),
    [({}, 0, "success"), ({"created": 3}, 0, "success"), ({"failed": 0}, 0, "success"), ({}, 1, "partial")]
    + [({name: 1}, 0, "partial") for name in ("failed", "failures", "errors")],
)
async def test_failures_that_were_counted_or_logged_make_it_partial(
    log: Log, counted: dict[str, int], failing: int, outcome: str
) -> None:
    """A job whose block ends well is a success, or a partial one."""
    with log.audit.job("org.sync") as job:
        for name, n in counted.items():
            job.count(name, n)
        for _ in range(failing):
            job.log(events.org_sync("org.member_create", success=False))
    assert outcome == (await log.last())["outcome"]


async def test_a_failure_may_be_said(log: Log) -> None:
    """What raises nothing may have failed all the same; an exception outweighs what was said."""
    with log.audit.job("org.sync") as job:
        job.fail("the directory does not answer")
    with suppress(ValueError), log.audit.job("org.sync") as raising:
        raising.fail(KeyError("k"), outcome="denied")
        raise ValueError
    with log.audit.job("org.sync") as denied:
        denied.fail(PermissionError("not yours"), outcome="denied")
    rows = [row for row in await log.rows() if row["action"] == "org.sync"]
    assert [
        ("failure", "the directory does not answer", "high"),
        ("failure", "ValueError", "high"),
        ("denied", "PermissionError: not yours", "high"),
    ] == [(row["outcome"], row["error_message"], row["severity"]) for row in rows]
    kinds = [row["details"].get("exception", {}).get("$type") for row in rows]
    assert [None, "builtins.ValueError", "builtins.PermissionError"] == kinds


async def test_any_value_is_a_reason(log: Log) -> None:
    """One that raises when it is asked for its class is as good as a text."""

    class Classless:
        @property  # type: ignore[misc]  # that of `object` can be set
        def __class__(self) -> Any:
            raise LookupError

        def __str__(self) -> str:
            return "no class"

    with log.audit.job("org.sync") as job:
        job.fail(Classless())
    last = await log.last()
    assert ("failure", True) == (last["outcome"], bool(last["error_message"]))


async def test_what_led_to_an_exception_is_kept(log: Log) -> None:
    """Causes, and the members of a group, are in the details, under the name that a line of a log has for them."""
    with suppress(ExceptionGroup), log.audit.job("schedule.execute"):
        async with asyncio.TaskGroup() as group:
            group.create_task(_fails())
    details = (await log.last())["details"]
    [member] = details["exception"]["errors"]
    assert ("builtins.ValueError", "inside") == (member["$type"], member["message"])


async def _fails() -> None:
    raise ValueError("inside")


async def test_a_task_that_is_cancelled_ends_cancelled(log: Log) -> None:
    """`Task.cancel` is recorded, and the task is cancelled."""
    inside = asyncio.Event()

    async def work() -> None:
        async with log.audit.job("schedule.execute"):
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert "cancelled" == (await log.last())["outcome"]


async def test_a_time_limit_around_it_is_a_cancellation_and_still_a_time_limit(log: Log) -> None:
    """A limit outside cancels the job, and raises as without it; one inside is a failure."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), log.audit.job("schedule.execute"):
            await asyncio.sleep(60)
    with pytest.raises(TimeoutError):
        async with log.audit.job("schedule.execute"), asyncio.timeout(0.01):
            await asyncio.sleep(60)
    outcomes = [row["outcome"] for row in await log.rows() if row["action"] == "job.finish"]
    assert ["cancelled", "failure"] == outcomes


def test_a_cancel_scope_of_anyio_ends_it_on_both_loops(log: Log) -> None:
    """A cancelled scope ends the job inside, on asyncio and trio, and swallows its own cancellation as ever."""

    async def work() -> bool:
        with anyio.CancelScope() as scope:
            async with log.audit.job("schedule.execute") as job:
                scope.cancel()
                await anyio.sleep(60)
        return scope.cancelled_caught and job.outcome == "cancelled"

    assert [True, True] == [anyio.run(work, backend=backend) for backend in ("asyncio", "trio")]


def test_a_group_of_nothing_but_cancellations_is_one() -> None:
    """Trio cancels several tasks at once, and raises a group; one failure among them makes it a failure."""

    async def cancelled() -> BaseException:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep(60)
            except trio.Cancelled as error:
                return error
        raise AssertionError

    one = trio.run(cancelled)
    group = BaseExceptionGroup("a", [one, BaseExceptionGroup("b", [one, one])])
    assert "cancelled" == outcome_of(group)
    assert "failure" == outcome_of(BaseExceptionGroup("c", [group, ValueError()]))
    deep: BaseException = ValueError()
    for _ in range(5000):
        deep = BaseExceptionGroup("d", [deep])
    assert outcome_of(deep) in ("failure", "cancelled")


async def test_a_generator_that_is_closed_ends_it(log: Log) -> None:
    """Closing a generator, of either kind, in the middle of a job cancels the job, and nothing of it is left."""

    async def members() -> AsyncGenerator[int, None]:
        async with log.audit.job("org.sync"):
            yield 1

    def departments() -> Generator[int, None, None]:
        with log.audit.job("org.sync"):
            yield 1

    async with aclosing(members()) as found:
        assert 1 == await anext(found)
    with closing(departments()) as others:
        assert 1 == next(others)
    assert current_job() is None
    log.audit.log(events.auth("auth.login"))
    rows = await log.rows()
    assert ["cancelled", "cancelled"] == [row["outcome"] for row in rows if row["action"] == "org.sync"]
    assert (None, None) == (rows[-1]["trace_id"], rows[-1]["actor_id"])


class Failing:
    """A logger that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def log(self, event: AuditEvent, /) -> Receipt:
        raise self.error


def test_a_logger_that_raises_is_no_fault_of_the_work() -> None:
    """Whatever the logger raises, the work is done, its result stands, and its exception is the one that goes on."""
    error = ValueError("of the work")
    with heard() as lines:
        with Job(Failing(OSError("disk")), "schedule.execute", {}) as job:
            pass
        with pytest.raises(ValueError, match="of the work") as caught, Job(Failing(OSError()), "a", {}):
            raise error
    assert caught.value is error
    assert ("success", None) == (job.outcome, current_job())
    assert any("cannot be logged (OSError: disk)" in line for line in lines)


def test_an_interrupt_while_it_begins_leaves_no_context() -> None:
    """A Ctrl-C in the moment of the first event goes on, and the job is not the current one."""
    with pytest.raises(KeyboardInterrupt), Job(Failing(KeyboardInterrupt()), "a", {}):
        raise AssertionError
    assert current_job() is None


def test_an_interrupt_while_an_error_is_read_goes_on(log: Log) -> None:
    """A Ctrl-C in the moment in which the text of the error is read is a Ctrl-C: it is not taken for the error's."""

    class OnceError(Exception):
        reads = 0

        def __str__(self) -> str:
            self.reads += 1
            if self.reads == 1:
                raise KeyboardInterrupt
            return "read"

    with pytest.raises(KeyboardInterrupt), log.audit.job("schedule.execute"):
        raise OnceError
    assert current_job() is None


def test_a_closed_logger_is_no_fault_of_the_work(log: Log) -> None:
    """A job of a logger that was closed is done, and its events are counted as refused."""
    log.audit.close_sync()
    with log.audit.job("org.sync") as job:
        assert "closed" == job.log(events.org_sync("org.member_create")).refused
    assert ("success", 3) == (job.outcome, log.audit.stats().refused)
