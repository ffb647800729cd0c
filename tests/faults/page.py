"""The matrix of docs/reliability.md, as the bank has it.

python -m tests.faults.page      # write it anew
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.catalog import FAULTS
from tests.faults.fault import Fault

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- end of matrix -->"
NUMBER = re.compile(r"\b[FP]\d\d\b")


def matrix() -> str:
    """Return the table, a line for each fault."""
    lines = ["| | what breaks | with | trials |", "|---|---|---|---|", *map(_line, FAULTS)]
    return "".join(line + "\n" for line in lines)


def _line(fault: Fault) -> str:
    trials = f"{fault.trials.fast} / {fault.trials.quick} / {fault.trials.full}"
    needs = f" ({', '.join(fault.needs)})" if fault.needs else ""
    return f"| {fault.number} | {fault.name}{needs} | {', '.join(fault.on)} | {trials} |"


def parts() -> tuple[str, str, str]:
    """Return the page: what stands before the matrix, the matrix, what stands behind it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    inside, _, behind = rest.partition(END)
    return before, inside, behind


def proofs() -> list[tuple[str, str]]:
    """Return each promise of the page with what is said to prove it."""
    rows = [line.split("|") for line in parts()[0].splitlines() if re.match(r"\| P\d+ \|", line)]
    return [(row[1].strip(), f"{row[4]} {row[5]}") for row in rows]


if __name__ == "__main__":
    before, _, behind = parts()
    PAGE.write_text(before + BEGIN + matrix() + END + behind)
