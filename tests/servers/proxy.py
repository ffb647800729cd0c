"""A network that breaks as it is told: a TCP proxy on the loopback, between a client and a real server.

    with FaultProxy(server.port) as proxy:
        proxy.breaks(Trouble(latency_seconds=0.2))
        ...
        proxy.heals()

It runs on a thread of its own, so that whoever breaks it may block. As in a real network no byte of a connection that
lives is ever lost: what is held back arrives when the network is whole again.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from tests.servers.process import free_port, give_back

Direction = Literal["to_server", "to_client"]
TARGET_HOST = "127.0.0.1"  # where all servers of ours listen
LINGER_NEVER = struct.pack("ii", 1, 0)  # closing sends RST
TRICKLE_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a connection is cut: at a byte of one direction, counted from its start, or where some bytes come.

    Attributes:
        forwards: what was found still reaches the server; its answer does not reach the client.
        resets: by RST, else by FIN.
        half: the client's side alone ends; the server is told nothing, and keeps what it holds for that client.
        times: how many connections are cut so; others pass.
    """

    direction: Direction = "to_server"
    after_bytes: int | None = None
    at: bytes | None = None
    forwards: bool = False
    resets: bool = True
    half: bool = False
    times: int = 1


LAST_WORDS = {"postgres": b"c\x00\x00\x00\x04", "mariadb": b"COMMIT"}
"""What makes a batch of many rows last: the end of a COPY, which is a transaction of its own, or a COMMIT."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with the network.

    Attributes:
        refuses: nobody listens.
        resets: every connection, those that are open too, is reset.
        holds: directions in which nothing passes until it heals; both are a black hole.
        latency_seconds: added to each passage, in each direction.
        trickles: one byte at a time.
        garbage: what the server says is replaced by nonsense.
        cut: see `Cut`.
    """

    refuses: bool = False
    resets: bool = False
    holds: frozenset[Direction] = frozenset()
    latency_seconds: float = 0.0
    trickles: bool = False
    garbage: bool = False
    cut: Cut | None = None


BLACK_HOLE = Trouble(holds=frozenset({"to_server", "to_client"}))
WHOLE = Trouble()


@dataclass(eq=False)
class _Link:
    """One connection: the client's side and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[Direction, int] = field(default_factory=lambda: {"to_server": 0, "to_client": 0})
    tail: bytes = b""
    cuts_at_answer: bool = False
    is_half: bool = False

    def end(self, *, resets: bool) -> None:
        for writer in (self.client,) if self.is_half else (self.client, self.server):
            if writer.is_closing():
                continue
            if resets:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NEVER)
                writer.transport.abort()
            else:
                writer.close()


class FaultProxy:
    """Listens on a port, by default one of its own, and passes everything to *target_port*, until it is told to break.

    Attributes:
        port: where clients connect.
        cuts: connections that were cut by a `Cut` so far.
        links_made: connections that were passed on so far.
        passed: bytes of the newest connection so far, in each direction.
    """

    def __init__(self, target_port: int, *, host: str = TARGET_HOST, port: int | None = None) -> None:
        self.host = host
        self.port = port or free_port()
        self.cuts = 0
        self.links_made = 0
        self.passed: dict[Direction, int] = {}
        self._target_port = target_port
        self._trouble = WHOLE
        self._cuts_left = 0
        self._links: set[_Link] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._listener: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._changed = self._call(self._event)
        self._call(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        give_back(self.port)

    def breaks(self, trouble: Trouble) -> None:
        """Break the network so, for connections that are open and for new ones; on return it is broken."""
        self._call(lambda: self._set(trouble))

    def heals(self) -> None:
        """Let everything pass again; what was held back arrives."""
        self.breaks(WHOLE)

    def points_to(self, target_port: int) -> None:
        """Pass new connections on to *target_port*, as a name that moves to another host does; open ones stay."""
        self._target_port = target_port

    def _call(self, work: Callable[[], Any]) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work(), self._loop)
        return done.result(30)

    async def _event(self) -> asyncio.Event:
        return asyncio.Event()

    async def _set(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._cuts_left = trouble.cut.times if trouble.cut else 0
        self._changed.set()
        self._changed = asyncio.Event()
        if trouble.resets:
            for link in list(self._links):
                link.end(resets=True)
        if trouble.refuses:
            await self._stop_listening()
        else:
            await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, self.host, self.port)

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    async def _close(self) -> None:
        await self._stop_listening()
        for link in list(self._links):
            link.is_half = False
            link.end(resets=True)
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(TARGET_HOST, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        if self._trouble.resets:
            link.end(resets=True)
            return
        self._links.add(link)
        self.links_made += 1
        self.passed = link.passed
        both = [
            self._loop.create_task(self._pump(link, "to_server", reader, server_writer)),
            self._loop.create_task(self._pump(link, "to_client", server_reader, writer)),
        ]
        self._pumps.update(both)
        await asyncio.gather(*both, return_exceptions=True)
        self._pumps.difference_update(both)
        self._links.discard(link)
        link.end(resets=False)

    async def _pump(
        self, link: _Link, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            while direction in self._trouble.holds:
                await self._changed.wait()
            if self._trouble.latency_seconds:
                await asyncio.sleep(self._trouble.latency_seconds)
            if link.is_half and data:
                # Nobody is there any more whom the server could tell.
                continue
            if not data:
                # One side has ended: the other one learns of it.
                link.is_half = link.is_half and direction == "to_server"
                link.end(resets=False)
                return
            data = self._cut(link, direction, data)
            if self._trouble.garbage and direction == "to_client":
                data = bytes(byte ^ 0x5A for byte in data)
            try:
                await self._pass(writer, data)
            except OSError:
                link.end(resets=False)
                return
            if writer.is_closing():
                return

    async def _pass(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not self._trouble.trickles:
            writer.write(data)
            await writer.drain()
            return
        for place in range(len(data)):
            writer.write(data[place : place + 1])
            await writer.drain()
            await asyncio.sleep(TRICKLE_PAUSE_SECONDS)
            if not self._trouble.trickles:
                writer.write(data[place + 1 :])
                return

    def _cut(self, link: _Link, direction: Direction, data: bytes) -> bytes:
        """Cut the connection if this is the place; return what still passes."""
        cut = self._trouble.cut
        if link.cuts_at_answer and direction == "to_client":
            self._do_cut(link, cut, resets=cut.resets if cut else True)
            return b""
        start = link.passed[direction]
        link.passed[direction] += len(data)
        if cut is None or cut.direction != direction or not self._cuts_left:
            return data
        place = self._place(link, cut, start, data)
        if place is None:
            return data
        self._cuts_left -= 1
        if cut.forwards:
            link.cuts_at_answer = True
            return data
        passing = data[:place]
        if passing:
            (link.server if direction == "to_server" else link.client).write(passing)
        self._do_cut(link, cut, resets=cut.resets and not passing)
        return b""

    def _place(self, link: _Link, cut: Cut, start: int, data: bytes) -> int | None:
        """Return at which byte of *data* it is cut, or None."""
        if cut.after_bytes is not None:
            return max(0, cut.after_bytes - start) if start + len(data) > cut.after_bytes else None
        if cut.at is None:
            return 0
        seen = link.tail + data
        found = seen.find(cut.at)
        link.tail = seen[-len(cut.at) + 1 :] if len(cut.at) > 1 else b""
        return None if found < 0 else max(0, found - (len(seen) - len(data)))

    def _do_cut(self, link: _Link, cut: Cut | None, *, resets: bool) -> None:
        self.cuts += 1
        link.is_half = cut is not None and cut.half
        link.end(resets=resets)
