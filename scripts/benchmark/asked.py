"""A client that asks as fast as it can. Called by the row `web`.

    python -m scripts.benchmark.asked PORT REQUESTS

It prints the requests a second.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time

CONNECTIONS = 16
_REQUEST = b"GET /items/4711 HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench/1\r\naccept: */*\r\n\r\n"


def main(port: int, count: int) -> None:
    """Ask *count* times over connections that are kept, one request at a time on each."""
    own = os.sched_getaffinity(0)
    if len(own) > 1:
        os.sched_setaffinity(0, {max(own)})
    ready = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(connection, selectors.EVENT_READ, connection)
        connection.sendall(_REQUEST)
    answered, started = 0, time.perf_counter()
    while answered < count:
        for key, _ in ready.select():
            data = key.data.recv(65536)
            if not data:
                raise SystemExit("the server has closed a connection")
            # Head and body of so small a response may come apart.
            if data.endswith(b"hello"):
                answered += 1
                key.data.sendall(_REQUEST)
    print(answered / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
