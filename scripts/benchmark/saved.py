"""A run of the benchmark as a value, and as a file: what it takes to compare with, or to write a page from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scripts.benchmark.comparison import Comparison
from scripts.benchmark.machine import Load, Machine
from scripts.benchmark.series import Series

FORMAT = 1
"""Raised when a file of before cannot be read as one of now."""

FOLDER = Path(__file__).parents[2] / ".bench"
"""Beside the code that was measured, so that runs of one checkout are found together; git passes over it, since
figures of one machine are no source; and unlike the folder for temporary files it outlives the machine's restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run measured, where, and what it did not.

    Attributes:
        began: in UTC, as ISO 8601.
        commit: with a plus where the code differed from it.
        asked: the rows that were to be measured, as on the command line.
        seconds: what each measurement took.
        left_out: what could not be measured on this machine, and why.
        failed: the rows that ended with an error, and the error.
    """

    began: str
    commit: str
    is_quick: bool
    asked: Sequence[str]
    machine: Machine
    before: Load
    after: Load
    comparisons: Sequence[Comparison]
    series: Sequence[Series]
    seconds: Mapping[str, float]
    left_out: Sequence[str]
    failed: Sequence[str]

    @property
    def name(self) -> str:
        """The name of its file where none was given: runs sort by their time."""
        return f"{self.began[:19].replace(':', '')}Z-{'quick' if self.is_quick else 'full'}.json"


class SavedRunError(Exception):
    """A file is no run that can be read."""


def save(run: Run, path: Path) -> None:
    """Write *run* to *path*, all or nothing.

    Ratios and verdicts follow from the figures; they are written for other readers, and not read back.
    """
    plain = {"format": FORMAT, **msgspec.to_builtins(run)}
    for row, comparison in zip(plain["comparisons"], run.comparisons, strict=True):
        row.update(ratios=comparison.ratios, verdict=comparison.verdict)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def load_run(path: Path) -> Run:
    """Return the run in *path*.

    Raises:
        SavedRunError: there is none, or it is of another format.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        found = plain.get("format") if isinstance(plain, dict) else None
        if found != FORMAT:
            raise SavedRunError(f"{path}: a run of format {FORMAT} is read, this one is of {found}. HINT: run it again")
        return msgspec.convert(plain, Run)
    except (OSError, ValueError) as error:  # bad JSON, bad UTF-8 and msgspec's ValidationError are ValueErrors
        raise SavedRunError(f"{path} is no saved run: {error}") from error
