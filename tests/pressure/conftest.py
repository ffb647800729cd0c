"""A table that takes nothing, and loggers whose journals are small."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, create_table
from tests.journal.journals import SMALL_SEGMENT, use_small_segments
from tests.pressure.full_journals import (
    BUDGET,
    QUICK_SECONDS,
    TIMING,
    HeldTable,
    Opened,
)


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that some hundred events use up."""
    use_small_segments(monkeypatch)
    monkeypatch.setattr("audit_async.settings.JOURNAL_MIN_BYTES", SMALL_SEGMENT)


@pytest.fixture
async def held(sqlite_url: str) -> AsyncIterator[HeldTable]:
    await create_table(sqlite_url)
    table = HeldTable(sqlite_url)
    yield table
    table.close()


@pytest.fixture
def opened(held: HeldTable, tmp_path: Path) -> Iterator[Opened]:
    """Open loggers to the held table, which are closed when the test is over."""
    loggers: list[AuditLogger] = []

    def open_one(**options: Any) -> AuditLogger:
        loggers.append(
            AuditLogger(
                held.url,
                **{"journal_dir": tmp_path / "journal", "journal_max_bytes": BUDGET, "timing": TIMING, **options},
            )
        )
        return loggers[-1]

    yield open_one
    held.release()
    for audit in loggers:
        audit.close_sync(QUICK_SECONDS)
