"""Two runs beside each other: what is said to be better or worse is more than noise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.benchmark.changes import changes, report
from scripts.benchmark.comparison import Comparison
from scripts.benchmark.series import Series
from tests.benchmark.made import MACHINE, comparison, run, series


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        pytest.param([10, 11, 12], [5, 6, 7], "better", id="apart, and better"),
        pytest.param([5, 6, 7], [10, 11, 12], "WORSE", id="apart, and worse"),
        pytest.param([5, 6, 12], [10, 11, 12], "noise", id="within both spreads"),
        pytest.param([10], [5, 6], "one round", id="no spread to be within"),
    ],
)
def test_a_change_within_both_spreads_is_noise(old: list[float], new: list[float], word: str) -> None:
    """A ratio changed where the rounds of the two runs are apart, and only there."""
    (change,) = changes(run(comparison(old, [20] * len(old))), run(comparison(new, [20] * len(new))))
    assert change.word == word


def test_where_less_is_better_more_is_worse() -> None:
    """A ratio of ours to the other side that grew became worse."""
    old, new = (comparison(ours, [10, 10], is_inverted=True) for ours in ([11, 12], [15, 16]))
    (change,) = changes(run(old), run(new))
    assert change.word == "WORSE"
    assert change.factor == pytest.approx((15.5 / 10) / (11.5 / 10))


def test_a_slower_machine_is_no_change() -> None:
    """Figures of both sides that doubled have the same ratio."""
    (change,) = changes(run(comparison([1, 2], [10, 20])), run(comparison([2, 4], [20, 40])))
    assert (change.word, change.factor) == ("noise", 1)


def test_a_figure_without_another_side_is_not_compared() -> None:
    """Where there is no ratio only the verdicts stand beside each other."""
    (change,) = changes(run(comparison([1, 1])), run(comparison([3, 3])))
    assert (change.word, change.factor, change.verdicts) == ("no ratio", None, ("MISSED", "met"))


def test_rows_of_one_name_are_told_apart_by_their_order() -> None:
    """A measurement may say `... p99` twice."""
    rows = [comparison([1, 1], [10, 10]), comparison([2, 2], [10, 10])]
    assert [(change.old, change.new) for change in changes(run(*rows), run(*rows))] == [
        ([10, 10], [10, 10]),
        ([5, 5], [5, 5]),
    ]


def test_of_a_series_its_shape_is_compared() -> None:
    """A cost that bends where it did not is worse; one that is higher all along has the same shape."""
    old, higher = series([1, 1], [1, 1], [1, 1]), series([7, 7], [7, 7], [21, 21])
    assert [(change.what, change.word, change.factor) for change in changes(run(old), run(higher))] == [
        ("cost by tasks: ours, cost at tasks 10", "noise", 1),
        ("cost by tasks: ours, cost at tasks 100", "WORSE", 3),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param(comparison([1], [2], number="P2", what="another"), "P2 another", id="a row"),
        pytest.param(series([1]), "growth cost by tasks", id="a series"),
    ],
)
def test_what_one_run_lacks_is_named(row: Comparison | Series, said: str) -> None:
    """Nothing is passed over in silence."""
    assert f"In one of the two only: {said}" in report(run(comparison([1], [2])), run(comparison([1], [2]), row))


def test_another_machine_is_said() -> None:
    """Who compares runs of two machines, versions or sizes reads that first."""
    other = replace(MACHINE, processor="Another", versions={"PostgreSQL": "17.2"})
    text = report(run(comparison([1], [2])), run(comparison([1], [2]), machine=other, is_quick=True))
    assert "Not the same machine: processor: Some Processor / Another; another PostgreSQL" in text
    assert "One is quick, the other full" in text


def test_runs_with_nothing_in_common_are_no_error() -> None:
    """It is said that there is nothing to compare."""
    assert "no row in common" in report(run(), run(comparison([1], [2])))
