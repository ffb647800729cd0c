"""Nothing of one request is seen in another: real servers, many clients, connections that are kept."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from audit_async import AuditLogger, audit_context, events
from audit_async.context import fill
from audit_async.middleware import AuditMiddleware
from tests.middleware.site import SECONDS, serving

CLIENTS, EACH = 25, 12
PLACES = ("in.endpoint", "in.thread", "in.task", "in.group", "in.stream", "api.request")


def log_as(audit: AuditLogger, action: str) -> None:
    audit.log(events.custom(action))


def user_of(scope: Any) -> str:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return headers[b"x-user"].decode()


def make(audit: AuditLogger) -> AuditMiddleware:
    async def work(request: Request) -> Response:
        """Log from everywhere that a request may log from."""
        log_as(audit, "in.endpoint")
        await asyncio.sleep(0)
        with audit_context(session_id=user_of(request.scope)):
            await run_in_threadpool(log_as, audit, "in.thread")
            task = asyncio.create_task(asyncio.to_thread(log_as, audit, "in.task"))
        async with anyio.create_task_group() as group:
            group.start_soon(asyncio.sleep, 0)
            group.start_soon(run_in_threadpool, log_as, audit, "in.group")
        await task

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                await asyncio.sleep(0)
                yield b"x"
            log_as(audit, "in.stream")

        return StreamingResponse(parts())

    return AuditMiddleware(Starlette(routes=[Route("/work", work)]), audit, user_of, log_requests=True)


async def client(port: int, number: int) -> None:
    """Send some requests over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for each in range(EACH):
        name = f"{number}-{each}"
        writer.write(f"GET /work HTTP/1.1\r\nhost: x\r\nx-request-id: r-{name}\r\nx-user: u-{name}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"x" in await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_many_clients_at_once_each_log_as_themselves(tmp_path: Path, http: str) -> None:
    """Of concurrent requests on connections that are kept, every event has the user of its own request."""
    with serving(make, tmp_path, http=http) as site:
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(client(site.port, number))
        total = CLIENTS * EACH
        rows = await asyncio.to_thread(site.all_rows, total * len(PLACES))
    actions = Counter(row["action"] for row in rows)
    assert dict.fromkeys(PLACES, total) == dict(actions)
    assert total == len({row["request_id"] for row in rows})
    assert all(row["user_id"] == row["actor_id"] == row["request_id"].replace("r-", "u-") for row in rows)
    assert all(
        row["session_id"] == (row["user_id"] if row["action"] in ("in.thread", "in.task") else None) for row in rows
    )


async def call(app: Any, scope: dict[str, Any], send: Any = None) -> list[dict[str, Any]]:
    """Call *app* as a server does that has one context for everything, and return what it sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def keep(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send or keep)
    return sent


def scope_of(path: object = "/", **fields: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "client": ("203.0.113.9", 1), **fields}


async def test_behind_a_request_nothing_is_left(sqlite_url: str, tmp_path: Path) -> None:
    """In the very context that has served a request, also one that failed, nothing of it is known afterwards, and its
    scope is as it was."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/fail":
                raise ValueError
            await PlainTextResponse("")(scope, receive, send)

        wrapped, before = AuditMiddleware(app, audit, user=lambda scope: "ann", log_requests=True), len(scope_of())
        scope = scope_of()
        await call(wrapped, scope)
        with pytest.raises(ValueError, match=r"^$"):
            await call(wrapped, scope_of("/fail"))
        event = fill(events.custom("a"))
        assert (None, None, None) == (event.request_id, event.user_id, event.ip_address)
        assert before == len(scope)


async def test_a_task_that_outlives_its_request_still_knows_it() -> None:
    """What a request has started goes on in its context, and asks for the user when it logs."""
    go_on, seen = asyncio.Event(), list[Any]()
    tasks: list[asyncio.Task[None]] = []

    async def later() -> None:
        await go_on.wait()
        event = fill(events.custom("a"))
        seen.append((event.user_id, event.ip_address))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = "ann"
        tasks.append(asyncio.create_task(later()))
        await PlainTextResponse("")(scope, receive, send)

    await call(AuditMiddleware(app, user=lambda scope: scope["user"]), scope_of())
    go_on.set()
    await tasks[0]
    assert [("ann", "203.0.113.9")] == seen


async def test_the_application_sees_our_context_and_the_servers_own() -> None:
    """A context variable that was set around us, and one that the application sets, are what they are without us."""
    variable = contextvars.ContextVar[str]("variable", default="unset")
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(variable.get())
        variable.set("inside")
        await PlainTextResponse("")(scope, receive, send)

    variable.set("outside")
    await call(AuditMiddleware(app), scope_of())
    assert (["outside"], "inside") == (seen, variable.get())
