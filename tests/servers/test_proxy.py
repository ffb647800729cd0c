"""The network that breaks as it is told: each trouble reaches the client as it would in life."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.polling import eventually_sync
from tests.servers.proxy import BLACK_HOLE, Cut, FaultProxy, Trouble


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.server.seen += data  # type: ignore[attr-defined]
            self.request.sendall(data)
        self.server.ended += 1  # type: ignore[attr-defined]


class _EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    seen = b""
    ended = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a connection that is reset is what these tests are about."""


@pytest.fixture
def echo() -> Iterator[_EchoServer]:
    with _EchoServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo: _EchoServer) -> Iterator[FaultProxy]:
    with FaultProxy(echo.server_address[1]) as proxy:
        yield proxy


def connect(proxy: FaultProxy, timeout_seconds: float = 10.0) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=timeout_seconds)


def hear(client: socket.socket, count: int) -> bytes:
    """Return *count* bytes, fewer when the connection ends before."""
    heard = b""
    while len(heard) < count and (more := client.recv(count - len(heard))):
        heard += more
    return heard


def ask(client: socket.socket, said: bytes) -> bytes:
    client.sendall(said)
    return hear(client, len(said))


def test_a_whole_network_passes_everything(proxy: FaultProxy) -> None:
    """Without a trouble what is said arrives, and the answer comes back."""
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"
    assert proxy.links_made == 1


def test_nobody_listens(proxy: FaultProxy) -> None:
    """A refusing network refuses, and takes connections again on the same port when it heals."""
    proxy.breaks(Trouble(refuses=True))
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heals()
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"


def test_open_connections_are_reset(proxy: FaultProxy) -> None:
    """A reset reaches a connection that is open as an error, not as an end."""
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"
        proxy.breaks(Trouble(resets=True))
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_black_hole_keeps_what_it_holds(proxy: FaultProxy) -> None:
    """Nothing answers in a black hole; when it heals what was said has not been lost."""
    with connect(proxy, timeout_seconds=0.2) as client:
        proxy.breaks(BLACK_HOLE)
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(5)
        proxy.heals()
        client.settimeout(10)
        assert hear(client, 5) == b"hello"


@pytest.mark.parametrize("trouble", [Trouble(latency_seconds=0.02), Trouble(trickles=True)], ids=["latency", "trickle"])
def test_a_slow_network_loses_nothing(trouble: Trouble, proxy: FaultProxy) -> None:
    """What is slow arrives whole."""
    proxy.breaks(trouble)
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"


def test_garbage_has_the_length_of_the_truth(proxy: FaultProxy) -> None:
    """Nonsense comes back in place of the answer."""
    proxy.breaks(Trouble(garbage=True))
    with connect(proxy) as client:
        assert ask(client, b"hello") not in (b"", b"hello")


@pytest.mark.parametrize("offset", range(6))
def test_a_cut_at_a_byte_passes_all_before_it(offset: int, proxy: FaultProxy, echo: _EchoServer) -> None:
    """What stands before the byte arrives, what stands behind it does not."""
    proxy.breaks(Trouble(cut=Cut(direction="to_client", after_bytes=offset, resets=False)))
    with connect(proxy) as client:
        client.sendall(b"hello!")
        assert hear(client, 6) == b"hello!"[:offset]
    assert (echo.seen, proxy.cuts) == (b"hello!", 1)


@pytest.mark.parametrize("forwards", [True, False])
def test_a_cut_at_a_word(forwards: bool, proxy: FaultProxy, echo: _EchoServer) -> None:
    """The connection is cut where the word comes, which has reached the server or not; the next one passes."""
    proxy.breaks(Trouble(cut=Cut(at=b"COMMIT", forwards=forwards)))
    with connect(proxy) as client:
        assert ask(client, b"insert;COM") == b"insert;COM"
        client.sendall(b"MIT;")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert echo.seen == b"insert;COM" + (b"MIT;" if forwards else b"")
    with connect(proxy) as client:
        assert ask(client, b"COMMIT") == b"COMMIT"
    assert proxy.cuts == 1


def test_a_half_open_connection_ends_at_the_client_alone(proxy: FaultProxy, echo: _EchoServer) -> None:
    """The client is cut off, the server is told nothing, and what it still says reaches nobody."""
    proxy.breaks(Trouble(cut=Cut(at=b"COMMIT", half=True)))
    with connect(proxy) as client:
        assert ask(client, b"insert;") == b"insert;"
        client.sendall(b"COMMIT;")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"
    eventually_sync(lambda: echo.ended)
    assert (echo.seen, echo.ended) == (b"insert;hello", 1)


def test_a_name_moves_to_another_host(proxy: FaultProxy, echo: _EchoServer) -> None:
    """New connections go where the proxy points now, open ones stay where they are."""
    with _EchoServer(("127.0.0.1", 0), _Echo) as other, connect(proxy) as before:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert ask(before, b"one") == b"one"
        proxy.points_to(other.server_address[1])
        with connect(proxy) as after:
            assert ask(after, b"two") == b"two"
        assert ask(before, b"three") == b"three"
        other.shutdown()
        assert (echo.seen, other.seen) == (b"onethree", b"two")
    assert proxy.passed == {"to_server": 3, "to_client": 3}
