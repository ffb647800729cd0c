"""One request and its response: what is known of it at any moment, and the event that tells of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

from audit_async.config import MAX_METHOD_CHARS
from audit_async.context import Held, current_span
from audit_async.default import get_audit_logger
from audit_async.diagnostics import describe, report
from audit_async.events import AuditEvent, Category, Outcome, Severity
from audit_async.events.fields import to_message
from audit_async.events.identifier import new_id
from audit_async.jobs.ending import outcome_of
from audit_async.logger import AuditLogger
from audit_async.shapes import members_of, pass_on
from audit_async.text import short_text
from audit_async.web.asking import Question
from audit_async.web.reader import RequestReader
from audit_async.web.template import path_of

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

MARK = "audit_async"
"""In a scope: the exchange that it belongs to, so that a middleware in a mounted application knows of the outer one."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WEBSOCKET"})
"""The usual ones, which need not be looked at."""

_BODIES = frozenset({"http.response.body", "http.response.zerocopysend"})
_DENIED, _TOO_MANY, _SERVER_ERROR, _SWITCHED = frozenset({401, 403, 407}), 429, 500, 101


class Exchange:
    """What one request said, what the application says of it, and what came of it.

    Args:
        scope: of ASGI.
        reader: of headers; None where an outer exchange has read them.
        questions: to the application.
        audit: the logger of the request; None for the process default logger.
        is_logged: whether an event is to tell of it.
        is_told: whether that of an outer exchange does.

    Attributes:
        is_logged: whether one is still to be logged.
        context: that of the request's own event; None for the current one.
        is_told: whether there is one at all, of this exchange or of an outer one.
    """

    # As most requests leave them: one that says otherwise gets its own.
    context: Held | None = None
    _status: int | None = None
    _close_code: int | None = None
    _has_trailers = False
    _is_complete = False
    _is_disconnected = False
    _has_left = False
    _error: BaseException | None = None
    _said: tuple[dict[str, str], dict[str, str], dict[str, str]] | None = None

    def __init__(
        self,
        scope: Scope,
        reader: RequestReader | None,
        questions: Sequence[Question],
        audit: AuditLogger | None,
        *,
        is_logged: bool = False,
        is_told: bool = False,
    ) -> None:
        self.scope = scope
        self.is_logged = is_logged
        self.is_told = is_logged or is_told
        self._reader = reader
        self._questions = questions
        self._audit = audit
        self._path = scope.get("path")  # before a router changes it
        self._waits = any(question.is_async for question in questions) if questions else False
        self._is_socket = scope["type"] == "websocket"
        self._started = time.perf_counter()
        # Filled at the first look, by whatever thread comes first: `setdefault` is atomic.
        self._read: dict[None, dict[str, str]] = {}
        self._answers: dict[str, str] = {}

    @property
    def audit(self) -> AuditLogger:
        """The logger that this request is logged by."""
        return self._audit if self._audit is not None else get_audit_logger()

    # --- what is known of it ---------------------------------------------------------------------------

    def fields(self) -> dict[str, str]:
        """Return the fields of a context that hold at this moment. Never raises."""
        try:
            read = self._read.get(None)
            if read is None:
                read = self._read.setdefault(None, self._read_headers())
            if "trace_id" in read and current_span():
                # The span of our own server is nearer than that of its client.
                read = {name: value for name, value in read.items() if name not in ("trace_id", "span_id")}
            return self._with_answers(read) if self._questions else read
        except BaseException as error:
            pass_on(error)
            report("web_request", f"a request cannot be read: {describe(error)}")
            return {}

    async def ask(self, *, is_early: bool = False) -> None:
        """Ask what has to be awaited. Only its cancellation is raised, and that only early."""
        for question in self._questions:
            if question.is_async:
                answer = await question.ask(self.scope, is_early=is_early)
                if answer is not None:
                    self._answers = {**self._answers, question.field: answer}

    def _read_headers(self) -> dict[str, str]:
        if self._reader is None:
            return {}
        client = self.scope.get("client")
        return self._reader.read(self.scope["headers"], client[0] if client else None)

    def _with_answers(self, read: dict[str, str]) -> dict[str, str]:
        answers = self._answers
        for question in self._questions:
            if not question.is_async:
                answer = question.ask_now(self.scope)
                # Who was somebody and is nobody now has logged out: it is still his request.
                if answer is not None and answers.get(question.field) != answer:
                    answers = self._answers = {**answers, question.field: answer}
        before = self._said
        if before is not None and before[0] is read and before[1] is answers:
            return before[2]
        said = {**read, **answers}
        user = answers.get("user_id")
        if user is not None:
            said["actor_type"], said["actor_id"] = "user", user
        self._said = (read, answers, said)
        return said

    # --- what comes of it ------------------------------------------------------------------------------

    def receiving(self, receive: Receive) -> Receive:
        """Return *receive*, seen."""

        async def seen() -> Message:
            message = await receive()
            try:
                self._see_received(message)
            except Exception as error:
                report("web_message", f"a message cannot be read: {describe(error)}")
            return message

        return seen

    def sending(self, send: Send) -> Send:
        """Return *send*, seen. The event is logged when the response is complete, before what runs behind it."""

        async def seen(message: Message) -> None:
            try:
                is_last = self._see_sent(message)
            except Exception:  # what is wrong with it the server says
                is_last = False
            try:
                await send(message)
            except OSError:
                self._is_disconnected = True
                raise
            # An error of the server's own is followed by the exception that led to it.
            if is_last and (self._status or 0) < _SERVER_ERROR:
                if self._waits:
                    await self.end()
                else:
                    self._log_now()

        return seen

    async def end(self) -> None:
        """Log the event, if that has not been done."""
        if self.is_logged:
            try:
                await self.ask()
            finally:
                self._log_now()

    async def fail(self, error: BaseException) -> None:
        """Note that *error* has left the application, and log the event, if that has not been done."""
        if self.is_logged:
            self._error = error
            try:
                # Nothing is awaited where the whole request is to end.
                if isinstance(error, Exception):
                    await self.ask()
            finally:
                self._log_now()

    def _see_received(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.disconnect":
            self._is_disconnected |= not self._is_complete
        elif kind == "websocket.disconnect":
            self._has_left = True
            self._close_code = self._close_code or _code_of(message)

    def _see_sent(self, message: Message) -> bool:
        """Note what *message* says, and return whether it ends the response."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = int(message["status"])
            self._has_trailers = bool(message.get("trailers"))
        elif kind in _BODIES:
            self._is_complete = not (message.get("more_body") or self._has_trailers)
        elif kind == "http.response.trailers":
            self._is_complete = not message.get("more_trailers")
        elif kind == "http.response.pathsend":
            self._is_complete = not self._has_trailers
        elif kind == "websocket.accept":
            self._status = _SWITCHED
        elif kind == "websocket.close":
            self._status, self._close_code = self._status or 403, _code_of(message)
        elif kind == "websocket.http.response.start":
            self._status = int(message["status"])
        return self._is_complete

    # --- its event -------------------------------------------------------------------------------------

    def _log_now(self) -> None:
        if not self.is_logged:
            return
        self.is_logged = False
        try:
            # The last part of a response may be sent inside a job, or another one's context: the request is not theirs.
            with self.context or nullcontext():
                self.audit.log(self._event())
        except BaseException as error:
            pass_on(error)
            report("web_event", f"the event of a request was not logged: {describe(error)}")
        finally:
            self._error = self.context = None  # whose frames, and whose layers, hold this object

    def _event(self) -> AuditEvent:
        """Return what `events.api_request` would build, in a fraction of the time."""
        duration = round((time.perf_counter() - self._started) * 1000, 3)
        outcome, message = self._outcome()
        status = self._status
        method = "WEBSOCKET" if self._is_socket else self.scope.get("method")
        if type(method) is not str or method not in _METHODS:
            method = short_text(str(method), MAX_METHOD_CHARS)
        path = path_of(self.scope, self._path)
        details: dict[str, Any] = {"method": method, "path": path}
        if self._is_disconnected:
            details["disconnected"] = True
        if self._close_code is not None:
            details["close_code"] = self._close_code
        event_id, moment = new_id()
        is_too_many = status == _TOO_MANY
        return AuditEvent(
            id=event_id,
            created_at=moment,
            action="api.rate_limited" if is_too_many else "api.request",
            category=Category.SECURITY if is_too_many else Category.ACCESS,
            severity=Severity.MEDIUM if is_too_many else Severity.LOW,
            outcome=outcome,
            description=f"{method} {path}",
            status_code=status,
            duration_ms=duration,
            error_message=message,
            details=details,
        )

    def _outcome(self) -> tuple[Outcome, str | None]:
        """Settle status and outcome, five cases: it failed, it was given up, it never ended, or by its status."""
        error = self._error
        if error is not None and not isinstance(error, Exception):
            return (Outcome.CANCELLED, None) if _is_cancellation(error) else (Outcome.ERROR, to_message(error))
        if self._is_disconnected:
            return Outcome.CANCELLED, None
        if error is not None and not self._is_end_of_socket(error):
            self._status = self._status or _SERVER_ERROR
            return Outcome.ERROR, to_message(error)
        status = self._status
        if status is None or not (self._is_complete or self._is_socket):
            # What a server then sends, if it still can.
            self._status = status or _SERVER_ERROR
            return Outcome.ERROR, "the application ended without a whole response"
        if status < 400:
            return Outcome.SUCCESS, None
        if status >= _SERVER_ERROR:
            return Outcome.ERROR, None
        return Outcome.DENIED if status in _DENIED or status == _TOO_MANY else Outcome.FAILURE, None

    def _is_end_of_socket(self, error: Exception) -> bool:
        """Return whether *error* only says that the client has closed the socket: as Starlette and Litestar do."""
        return self._has_left and type(error).__name__ == "WebSocketDisconnect"


def _code_of(message: Message) -> int:
    code = message.get("code")
    return code if type(code) is int else 1000  # what ASGI means where nothing is said


def _is_cancellation(error: BaseException) -> bool:
    if members_of(error):
        return outcome_of(error) is Outcome.CANCELLED
    # Of asyncio and of trio, which need not be here.
    return type(error).__name__.startswith("Cancel")
