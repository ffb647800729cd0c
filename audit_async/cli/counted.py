"""Numbers as lines for people: what was counted, how often, and how much that is beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from audit_async.cli.console import out
from audit_async.config import BAR_CHARS

_BETWEEN = "  "


def print_counted(headings: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Print *rows*, each a number and the cells behind it, which are visible already, and nothing is cut.

    At a terminal there is a line of *headings* above, and a bar where there is room for it.
    """
    for line in lines(headings, rows, out.width if out.is_terminal else None):
        out.print(line, soft_wrap=True)


def lines(
    headings: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], terminal_width: int | None
) -> Iterator[Text]:
    """Yield the lines of *rows*, for a pipe if there is no terminal."""
    cells = [headings, *([f"{number:,}", *others] for number, others in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headings))]
    most = max((number for number, _ in rows), default=0)
    taken = sum(widths) + len(_BETWEEN) * len(widths)
    has_bar = terminal_width is not None and most > 0 and taken + BAR_CHARS <= terminal_width
    if terminal_width is not None:
        yield _line(headings, widths, "bold")
    for number, row in zip((number for number, _ in rows), cells[1:], strict=True):
        line = _line(row, widths)
        if has_bar and number:
            line.append(" " * (taken - cell_len(line.plain)))
            line.append("#" * -(-number * BAR_CHARS // most), "dim")
        yield line


def _line(cells: Sequence[str], widths: Sequence[int], style: str = "") -> Text:
    number, *others = cells
    line = Text(f"{number:>{widths[0]}}", style=style)
    for cell, width in zip(others, widths[1:], strict=True):
        line.append(f"{_BETWEEN}{cell or '-'}{' ' * (width - cell_len(cell or '-'))}")
    line.rstrip()
    return line
