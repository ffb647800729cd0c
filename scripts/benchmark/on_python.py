"""One round of a few rows on whatever Python runs this. Called by the row `pythons`, in a process of its own.

    python -m scripts.benchmark.on_python SHARE URL

The database is given, so that all Pythons write into the same server; figures are printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import loguru

from scripts.benchmark.bench import Bench
from scripts.benchmark.calls import against_logging
from scripts.benchmark.pipelines import busy_application
from scripts.benchmark.stores import batches

_MEASUREMENTS = (against_logging, batches, busy_application)
NUMBERS = ("P1", "P3", "P5")


class _Given(Bench):
    """One whose database is somebody else's."""

    def __init__(self, *, share: float, url: str) -> None:
        super().__init__(rounds=1, share=share)
        self._given = url

    async def url(self) -> str:
        return self._given


async def measure(share: float, url: str) -> list[dict[str, Any]]:
    """Return the row that has the target, of each of `NUMBERS`."""
    found = []
    with _Given(share=share, url=url) as bench:
        for measurement in _MEASUREMENTS:
            found += [row for row in await measurement(bench) if row.goal and row.number in NUMBERS]
    return [
        {"number": row.number, "what": row.what, "unit": row.unit, "ours": row.ours[0], "theirs": row.theirs[0]}
        for row in found
    ]


if __name__ == "__main__":
    loguru.logger.remove()
    print(json.dumps(asyncio.run(measure(float(sys.argv[1]), sys.argv[2]))))
