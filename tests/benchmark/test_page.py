"""The page on performance: its results come from a run, its prose from people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.benchmark.__main__ import ROWS
from scripts.benchmark.page import BEGIN, END, PageError, results, write
from tests.benchmark.made import comparison, run, series

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "performance.md"


def test_the_prose_stays(tmp_path: Path) -> None:
    """Only what stands between the marks is replaced, however often."""
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}old\n{END}\n\nBehind.\n")
    for _ in range(2):
        write(page, run(comparison([1], [2])))
    before, begin, rest = page.read_text().partition(BEGIN)
    inside, end, behind = rest.partition(END)
    assert (before, begin, inside, end, behind) == (
        "# Before\n\n",
        BEGIN,
        results(run(comparison([1], [2]))),
        END,
        "\n\nBehind.\n",
    )


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{END}\n{BEGIN}{END}\n"])
def test_a_page_without_its_place_is_refused_and_left(text: str, tmp_path: Path) -> None:
    """A page that lacks a mark, or has them twice or the wrong way round, stays as it is."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(PageError, match="once each"):
        write(page, run())
    assert page.read_text() == text


def test_losers_are_printed() -> None:
    """What was missed, left out or ended with an error stands on the page, and what was missed in bold."""
    text = results(run(comparison([10, 10], [10, 10]), left_out=["P15: no MariaDB"], failed=["P3: OSError: full"]))
    assert "1 targets: 0 at the aim, 0 met, 1 missed" in text
    assert "| P1 | ours / theirs | 1x (1..1) | 2x | 4x | **MISSED** |" in text
    assert "* P15: no MariaDB\n* P3: OSError: full\n" in text


def test_what_is_compared_stands_above_its_figures() -> None:
    """What a row says about itself comes before its table, and so does what a series says."""
    text = results(run(comparison([1], [2], about="Ours beside theirs."), series([1, 2], [3, 4])))
    pictured = "### growth: cost by tasks\n\n![cost by tasks](performance/growth-1.svg)\n\n| tasks"
    assert text.index("### P1\n\nOurs beside theirs.\n\n| what") < text.index(pictured)


def test_the_page_has_a_place_for_results() -> None:
    """The page on performance can be written anew from a run."""
    text = PAGE.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.index(BEGIN) < text.index(END)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_row_that_a_page_names_is_there(page: Path) -> None:
    """Whoever repeats what a page says with `./scripts/bench ROW` finds the row."""
    for words in re.findall(r"\./scripts/bench((?: \w[\w-]*)+)", page.read_text()):
        assert set(words.split()) <= {*ROWS, *(row.partition("-")[0] for row in ROWS), "all"}
