"""A folder to follow a page in, and the logger of the process, which no test leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit_async import ashutdown
from tests.store.conftest import empty  # noqa: F401 -- a fixture


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of a page is beside where it is followed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def closing() -> AsyncIterator[None]:
    """Close the logger of the process."""
    yield
    await ashutdown()
