"""Pictures of series: the same bytes for the same figures, and what a reader needs is in them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.benchmark.page import BEGIN, END, write
from scripts.benchmark.pictures import file_names, picture
from scripts.benchmark.series import Series
from tests.benchmark.made import run, series

_SVG = "{http://www.w3.org/2000/svg}"


def shown(*lines: tuple[str, list[tuple[float, list[float]]]], unit: str = "ms") -> ElementTree.Element:
    made = Series(number="latency", what="lag & <co>", x="events", x_unit="/s", unit=unit, lines=dict(lines))
    return ElementTree.fromstring(picture(made))  # noqa: S314 -- of our own making


def texts(drawn: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in drawn.iter(f"{_SVG}text")]


def heights(drawn: ElementTree.Element) -> list[float]:
    return [float(dot.attrib["cy"]) for dot in drawn.iter(f"{_SVG}circle")]


def test_equal_figures_are_the_same_bytes() -> None:
    """A picture that is made again from a saved run differs in nothing."""
    assert picture(series([1, 2], [3, 4])) == picture(series([1, 2], [3, 4]))


def test_both_sides_and_the_axes_are_named() -> None:
    """Each line's name, what is along and up with its unit, and the title stand in the picture."""
    drawn = shown(("ours", [(1, [1.0]), (2, [2.0])]), ("theirs", [(1, [3.0])]))
    assert {"lag & <co>", "ours", "theirs", "events, /s", "ms"} <= set(texts(drawn))


def test_a_wide_span_is_shown_by_decades_and_says_so() -> None:
    """Where the greatest figure is far from the least, equal factors have equal heights."""
    drawn = shown(("ours", [(1, [1.0]), (2, [10.0]), (3, [100.0])]))
    assert "ms (logarithmic)" in texts(drawn)
    first, second, third = heights(drawn)
    assert first - second == pytest.approx(second - third, abs=0.2)


def test_a_narrow_span_begins_at_zero() -> None:
    """Where figures are alike, twice as much is twice as high above the axis."""
    drawn = shown(("ours", [(1, [2.0]), (2, [4.0])]))
    axis = max(float(line.attrib["y1"]) for line in drawn.iter(f"{_SVG}line") if line.attrib["class"] == "axis")
    first, second = heights(drawn)
    assert axis - second == pytest.approx(2 * (axis - first), abs=0.3)


def test_a_zero_on_a_scale_of_decades_is_left_of_the_others() -> None:
    """An x of nothing at all has a place, though it has no logarithm."""
    drawn = shown(("ours", [(0, [1.0]), (1000, [1.0]), (1_000_000, [1.0])]))
    places = [float(dot.attrib["cx"]) for dot in drawn.iter(f"{_SVG}circle")]
    assert places == sorted(set(places))
    assert {"0", "1,000", "1,000,000"} <= set(texts(drawn))


def test_it_has_colours_for_a_dark_page() -> None:
    """A reader who has chosen dark colours gets a dark picture."""
    assert "@media(prefers-color-scheme:dark)" in picture(series([1]))


def test_a_series_without_figures_is_an_error() -> None:
    """There is no picture of nothing."""
    with pytest.raises(ValueError, match="no figures"):
        picture(series())


def test_each_series_of_a_row_has_its_own_file() -> None:
    """Names follow from the rows, and none stands for two."""
    assert file_names([series([1]), series([2])]) == ["growth-1.svg", "growth-2.svg"]


def test_a_page_shows_each_series_as_a_picture(tmp_path: Path) -> None:
    """Every picture that the page leads to is there, and is that of its series."""
    page = tmp_path / "performance.md"
    page.write_text(BEGIN + END)
    both = series([1, 2], [3, 4]), series([5], [6])
    write(page, run(*both))
    named = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text())
    assert [picture(each) for each in both] == [(tmp_path / name).read_text() for name in named]
