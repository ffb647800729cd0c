"""However a request ends, its event says so, once, and the application's end is the server's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from audit_async import Outcome, audit_context, events
from audit_async.context import fill
from audit_async.middleware import AuditMiddleware
from audit_async.testing import MemoryAuditLogger
from tests.logs import heard
from tests.middleware.kept import cancelled_task, wrapped
from tests.middleware.test_leaks import call, scope_of


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
async def test_what_ends_the_program_goes_on(error: type[BaseException]) -> None:
    """An interrupt, an exit and a cancellation leave the application as they came, and are in the event."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    middleware, logged = wrapped(app, user=lambda scope: "ann")
    with pytest.raises(error) as caught:
        await call(middleware, scope_of())
    assert caught.type is error
    expected = Outcome.CANCELLED if error is asyncio.CancelledError else Outcome.ERROR
    assert [(expected, "ann")] == [(event.outcome, event.user_id) for event in logged]


async def test_a_group_of_cancellations_is_one() -> None:
    """What a nursery of trio, or curio, makes of its tasks' cancellations is told as one of them would be."""
    group = BaseExceptionGroup("all", [BaseExceptionGroup("inner", [asyncio.CancelledError()])])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise group

    middleware, logged = wrapped(app)
    with pytest.raises(BaseExceptionGroup) as caught:
        await call(middleware, scope_of())
    assert caught.value is group
    assert [Outcome.CANCELLED] == [event.outcome for event in logged]


@pytest.mark.parametrize("asks", ["plainly", "in a coroutine"])
async def test_a_cancelled_task_that_a_function_asks_is_none_of_the_request(asks: str) -> None:
    """A look-up whose own task was cancelled tells of nobody: neither the request nor a `log()` in it is cancelled."""
    task: asyncio.Task[Any] = await cancelled_task()

    def plain(scope: Any) -> Any:
        return task.result()

    async def in_coroutine(scope: Any) -> Any:
        return await task

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fill(events.custom("a"))
        await PlainTextResponse("hello")(scope, receive, send)

    middleware, logged = wrapped(app, user=plain if asks == "plainly" else in_coroutine)
    with heard() as lines:
        assert 200 == (await call(middleware, scope_of()))[0]["status"]
    assert [(None, Outcome.SUCCESS)] == [(event.user_id, event.outcome) for event in logged]
    assert ["user_id" in line for line in lines] == [True]


async def test_a_cancelled_request_ends_at_once_and_is_told() -> None:
    """A request that is cancelled while it works is logged without anything being awaited."""
    started, asked = asyncio.Event(), list[None]()

    async def user(scope: Any) -> str:
        asked.append(None)
        return "ann"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    middleware, logged = wrapped(app, user=user)
    task = asyncio.create_task(call(middleware, scope_of()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(Outcome.CANCELLED, None, "ann")] == [(each.outcome, each.status_code, each.user_id) for each in logged]
    assert [None] == asked


async def test_a_cancellation_in_the_end_does_not_lose_the_event() -> None:
    """A request that is cancelled while its user is looked up for its event is logged all the same, as what it was."""
    asked, calls = asyncio.Event(), list[None]()

    async def user(scope: Any) -> None:
        calls.append(None)
        if len(calls) > 1:
            asked.set()
            await asyncio.Event().wait()

    middleware, logged = wrapped(PlainTextResponse(""), user=user)
    task = asyncio.create_task(call(middleware, scope_of()))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(200, Outcome.SUCCESS)] == [(event.status_code, event.outcome) for event in logged]


async def test_a_client_that_is_gone_is_told_where_the_server_raises() -> None:
    """A server whose `send` raises once the client is gone gets its error back, and the event is cancelled."""

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionResetError

    middleware, logged = wrapped(PlainTextResponse("hello"))
    with pytest.raises(ConnectionResetError):
        await call(middleware, scope_of(), send)
    assert [(200, Outcome.CANCELLED)] == [(event.status_code, event.outcome) for event in logged]


@pytest.mark.parametrize(
    ("messages", "count"),
    [
        ([{"type": "http.response.body", "body": b"a", "more_body": True}, {"type": "http.response.body"}], 2),
        ([{"type": "http.response.pathsend", "path": "/dev/null"}], 1),
        ([{"type": "http.response.zerocopysend", "more_body": True}, {"type": "http.response.body"}], 2),
        ([{"type": "http.response.zerocopysend", "file": 0}], 1),
        ([{"type": "http.response.body"}, {"type": "http.response.trailers", "headers": []}], 2),
    ],
)
async def test_every_way_of_ending_a_response_is_known(messages: list[dict[str, Any]], count: int) -> None:
    """The event is there as soon as the last message has been sent, and not before."""
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_with_trailers = messages[-1]["type"] == "http.response.trailers"
        await send({"type": "http.response.start", "status": 200, "trailers": is_with_trailers})
        for message in messages:
            await send(message)
            seen.append(len(logged))

    middleware, logged = wrapped(app)
    await call(middleware, scope_of())
    assert [*[0] * (count - 1), 1] == seen
    assert [Outcome.SUCCESS] == [event.outcome for event in logged]


@pytest.mark.parametrize(("has_left", "outcome"), [(True, Outcome.SUCCESS), (False, Outcome.ERROR)])
async def test_a_client_that_closes_a_websocket_is_no_error(has_left: bool, outcome: Outcome) -> None:
    """An endpoint that does not catch what its framework raises then has ended as any other; the exception goes on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        if has_left:
            await receive()
        raise WebSocketDisconnect(1001)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": 1001}

    middleware, logged = wrapped(app)
    with pytest.raises(WebSocketDisconnect):
        await middleware({**scope_of(), "type": "websocket"}, receive, nowhere)
    assert [(101, outcome)] == [(event.status_code, event.outcome) for event in logged]


async def nowhere(message: Any) -> None:
    """Send nothing."""


@pytest.mark.parametrize("fails", [False, True])
async def test_a_response_sent_inside_a_job_is_that_of_the_request(fails: bool) -> None:
    """The request's own event is of the user who sent it, however it ends; a job inside, or a context, is not its."""
    audit = MemoryAuditLogger()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with audit.job("report.print"), audit_context(tenant_id="inner"):
            if fails:
                raise ValueError
            await PlainTextResponse("")(scope, receive, send)

    middleware = AuditMiddleware(app, audit, lambda scope: "ann", log_requests=True)
    with suppress(ValueError):
        await call(middleware, scope_of())
    [request] = audit.events.of("api.request")
    assert ("user", "ann", None) == (request.actor_type, request.actor_id, request.tenant_id)
