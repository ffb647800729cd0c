"""A desktop program's logger, which no test leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_async.compat.desktop import DesktopAuditLogger, init_audit_logger, shutdown


@pytest.fixture
def queue_path(tmp_path: Path) -> Path:
    """Where the old program keeps its queue; it need not exist."""
    return tmp_path / "state" / "audit_queue.ndjson"


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    assert shutdown(20)
    yield
    # With time enough for the driver to close what it has opened.
    shutdown(20)


@pytest.fixture
def desktop(sqlite_url: str, queue_path: Path) -> DesktopAuditLogger:
    """The logger of the process, to a SQLite file."""
    return init_audit_logger({"url": sqlite_url}, queue_path, queue_path.parent / "logs")
