"""The event of each request: what it was, and what came of it."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from audit_async import AuditLogger, events
from audit_async.config import MAX_PATH_CHARS
from audit_async.middleware import AuditMiddleware
from tests.middleware.site import SECONDS, Site, ask, serving

GO_ON = asyncio.Event()
LIFE: list[str] = []


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def status(request: Request) -> Response:
    return PlainTextResponse("", int(request.path_params["code"]))


async def fail(request: Request) -> Response:
    raise ValueError("no such thing")


async def fail_in_handler(request: Request, error: Exception) -> Response:
    raise KeyError("and the handler as well") from error


async def fail_twice(request: Request) -> Response:
    raise LookupError


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            await asyncio.sleep(0)
            yield part

    return StreamingResponse(parts())


async def stream_and_fail(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("in the middle")

    return StreamingResponse(parts())


async def stream_for_ever(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 65536

    return StreamingResponse(parts())


async def behind(request: Request) -> Response:
    async def work(audit: AuditLogger) -> None:
        await asyncio.wait_for(GO_ON.wait(), SECONDS)
        audit.log(events.custom("work.done"))

    return PlainTextResponse("soon", background=BackgroundTask(work, request.app.state.audit))


async def release(request: Request) -> Response:
    GO_ON.set()
    return PlainTextResponse("")


async def fail_behind(request: Request) -> Response:
    async def work() -> None:
        raise ValueError("behind the response")

    return PlainTextResponse("soon", background=BackgroundTask(work))


async def other(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("other")(scope, receive, send)


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """End without a response, as no application should."""


@asynccontextmanager
async def life(app: Starlette) -> AsyncIterator[None]:
    LIFE.append("begun")
    yield
    LIFE.append("ended")


def make(audit: AuditLogger) -> AuditMiddleware:
    inner = Starlette(routes=[Route("/items/{id}", hello), Route("/", hello)])
    routes = [
        *(Route(f"/{each.__name__}", each) for each in (hello, fail, fail_twice, stream, stream_and_fail)),
        *(Route(f"/{each.__name__}", each) for each in (stream_for_ever, behind, release, fail_behind)),
        Route("/echo", echo, methods=["POST", "PUT"]),
        Route("/status/{code:int}", status),
        Route("/items/{id}/parts/{part}", hello),
        Route("/health", hello),
        Mount("/inner/{shop}", AuditMiddleware(inner, audit, log_requests=True)),
        Mount("/other", other),
        Mount("/nothing", nothing),
    ]
    app = Starlette(routes=routes, lifespan=life, exception_handlers={LookupError: fail_in_handler})
    app.state.audit = audit
    return AuditMiddleware(app, audit, log_requests=True, skip=["/health", "/hello/*"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    LIFE.clear()
    with serving(make, tmp_path_factory.mktemp("site")) as served:
        yield served
        assert ["begun"] == LIFE
    assert ["begun", "ended"] == LIFE


def test_a_request_leaves_one_event(site: Site) -> None:
    """The event says method, template, status, duration and where it came from, and is what the builder builds."""
    answer = site.ask("/items/7/parts/8?token=sekret", user_agent="test/1")
    assert (200, b"hello") == (answer.status, answer.body)
    row = site.row(answer.request_id)
    built = events.api_request("api.request", method="GET", path="/items/{id}/parts/{part}", status_code=200)
    names = ("action", "category", "severity", "outcome", "description", "status_code", "error_message", "details")
    assert {name: getattr(built, name) for name in names} == {name: row[name] for name in names}
    assert ("127.0.0.1", "test/1", None) == (row["ip_address"], row["user_agent"], row["user_id"])
    assert 0 < row["duration_ms"] < SECONDS * 1000
    assert "sekret" not in str(row)


@pytest.mark.parametrize(
    ("code", "action", "outcome"),
    [
        (204, "api.request", "success"),
        (304, "api.request", "success"),
        (400, "api.request", "failure"),
        (401, "api.request", "denied"),
        (403, "api.request", "denied"),
        (429, "api.rate_limited", "denied"),
        (503, "api.request", "error"),
    ],
)
def test_the_status_says_how_it_went(site: Site, code: int, action: str, outcome: str) -> None:
    """A status is an outcome, and too many requests are an action of their own, as the builder has them."""
    answer = site.ask(f"/status/{code}")
    row = site.row(answer.request_id)
    assert (code, code, action, outcome) == (answer.status, row["status_code"], row["action"], row["outcome"])
    built = events.api_request(action, success=code < 400)
    assert (built.category, built.severity) == (row["category"], row["severity"])


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/inner/shop-1/items/7", "/inner/{shop}/items/{id}"),
        ("/inner/7/items/7", "/inner/{shop}/items/{id}"),
        ("/inner/shop-1/", "/inner/{shop}/"),
        ("/inner/shop-1/none", "/inner/shop-1/none"),
        ("/other/thing", "/other/thing"),
        ("/no/such/thing", "/no/such/thing"),
        ("/%00/%ff", "/␀/�"),
        ("/" + "x" * 2000, None),
    ],
)
def test_the_path_is_the_template_where_there_is_one(site: Site, path: str, template: str | None) -> None:
    """A mounted route's template stands behind what it is mounted under; what has none is the path, cut and clean."""
    said = site.row(site.ask(path).request_id)["details"]["path"]
    if template is None:
        assert MAX_PATH_CHARS == len(said)
    else:
        assert template == said


def test_bodies_pass_untouched(site: Site) -> None:
    """A large body goes through in both directions, and none of it is in the log."""
    body = b"sekret" * 100_000
    answer = site.ask("/echo", "POST", body=body)
    assert body == answer.body
    assert "sekret" not in str(site.row(answer.request_id))


def test_a_client_that_waits_for_100_continue_gets_it(site: Site) -> None:
    """`Expect: 100-continue` is answered before the body is sent, and the response follows."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=SECONDS) as raw:
        raw.sendall(
            b"PUT /echo HTTP/1.1\r\nhost: x\r\nx-request-id: continue-1\r\nconnection: close\r\n"
            b"expect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b"body")
        rest = b"".join(iter(lambda: raw.recv(65536), b""))
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert rest.endswith(b"body")
    assert 200 == site.row("continue-1")["status_code"]


def test_a_stream_is_one_event_at_its_end(site: Site) -> None:
    """A streamed response arrives whole, and leaves one event."""
    answer = site.ask("/stream")
    assert (b"one two three", "success") == (answer.body, site.row(answer.request_id)["outcome"])


def test_what_is_raised_is_recorded_and_raised(site: Site) -> None:
    """An exception becomes the server's 500, as without us, and the event has its type and text."""
    answer = site.ask("/fail")
    row = site.row(answer.request_id)
    assert (500, 500, "error") == (answer.status, row["status_code"], row["outcome"])
    assert "ValueError: no such thing" == row["error_message"]
    assert "/fail" == row["details"]["path"]


def test_an_exception_in_the_exception_handler_is_a_500(site: Site) -> None:
    """When the application's own handler raises, the response is a 500, and the event has the handler's error."""
    answer = site.ask("/fail_twice")
    row = site.row(answer.request_id)
    assert (500, "error") == (answer.status, row["outcome"])
    assert row["error_message"].startswith("KeyError")


def test_a_stream_that_breaks_is_an_error_with_the_status_that_was_sent(site: Site) -> None:
    """An exception in the middle of a response keeps its status, and is an error."""
    with pytest.raises(http.client.IncompleteRead):
        site.ask("/stream_and_fail", x_request_id="breaks-1")
    row = site.row("breaks-1")
    assert (200, "error", "ValueError: in the middle") == (row["status_code"], row["outcome"], row["error_message"])


def test_an_application_that_says_nothing_is_an_error(site: Site) -> None:
    """Where no response was given, the server's 500 is recorded."""
    answer = site.ask("/nothing/")
    row = site.row(answer.request_id)
    assert (500, 500, "error") == (answer.status, row["status_code"], row["outcome"])


def test_a_client_that_goes_away_leaves_an_event(site: Site) -> None:
    """A response that nobody takes any more is cancelled, with the status that was sent."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=SECONDS) as raw:
        raw.sendall(b"GET /stream_for_ever HTTP/1.1\r\nhost: x\r\nx-request-id: gone-1\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
    row = site.row("gone-1")
    assert (200, "cancelled", True) == (row["status_code"], row["outcome"], row["details"]["disconnected"])


def test_the_event_does_not_wait_for_what_runs_behind_the_response(site: Site) -> None:
    """The request is logged when its response is complete; a background task logs later, in the same context."""
    answer = site.ask("/behind")
    assert "api.request" == site.row(answer.request_id)["action"]
    site.ask("/release")
    first, second = site.rows(answer.request_id, 2)
    assert ("api.request", "work.done") == (first["action"], second["action"])
    assert "127.0.0.1" == second["ip_address"]


def test_what_fails_behind_the_response_is_not_the_requests(site: Site) -> None:
    """A background task that raises leaves the request's one event as it was."""
    answer = site.ask("/fail_behind")
    site.ask("/hello")
    assert (200, "success") == (site.row(answer.request_id)["status_code"], site.row(answer.request_id)["outcome"])


def test_what_is_skipped_leaves_no_event(site: Site) -> None:
    """A path that is named, or begins as one with a star, leaves no event; others do."""
    for path in ("/health", "/hello/there"):
        skipped = site.ask(path)
        logged = site.ask("/hello")
        assert 1 == len(site.rows(logged.request_id))
        assert [] == site.rows(skipped.request_id, 0)


def test_one_connection_serves_many_requests(site: Site) -> None:
    """On a connection that is kept alive each request has its own event, and ids that nobody gave are all different."""
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=SECONDS)) as connection:
        before = len(site.all_rows())
        for number in range(20):
            ask(connection, f"/items/{number}/parts/1", x_request_id="?")
    made = [row["request_id"] for row in site.all_rows(before + 20)[before:]]
    assert (20, 20) == (len(made), len(set(made)))


def test_skip_may_be_a_function(tmp_path: Path) -> None:
    """A function of the scope says what is skipped; where it raises, the request is logged."""

    def skip(scope: Any) -> bool:
        return {"/hello": True, "/health": False}[scope["path"]]

    def wrapped(audit: AuditLogger) -> AuditMiddleware:
        app = Starlette(routes=[Route(f"/{name}", hello) for name in ("hello", "health", "stream")])
        return AuditMiddleware(app, audit, log_requests=True, skip=skip)

    with serving(wrapped, tmp_path) as site:
        answers = [site.ask(path) for path in ("/hello", "/health", "/stream")]
        assert [200] * 3 == [answer.status for answer in answers]
        assert [1, 1] == [len(site.rows(answer.request_id)) for answer in answers[1:]]
        assert [] == site.rows(answers[0].request_id, 0)


def test_without_log_requests_there_is_none(tmp_path: Path) -> None:
    """By default a request that logs nothing leaves nothing."""
    with serving(lambda audit: AuditMiddleware(Starlette(routes=[Route("/", hello)]), audit), tmp_path) as site:
        assert 200 == site.ask("/").status
        site.audit.log(events.custom("after"))
        assert ["after"] == [row["action"] for row in site.all_rows()]


def test_nothing_is_put_into_a_response(site: Site) -> None:
    """A response has the headers of the application and the server, and no other."""
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=SECONDS)) as connection:
        connection.request("GET", "/hello")
        names = {name.lower() for name, _ in connection.getresponse().getheaders()}
    assert {"date", "server", "content-length", "content-type"} == names
