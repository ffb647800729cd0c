"""The scope of a job: an event when it begins, one when it ends, and a context around what is between them."""

from __future__ import annotations

import itertools
import operator
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from msgspec.structs import replace

from audit_async import context
from audit_async.config import JOB_ITEMS
from audit_async.context.layers import ACTOR, TRACE
from audit_async.diagnostics import describe, report
from audit_async.events import AuditEvent, Outcome
from audit_async.events.build import say, with_own
from audit_async.events.fields import convert
from audit_async.events.identifier import new_id
from audit_async.events.vocabulary import FAILED
from audit_async.jobs.ending import is_exception, outcome_of, text_of
from audit_async.jobs.keywords import Keywords, read_name
from audit_async.jobs.tally import Tally
from audit_async.receipt import Receipt
from audit_async.scalars import LARGEST_INT, SMALLEST_INT
from audit_async.values import plain_object

FAILURES = frozenset({"failed", "failure", "failures", "error", "errors"})
"""Counters that make of a success a partial one."""

_FAILED = tuple(FAILED)  # an event that was made without a builder may have an outcome without a hash


class Logs(Protocol):
    """Whatever takes events."""

    def log(self, event: AuditEvent, /) -> Receipt:
        """Take *event*."""
        ...


_innermost: ContextVar[Job | None] = ContextVar("audit_job", default=None)

_forks = itertools.count(1)
_process = next(_forks)
"""Which process this is, counted from the first of its line that ran jobs: asking the system costs a call."""


def _after_fork() -> None:
    global _process
    _process = next(_forks)


os.register_at_fork(after_in_child=_after_fork)


def current_job() -> Job | None:
    """Return the job that the caller runs in, the innermost one; None outside of any."""
    return _innermost.get()


@contextmanager
def apart() -> Iterator[None]:
    """Let what runs in this block belong to no job, request or user around it, which have only begun it by chance."""
    around = _innermost.get()
    _innermost.set(None)
    try:
        with context.nothing_said():
            yield
    finally:
        _innermost.set(around)


class Job:
    """One run of a job, made by `AuditLogger.job`. Its calls may be made from any task and any thread.

    Attributes:
        name: canonical (`org.sync`) where it is an action of the vocabulary.
        id: of this run, and of its first event; the `resource_id` of both, and `job_id` in their details.
        parent_id: of the job inside which it was begun, or None; `parent_job_id` in the details.
        trace_id: of every event inside: that of the request, job or span around it, else one of its own.
        outcome: how it ended; None before.
    """

    __slots__ = (
        *("_audit", "_begun", "_context", "_counts", "_each", "_events", "_is_over", "_items", "_named", "_names"),
        *("_parent", "_process", "_rolled_up", "_said", "_settled", "_started", "_who"),
        *("__weakref__", "id", "name", "outcome", "parent_id", "trace_id"),
    )

    def __init__(
        self, audit: Logs, name: Any, fields: Mapping[str, Any] | Keywords, *, each: bool | int = JOB_ITEMS
    ) -> None:
        self._named = read_name(name)
        self.name = self._named.name
        self.id, self.trace_id = "", ""
        self.parent_id: str | None = None
        self._parent: Job | None = None
        self.outcome: Outcome | None = None
        self._audit = audit
        self._said = fields if isinstance(fields, Keywords) else Keywords(fields)
        try:
            self._each = None if each is True else operator.index(each)
        except TypeError:
            raise TypeError(f"each is {each!r}: it takes how many are logged one by one, or True for all") from None
        self._items = itertools.count()
        self._counts, self._rolled_up, self._events = Tally(), Tally(), Tally()
        self._settled: tuple[Outcome, str, dict[str, Any]] | None = None
        self._context: context.audit_context | None = None
        self._who: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._begun: AuditEvent | None = None
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
        return self._process == _process and not self._is_over

    def fail(self, reason: Any, outcome: Any = Outcome.FAILURE) -> None:
        """Note that the job did not do what it was to do, though it raises nothing; the last *reason* counts.

        Args:
            reason: the error message of the job's last event: a text, or an exception.
            outcome: its outcome: `failure`, `denied`, `partial`, ...
        """
        text, told = text_of(reason) if is_exception(reason) else (say(reason), {})
        self._settled = (convert("outcome", outcome, {}) or Outcome.FAILURE, text, told)

    # --- begin and end -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._process:
            raise RuntimeError(f"the job {self.name} was begun before; each run is an `audit.job(...)` of its own")
        self.id, moment = new_id()
        around, self._parent = context.current(), _innermost.get()
        self._names = {"job_name": self.name, "job_id": self.id}
        if self._parent is not None:
            self.parent_id = self._names["parent_job_id"] = self._parent.id
        who = self._said.who
        trace = context.span_of(self.id.replace("-", ""), around) if TRACE.isdisjoint(who) else {}
        is_other = ACTOR.isdisjoint(who)
        self._who = {**self._named.actor, **who, **trace} if is_other else {**who, **trace}
        self._context = context.audit_context.of_actor(self._who, self._said.invalid)
        self.trace_id = self._who.get("trace_id", "")
        self._process, self._started = _process, time.perf_counter()
        self._begun = self._first(moment)
        # Who started it is the actor of its first event, as far as that is known; what is inside, the job does.
        is_started = is_other and not ACTOR.isdisjoint(around)
        starter = {field: around.get(field) for field in (*ACTOR, "on_behalf_of")} if is_started else {}
        self._context.__enter__()
        _innermost.set(self)
        try:
            self._log_own(replace(self._begun, **starter) if starter else self._begun)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # A forked child has a copy of the job, which is not the child's to end.
            if self._is_running and self._begun is not None:
                self._is_over = True
                self._log_own(self._ended(self._begun, error))
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

    def _first(self, moment: datetime) -> AuditEvent:
        """Return the first event, with the job as its actor. What it is made of was converted before."""
        term, said = self._named.start, self._said
        event = AuditEvent(
            id=self.id,
            created_at=moment,
            action=term.name,
            category=term.category,
            severity=term.severity,
            outcome=Outcome.SUCCESS,
            resource_type="job",
            resource_id=self.id,
            details=with_own(said.details, self._names),
            **self._who,
        )
        return replace(event, **said.own) if said.own else event

    def _ended(self, begun: AuditEvent, error: BaseException | None) -> AuditEvent:
        """Return the last event, and settle the outcome: of an exception, as it was said, or as it was counted."""
        duration = (time.perf_counter() - self._started) * 1000
        counts, own = self._counts.totals(), {**self._names, **self._events.totals()}
        message: str | None = None
        thrown = outcome_of(error) if error is not None else Outcome.SUCCESS
        if error is not None and thrown != Outcome.SUCCESS:
            self.outcome = thrown
            message, told = text_of(error)
            own.update(told)
        elif self._settled is not None:
            self.outcome, message, told = self._settled
            own.update(told)
        elif "events_failed" in own or _has_failures(counts):
            self.outcome = Outcome.PARTIAL
        else:
            self.outcome = Outcome.SUCCESS
        rolled_up = self._rolled_up.totals()
        if rolled_up:
            own["events_rolled_up"] = rolled_up
        term = self._named.finish
        severity = term.severity_failed if self.outcome in FAILED else term.severity
        details = self._said.details
        if counts:
            details = {**details, **(counts if _are_plain(counts) else plain_object(counts))}
        event_id, moment = new_id()
        return replace(
            begun,
            id=event_id,
            created_at=moment,
            action=term.name,
            severity=self._said.own.get("severity", severity),
            outcome=self.outcome,
            duration_ms=round(duration, 3),
            error_message=message,
            details=with_own(details, own),
        )

    def _log_own(self, event: AuditEvent) -> None:
        """Log an event of the job itself. A logger that cannot is no fault of the work."""
        try:
            self._log_inside(event)
        except Exception as error:
            report("job", f"an event of the job {self.name} cannot be logged ({describe(error)})", level="ERROR")


def _are_plain(counts: dict[str, int]) -> bool:
    """Return whether *counts*, whose names are keys of details already, is all that `plain_object` makes of it."""
    return all(type(count) is int and SMALLEST_INT <= count <= LARGEST_INT for count in counts.values())


def _has_failures(counts: Mapping[str, int]) -> bool:
    return not FAILURES.isdisjoint(counts) and any(counts.get(name, 0) > 0 for name in FAILURES)
