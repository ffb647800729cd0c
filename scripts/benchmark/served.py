"""A trivial Starlette application on uvicorn, with the middleware and without. Called by the row `web`.

    python -m scripts.benchmark.served PROTOCOL LOOP [URL JOURNAL_DIR WRITER]

It prints its port, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading

import loguru
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from audit_async import AuditLogger
from audit_async.middleware import AuditMiddleware

PROCESSOR = 0
"""That a server runs on; the client takes another one."""


async def hello(request: Request) -> PlainTextResponse:
    """Answer as little as an application can."""
    return PlainTextResponse("hello")


def main(protocol: str, loop: str, *logger: str) -> None:
    """Serve until the input ends."""
    loguru.logger.remove()
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {PROCESSOR})
    app = Starlette(routes=[Route("/items/{id}", hello)])
    audit = AuditLogger(logger[0], journal_dir=logger[1], writer=logger[2]) if logger else None  # type: ignore[arg-type]
    served = AuditMiddleware(app, audit, log_requests=True) if audit is not None else app
    # With its protocol said: else asyncio does not turn Nagle's algorithm off, and every response waits 40 ms.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(served, http=protocol, loop=loop, access_log=False, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    server.run([listening])
    if audit is not None:
        asyncio.run(audit.close(30))
        stats = audit.stats()
        if logger[2] != "none" and stats.stored != stats.accepted:
            raise SystemExit(f"not everything arrived: {stats}")


def _end_with_input(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main(*sys.argv[1:])
