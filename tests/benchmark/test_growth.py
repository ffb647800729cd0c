"""What the measurements of growth and of footprint are made of."""

from __future__ import annotations

import msgspec
import pytest

from scripts.benchmark.bench import Bench
from scripts.benchmark.footprint import shares
from scripts.benchmark.growth import along, details


@pytest.mark.parametrize("kib", [0.2, 1, 4, 16, 60])
@pytest.mark.parametrize("ending", ["", " took 1500 ms"])
def test_details_are_as_large_as_they_say(kib: float, ending: str) -> None:
    """To within one per cent of the JSON that is stored, and no two events in a row have the same."""
    assert len(msgspec.json.encode(details(kib, 1, ending))) == pytest.approx(kib * 1024, rel=0.01)
    assert details(kib, 1, ending) != details(kib, 2, ending)


async def test_each_figure_becomes_a_line_over_all_points() -> None:
    """A line has every point, with the figures of all rounds."""

    async def measure(x: float) -> dict[str, float]:
        return {"half": x / 2, "twice": x * 2}

    lines = await along(Bench(rounds=2, share=1), (1, 10), measure)
    assert lines == {"half": [(1, [0.5, 0.5]), (10, [5.0, 5.0])], "twice": [(1, [2, 2]), (10, [20, 20])]}


def test_an_import_s_time_is_divided_among_whose_modules_took_it() -> None:
    """What a module took by itself counts, not what it waited for."""
    said = [
        "import time: self [us] | cumulative | imported package",
        "import time:      1000 |       1000 |     encodings.utf_8",
        "import time:      2000 |       2000 |   asyncio.events",
        "import time:       500 |        500 |   msgspec._core",
        "import time:      4000 |       6500 | audit_async.writer",
    ]
    assert shares(said) == {"our own modules": 4.0, "the standard library": 3.0, "other packages": 0.5}
