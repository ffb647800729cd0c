"""The dependency of FastAPI: whose request it is, with the middleware and without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request, WebSocket
from websockets.sync.client import connect

from audit_async import AuditLogger, configure, events
from audit_async.integrations.fastapi import audit_for_request
from audit_async.middleware import AuditMiddleware
from tests.middleware.site import SECONDS, Site, serving

Audit = Annotated[AuditLogger, Depends(audit_for_request)]


def authenticate(request: Request, x_user: Annotated[str | None, Header()] = None) -> None:
    """Put the user where the middleware looks, as an application's own dependency does."""
    request.scope["user_id"] = x_user


def application() -> FastAPI:
    app, router, shop = FastAPI(), APIRouter(prefix="/shops/{shop}"), FastAPI()

    @app.get("/async")
    async def in_loop(audit: Audit) -> None:
        audit.log(events.custom("in.endpoint"))

    @app.get("/thread")
    def in_thread(audit: Audit) -> None:
        audit.log(events.custom("in.endpoint"))

    @app.get("/known", dependencies=[Depends(authenticate)])
    async def known(audit: Audit) -> None:
        audit.log(events.custom("in.endpoint"))

    @app.get("/background", dependencies=[Depends(authenticate)])
    async def background(tasks: BackgroundTasks, audit: Audit) -> None:
        tasks.add_task(audit.log, events.custom("in.thread"))
        tasks.add_task(log_later, audit)

    @app.get("/refused")
    async def refused(audit: Audit) -> None:
        raise HTTPException(403)

    @app.get("/invalid")
    async def invalid(number: int) -> None: ...

    @app.websocket("/socket")
    async def socket(socket: WebSocket, audit: Audit) -> None:
        await socket.accept()
        audit.log(events.custom("in.socket"))
        await socket.close()

    @router.get("/items/{item}")
    @shop.get("/items/{item}")
    async def item() -> None: ...

    app.include_router(router)
    app.mount("/mounted", shop)
    return app


async def log_later(audit: AuditLogger) -> None:
    await asyncio.sleep(0)
    audit.log(events.custom("in.coroutine"))


async def user_of(scope: Any) -> str | None:
    await asyncio.sleep(0)
    user = scope["user_id"]
    return user if isinstance(user, str) else None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def make(audit: AuditLogger) -> AuditMiddleware:
        return AuditMiddleware(application(), audit, user_of, log_requests=True)

    with serving(make, tmp_path_factory.mktemp("site"), ws="websockets-sansio") as served:
        yield served


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same without the middleware, on the process default logger."""
    folder = tmp_path_factory.mktemp("bare")
    with serving(lambda audit: application(), folder, opening=configure, ws="websockets-sansio") as served:
        yield served


def told(site: Site, request_id: str, count: int) -> dict[str, Any]:
    """Return the events of one request by their action, as soon as there are *count*."""
    return {row["action"]: row for row in site.rows(request_id, count)}


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_the_dependency_gives_the_middlewares_logger(site: Site, path: str) -> None:
    """An endpoint logs into the middleware's table, in a coroutine and in a thread, as part of its request."""
    answer = site.ask(path, user_agent="test/1")
    rows = told(site, answer.request_id, 2)
    assert {"in.endpoint", "api.request"} == rows.keys()
    assert {("127.0.0.1", "test/1")} == {(row["ip_address"], row["user_agent"]) for row in rows.values()}


def test_a_dependency_that_authenticates_is_seen(site: Site) -> None:
    """A coroutine that says the user is asked again by the dependency, behind what authenticates."""
    answer = site.ask("/known", x_user="ann")
    assert {"ann"} == {row["user_id"] for row in told(site, answer.request_id, 2).values()}


@pytest.mark.parametrize("fixture", ["site", "bare"])
def test_background_tasks_keep_the_context(request: pytest.FixtureRequest, fixture: str) -> None:
    """What a background task logs, in a thread or in a coroutine, belongs to the request that it came from."""
    site = request.getfixturevalue(fixture)
    answer = site.ask("/background", x_user="ann")
    rows = told(site, answer.request_id, 3 if fixture == "site" else 2)
    assert {"in.thread", "in.coroutine"} <= rows.keys()
    assert {"127.0.0.1"} == {row["ip_address"] for row in rows.values()}


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_without_the_middleware_the_request_is_known(bare: Site, path: str) -> None:
    """The dependency alone makes request id and address known to its endpoint, and believes no proxy."""
    answer = bare.ask(path, x_forwarded_for="1.1.1.1")
    (row,) = bare.rows(answer.request_id)
    assert ("in.endpoint", "127.0.0.1") == (row["action"], row["ip_address"])


@pytest.mark.parametrize("fixture", ["site", "bare"])
def test_a_websocket_has_it_too(request: pytest.FixtureRequest, fixture: str) -> None:
    """The dependency serves websockets as it serves requests."""
    site = request.getfixturevalue(fixture)
    headers = {"x-request-id": f"{fixture}-socket"}
    with connect(f"ws://127.0.0.1:{site.port}/socket", additional_headers=headers, open_timeout=SECONDS):
        pass
    assert "127.0.0.1" == told(site, f"{fixture}-socket", 1)["in.socket"]["ip_address"]


@pytest.mark.parametrize(("path", "status", "outcome"), [("/refused", 403, "denied"), ("/invalid", 422, "failure")])
def test_errors_of_the_framework_are_outcomes(site: Site, path: str, status: int, outcome: str) -> None:
    """An `HTTPException` and a failed validation are responses, and no exceptions."""
    answer = site.ask(path)
    row = site.row(answer.request_id)
    assert (status, outcome, None) == (row["status_code"], row["outcome"], row["error_message"])


@pytest.mark.parametrize(
    ("path", "template"),
    [("/shops/7/items/7", "/shops/{shop}/items/{item}"), ("/mounted/items/8", "/mounted/items/{item}")],
)
def test_a_routers_template_stands_behind_its_prefix(site: Site, path: str, template: str) -> None:
    """Routes of an included router and of a mounted application are named from the root on."""
    answer = site.ask(path)
    assert template == site.row(answer.request_id)["details"]["path"]


def test_added_by_the_framework_it_sees_the_exception(tmp_path: Path) -> None:
    """`add_middleware` puts it inside FastAPI's own handling of errors: the exception is recorded, the 500 comes."""

    def make(audit: AuditLogger) -> FastAPI:
        app = FastAPI()
        app.add_middleware(AuditMiddleware, audit=audit, log_requests=True)

        @app.get("/fail")
        async def fail() -> None:
            raise ValueError("no such thing")

        return app

    with serving(make, tmp_path) as site:
        answer = site.ask("/fail")
        row = site.row(answer.request_id)
    assert (500, 500, "ValueError: no such thing") == (answer.status, row["status_code"], row["error_message"])


def test_without_fastapi_the_error_says_what_to_install() -> None:
    """Where FastAPI is missing, importing the integration names the extra."""
    program = "import sys; sys.modules['fastapi'] = None; import audit_async.integrations.fastapi"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "pip install 'audit-async[fastapi]'" in done.stderr


def test_the_middleware_needs_no_framework() -> None:
    """Importing the middleware loads neither Starlette nor SQLAlchemy."""
    program = "import sys, audit_async.middleware; print({'starlette', 'sqlalchemy', 'fastapi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()
