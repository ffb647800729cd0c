"""Bad input, bad applications and bad loggers: the request is served as without us."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from audit_async import AuditLogger, Outcome, events
from audit_async.context import fill
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.middleware import AuditMiddleware
from audit_async.web.exchange import MARK, Exchange
from tests.logs import heard
from tests.middleware.kept import Kept, cancelled_task, wrapped
from tests.middleware.site import Site, serving
from tests.middleware.test_leaks import call, scope_of


async def tell(request: Request) -> Response:
    event = fill(events.custom("a"))
    return JSONResponse({"ip_address": event.ip_address, "user_agent": event.user_agent})


@pytest.fixture(scope="module", params=["h11", "httptools"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def make(audit: AuditLogger) -> AuditMiddleware:
        app = Starlette(routes=[Route("/", tell)])
        return AuditMiddleware(app, audit, log_requests=True, trusted_proxies=["127.0.0.0/8"])

    with serving(make, tmp_path_factory.mktemp("site"), http=request.param) as served:
        yield served


@pytest.mark.parametrize(
    "headers",
    [
        b"user-agent: " + b"\xff\xfe" * 100,
        b"user-agent: " + b"A" * 30_000,
        b"x-forwarded-for: " + b"10.0.0.1," * 5000,
        b"x-forwarded-for: \xff\xfe\r\nx-forwarded-for: 1.2.3.4, \xe4",
        b'forwarded: for="' + b"[" * 20_000,
        b"traceparent: 00-\xff",
        b"x-request-id: a\r\nx-request-id: b",
        b"user-agent:\r\ntraceparent:\r\nx-forwarded-for:\r\nforwarded:\r\nx-request-id:",
    ],
)
def test_no_header_is_in_the_way(site: Site, headers: bytes) -> None:
    """Whatever stands in a header, the response comes and the event is in the table."""
    before = len(site.all_rows())
    answer = site.send_raw(b"GET / HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    (row,) = site.all_rows(before + 1)[before:]
    assert (200, "success") == (row["status_code"], row["outcome"])
    assert re.fullmatch(r"[0-9a-f]{32}", row["request_id"])


SCOPES: list[dict[str, Any]] = [
    scope_of(headers=[(b"user-agent", b"\0")], method="\0" * 1000, path="\0\ud800"),
    scope_of(headers=((b"x-request-id", b"r-1"),), client=["203.0.113.9", 1]),
    scope_of(headers=[[b"x-request-id", b"r-1"]], client=None, method=None),
    scope_of(headers=None, client=7, path=None),
    scope_of(headers=[(b"user-agent", 7)], client=("a" * 100_000, None), method=object()),
    scope_of(headers=[7], route=7, path_template=7, method=[]),
    {"type": "http"},
]


@pytest.mark.parametrize("number", range(len(SCOPES)))
async def test_no_scope_is_in_the_way(sqlite_url: str, tmp_path: Path, number: int) -> None:
    """A server that says odd things, or nothing, gets its response; the event says what is known."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", writer="none") as audit:
        app = AuditMiddleware(PlainTextResponse("hello"), audit, log_requests=True, trusted_proxies="10.0.0.1")
        sent = await call(app, dict(SCOPES[number]))
        assert [200, b"hello"] == [sent[0]["status"], sent[1]["body"]]
        assert 1 == audit.stats().accepted


class Route7:
    """A route that raises when it is looked at."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("hostile")


async def test_no_route_is_in_the_way(sqlite_url: str, tmp_path: Path) -> None:
    """A framework's route that cannot be read costs the template, and one line."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", writer="none") as audit:
        app = AuditMiddleware(PlainTextResponse("hello"), audit, log_requests=True)
        with heard() as lines:
            sent = await call(app, scope_of(route=Route7()))
    assert (200, 1) == (sent[0]["status"], len(lines))


class Refusing:
    """Stands for a logger that has a fault of its own."""

    def log(self, event: AuditEvent) -> object:
        raise RuntimeError("a fault of ours")


async def test_a_logger_that_raises_is_not_in_the_way() -> None:
    """A fault in logging costs the event, and one line says so."""
    with heard() as lines:
        app = AuditMiddleware(PlainTextResponse("hello"), Refusing(), log_requests=True)  # type: ignore[arg-type]
        assert 200 == (await call(app, scope_of()))[0]["status"]
    assert ["a fault of ours" in line for line in lines] == [True]


async def test_a_default_logger_that_cannot_be_made_is_not_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a usable address of a database the requests are served."""
    monkeypatch.setenv("AUDIT_DATABASE_URL", "no address")
    with heard() as lines:
        assert 200 == (await call(AuditMiddleware(PlainTextResponse(""), log_requests=True), scope_of()))[0]["status"]
    assert 1 == len(lines)


async def test_messages_that_are_none_are_the_servers_business() -> None:
    """What an application sends that is no message reaches the server as it is."""
    met: list[Any] = []
    messages: list[Any] = [None, 7, {}, {"type": "http.response.start"}, {"type": "http.unknown"}]
    messages += [{"type": "http.response.start", "status": "odd"}, {"type": "http.response.body"}]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    async def send(message: Any) -> None:
        met.append(message)

    middleware, logged = wrapped(app)
    await call(middleware, scope_of(), send)
    assert messages == met
    assert [(500, Outcome.ERROR)] == [(event.status_code, event.outcome) for event in logged]


async def test_one_inside_another_is_one_request() -> None:
    """In a mounted application with a middleware of its own there is one request id and one event, of the outer one,
    and what the inner one says of its user holds inside."""
    kept = Kept()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.log(events.custom("inside"))
        raise ValueError  # so that the outer one logs behind the end of the inner one

    options: dict[str, Any] = {"audit": kept, "log_requests": True}
    inner = AuditMiddleware(app, user=lambda scope: "inner", **options)
    outside = AuditMiddleware(inner, user=lambda scope: "outer", tenant=lambda scope: "t1", **options)
    with pytest.raises(ValueError, match=r"^$"):
        await call(outside, scope_of())
    inside, outer = kept.events
    assert ("inside", "api.request") == (inside.action, outer.action)
    assert ("inner", "t1", "outer") == (inside.user_id, inside.tenant_id, outer.user_id)
    assert inside.request_id == outer.request_id is not None


async def test_however_deep_it_is_mounted_one_request_is_one_event() -> None:
    """A third middleware inside of two knows that the outermost one tells of the request."""

    async def respond(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    kept: Any = Kept()
    app: Any = respond
    for _ in range(3):
        app = AuditMiddleware(app, audit=kept, log_requests=True)
    await call(app, scope_of())
    assert ["api.request"] == [event.action for event in kept.events]


async def test_what_is_no_request_passes_through() -> None:
    """Lifespan and whatever a server invents later reach the application untouched."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    middleware, logged = wrapped(app)
    for kind in ("lifespan", "http3"):
        scope = {"type": kind}
        await middleware(scope, anyio.sleep_forever, anyio.sleep_forever)  # type: ignore[arg-type]
        assert (scope, anyio.sleep_forever, anyio.sleep_forever) == seen.pop()
        assert {"type": kind} == scope
    assert [] == logged


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_it_runs_on_every_loop(run: Callable[..., Any]) -> None:
    """Under trio it does what it does under asyncio, with a coroutine for the user."""

    async def user(scope: Any) -> str:
        await anyio.lowlevel.checkpoint()
        return "ann"

    middleware, logged = wrapped(PlainTextResponse("hello"), user=user)

    async def serve() -> None:
        await call(middleware, scope_of())

    run(serve()) if run is asyncio.run else run(serve)
    assert [("ann", Outcome.SUCCESS)] == [(event.user_id, event.outcome) for event in logged]


@pytest.mark.parametrize("skip", [["health"], [""], [7], "health", 7])
def test_what_is_no_path_is_an_error_at_the_start(skip: Any) -> None:
    """A slip in the paths that are skipped is told when the application starts."""
    with pytest.raises(ConfigurationError, match="no path"):
        AuditMiddleware(Starlette(), skip=skip)


async def says(scope: Any) -> bool:
    return True


def test_a_coroutine_function_that_skips_is_an_error_at_the_start() -> None:
    """Nobody would await it, and what it gives instead of an answer would skip every request."""
    with pytest.raises(ConfigurationError, match="coroutine"):
        AuditMiddleware(Starlette(), skip=says)


async def test_a_skip_that_gives_no_answer_skips_nothing() -> None:
    """A coroutine is none, and a cancelled task's result is none; one line says so."""
    task = await cancelled_task()
    for skip in (lambda scope: says(scope), lambda scope: task.result()):
        middleware, logged = wrapped(PlainTextResponse(""), skip=skip)
        with heard() as lines:
            assert 200 == (await call(middleware, scope_of()))[0]["status"]
        assert (1, [True]) == (len(logged), ["whether a request is logged" in line for line in lines])


@pytest.mark.parametrize("is_logged", [True, False])
async def test_a_request_leaves_nothing_to_collect(is_logged: bool) -> None:
    """When it has been served nothing holds what is known of it, and no collector of garbage is needed."""
    exchanges: list[weakref.ref[Exchange]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchanges.append(weakref.ref(scope[MARK]))
        await PlainTextResponse("")(scope, receive, send)

    middleware = AuditMiddleware(app, Kept(), lambda scope: "ann", log_requests=is_logged)  # type: ignore[arg-type]
    gc.disable()
    try:
        await call(middleware, scope_of())
        assert [None] == [exchange() for exchange in exchanges]
    finally:
        gc.enable()
