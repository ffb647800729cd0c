"""A browser for the tests: one connection, its cookies, and a record of what was answered."""

from __future__ import annotations

import contextlib
import http.client
import re
import uuid
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Self
from urllib.parse import urlsplit

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request, which had *request_id* as its own id."""

    request_id: str
    path: str
    status: int
    location: str
    text: str


@dataclass(slots=True)
class Browser:
    """Asks a server on the loopback, one request after another, and those that it is sent to.

    Attributes:
        asked: the ids of all requests that were sent, answered or not.
        answers: that were received whole.
    """

    port: int
    asked: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    _connections: dict[int, http.client.HTTPConnection] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request makes another."""
        while self._connections:
            self._connections.popitem()[1].close()

    def ask(self, address: str, method: str = "GET") -> Answer:
        """Send one request to *address*, a path or a whole one, and return its answer; redirects are not followed.

        Raises:
            OSError, http.client.HTTPException: there was none, or not all of it.
        """
        there = urlsplit(address)
        port = there.port or self.port
        connection = self._connections.get(port)
        if connection is None:
            connection = self._connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        request_id = uuid.uuid4().hex
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.asked.append(request_id)
        path = f"{there.path}?{there.query}" if there.query else there.path
        connection.request(method, path, headers={"x-request-id": request_id, "cookie": cookies})
        response = connection.getresponse()
        text = response.read().decode()
        for name, morsel in SimpleCookie(response.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        answer = Answer(request_id, there.path, response.status, response.headers.get("location", ""), text)
        self.answers.append(answer)
        return answer

    def sign_in(self, person: str) -> Answer:
        """Sign in as *person* (`acme/ann`) at the identity provider, and return the answer of the call-back.

        Nobody (``""``) refuses there.
        """
        at_provider = self.ask(f"{self.ask('/sign-in').location}&person={person}")
        return self.ask(at_provider.location)

    def rows(self, path: str) -> list[list[str]]:
        """Return the cells of the table at *path*."""
        lines = self.ask(path).text.partition("<tr>")[2].split("</table>")[0].split("<tr>")
        return [re.sub(r"<(form|button|/).*?>", "", line).split("<td>")[1:] for line in lines]

    def is_answered(self) -> bool:
        """Return whether the server answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("/").status > 0
        self.close()
        return False
