"""One run of a task of a queue: begun in one hook of its framework, ended in another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any

from audit_async import events
from audit_async.context import audit_context, dump, load
from audit_async.diagnostics import report
from audit_async.errors import meant
from audit_async.events import AuditEvent, Outcome
from audit_async.jobs.ending import is_exception, text_of
from audit_async.jobs.job import Job, Logs
from audit_async.jobs.keywords import read_name


class TaskRun:
    """The context that a task was queued in, and by choice a job, around one run of it.

    Args:
        audit: takes the events of the job; None if the run is no job.
        name: of the task, and so of the job.
        payload: what `dump` gave where the task was queued.
        trace_id: of whoever queued it, where the payload names none.
        details: of the job's two events.

    Attributes:
        error: what the run ends with, where that is known before its end.
    """

    def __init__(
        self, audit: Logs | None, name: str, payload: object, trace_id: object, details: Mapping[str, Any]
    ) -> None:
        self.job = Job(audit, name, {"details": details}) if audit is not None else None
        self._context, self._trace_id = load(payload), trace_id
        self._opened = ExitStack()
        self.error: BaseException | None = None

    def begin(self) -> None:
        """Enter the context, and begin the job; in the thread, or task, in which the run will be, and be ended."""
        with ExitStack() as opened:
            opened.enter_context(queued(self._context, self._trace_id))
            if self.job is not None:
                opened.enter_context(self.job)
            self._opened = opened.pop_all()

    def fail(self, reason: object, outcome: Outcome = Outcome.FAILURE) -> None:
        """Note that the run, if it is a job, did not do what it was to do."""
        if self.job is not None:
            self.job.fail(reason, outcome)

    def end(self, error: BaseException | None = None) -> None:
        """End the job, with the *error* that the run ended with, and leave the context."""
        error = error or self.error
        self._opened.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def queued(context: audit_context, trace_id: object) -> ExitStack:
    """Enter *context*, and where nothing names a trace that of *trace_id*, a UUID; return what leaves both."""
    opened = ExitStack()
    opened.enter_context(context)
    if isinstance(trace_id, str) and "trace_id" not in dump()["context"]:
        opened.enter_context(audit_context(trace_id=trace_id.replace("-", "")))
    return opened


def ended_elsewhere(
    name: str, task_id: str, reason: object, outcome: Outcome, details: Mapping[str, Any]
) -> AuditEvent:
    """Return the last event of a run that cannot tell of its end itself: it died, or never began."""
    text, told = text_of(reason) if is_exception(reason) else (reason, {})
    return events.job(
        read_name(name).finish.name,
        job_name=name,
        resource_id=task_id,
        actor_type="job",
        actor_id=name,
        actor_name=name,
        outcome=outcome,
        error_message=text,
        details={**details, **told},
    )


def is_chosen(name: str, chosen: bool | Collection[str]) -> bool:
    """Return whether the task *name* is among those that are *chosen*: all, none, or by name."""
    if isinstance(chosen, str):  # one name alone; looked for in it, a part of it would be one, too
        return name == chosen
    return chosen if isinstance(chosen, bool) else name in chosen


def tell_unknown(chosen: bool | Collection[str], known: Collection[str]) -> None:
    """Say in one log line which of the names in *chosen* is none of the *known* tasks: it may be misspelt."""
    names = [chosen] if isinstance(chosen, str) else [] if isinstance(chosen, bool) else chosen
    unknown = [f"{name!r}{meant(name, known)}" for name in names if name not in known]
    if unknown:
        report("log_tasks", f"log_tasks names what is no task of this worker when it starts: {', '.join(unknown)}")
