"""The documentation is true: its code runs, and what it names is there."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from audit_async import shutdown
from audit_async.events.families import BUILDERS
from audit_async.events.vocabulary import TERMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_event_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block of the README, run as a program, makes a row in `audit.db`."""
    import sqlite3

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIT_DATABASE_URL", raising=False)
    monkeypatch.delenv("AUDIT_JOURNAL_DIR", raising=False)
    exec(BLOCKS[0], {})
    assert shutdown()
    with contextlib.closing(sqlite3.connect(tmp_path / "audit.db")) as table:
        rows = table.execute("SELECT action, user_id FROM audit_logs").fetchall()
    assert rows == [("sso.login", "u-17")]


def test_the_four_ways_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks about the logger and the context run as they stand, and every event arrives."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    ways, context = (block for block in BLOCKS if "four_ways" in block or "audit_context" in block)
    exec(ways, names)
    asyncio.run(names["four_ways"]())
    assert (4, 0) == (names["audit"].stats().stored, names["audit"].stats().pending)
    exec(context, names)
    assert (1, 0) == (names["audit"].stats().stored, names["audit"].stats().pending)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_compiles(block: str) -> None:
    """No block of the README has a syntax error."""
    compile(block, "README.md", "exec")


def test_every_canonical_action_named_in_the_readme_is_known() -> None:
    """An action that the README writes as `family.verb` stands in the vocabulary, or is free-form on purpose."""
    named = set(re.findall(r'events\.\w+\("(\w+\.\w+)"', README))
    assert named - {"report.print"} <= set(TERMS)


def test_every_module_named_in_the_design_is_there() -> None:
    """The design's table of stations names modules that exist."""
    table = (ROOT / "docs" / "design.md").read_text().split("| station |")[1].split("\n\n")[0]
    for name in re.findall(r"`([a-z_/]+)`", table):
        path = ROOT / "audit_async" / name.rstrip("/")
        assert path.is_dir() or path.with_suffix(".py").exists(), name


@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_every_builder_is_named_in_the_readme(builder: str) -> None:
    """Whoever reads the README knows what there is."""
    assert f"`{builder}`" in README
