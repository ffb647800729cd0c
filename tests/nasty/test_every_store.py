"""The list of nasty inputs, from builder to table and back, on every store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from audit_async.stats import Stats
from tests.nasty.case import Case
from tests.nasty.conftest import Station
from tests.nasty.listing import CASES

FEW = 8  # below the number of rows from which PostgreSQL is sent a COPY


@dataclass(frozen=True)
class Stored:
    """What became of the cases: the rows of each, and the numbers of the logger."""

    rows: dict[int, list[dict[str, Any]]]
    stats: Stats


@pytest.fixture(scope="module")
def stored(station: Station) -> Stored:
    """Each case logged twice: all at once, as one large batch, and in batches of a few."""
    ids = [[number] for number in station.log(*(case.event() for case in CASES))]
    for start in range(0, len(CASES), FEW):
        for own, number in zip(
            ids[start:], station.log(*(case.event() for case in CASES[start : start + FEW])), strict=False
        ):
            own.append(number)
    found = {row["id"]: row for row in station.rows()}
    return Stored(
        {id(case): [found[n] for n in own] for case, own in zip(CASES, ids, strict=True)}, station.audit.stats()
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_nasty_input_becomes_the_row_it_should(case: Case, stored: Stored) -> None:
    """Whatever is logged is one row, alone or in a crowd, which holds it or says what it was."""
    found = [{name: shown(name, row[name]) for name in case.row} for row in stored.rows[id(case)]]
    assert [case.row, case.row] == found


def test_none_of_them_is_put_aside(stored: Stored) -> None:
    """No nasty input is refused, quarantined or lost."""
    stats = stored.stats
    assert (2 * len(CASES), 0, 0, 0) == (stats.stored, stats.quarantined, stats.dropped, stats.refused)


def shown(name: str, value: Any) -> Any:
    """Return a column's *value* as every database gives it."""
    return datetime.fromisoformat(value) if name == "created_at" and isinstance(value, str) else value
