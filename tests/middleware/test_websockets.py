"""Websockets: they work as without us, their events know them, and each leaves one event at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from audit_async import AuditLogger, events
from audit_async.middleware import AuditMiddleware
from tests.middleware.site import SECONDS, Site, serving
from tests.polling import eventually_sync


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            text = await socket.receive_text()
            socket.app.state.audit.log(events.custom("message.echo", details={"text": text}))
            await socket.send_text(text)
    except WebSocketDisconnect:
        pass


async def refuse(socket: WebSocket) -> None:
    await socket.close()


async def fail(socket: WebSocket) -> None:
    await socket.accept()
    raise ValueError("in the middle")


async def close(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close(4001)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def make(audit: AuditLogger) -> AuditMiddleware:
        app = Starlette(
            routes=[WebSocketRoute(f"/{each.__name__}/{{room}}", each) for each in (echo, refuse, fail, close)]
        )
        app.state.audit = audit
        return AuditMiddleware(app, audit, user=lambda scope: "ann", log_requests=True)

    with serving(make, tmp_path_factory.mktemp("site"), ws="websockets-sansio") as served:
        yield served


def url(site: Site, path: str) -> str:
    return f"ws://127.0.0.1:{site.port}{path}"


def headers(request_id: str) -> dict[str, str]:
    return {"x-request-id": request_id}


def test_a_websocket_leaves_one_event_at_its_end(site: Site) -> None:
    """Messages go through, what is logged for them knows the connection, and its end is told with the close code."""
    with connect(url(site, "/echo/7?token=sekret"), additional_headers=headers("ws-1"), open_timeout=SECONDS) as socket:
        for text in ("one", "two"):
            socket.send(text)
            assert text == socket.recv(SECONDS)
        logged = site.rows("ws-1", 2)
        assert ["message.echo"] * 2 == [row["action"] for row in logged]
        assert {("ann", "127.0.0.1")} == {(row["user_id"], row["ip_address"]) for row in logged}
        socket.close(1000)
    row = event_of(site, "ws-1")
    assert (101, "success", "ann") == (row["status_code"], row["outcome"], row["user_id"])
    assert {"method": "WEBSOCKET", "path": "/echo/{room}", "close_code": 1000} == row["details"]


def test_a_refused_websocket_is_denied(site: Site) -> None:
    """One that is closed before it is accepted is a 403."""
    with pytest.raises(InvalidStatus, match="403"):
        connect(url(site, "/refuse/7"), additional_headers=headers("ws-2"), open_timeout=SECONDS)
    assert (403, "denied") == tuple(event_of(site, "ws-2")[name] for name in ("status_code", "outcome"))


def test_a_websocket_that_fails_is_an_error(site: Site) -> None:
    """An exception closes it as without us, and is recorded."""
    with (
        connect(url(site, "/fail/7"), additional_headers=headers("ws-3"), open_timeout=SECONDS) as socket,
        pytest.raises(ConnectionClosed),
    ):
        socket.recv(SECONDS)
    row = event_of(site, "ws-3")
    assert (101, "error", "ValueError: in the middle") == (row["status_code"], row["outcome"], row["error_message"])


def test_who_closes_a_websocket_says_why(site: Site) -> None:
    """A close code of the application is in the event."""
    with (
        connect(url(site, "/close/7"), additional_headers=headers("ws-4"), open_timeout=SECONDS) as socket,
        pytest.raises(ConnectionClosed),
    ):
        socket.recv(SECONDS)
    assert 4001 == event_of(site, "ws-4")["details"]["close_code"]


def event_of(site: Site, request_id: str) -> dict[str, Any]:
    """Return the event of the connection, which is logged when the server has seen its end."""

    def find() -> dict[str, Any] | None:
        return next((row for row in site.rows(request_id, 0) if row["action"] == "api.request"), None)

    found = eventually_sync(find, SECONDS)
    assert found is not None
    return found
