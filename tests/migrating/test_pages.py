"""Every page compiles, is linked, and is of a length that is read."""

from __future__ import annotations

import ast
import re

import pytest

from tests.migrating.page import FOLDER, Page, side

PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_compiles(name: str) -> None:
    """No program of a page has a syntax error, neither before its change nor after it."""
    page = Page(name)
    programs = [*page.blocks("python"), *(side(each, sign) for each in page.blocks("diff") for sign in "-+")]
    for program in programs:
        compile(program, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """What a page links to is there, and so is the heading."""
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", Page(name).text):
        path = FOLDER / target if target else FOLDER / f"{name}.md"
        assert path.exists(), target
        if heading:
            found = {_anchor(line) for line in re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)}
            assert heading in found, f"{target}#{heading}"


def test_the_index_leads_to_every_page() -> None:
    """And each page is of 40 to 120 lines."""
    linked = set(re.findall(r"\]\(([\w-]+)\.md\)", Page("README").text))
    assert set(PAGES) - {"README"} <= linked
    for name in PAGES:
        assert 40 <= len(Page(name).text.splitlines()) <= 120, name


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
