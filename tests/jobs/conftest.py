"""A logger into a SQLite file, and what came into its table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit_async import AuditLogger
from tests.jobs.journal import Log
from tests.servers.mariadb import MariadbServer


@pytest.fixture
async def log(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Log]:
    """A logger, strict: every action of a job is one of the vocabulary."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", strict=True) as audit:
        yield Log(audit, sqlite_url)


@pytest.fixture
async def mariadb_url(mariadb: MariadbServer) -> str:
    """A new database of MariaDB."""
    return mariadb.url(await mariadb.create_database())
