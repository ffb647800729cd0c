"""Tasks of Celery: each run knows who queued it, and by choice is a job (`pip install 'audit-async[celery]'`).

    from audit_async.integrations import celery as audit_celery

    configure("postgresql+asyncpg://app@db/app")
    audit_celery.install(app, log_tasks=True)

Called where the app is made, so that it holds in the programs that queue tasks, in the worker and in its children.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection
from typing import Any

from audit_async.audited import logger_of
from audit_async.context import dump, load
from audit_async.default import given_logger
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent, Outcome
from audit_async.jobs.job import Logs
from audit_async.jobs.task import TaskRun, ended_elsewhere, is_chosen, queued, tell_unknown
from audit_async.loading import optional
from audit_async.shapes import type_name

HEADER = "audit_context"
"""Of a message: what `dump` gave where it was queued."""

_RUN = "audit_run"


def install(app: Any, audit: Logs | None = None, *, log_tasks: bool | Collection[str] = False) -> None:
    """Let every task of *app* run in the context in which it was queued.

    Installed again, it goes by what was said last. A message that comes without a context, or with a damaged one, is
    run as ever. What has been logged is flushed when a worker, or a child of one, ends, for `CLOSE_SECONDS` at most.

    Args:
        app: a `Celery`.
        audit: the logger; by default that of the process, as it is when a task runs. One that was made before the
            worker forks is used by its children, too.
        log_tasks: which tasks are jobs, each run with two events: True for all, or their names. Their arguments and
            results are in no event. A run that dies with its process, or is revoked, has a last event of the worker's.
            A worker that is ready says which names are none of its tasks.

    Raises:
        ConfigurationError: Celery is not installed, *app* is none of its apps, or *audit* is no logger.
    """
    with optional("audit_async.integrations.celery needs Celery", "celery"):
        from celery import Celery, signals  # type: ignore[import-untyped]
    if not isinstance(app, Celery):
        raise ConfigurationError(
            f"install() takes a Celery app, not {type_name(app)}",
            hint="call it where the app is made: install(app)",
        )
    tasks = _Tasks(app, audit, log_tasks)
    for signal, receiver in (
        (signals.before_task_publish, tasks.publish),
        (signals.task_received, tasks.receive),
        (signals.task_prerun, tasks.begin),
        (signals.task_postrun, tasks.end),
        (signals.task_failure, tasks.fail),
        (signals.task_revoked, tasks.revoke),
        (signals.worker_ready, tasks.tell_unknown),
        (signals.worker_process_shutdown, tasks.flush),
        (signals.worker_shutdown, tasks.flush),
    ):
        uid = ("audit_async", receiver.__name__, id(app))
        signal.disconnect(dispatch_uid=uid)
        signal.connect(receiver, weak=False, dispatch_uid=uid)


class _Tasks:
    """What is done at each signal. Celery logs what a receiver raises, and goes on."""

    def __init__(self, app: Any, audit: Logs | None, log_tasks: bool | Collection[str]) -> None:
        self._app, self._audit, self._chosen = app, given_logger(audit), log_tasks
        # A worker that tells of a run which has died is not told what the message was.
        self._received: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        # Of a run that exceeds its hard time limit a worker is told twice that it has failed.
        self._ended: weakref.WeakSet[Any] = weakref.WeakSet()
        # Runs under way in this process, each with its message: in a pool of threads or greenlets they tell their end.
        self._here: dict[str, Any] = {}

    def publish(self, headers: dict[str, Any], **_: Any) -> None:
        # A retry is queued inside its run, with the headers that this has: it stays what the first caller has queued.
        headers.setdefault(HEADER, dump())

    def receive(self, request: Any, **_: Any) -> None:
        self._received[request.id] = request

    def begin(self, task_id: str, task: Any, **_: Any) -> None:
        if task.app != self._app:
            return
        request = task.request
        is_job = is_chosen(task.name, self._chosen)
        run = TaskRun(
            logger_of(self._audit) if is_job else None,
            task.name,
            request.get(HEADER),
            request.root_id or task_id,
            _about(request, task_id),
        )
        run.begin()
        setattr(request, _RUN, run)
        self._here[task_id] = self._received.get(task_id)

    def end(self, task_id: str, task: Any, retval: Any = None, state: str | None = None, **_: Any) -> None:
        run = task.request.__dict__.pop(_RUN, None)
        if run is None:
            return
        message = self._here.pop(task_id, None)
        if message is not None:
            self._ended.add(message)
        error: BaseException | None = None
        if state is None:
            # It is neither of what Celery takes for an end: an exit, say, is on its way through.
            error = sys.exc_info()[1]
            if isinstance(error, SystemExit):
                # It ends the worker, or the child, whatever its code: that is no success of the task.
                run.fail(error, Outcome.CANCELLED)
                error = None
        elif state == "RETRY":
            # "Retry in 5s: ValueError('no answer')". One that has no error waits for something.
            run.fail(str(retval), Outcome.FAILURE if getattr(retval, "exc", None) else Outcome.PENDING)
        elif state == "REJECTED":
            run.fail(f"rejected: {getattr(retval, 'reason', '')}")
        elif isinstance(retval, BaseException) and state == "FAILURE":
            error = retval
        run.end(error)

    def fail(self, sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
        # In the process that runs the task its end is told by the run. A rejected task has run, and told it.
        if getattr(sender.request, _RUN, None) is None and type(exception).__name__ != "Reject":
            self._tell(sender, task_id, exception, Outcome.FAILURE, self._received.get(task_id))

    def revoke(self, sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
        why = "expired" if expired else "terminated" if terminated else "revoked"
        self._tell(sender, request.id, why, Outcome.CANCELLED, request)

    def _tell(self, task: Any, task_id: str, reason: object, outcome: Outcome, request: Any) -> None:
        if task.app != self._app or not is_chosen(task.name, self._chosen):
            return
        if task_id in self._here:
            return
        if request is not None:
            if request in self._ended:
                return
            self._ended.add(request)
        message = {} if request is None else getattr(request, "request_dict", None) or vars(request)
        event: AuditEvent = ended_elsewhere(task.name, task_id, reason, outcome, _about(request, task_id))
        with queued(load(message.get(HEADER)), message.get("root_id") or task_id):
            logger_of(self._audit).log(event)

    def tell_unknown(self, sender: Any, **_: Any) -> None:
        # Sooner not all modules with tasks are there.
        if getattr(sender, "app", None) == self._app:
            tell_unknown(self._chosen, self._app.tasks)

    def flush(self, **_: Any) -> None:
        flush = getattr(logger_of(self._audit), "flush_sync", None)
        if flush is not None:
            flush()


def _about(request: Any, task_id: str) -> dict[str, Any]:
    """Return what is known of the message, without what the task was given."""
    delivery = getattr(request, "delivery_info", None) or {}
    about = {"queue": delivery.get("routing_key"), "worker": getattr(request, "hostname", None)}
    retries = getattr(request, "retries", None) or getattr(request, "request_dict", {}).get("retries")
    about |= {"retries": retries or None, "redelivered": delivery.get("redelivered") or None}
    return {"task_id": task_id, **{name: value for name, value in about.items() if value is not None}}
