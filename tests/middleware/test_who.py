"""Who sends a request: functions of the application that say so, whatever they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from audit_async import AuditLogger, audit_context, events, job_actor
from audit_async.config import ANSWER_REST_SECONDS, SLOW_ANSWERS
from audit_async.context import dump, fill
from audit_async.errors import ConfigurationError
from audit_async.middleware import AuditMiddleware
from audit_async.web import asking
from audit_async.web.exchange import Exchange
from audit_async.web.reader import RequestReader
from tests.logs import heard
from tests.middleware.site import Site, serving

NAMES = ("user_id", "actor_type", "actor_id", "tenant_id", "session_id")


def said() -> dict[str, Any]:
    """Return who an event that is logged at this moment is said to be of."""
    event = fill(events.custom("a"))
    return {name: value for name in NAMES if (value := getattr(event, name)) is not None}


class ByHeader(AuthenticationBackend):
    """Believes a header, as a test may."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("x-user")
        return (AuthCredentials(), SimpleUser(name)) if name else None


async def tell(request: Request) -> Response:
    return JSONResponse(said())


def tell_in_thread(request: Request) -> Response:
    return JSONResponse(said())


async def tell_dumped(request: Request) -> Response:
    return JSONResponse(dump()["context"])


async def tell_in_contexts(request: Request) -> Response:
    with audit_context(user_id="u-inner"):
        inner = said()
    with audit_context(actor_id="key-1", actor_type="api_key"):
        key = said()
    with job_actor("export"):
        job = said()
    return JSONResponse({"inner": inner, "key": key, "job": job, "after": said()})


async def log_out(request: Request) -> Response:
    said()
    del request.scope["user"]
    return JSONResponse(said())


class Beside(BaseHTTPMiddleware):
    """Runs the application in a task of its own."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


ROUTES = [Route(f"/{each.__name__}", each) for each in (tell, tell_in_thread, tell_dumped, tell_in_contexts, log_out)]


def user_of(scope: Any) -> str | None:
    user = scope["user"]
    return user.username if user.is_authenticated else None


async def user_in_coroutine(scope: Any) -> str | None:
    await asyncio.sleep(0)
    return user_of(scope)


def tenant_of(scope: Any) -> str:
    return f"t-{user_of(scope)}"


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(scope="module")
def inside(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An application whose authentication is inside of our middleware."""

    def make(audit: AuditLogger) -> AuditMiddleware:
        layers = [Middleware(Beside), Middleware(AuthenticationMiddleware, backend=ByHeader())]
        app = Starlette(routes=ROUTES, middleware=layers)
        return AuditMiddleware(app, audit, user_of, tenant_of, log_requests=True, session=lambda scope: 7)

    return stack.enter_context(serving(make, tmp_path_factory.mktemp("inside")))


@pytest.mark.parametrize("path", ["/tell", "/tell_in_thread"])
def test_an_authentication_inside_of_us_is_seen(inside: Site, path: str) -> None:
    """What has been put into the scope since the request began is known to whatever is logged from then on."""
    answer = inside.ask(path, x_user="ann")
    expected = {"user_id": "ann", "actor_type": "user", "actor_id": "ann", "tenant_id": "t-ann", "session_id": "7"}
    assert expected == answer.json
    assert expected.items() <= inside.row(answer.request_id).items()


def test_nobody_is_nobody(inside: Site) -> None:
    """A request of nobody has no user and no actor, also behind one of somebody."""
    inside.ask("/tell", x_user="ann")
    answer = inside.ask("/tell")
    assert {"tenant_id": "t-None", "session_id": "7"} == answer.json
    assert inside.row(answer.request_id)["user_id"] is None


def test_an_inner_context_wins(inside: Site) -> None:
    """What is said inside holds, and no actor is put together from two: a job in a request is no user."""
    told = inside.ask("/tell_in_contexts", x_user="ann").json
    rest = {"tenant_id": "t-ann", "session_id": "7"}
    ann = {"user_id": "ann", "actor_type": "user", "actor_id": "ann", **rest}
    assert {**ann, "user_id": "u-inner"} == told["inner"]
    assert {**ann, "actor_type": "api_key", "actor_id": "key-1"} == told["key"]
    assert {**ann, "actor_type": "job", "actor_id": "export"} == told["job"]
    assert ann == told["after"]


def test_a_payload_carries_who_it_was(inside: Site) -> None:
    """`dump` takes what is known at that moment along."""
    answer = inside.ask("/tell_dumped", x_user="ann")
    assert {"user_id": "ann", "ip_address": "127.0.0.1", "request_id": answer.request_id}.items() <= answer.json.items()


def test_who_has_logged_out_was_the_one_who_asked(inside: Site) -> None:
    """When the user of an event vanishes from the scope, later events of the same request still name him."""
    answer = inside.ask("/log_out", x_user="ann")
    row = inside.row(answer.request_id)
    assert ("ann", "ann") == (row["user_id"], row["actor_id"])


@pytest.mark.parametrize("user", [user_of, user_in_coroutine])
def test_an_authentication_outside_of_us_is_seen(tmp_path: Path, user: Any) -> None:
    """What an outer middleware has put into the scope is known from the beginning, to a coroutine as well."""

    def make(audit: AuditLogger) -> AuthenticationMiddleware:
        app = AuditMiddleware(Starlette(routes=ROUTES), audit, user, log_requests=True)
        return AuthenticationMiddleware(app, backend=ByHeader())

    with serving(make, tmp_path) as site:
        answer = site.ask("/tell", x_user="ann")
        assert "ann" == answer.json["user_id"]
        assert "ann" == site.row(answer.request_id)["user_id"]


def test_a_coroutine_is_asked_again_for_the_requests_event(tmp_path: Path) -> None:
    """With the authentication inside a coroutine knows nobody at the beginning, without a word, and somebody at the
    end."""

    def make(audit: AuditLogger) -> AuditMiddleware:
        layers = [Middleware(AuthenticationMiddleware, backend=ByHeader())]
        return AuditMiddleware(Starlette(routes=ROUTES, middleware=layers), audit, user_in_coroutine, log_requests=True)

    with heard() as lines, serving(make, tmp_path) as site:
        answer = site.ask("/tell", x_user="ann")
        assert {} == answer.json
        assert "ann" == site.row(answer.request_id)["user_id"]
        assert [] == [line for line in lines if "user_id" in line]


class Broken:
    """Raises when it is asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("hostile")


def raising(scope: Any) -> str:
    raise RuntimeError("no user today")


def giving(value: Any) -> Any:
    return lambda scope: value


async def raising_late(scope: Any) -> str:
    await asyncio.sleep(0)
    raise RuntimeError("no user today")


def plain_of_coroutine(scope: Any) -> Any:
    return user_in_coroutine(scope)


@pytest.mark.parametrize(
    ("user", "word"),
    [(raising, "no user today"), (raising_late, "no user today"), (giving({"id": 1}), "dict"), (giving([1]), "list")],
)
def test_what_says_no_user_is_told_once(tmp_path: Path, user: Any, word: str) -> None:
    """A function that raises, or gives no id, costs the event its user and nothing else; one line says so."""

    def make(audit: AuditLogger) -> AuditMiddleware:
        return AuditMiddleware(Starlette(routes=ROUTES), audit, user, giving("t1"), log_requests=True)

    with heard() as lines, serving(make, tmp_path) as site:
        answers = [site.ask("/tell") for _ in range(3)]
        assert [{"tenant_id": "t1"}] * 3 == [answer.json for answer in answers]
        assert [(200, None)] * 3 == [(site.row(each.request_id)["status_code"], None) for each in answers]
        (line,) = (line for line in lines if "user_id" in line)
        assert word in line


@pytest.mark.parametrize("value", ["", Broken(), "\0", "\ud800", b"\xff", 2**70, "x" * 100_000])
def test_any_value_is_legal(tmp_path: Path, value: Any) -> None:
    """Whatever a function gives, the request is served, and its event logged."""

    def make(audit: AuditLogger) -> AuditMiddleware:
        return AuditMiddleware(Starlette(routes=ROUTES), audit, giving(value), log_requests=True)

    with serving(make, tmp_path) as site:
        answer = site.ask("/tell_in_thread")
        assert (200, 200) == (answer.status, site.row(answer.request_id)["status_code"])


def test_a_plain_function_may_call_a_coroutine(tmp_path: Path) -> None:
    """What gives a coroutine is awaited once that is seen."""

    def make(audit: AuditLogger) -> AuthenticationMiddleware:
        app = AuditMiddleware(Starlette(routes=ROUTES), audit, plain_of_coroutine, log_requests=True)
        return AuthenticationMiddleware(app, backend=ByHeader())

    with serving(make, tmp_path) as site:
        site.ask("/tell", x_user="ann")
        assert "ann" == site.ask("/tell", x_user="ann").json["user_id"]


def test_a_function_that_logs_events_ends(tmp_path: Path) -> None:
    """A function that logs an event itself is not asked for that one's user."""
    loggers: list[AuditLogger] = []

    def user(scope: Any) -> str:
        loggers[0].log(events.custom("user.looked_up"))
        return "ann"

    def make(audit: AuditLogger) -> AuditMiddleware:
        loggers.append(audit)
        return AuditMiddleware(Starlette(routes=ROUTES), audit, user, log_requests=True)

    with serving(make, tmp_path) as site:
        answer = site.ask("/tell")
        assert "ann" == answer.json["user_id"]
        # Asked for what the endpoint tells, and for the event of the request.
        actions = [row["action"] for row in site.rows(answer.request_id, 3)]
        assert ["api.request", "user.looked_up", "user.looked_up"] == sorted(actions)


def test_a_look_up_that_hangs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that never ends costs some requests a bounded wait, then none; and all are served."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.01)
    asked: list[str] = []

    async def user(scope: Any) -> str:
        asked.append(scope["path"])
        await asyncio.Event().wait()
        return "never"

    def make(audit: AuditLogger) -> AuditMiddleware:
        return AuditMiddleware(Starlette(routes=ROUTES), audit, user, log_requests=True)

    with heard() as lines, serving(make, tmp_path) as site:
        answers = [site.ask("/tell") for _ in range(10)]
        assert [200] * 10 == [answer.status for answer in answers]
        assert 10 == len(site.all_rows(10))
        # One for the event of a request may be under way while the next request begins.
        assert SLOW_ANSWERS <= len(asked) <= SLOW_ANSWERS + 1
        assert 1 == len([line for line in lines if "is not asked for" in line])


def test_a_function_that_blocks_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain function that blocks several times in a row is not called for a while."""
    monkeypatch.setattr(asking, "SLOW_ANSWER_SECONDS", 0.0)
    asked: list[str] = []

    def make(audit: AuditLogger) -> AuditMiddleware:
        return AuditMiddleware(Starlette(routes=ROUTES), audit, lambda scope: asked.append(""), log_requests=True)

    with heard() as lines, serving(make, tmp_path) as site:
        assert [200] * 10 == [site.ask("/tell").status for _ in range(10)]
        assert SLOW_ANSWERS == len(asked)
        assert 1 == len([line for line in lines if "is not asked for" in line])


def test_after_a_while_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was slow is asked again when the rest is over; one slow answer among quick ones is nothing."""
    clock = [1000.0]
    monkeypatch.setattr(asking, "time", type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])}))
    seconds = [1.0] * SLOW_ANSWERS

    def user(scope: Any) -> str:
        clock[0] += seconds.pop(0) if seconds else 0.0
        return "ann"

    question = asking.Question("user_id", user)
    assert ["ann"] * SLOW_ANSWERS == [question.ask_now({}) for _ in range(SLOW_ANSWERS)]
    assert question.ask_now({}) is None
    clock[0] += ANSWER_REST_SECONDS + 1
    seconds.extend([1.0, 0.0] * SLOW_ANSWERS)
    assert ["ann"] * SLOW_ANSWERS * 2 == [question.ask_now({}) for _ in range(SLOW_ANSWERS * 2)]


def test_who_cannot_be_called_is_an_error_at_the_start() -> None:
    """A user that is no function is told when the application starts."""
    with pytest.raises(ConfigurationError, match="function of the ASGI scope"):
        AuditMiddleware(Starlette(), user="ann")  # type: ignore[arg-type]


class Together(RequestReader):
    """Reads in two threads at once."""

    both = threading.Barrier(2)

    def read(self, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> dict[str, str]:
        self.both.wait(10)
        return super().read(headers, peer)


def test_threads_of_one_request_agree() -> None:
    """Where the first looks at a request come from two threads at once, both get one request id."""
    exchange, found = Exchange({"type": "http", "headers": []}, Together(), (), None), list[str]()
    threads = [threading.Thread(target=lambda: found.append(exchange.fields()["request_id"])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0]] * 2 == found
