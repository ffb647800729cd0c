"""A real server on the loopback, with an application and its audit log, and a client for it."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvicorn

from audit_async import AuditLogger
from tests.polling import eventually_sync
from tests.tables import parsed

SECONDS = 20.0


class Wrapping(Protocol):
    """Makes an application that logs by the given logger."""

    def __call__(self, audit: AuditLogger) -> Any: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    body: bytes
    request_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """An application that is served, and what it has logged.

    Args:
        file: of its table.
    """

    def __init__(self, port: int, audit: AuditLogger, file: Path) -> None:
        self.port, self.audit, self._file = port, audit, file

    def ask(self, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request, with an id of its own unless *headers* say one."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as connection:
            return ask(connection, path, method, body=body, **headers)

    def send_raw(self, data: bytes) -> bytes:
        """Send *data* as it is, and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: raw.recv(65536), b""))

    def rows(self, request_id: str, at_least: int = 1) -> list[dict[str, Any]]:
        """Return what was logged in one request, as soon as that is so much: it goes on behind the response."""
        return self._waited(lambda: [row for row in self._all() if row["request_id"] == request_id], at_least)

    def row(self, request_id: str) -> dict[str, Any]:
        """Return the only one."""
        (row,) = self.rows(request_id)
        return row

    def all_rows(self, at_least: int = 0) -> list[dict[str, Any]]:
        """Return all that was logged, as soon as that is so much."""
        return self._waited(self._all, at_least)

    def _waited(self, find: Callable[[], list[dict[str, Any]]], at_least: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = find()
            return len(found) >= at_least

        eventually_sync(is_there, SECONDS)
        return found

    def _all(self) -> list[dict[str, Any]]:
        assert self.audit.flush_sync(SECONDS)
        with closing(sqlite3.connect(self._file)) as table:
            table.row_factory = sqlite3.Row
            try:
                found = table.execute("SELECT * FROM audit_logs ORDER BY created_at, id").fetchall()
            except sqlite3.OperationalError:  # nothing was logged yet
                return []
        return [parsed(dict(row)) for row in found]


def ask(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str
) -> Answer:
    """Send one request on *connection*, which stays open. In names of headers `_` stands for `-`."""
    said: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    request_id = said.get("x-request-id") or uuid.uuid4().hex
    connection.request(method, path, body, {"x-request-id": request_id, **said})
    response = connection.getresponse()
    return Answer(response.status, response.read(), request_id)


@contextmanager
def serving(
    make: Wrapping, folder: Path, *, opening: Callable[..., AuditLogger] = AuditLogger, **options: Any
) -> Iterator[Site]:
    """Serve what *make* makes by uvicorn, with *options* of its own, in a thread of this process."""
    file = folder / "audit.db"
    # What applications here raise, they raise on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    with (
        opening(f"sqlite+aiosqlite:///{file}", journal_dir=folder / "journal") as audit,
        socket.socket() as listening,
    ):
        listening.bind(("127.0.0.1", 0))
        given = {"log_config": None, "access_log": False, "proxy_headers": False, "timeout_graceful_shutdown": 5}
        server = uvicorn.Server(uvicorn.Config(make(audit), **{**given, **options}))
        thread = threading.Thread(target=server.run, args=([listening],), name="site")
        thread.start()
        try:
            eventually_sync(lambda: server.started or not thread.is_alive(), SECONDS)
            yield Site(listening.getsockname()[1], audit, file)
        finally:
            server.should_exit = True
            thread.join(SECONDS)
        assert not thread.is_alive()
