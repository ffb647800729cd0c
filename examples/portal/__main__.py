"""Serve the portal, with the stand-in for the companies beside it.

    python -m examples.portal [URL] [--postgres] [--folder FOLDER] [--port 8000]

Called by examples/run. What is kept is in FOLDER: the journal, and the SQLite file unless a database is named.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import uvicorn

from audit_async import AuditError, create_table


def main() -> None:
    parser = argparse.ArgumentParser(prog="examples/run", description="A small portal, and its audit trail.")
    parser.add_argument("url", nargs="?", help="a database, as postgresql+asyncpg://user:password@host/database")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server that lives as long as this")
    parser.add_argument("--folder", type=Path, help="for what is kept; by default a temporary one")
    parser.add_argument("--port", type=int, default=8000)
    told = parser.parse_args()
    with suppress(KeyboardInterrupt), ExitStack() as stack:  # uvicorn raises it once more when it has shut down
        try:
            # First of all: what comes behind it begins to work, and the first sync asks this very server.
            listening = stack.enter_context(socket.create_server(("127.0.0.1", told.port)))
        except (OSError, OverflowError) as error:
            parser.error(f"port {told.port} cannot be had ({error}): name another one with --port")
        folder = told.folder or Path(tempfile.mkdtemp(prefix="audit-portal-"))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"folder {folder} cannot be made ({error}): name another one with --folder")
        url = told.url or f"sqlite+aiosqlite:///{folder.absolute() / 'portal.db'}"
        if told.postgres:
            from scripts.demo_parts.places import throwaway_postgres

            url = stack.enter_context(throwaway_postgres()).url
        at = f"http://127.0.0.1:{told.port}"
        os.environ.update(AUDIT_DATABASE_URL=url, AUDIT_JOURNAL_DIR=str(folder.absolute() / "journal"))
        os.environ.setdefault("PORTAL_COMPANY_URL", f"{at}/company")
        try:
            asyncio.run(create_table(url))  # the portal does so, too, but its server would have much to say
        except AuditError as error:
            parser.error(f"this database cannot be used ({error.message}): {error.hint}")
        from examples.portal.app import app, portal
        from examples.portal.company import Company

        # Of a real company both servers are elsewhere. One process is easier to start, and to kill.
        portal.mount("/company", Company(f"{at}/company").app)
        costs = "ends its server, too" if told.postgres else "loses nothing"
        print(f"{at}   in {folder}   Ctrl-C ends it, kill -9 {os.getpid()} {costs}", file=sys.stderr)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
