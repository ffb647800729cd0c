"""A logger for imports, on a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit_async import AuditLogger


@pytest.fixture
async def audit(sqlite_url: str, tmp_path: Path) -> AsyncIterator[AuditLogger]:
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as logger:
        yield logger
