"""What tests of the journal share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit_async import diagnostics
from audit_async.journal.journal import Journal
from tests.journal.journals import open_journal, use_small_segments


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every kind of diagnostic be news again."""
    monkeypatch.setattr(diagnostics, "_last_said", {})


@pytest.fixture
def opened() -> Iterator[Callable[..., Journal]]:
    """Open journals that are closed when the test is over."""
    journals: list[Journal] = []

    def open_one(directory: Path, **options: object) -> Journal:
        journals.append(open_journal(directory, **options))  # type: ignore[arg-type]
        return journals[-1]

    yield open_one
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(tmp_path: Path, opened: Callable[..., Journal]) -> Journal:
    """A journal in a directory of its own."""
    return opened(tmp_path / "journal")


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that a few entries fill."""
    use_small_segments(monkeypatch)
