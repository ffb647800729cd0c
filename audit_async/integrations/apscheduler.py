"""Jobs of APScheduler 3: each run is a job of the log (`pip install 'audit-async[apscheduler]'`).

    scheduler = AsyncIOScheduler()
    install(scheduler)
    scheduler.add_job(sync_members, "cron", hour=3, id="members", name="org.sync")

The name of the scheduler's job, by default that of its function, is the name of the log's; its id is `schedule_id` in
the details.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from audit_async.audited import logger_of
from audit_async.default import given_logger
from audit_async.errors import ConfigurationError
from audit_async.events import Outcome
from audit_async.jobs.ending import outcome_of
from audit_async.jobs.job import Job, Logs, apart
from audit_async.jobs.task import ended_elsewhere
from audit_async.loading import optional
from audit_async.shapes import type_name


def install(scheduler: Any, audit: Logs | None = None) -> None:
    """Make every run of every job of *scheduler* a job of the log, before or after it has started.

    Its two events are logged where the function runs: in the loop, or in the pool's thread. What is logged inside knows
    the job; it does not know the request in which the job was added, since a schedule belongs to nobody. A run that
    was missed, or skipped since too many of the same job are under way, has one event, of a failure. In a pool of
    processes a run has one event, when it has ended.

    Args:
        scheduler: a `BackgroundScheduler`, an `AsyncIOScheduler` or another one of version 3.
        audit: the logger; by default that of the process, as it is when a job runs.

    Raises:
        ConfigurationError: APScheduler is not installed, or not in version 3; *scheduler* is none of its schedulers, or
            *audit* is no logger.
    """
    given_logger(audit)
    with optional("audit_async.integrations.apscheduler needs APScheduler 3", "apscheduler"):
        from apscheduler import events  # type: ignore[import-untyped]
        from apscheduler.executors import pool  # type: ignore[import-untyped]
        from apscheduler.schedulers.base import BaseScheduler  # type: ignore[import-untyped]
        from apscheduler.util import iscoroutinefunction_partial  # type: ignore[import-untyped]
    if not isinstance(scheduler, BaseScheduler):
        raise ConfigurationError(
            f"install() takes a scheduler of APScheduler 3, not {type_name(scheduler)}",
            hint="make one first: scheduler = AsyncIOScheduler(); install(scheduler)",
        )
    known = _installed.get(scheduler)
    if known is not None:
        known.audit = audit
        return
    runs = _installed[scheduler] = _Runs(scheduler, audit, iscoroutinefunction_partial, pool.ProcessPoolExecutor)
    scheduler.add_listener(runs.take_executor, events.EVENT_EXECUTOR_ADDED)
    scheduler.add_listener(runs.tell_missed, events.EVENT_JOB_MISSED)
    scheduler.add_listener(runs.tell_skipped, events.EVENT_JOB_MAX_INSTANCES)
    scheduler.add_listener(runs.tell_of_process, events.EVENT_JOB_EXECUTED | events.EVENT_JOB_ERROR)
    for executor in scheduler._executors.values():
        runs.take(executor)


class _Runs:
    """What is done to the executors of one scheduler, and at its events. What a listener raises is logged by it."""

    def __init__(
        self, scheduler: Any, audit: Logs | None, is_coroutine: Callable[[Any], bool], processes: type
    ) -> None:
        self.audit = audit
        self._scheduler, self._is_coroutine, self._processes = weakref.proxy(scheduler), is_coroutine, processes
        self._taken: weakref.WeakSet[Any] = weakref.WeakSet()
        # Those under way: one that runs once is in no job store any more.
        self._jobs: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def take_executor(self, event: Any) -> None:
        self.take(self._scheduler._executors[event.alias])

    def take(self, executor: Any) -> None:
        """Have *executor* run what is submitted to it as jobs of the log."""
        if executor not in self._taken:
            self._taken.add(executor)
            is_here = not isinstance(executor, self._processes)
            executor.submit_job = functools.partial(self._submit, executor.submit_job, is_here)

    def _submit(self, submit: Callable[[Any, Any], None], is_here: bool, job: Any, run_times: Any) -> None:
        self._jobs[job.id] = job
        # A function in another process cannot be wrapped: what wraps it would have to be pickled.
        submit(_Audited(job, self._audited(job)) if is_here else job, run_times)

    def _audited(self, job: Any) -> Callable[..., Any]:
        function, details = job.func, _about(job)
        if self._is_coroutine(function):

            async def run(*arguments: Any, **keywords: Any) -> Any:
                with apart(), Job(logger_of(self.audit), job.name, {"details": details}):
                    return await function(*arguments, **keywords)

            return run

        def call(*arguments: Any, **keywords: Any) -> Any:
            with apart(), Job(logger_of(self.audit), job.name, {"details": details}):
                return function(*arguments, **keywords)

        return call

    def tell_missed(self, event: Any) -> None:
        self._tell(event, f"missed: was to run at {event.scheduled_run_time.isoformat()}", Outcome.FAILURE)

    def tell_skipped(self, event: Any) -> None:
        for moment in event.scheduled_run_times:
            self._tell(event, f"skipped at {moment.isoformat()}: too many of it are still under way", Outcome.FAILURE)

    def tell_of_process(self, event: Any) -> None:
        job = self._jobs.get(event.job_id)
        if job is not None and isinstance(self._scheduler._executors.get(job.executor), self._processes):
            outcome = Outcome.SUCCESS if event.exception is None else outcome_of(event.exception)
            self._tell(event, None if outcome == Outcome.SUCCESS else event.exception, outcome)

    def _tell(self, event: Any, reason: object, outcome: Outcome) -> None:
        job = self._jobs.get(event.job_id) or self._scheduler.get_job(event.job_id)
        name = event.job_id if job is None else job.name
        details = {"schedule_id": event.job_id} if job is None else _about(job)
        with apart():
            logger_of(self.audit).log(ended_elsewhere(name, event.job_id, reason, outcome, details))


class _Audited:
    """A job of the scheduler, for its executor: all of it but the function."""

    def __init__(self, job: Any, function: Callable[..., Any]) -> None:
        self._job, self.func = job, function

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def __str__(self) -> str:
        return str(self._job)


def _about(job: Any) -> dict[str, Any]:
    return {"schedule_id": job.id, "trigger": str(job.trigger)}


_installed: weakref.WeakKeyDictionary[Any, _Runs] = weakref.WeakKeyDictionary()
