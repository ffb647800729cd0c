"""An ASGI application whose events know of the request that they belong to.

    app = AuditMiddleware(app, user=lambda scope: scope["user"].id, log_requests=True, trusted_proxies=["10.0.0.0/8"])

Nothing but ASGI is used: no request is read, no response is held back, no task is started, and what the application
raises is raised.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeAlias

from audit_async.config import MAX_WORD_CHARS
from audit_async.context import Held, LateContext
from audit_async.default import given_logger
from audit_async.diagnostics import describe, report
from audit_async.errors import ConfigurationError
from audit_async.logger import AuditLogger
from audit_async.shapes import pass_on
from audit_async.web.asking import Answerer, Question
from audit_async.web.exchange import MARK, Exchange, Receive, Scope, Send
from audit_async.web.reader import RequestReader

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Skip: TypeAlias = Iterable[str] | Callable[[Scope], object]


class AuditMiddleware:
    """Fill request id, client address, user agent, trace, user and tenant into every event logged in a request.

    All of it is looked at when an event is logged: so *user* sees what an authentication inside of this middleware or
    outside of it has put into the scope by then. Of a scope that such a middleware copies it sees the one that was
    passed in here. Lifespan and whatever else is no request passes through.

    Args:
        app: what is wrapped.
        audit: the logger of the requests' own events; None for the process default logger at that moment.
        user: says the id of who sends a request, or None: it is the event's `user_id` and, as a `user`, its actor. A
            plain function of the scope is called in each `log()`. A coroutine function is awaited, for
            `ANSWER_SECONDS` at most, at the beginning, by `audit_for_request`, and for the request's own event; but
            for what cannot be cancelled, such as anyio's threads without `abandon_on_cancel=True`, as long as that
            takes. What raises is told once a minute, what is slow several times in a row is left alone for
            `ANSWER_REST_SECONDS`.
        tenant: says the tenant, likewise.
        session: says the session, likewise. A session's cookie is a key: give an id that opens nothing.
        log_requests: log an `api.request` for each request, when its response is complete, with method, path (the
            route's template where the framework tells it), status and duration; and for each websocket, when it ends.
            Never a body, a query or a header; what an exception says, that goes through, is its `error_message`.
        skip: requests that get no such event: paths, with `*` at the end for all that begin so, or a plain function
            of the scope.
        trusted_proxies, forwarded_header, request_id_header: as of `RequestReader`.

    Raises:
        ConfigurationError: a setting cannot be meant.
    """

    def __init__(
        self,
        app: Application,
        audit: AuditLogger | None = None,
        user: Answerer | None = None,
        tenant: Answerer | None = None,
        log_requests: bool = False,
        trusted_proxies: object = (),
        *,
        session: Answerer | None = None,
        skip: Skip = (),
        forwarded_header: str | None = None,
        request_id_header: str = "x-request-id",
    ) -> None:
        self.app = app
        self._audit = given_logger(audit)
        self._reader = RequestReader(
            trusted_proxies=trusted_proxies, forwarded_header=forwarded_header, request_id_header=request_id_header
        )
        asked = {"user_id": user, "tenant_id": tenant, "session_id": session}
        self._questions = tuple(Question(field, answerer) for field, answerer in asked.items() if answerer is not None)
        self._logs_requests = log_requests
        self._skips = _skipping(skip)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI calls it."""
        exchange = self._begin(scope) if scope["type"] in ("http", "websocket") else None
        if exchange is None:
            await self.app(scope, receive, send)
            return
        outer = scope.get(MARK)
        scope[MARK] = exchange
        try:
            with LateContext(exchange.fields):
                if self._questions:
                    await exchange.ask(is_early=True)
                if not exchange.is_logged:
                    await self.app(scope, receive, send)
                    return
                exchange.context = Held()
                try:
                    await self.app(scope, exchange.receiving(receive), exchange.sending(send))
                except BaseException as error:
                    await exchange.fail(error)
                    raise
                if exchange.is_logged:
                    await exchange.end()
        finally:
            # Or the two would hold each other until somebody collects them.
            if outer is None:
                scope.pop(MARK, None)
            else:
                scope[MARK] = outer

    def _begin(self, scope: Scope) -> Exchange | None:
        """Return a new exchange; None, so that the request is served as without us, where that cannot be made."""
        try:
            mark = scope.get(MARK)
            outer = mark if isinstance(mark, Exchange) else None
            is_told = outer is not None and outer.is_told
            is_logged = self._logs_requests and not is_told and not self._skips(scope)
            reader = None if outer else self._reader
            return Exchange(scope, reader, self._questions, self._audit, is_logged=is_logged, is_told=is_told)
        except BaseException as error:
            pass_on(error)
            report("web_request", f"a request cannot be read: {describe(error)}")
            return None


def _skipping(skip: Any) -> Callable[[Scope], bool]:
    """Return what says whether a request gets no event. It never raises: in doubt there is one."""
    if callable(skip):
        if inspect.iscoroutinefunction(skip):
            raise ConfigurationError(
                "skip is a coroutine function, which nobody awaits", hint="give a plain function of the scope"
            )
        return lambda scope: _says_so(skip, scope)
    paths = list(skip) if isinstance(skip, Iterable) and not isinstance(skip, str) else [skip]
    for path in paths:
        if not str(path).startswith("/"):
            raise ConfigurationError(
                f"skip has {str(path)[:MAX_WORD_CHARS]!r}, which is no path",
                hint='name paths as "/health" or "/static/*", or give a function of the scope',
            )
    exact = frozenset(path for path in paths if not path.endswith("*"))
    beginnings = tuple(path[:-1] for path in paths if path.endswith("*"))
    if not paths:
        return lambda scope: False
    return lambda scope: scope["path"] in exact or scope["path"].startswith(beginnings)


def _says_so(skip: Callable[[Scope], Any], scope: Scope) -> bool:
    try:
        answer = skip(scope)
        if isinstance(answer, Coroutine):
            answer.close()
            raise TypeError("it gave a coroutine, which nobody awaits")
        return bool(answer)
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):  # of a task whose result it has asked for
            pass_on(error)
        report("web_skip", f"whether a request is logged cannot be told: {describe(error)}")
        return False
