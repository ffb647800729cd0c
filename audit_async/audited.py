"""A function whose every call is a job."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    _AsyncGeneratorContextManager,
    _GeneratorContextManager,
    asynccontextmanager,
    contextmanager,
)
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, NoneType
from typing import Any, ParamSpec, TypeVar, cast

from audit_async.config import JOB_ITEMS
from audit_async.default import get_audit_logger, given_logger
from audit_async.diagnostics import describe, report
from audit_async.events import AuditEvent, Outcome
from audit_async.jobs.job import Job, Logs
from audit_async.jobs.keywords import Keywords
from audit_async.receipt import Receipt

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_FIXED = frozenset({str, int, float, bool, NoneType})


def _nothing() -> Iterator[None]:
    yield


async def _nothing_async() -> AsyncIterator[None]:
    yield


# What `contextlib` makes of any generator function has the same code.
_MANAGERS = [
    cast("FunctionType", made).__code__ for made in (contextmanager(_nothing), asynccontextmanager(_nothing_async))
]
_LAZY = {
    CoroutineType: "a coroutine",
    GeneratorType: "a generator",
    AsyncGeneratorType: "an async generator",
    _GeneratorContextManager: "a context manager",
    _AsyncGeneratorContextManager: "an async context manager",
}


def audited_job(
    name: Any, /, *, audit: Logs | None = None, each: bool | int = JOB_ITEMS, **fields: Any
) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Make each call of a function, or of a coroutine function, a job: `@audited_job("schedule.execute")`.

        @audited_job("schedule.execute", schedule="nightly")
        async def nightly() -> None:
            current_job().count("sent")

    Otherwise as `AuditLogger.job`. Inside, `current_job()` is the job. What differs from call to call, such as the
    tenant, is said by a `with audit.job(...)` in the function, or by a context around its call.

    Args:
        name: of the job.
        audit: the logger; by default that of the process, as it is when the function is called.
        each, fields: as of `AuditLogger.job`.

    Raises:
        TypeError: *name* is forgotten; what is decorated is no function, or a generator or a context manager made of
            one, whose call only makes it; or as `AuditLogger.job`.
        ConfigurationError: *audit* is no logger.
    """
    if callable(name):
        raise TypeError("audited_job() takes the name of the job first: @audited_job('schedule.execute')")
    # A slip is told where it is written. What nobody can change is made plain once, for every run.
    said = Keywords(fields)
    given = said if all(type(value) in _FIXED for value in fields.values()) else fields
    operator.index(each)
    given_logger(audit)

    def decorate(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        if isinstance(function, (type, classmethod, staticmethod)) or not callable(function):
            raise TypeError(
                f"audited_job() takes a function, not a {type(function).__name__}. "
                "It stands below @staticmethod and @classmethod, and on a method of a class"
            )
        is_manager = getattr(function, "__code__", None) in _MANAGERS
        if is_manager or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            made = "a context manager" if is_manager else "a generator"
            raise TypeError(
                f"audited_job() cannot take {function.__name__}(), {made}: its call only makes it. "
                "Write `with audit.job(...)` inside"
            )
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

            @functools.wraps(function)
            async def run(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> Any:
                with Job(logger_of(audit), name, given, each=each):
                    return await cast("Awaitable[Any]", function(*arguments, **keywords))

            return cast("Callable[_Parameters, _Result]", run)

        @functools.wraps(function)
        def call(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> _Result:
            with Job(logger_of(audit), name, given, each=each) as job:
                result = function(*arguments, **keywords)
                made = next((_LAZY[kind] for kind in _LAZY if issubclass(type(result), kind)), None)
                if made is not None:
                    job.fail(f"what was called has only made {made}, and has not run yet", Outcome.UNKNOWN)
                return result

        return call

    return decorate


class _Nowhere:
    """Takes the events of a process that has no logger: its work goes on."""

    def log(self, event: AuditEvent, /) -> Receipt:
        return Receipt(event.id, None, 0, refused="no_logger")


def logger_of(audit: Logs | None) -> Logs:
    """Return *audit*, else the logger of the process, else what takes events for it where there can be none."""
    try:
        return get_audit_logger() if audit is None else audit
    except Exception as error:
        report("audited_job", f"a job cannot be recorded ({describe(error)})", level="ERROR")
        return _Nowhere()
