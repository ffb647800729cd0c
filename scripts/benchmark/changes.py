"""Two runs beside each other: what became better, what worse, and what is noise.

Ratios are compared, never figures: each was taken within a round, on one machine in one second. Of a series it is the
cost at an x in units of that at the first: the shape, that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from scripts.benchmark.comparison import Better, Comparison, aligned, short, spread
from scripts.benchmark.saved import Run
from scripts.benchmark.series import Series

Word = Literal["better", "WORSE", "noise", "one round", "no ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One ratio in two runs, round by round.

    Attributes:
        verdicts: about the target, then and now; empty without one.
    """

    number: str
    what: str
    old: Sequence[float]
    new: Sequence[float]
    better: Better
    verdicts: tuple[str, str] = ("", "")

    @property
    def factor(self) -> float | None:
        """The new median in units of the old one."""
        if not (self.old and self.new) or not median(self.old):
            return None
        return median(self.new) / median(self.old)

    @property
    def word(self) -> Word:
        """`better` or `WORSE` where the rounds of the two runs are apart: a change within both spreads is noise."""
        if not (self.old and self.new):
            return "no ratio"
        if min(len(self.old), len(self.new)) < 2:
            return "one round"
        is_lower, is_higher = max(self.new) < min(self.old), min(self.new) > max(self.old)
        if not (is_lower or is_higher):
            return "noise"
        return "better" if is_higher == (self.better == "more") else "WORSE"


def changes(old: Run, new: Run) -> list[Change]:
    """Return what can be compared: the rows that both runs have."""
    before = _by_name(old.comparisons)
    found = [_change(before[name], row) for name, row in _by_name(new.comparisons).items() if name in before]
    lines = {(series.number, series.what): series for series in old.series}
    for series in new.series:
        if earlier := lines.get((series.number, series.what)):
            found += _of_series(earlier, series)
    return found


def report(old: Run, new: Run) -> str:
    """Return *changes* as text, with what makes two runs hard to compare."""
    found = changes(old, new)
    head = ["row", "what", "old ratio", "new ratio", "change", "", "target then", "now"]
    lines = [head]
    for change in found:
        factor = "" if change.factor is None else f"{short(change.factor)}x"
        ratios = [spread(change.old, "x"), spread(change.new, "x")]
        lines.append([change.number, change.what, *ratios, factor, change.word, *change.verdicts])
    text = [
        f"old: {_said_of(old)}",
        f"new: {_said_of(new)}",
        *_warnings(old, new),
        "",
        aligned(lines) if found else "The two runs have no row in common.",
    ]
    if alone := sorted(_names(old) ^ _names(new)):
        text += ["", f"In one of the two only: {'; '.join(alone)}"]
    return "\n".join(text)


def _by_name(rows: Sequence[Comparison]) -> dict[tuple[str, str, int], Comparison]:
    """Return *rows* by number, text, and how often that has been before: some say `... p99` of several."""
    found: dict[tuple[str, str, int], Comparison] = {}
    for row in rows:
        times = sum((number, what) == (row.number, row.what) for number, what, _ in found)
        found[row.number, row.what, times] = row
    return found


def _change(old: Comparison, new: Comparison) -> Change:
    return Change(
        number=new.number,
        what=new.what,
        old=old.ratios,
        new=new.ratios,
        better="less" if new.is_inverted else "more",
        verdicts=(old.verdict, new.verdict),
    )


def _of_series(old: Series, new: Series) -> Iterator[Change]:
    unit = f" {new.x_unit}" if new.x_unit else ""
    for name in new.lines:
        if name in old.lines:
            before, now = old.costs(name), new.costs(name)
            for x in sorted(before.keys() & now.keys())[1:]:
                what = f"{new.what}: {name}, cost at {new.x} {short(x)}{unit}"
                yield Change(number=new.number, what=what, old=before[x], new=now[x], better="less")


def _names(run: Run) -> set[str]:
    rows: list[Comparison | Series] = [*run.comparisons, *run.series]
    return {f"{row.number} {row.what}" for row in rows}


def _said_of(run: Run) -> str:
    size = "quick" if run.is_quick else "full"
    return f"{run.began[:19].replace('T', ' ')}, {size}, commit {run.commit or 'unknown'}, {run.before}"


def _warnings(old: Run, new: Run) -> list[str]:
    said = []
    if old.is_quick != new.is_quick:
        said.append("One is quick, the other full: smaller rounds are not in every row the same question.")
    differing = [
        f"{name}: {getattr(old.machine, name)} / {getattr(new.machine, name)}"
        for name in ("python", "processor", "processors", "kernel", "filesystem")
        if getattr(old.machine, name) != getattr(new.machine, name)
    ]
    versions = {*old.machine.versions.items()} ^ {*new.machine.versions.items()}
    differing += sorted({f"another {name}" for name, _ in versions})
    if differing:
        said.append(f"Not the same machine: {'; '.join(differing)}")
    return said
