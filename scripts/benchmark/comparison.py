"""Rounds, medians and ratios, and the table that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Side = Callable[[], float]

Better = Literal["less", "more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a ratio (or, with no other side, a figure) should be.

    Attributes:
        least: the target; on the wrong side of it the row is missed.
        aim: what it is hoped to be.
        better: which way is better.
    """

    least: float
    aim: float
    better: Better = "more"

    def is_met(self, value: float, by: float) -> bool:
        """Return whether *value* is as good as *by*, or better."""
        return value >= by if self.better == "more" else value <= by


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row: the figures of each round on both sides.

    Attributes:
        number: as in the list of targets.
        unit: of the figures; a rate's begins with `/`.
        theirs: of the same rounds; empty where a figure stands for itself.
        is_inverted: the ratio is ours to theirs rather than how many times better ours is.
        about: what is compared with what, and why that is each side's best way; one or two sentences.
    """

    number: str
    what: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    goal: Goal | None = None
    is_inverted: bool = False
    about: str = ""

    @property
    def ratios(self) -> list[float]:
        """How many times better ours is, round by round."""
        if not self.theirs:
            return []
        upside_down = self.is_inverted != self.unit.startswith("/")
        pairs = zip(self.ours, self.theirs, strict=True)
        return [ours / theirs if upside_down else theirs / ours for ours, theirs in pairs if ours and theirs]

    @property
    def verdict(self) -> str:
        """`aim`, `met` or `MISSED`, with a question mark where rounds disagree about the target."""
        if self.goal is None:
            return ""
        values = self.ratios or list(self.ours)
        goal, value = self.goal, median(values)
        is_met = goal.is_met(value, goal.least)
        word = "aim" if goal.is_met(value, goal.aim) else "met" if is_met else "MISSED"
        agrees = all(goal.is_met(each, goal.least) == is_met for each in values)
        return word if agrees else f"{word} ?"

    @property
    def targets(self) -> tuple[str, str]:
        """The target and the aim, as they are printed."""
        if self.goal is None:
            return "", ""
        sign, times = "<= " if self.goal.better == "less" else "", "x" if self.theirs else ""
        return f"{sign}{self.goal.least:g}{times}", f"{sign}{self.goal.aim:g}{times}"

    @property
    def cells(self) -> list[str]:
        """What stands in the columns of the table."""
        ratio = spread(self.ratios, "x") if self.theirs else ""
        figures = spread(self.ours), spread(self.theirs)
        return [self.number, self.what, *figures, self.unit, ratio, *self.targets, self.verdict]


_HEAD = ("row", "what", "ours", "other side", "unit", "ratio", "target", "aim", "mark")


def table(rows: Iterable[Comparison]) -> str:
    """Return *rows* as text: medians, with least and greatest in brackets."""
    return aligned([list(_HEAD), *(row.cells for row in rows)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return cells as columns, the first line as their heading."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def spread(values: Sequence[float], sign: str = "") -> str:
    """Return the median of *values*, with the least and the greatest where there are several."""
    if not values:
        return ""
    least, middle, greatest = (short(value) for value in (min(values), median(values), max(values)))
    return f"{middle}{sign} ({least}..{greatest})" if len(values) > 1 else f"{middle}{sign}"


def short(value: float) -> str:
    """Return *value* with three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of *values* do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
