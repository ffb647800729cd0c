"""The generated part of a page: what a saved run says, ratios first. The prose around it is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmark.comparison import Comparison, spread
from scripts.benchmark.machine import Machine
from scripts.benchmark.pictures import file_names, picture
from scripts.benchmark.saved import Run
from scripts.benchmark.series import cells

BEGIN, END = "<!-- results of scripts/bench -->\n", "<!-- end of the results -->"
_HEAD = ("what", "ours", "other side", "unit", "ratio", "at least", "aim", "")


class PageError(Exception):
    """A page has no place for the results."""


def write(page: Path, run: Run) -> None:
    """Put what *run* measured between the two marks of *page*, and its pictures into the folder of the page's name.

    Raises:
        PageError: it does not have both, once each and in this order.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not (begin and end) or text.count(BEGIN) + text.count(END) != 2:
        raise PageError(f"{page} has to have the lines {BEGIN.strip()} and {END}, once each and in this order")
    page.write_text(before + BEGIN + results(run, page.stem) + END + behind, encoding="utf-8")
    for name, series in zip(file_names(run.series), run.series, strict=True):
        place = page.parent / page.stem / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(picture(series), encoding="utf-8")


def results(run: Run, folder: str = "performance") -> str:
    """Return the part as Markdown, with the pictures that are in *folder* beside the page."""
    parts = [
        _origin(run),
        "### Ratios and targets\n",
        _score(run.comparisons),
        _targets(run.comparisons),
        "### The machine\n",
        _machine(run),
    ]
    for number in dict.fromkeys(row.number for row in run.comparisons):
        rows = [row for row in run.comparisons if row.number == number]
        parts += [f"### {number}\n", *_abouts(rows), _table([_HEAD, *map(_cells, rows)])]
    for name, series in zip(file_names(run.series), run.series, strict=True):
        about = [f"{series.about}\n"] if series.about else []
        shown = f"![{series.what}]({folder}/{name})\n"
        parts += [f"### {series.number}: {series.what}\n", *about, shown, _table(cells(series))]
    parts += ["### Left out, and ended with an error\n", _missing(run)]
    return "\n".join(parts) + "\n"


def _origin(run: Run) -> str:
    size = "quick run (which says little)" if run.is_quick else "full run"
    return (
        f"From a {size} of {run.began[:10]}, commit `{run.commit or 'unknown'}`, of the rows {', '.join(run.asked)};"
        " written by `./scripts/bench --page`. Medians of the rounds, with the least and the greatest in brackets.\n"
    )


def _score(rows: Sequence[Comparison]) -> str:
    found = Counter(row.verdict.split()[0] for row in rows if row.goal)
    unsure = sum(row.verdict.endswith("?") for row in rows)
    return (
        f"{found.total()} targets: {found['aim']} at the aim, {found['met']} met, {found['MISSED']} missed;"
        f" in {unsure} of them the rounds disagree (a question mark).\n"
    )


def _targets(rows: Sequence[Comparison]) -> str:
    head = ("row", "what", "ratio", "at least", "aim", "")
    lines = [(row.number, row.what, _ratio(row), *row.targets, _loud(row.verdict)) for row in rows if row.goal]
    return _table([head, *lines])


def _ratio(row: Comparison) -> str:
    return spread(row.ratios, "x") if row.theirs else f"{spread(row.ours)} {row.unit}"


def _abouts(rows: Sequence[Comparison]) -> list[str]:
    return [f"{row.about}\n" for row in rows if row.about]


def _cells(row: Comparison) -> Sequence[str]:
    return [*row.cells[1:-1], _loud(row.verdict)]


def _loud(verdict: str) -> str:
    return f"**{verdict}**" if verdict.startswith("MISSED") else verdict


def _machine(run: Run) -> str:
    machine: Machine = run.machine
    lines = [
        ("", ""),
        ("processor", f"{machine.processors} x {machine.processor}"),
        ("memory", f"{machine.memory_gib:g} GiB"),
        ("system", f"{machine.kernel}, files on {machine.filesystem}"),
        ("Python", machine.python),
        ("databases and packages", ", ".join(f"{name} {number}" for name, number in machine.versions.items())),
        ("before the run", str(run.before)),
        ("after it", str(run.after)),
        ("seconds", ", ".join(f"{name} {seconds:.0f}" for name, seconds in run.seconds.items())),
    ]
    return _table(lines)


def _missing(run: Run) -> str:
    return "".join(f"* {line}\n" for line in (*run.left_out, *run.failed)) or "Nothing.\n"


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *rows = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *rows])
