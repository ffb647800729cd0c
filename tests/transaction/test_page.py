"""The page about transactions is true: its code runs as it stands."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from audit_async import config

PAGE = (Path(__file__).parent.parent.parent / "docs" / "transactions.md").read_text()


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One order and its event are kept, the refused log-in outlives its request, and nothing else is there."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as table:
        assert [("data.create", None), ("auth.login", "r-7")] == table.execute(
            "SELECT action, request_id FROM audit_logs ORDER BY created_at"
        ).fetchall()
        assert [(1,)] == table.execute("SELECT count(*) FROM orders").fetchall()


def test_the_page_names_the_limit() -> None:
    """The number of events that wait at most is the one in the page."""
    assert f"{config.MAX_HELD_EVENTS:,} events wait at most" in PAGE
