"""A figure along something: straight costs stay at one, and a bend shows."""

from __future__ import annotations

from scripts.benchmark.series import Series, series_table
from tests.benchmark.made import series


def test_a_straight_cost_is_one_all_along() -> None:
    """Where every x costs what the first one costs, every cost is 1."""
    assert series([5, 5], [5, 5], [5, 5]).costs("ours") == {1: [1, 1], 10: [1, 1], 100: [1, 1]}


def test_a_bend_shows() -> None:
    """What costs more than at the first x says how many times more, round by round."""
    assert series([5, 10], [5, 10], [20, 30]).costs("ours")[100] == [4, 3]


def test_the_cost_of_a_rate_is_its_inverse() -> None:
    """Half the rate is twice the cost."""
    assert series([1000], [500], unit="/s").costs("ours") == {1: [1], 10: [2]}


def test_rounds_of_different_number_are_held_against_the_first_median() -> None:
    """An x with more rounds than the first one has its costs, too."""
    assert series([10, 20, 30], [20, 40]).costs("ours")[10] == [1, 2]


def test_a_line_without_figures_is_printed_empty() -> None:
    """A line may lack an x, or have nothing at all; the others stand."""
    made = Series(
        number="growth",
        what="cost by size",
        x="size",
        x_unit="KiB",
        unit="µs",
        lines={"ours": [(0.2, [1.0, 3.0]), (64.0, [10.0])], "theirs": [(64.0, [7.0])], "none": []},
    )
    assert series_table(made).splitlines() == [
        "growth: cost by size",
        "size, KiB  ours, µs  cost   theirs, µs  cost   none, µs  cost",
        "-------------------------------------------------------------",
        "0.2        2 (1..3)  1.00x",
        "64         10        5.00x  7           1.00x",
    ]
