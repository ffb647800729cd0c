"""Every store there is, each with a table of its own for a whole file of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditEvent, AuditLogger, create_table
from tests.store.conftest import KINDS, server_of, url_of
from tests.tables import all_rows, run_sql

FLUSH_SECONDS = 50


@dataclass
class Station:
    """A logger and the table that it writes to."""

    url: str
    audit: AuditLogger
    journal_dir: Path

    def log(self, *events: AuditEvent) -> list[str]:
        """Log *events*, wait until they are in the table, and return their ids."""
        ids = [self.audit.log(event).id for event in events]
        assert self.audit.flush_sync(FLUSH_SECONDS)
        return ids

    def rows(self) -> list[dict[str, Any]]:
        return asyncio.run(all_rows(self.url))

    def query(self, statement: str) -> list[dict[str, Any]]:
        return asyncio.run(run_sql(self.url, statement))


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each database, with our table."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('nasty') / 'audit.db'}"
        asyncio.run(create_table(url))
        yield url
        return
    server = server_of(request)
    name = asyncio.run(server.create_database())
    url = url_of(server, name, request.param)
    asyncio.run(create_table(url))
    yield url
    asyncio.run(server.drop_database(name))


@pytest.fixture(scope="module")
def station(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A logger on each database."""
    journal_dir = tmp_path_factory.mktemp("journal")
    with AuditLogger(database, journal_dir=journal_dir) as audit:
        yield Station(database, audit, journal_dir)
