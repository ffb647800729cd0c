"""How a figure changes along something: lines over x, and the table in which a bend shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from scripts.benchmark.comparison import aligned, short, spread

Point = tuple[float, Sequence[float]]
"""An x, and what the rounds gave for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Figures along x, one line for each side or way.

    Attributes:
        number: the name of the row, as on the command line.
        x: what is varied.
        x_unit: empty where it is a plain count.
        unit: of the figures; a rate's begins with `/`.
        lines: by name; not every line has to have every x.
        about: what is compared with what, and why that is each side's best way; one or two sentences.
    """

    number: str
    what: str
    x: str
    unit: str
    lines: Mapping[str, Sequence[Point]]
    x_unit: str = ""
    about: str = ""

    def costs(self, name: str) -> dict[float, list[float]]:
        """Return, for each x of a line, the rounds' costs in units of that at the first x: 1 all along is straight."""
        points = [(x, [figure for figure in figures if figure]) for x, figures in self.lines[name]]
        points = [(x, figures) for x, figures in points if figures]
        if not points:
            return {}
        first = points[0][1]
        is_rate = self.unit.startswith("/")
        found = {}
        for x, figures in points:
            # Rounds of the same number ran at about the same time.
            by = first if len(first) == len(figures) else [median(first)] * len(figures)
            found[x] = [one / now if is_rate else now / one for one, now in zip(by, figures, strict=True)]
        return found


def cells(series: Series) -> list[list[str]]:
    """Return the table of *series*, its heading first: x downwards; for each line its figures, and the cost."""
    names = list(series.lines)
    heading = [f"{series.x}, {series.x_unit}" if series.x_unit else series.x]
    for name in names:
        heading += [f"{name}, {series.unit}", "cost"]
    found = {name: dict(series.lines[name]) for name in names}
    costs = {name: series.costs(name) for name in names}
    rows = []
    for x in sorted({x for line in found.values() for x in line}):
        row = [short(x)]
        for name in names:
            row += [spread(found[name].get(x, ())), f"{median(costs[name][x]):.2f}x" if x in costs[name] else ""]
        rows.append(row)
    return [heading, *rows]


def series_table(series: Series) -> str:
    """Return *series* as text: medians with least and greatest, and each cost by that at the first x."""
    return f"{series.number}: {series.what}\n{aligned(cells(series))}"
