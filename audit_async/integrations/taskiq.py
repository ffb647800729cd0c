"""Tasks of taskiq: each run knows who queued it, and by choice is a job (`pip install 'audit-async[taskiq]'`).

broker = ListQueueBroker("redis://queue").with_middlewares(AuditMiddleware(log_tasks=True))
"""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from audit_async.audited import logger_of
from audit_async.context import dump
from audit_async.default import given_logger
from audit_async.jobs.job import Logs
from audit_async.jobs.task import TaskRun, is_chosen, tell_unknown
from audit_async.loading import optional

if TYPE_CHECKING:
    from taskiq import InMemoryBroker, NoResultError, TaskiqMessage, TaskiqMiddleware, TaskiqResult
else:
    with optional("audit_async.integrations.taskiq needs taskiq", "taskiq"):
        from taskiq import InMemoryBroker, NoResultError, TaskiqMiddleware

LABEL = "audit_context"
"""Of a message: what `dump` gave where it was queued, as JSON."""


class AuditMiddleware(TaskiqMiddleware):
    """Let every task of a broker run in the context in which it was queued. Both sides need it.

    Add it last: what the other middlewares do around a run is then outside of its job, and one that stops a run before
    it begins leaves no job open. When the broker is shut down what was logged is flushed, for `CLOSE_SECONDS` at most.

    Args:
        audit: the logger; by default that of the process, as it is when a task runs.
        log_tasks: which tasks are jobs, each run with two events: True for all, or their names. Their arguments and
            results are in no event. A worker that starts says which names are none of its tasks.

    Raises:
        ConfigurationError: *audit* is no logger.
    """

    def __init__(self, audit: Logs | None = None, *, log_tasks: bool | Collection[str] = False) -> None:
        super().__init__()
        self._audit, self._chosen = given_logger(audit), log_tasks
        # The run that a task of the loop is in, and those around it: a broker in memory may run one inside another.
        self._runs: ContextVar[tuple[TaskRun, ...]] = ContextVar("audit_taskiq_runs", default=())

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Put the current context into a message; one that is queued once more, by a retry, keeps what it has."""
        message.labels.setdefault(LABEL, msgspec.json.encode(dump()).decode())
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Begin a run, in the task that goes on to call the function."""
        is_job = is_chosen(message.task_name, self._chosen)
        run = TaskRun(
            logger_of(self._audit) if is_job else None,
            message.task_name,
            message.labels.get(LABEL),
            message.task_id,
            {"task_id": message.task_id},
        )
        run.begin()
        self._runs.set((*self._runs.get(), run))
        return message

    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """Note what the function raised, before a middleware that queues it again puts something else in its place."""
        # Raised to have no result kept, as by `Context.requeue`: no failure.
        if not isinstance(exception, NoResultError):
            self._runs.get()[-1].error = exception

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """End the run that this task is in."""
        *around, run = self._runs.get()
        self._runs.set(tuple(around))
        run.end()

    def startup(self) -> None:
        """Say which of the chosen names is no task, where a worker has them all; who only queues need not."""
        if self.broker.is_worker_process or isinstance(self.broker, InMemoryBroker):
            tell_unknown(self._chosen, self.broker.get_all_tasks())

    async def shutdown(self) -> None:
        """Bring in what was logged."""
        flush = getattr(logger_of(self._audit), "flush", None)
        if flush is not None:
            await flush()
