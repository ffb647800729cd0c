"""The scope of a job: an event when it begins, one when it ends, and a context around what is between them."""

from __future__ import annotations

import itertools
import operator
import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from audit_async import context
from audit_async.config import JOB_ITEMS
from audit_async.diagnostics import describe, report
from audit_async.events import AuditEvent, Outcome
from audit_async.events.build import say, with_own
from audit_async.events.fields import convert
from audit_async.events.identifier import new_id
from audit_async.events.vocabulary import FAILED, Term
from audit_async.jobs.ending import outcome_of, text_of
from audit_async.jobs.keywords import Keywords, read_name
from audit_async.jobs.tally import Tally
from audit_async.receipt import Receipt
from audit_async.values import plain_object

FAILURES = frozenset({"failed", "failure", "failures", "error", "errors"})
"""Counters that make of a success a partial one."""

_ACTOR = frozenset({"actor_type", "actor_id", "actor_name"})
_TRACE = frozenset({"trace_id", "span_id"})
_FAILED = tuple(FAILED)  # an event that was made without a builder may have an outcome without a hash


class Logs(Protocol):
    """Whatever takes events."""

    def log(self, event: AuditEvent, /) -> Receipt:
        """Take *event*."""
        ...


_innermost: ContextVar[Job | None] = ContextVar("audit_job", default=None)


def current_job() -> Job | None:
    """Return the job that the caller runs in, the innermost one; None outside of any."""
    return _innermost.get()


class Job:
    """One run of a job, made by `AuditLogger.job`. Its calls may be made from any task and any thread.

    Attributes:
        name: canonical (`org.sync`) where it is an action of the vocabulary.
        id: of this run, and of its first event; the `resource_id` of both, and `job_id` in their details.
        parent_id: of the job inside which it was begun, or None; `parent_job_id` in the details.
        trace_id: of every event inside: that of the request, job or span around it, else one of its own.
        outcome: how it ended; None before.
    """

    def __init__(self, audit: Logs, name: Any, fields: Mapping[str, Any], *, each: bool | int = JOB_ITEMS) -> None:
        self._named = read_name(name)
        self.name = self._named.name
        self.id, self.trace_id = "", ""
        self.parent_id: str | None = None
        self._parent: Job | None = None
        self.outcome: Outcome | None = None
        self._audit = audit
        self._said = Keywords(fields)
        self._each = None if each is True else operator.index(each)
        self._items = itertools.count()
        self._counts, self._rolled_up, self._events = Tally(), Tally(), Tally()
        self._settled: tuple[Outcome, str] | None = None
        self._context: context.audit_context | None = None
        self._who: Mapping[str, str] = {}
        self._process, self._started, self._is_over = 0, 0.0, False

    def __repr__(self) -> str:
        state = self.outcome or ("running" if self._process else "not begun")
        return f"<Job {self.name} {self.id or '-'}: {state}>"

    # --- what is said inside -------------------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, int]:
        """What was counted so far, by name."""
        return self._counts.totals()

    def count(self, name: Any, n: int = 1) -> None:
        """Add *n* to the counter *name*, which is in the details of the last event.

        `failed` (or `failure`, `failures`, `error`, `errors`) makes of a success a partial one. What is counted after
        the end, or in a forked child, is in no event, and one log line says so.

        Raises:
            TypeError: *n* is no whole number.
        """
        amount = operator.index(n)
        if not self._is_running:
            report("job_count", f"the job {self.name} is not under way here: what is counted is in no event")
        self._counts.add(name if type(name) is str else say(name), amount)

    def log(self, event: AuditEvent) -> Receipt:
        """Log *event* as one of this job's; behind the first ones, what went well is rolled up: counted, not logged.

        Logged one by one are always: what did not go well (its outcome is not `success`), what is of high severity, and
        what comes after the job's end. Of the rest the first `JOB_ITEMS` are, or as many as `each` says. How many were
        rolled up, by action, is `events_rolled_up` in the details of the job's last event, beside `events_logged`. The
        receipt of one that was rolled up says so: `refused` is `rolled_up`.

        What is logged by the logger itself, or by a helper such as `write_org_sync_audit_log`, is in the job's context
        as well, and never rolled up. In a thread that has not inherited the context (a plain one, `run_in_executor`)
        only this call knows the job.

        Raises:
            TypeError, UnknownActionError: as `AuditLogger.log`.
        """
        if self._is_rolled_up(event):
            self._rolled_up.add(event.action)
            return Receipt(event.id, None, 0, refused="rolled_up")
        receipt = self._log_inside(event)
        self._events.add("events_logged" if receipt.is_accepted else "events_refused")
        if event.outcome in _FAILED:
            self._events.add("events_failed")
        return receipt

    def _log_inside(self, event: AuditEvent) -> Receipt:
        if _innermost.get() is self or self._context is None:
            return self._audit.log(event)
        # A thread without the context, or another job that is inside this one, or beside it in another generator.
        with self._context:
            return self._audit.log(event)

    def _is_rolled_up(self, event: AuditEvent) -> bool:
        if self._each is None or type(event) is not AuditEvent or type(event.action) is not str:
            return False
        if not event.success or event.is_high_severity:
            return False
        # Asked last, since it takes a number. One that nobody will tell of any more is not rolled up.
        return self._is_running and next(self._items) >= self._each

    @property
    def _is_running(self) -> bool:
        return self._process == os.getpid() and not self._is_over

    def fail(self, reason: Any, outcome: Any = Outcome.FAILURE) -> None:
        """Note that the job did not do what it was to do, though it raises nothing; the last *reason* counts.

        Args:
            reason: the error message of the job's last event: a text, or an exception.
            outcome: its outcome: `failure`, `denied`, `partial`, ...
        """
        text = text_of(reason)[0] if isinstance(reason, BaseException) else say(reason)
        self._settled = (convert("outcome", outcome, {}) or Outcome.FAILURE, text)

    # --- begin and end -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._process:
            raise RuntimeError(f"the job {self.name} was begun before; each run is an `audit.job(...)` of its own")
        self.id, moment = new_id()
        around, self._parent = context.current(), _innermost.get()
        self.parent_id = self._parent.id if self._parent else None
        who = self._said.who
        if _TRACE.isdisjoint(who):
            who = {**who, **context.span_of(self.id.replace("-", ""))}
        self._context = context.job_actor(self.name, **who)
        self._who = self._context.fields
        self.trace_id = self._who.get("trace_id", "")
        # Who started it is the actor of its first event, as far as that is known; what is inside, the job does.
        is_started = _ACTOR.isdisjoint(who) and not _ACTOR.isdisjoint(around)
        starter = {field: around.get(field) for field in (*_ACTOR, "on_behalf_of")} if is_started else {}
        self._process, self._started = os.getpid(), time.perf_counter()
        self._context.__enter__()
        _innermost.set(self)
        try:
            self._log_own(
                self._event(self._named.start, self.id, moment, Outcome.SUCCESS, self._said.details, {}, starter)
            )
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # A forked child has a copy of the job, which is not the child's to end.
            if self._is_running:
                self._is_over = True
                self._log_own(self._ended(error))
        except Exception as fault:
            report("job", f"the end of the job {self.name} cannot be said ({describe(fault)})", level="ERROR")
        finally:
            self._leave()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _leave(self) -> None:
        job = _innermost.get()
        while job is not None and job is not self:
            job = job._parent
        # None: it was begun in another task, as that of a generator which is closed late.
        if job is not None:
            _innermost.set(self._parent)
        if self._context is not None:
            self._context.__exit__(None, None, None)
        # A job that is begun inside by each that ends would else keep all those before it.
        self._parent = None

    def _ended(self, error: BaseException | None) -> AuditEvent:
        """Return the last event, and settle the outcome: of an exception, as it was said, or as it was counted."""
        duration = (time.perf_counter() - self._started) * 1000
        counts, events, rolled_up = self.counts, self._events.totals(), self._rolled_up.totals()
        message: str | None = None
        details: dict[str, Any] = dict(events)
        if error is not None:
            self.outcome = outcome_of(error)
            message, told = text_of(error)
            details.update(told)
        elif self._settled is not None:
            self.outcome, message = self._settled
        else:
            has_failures = "events_failed" in events or any(counts.get(name, 0) > 0 for name in FAILURES)
            self.outcome = Outcome.PARTIAL if has_failures else Outcome.SUCCESS
        if rolled_up:
            details["events_rolled_up"] = plain_object(rolled_up)
        values = {"duration_ms": round(duration, 3), "error_message": message}
        said = {**self._said.details, **plain_object(counts)} if counts else self._said.details
        return self._event(self._named.finish, *new_id(), self.outcome, said, details, values)

    def _event(
        self,
        term: Term,
        id: str,
        moment: datetime,
        outcome: Outcome,
        said: Mapping[str, Any],
        own: dict[str, Any],
        values: Mapping[str, Any],
    ) -> AuditEvent:
        """Return an event of the job itself. All of it is converted already, which is what a builder would do."""
        own = {"job_name": self.name, "job_id": self.id, **own}
        if self.parent_id is not None:
            own["parent_job_id"] = self.parent_id
        fields = {
            "category": term.category,
            "severity": term.severity_failed if outcome in FAILED else term.severity,
            **self._said.own,
            **self._who,
            **values,
        }
        return AuditEvent(
            id=id,
            created_at=moment,
            action=term.name,
            outcome=outcome,
            resource_type="job",
            resource_id=self.id,
            details=with_own(said, own),
            **fields,
        )

    def _log_own(self, event: AuditEvent) -> None:
        """Log an event of the job itself. A logger that cannot is no fault of the work."""
        try:
            self._log_inside(event)
        except Exception as error:
            report("job", f"an event of the job {self.name} cannot be logged ({describe(error)})", level="ERROR")
