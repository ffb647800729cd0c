"""The page on security names tests that exist, and a URL that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import audit_async
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from tests.children import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (D[\d, D]+) \|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
APPLICABLE = {*range(1, 11), *range(12, 16), 36, 41, 42, *range(44, 48)}


def test_every_point_that_applies_is_named() -> None:
    """Each number of the checklist that applies now has a row, and a place among what does not hold if it has none."""
    named = {int(number) for row in ROWS for number in re.findall(r"\d+", row[0])}
    assert APPLICABLE == named
    assert {"(D11)", "(D48)"} <= set(re.findall(r"\(D\d+\)", PAGE))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_every_row_names_tests_that_exist(row: tuple[str, str, str]) -> None:
    """Each thing that holds is proven by a file of tests, with tests in it."""
    files = re.findall(r"`(tests/[\w/]+\.py)`", row[2])
    assert files
    for file in files:
        assert re.search(r"^(async )?def test_", (ROOT / file).read_text(), re.MULTILINE), file


def test_no_function_has_the_rights_of_its_owner() -> None:
    """Nothing that we make in a database lets a caller do what only its owner may."""
    for path in Path(audit_async.__file__).parent.rglob("*.py"):
        assert "SECURITY DEFINER" not in path.read_text(), path


@pytest.mark.parametrize("query", re.findall(r"`(\?ssl[^`]*)`", PAGE))
def test_the_shown_queries_can_be_read(query: str) -> None:
    """What the page tells to add to an address is none that a store refuses."""
    scheme = "mysql+asyncmy" if query.startswith("?ssl_") else "postgresql+asyncpg"
    assert "not connected" in repr(open_store(StoreOptions(url=f"{scheme}://app@db/app{query}")))
