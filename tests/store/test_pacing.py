"""How long the slices are in which rows are made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from audit_async.config import GIVE_UP_HOGGED_ROWS, GIVE_UP_HOGGED_SECONDS, GIVE_UP_ROWS
from audit_async.store import pacing

ON_TIME, LATE = GIVE_UP_HOGGED_SECONDS / 2, GIVE_UP_HOGGED_SECONDS * 2


class Clock:
    """Sleeps that take as long as is said, one after the other; then none is late."""

    def __init__(self, sleeps: Iterable[float]) -> None:
        self._sleeps = iter(sleeps)
        self._now = 0.0

    def perf_counter(self) -> float:
        return self._now

    def sleep(self, _: float) -> None:
        self._now += next(self._sleeps, ON_TIME)


@pytest.mark.parametrize(
    ("sleeps", "sizes"),
    [
        ([], {GIVE_UP_ROWS}),
        ([LATE, ON_TIME, LATE, ON_TIME, LATE], {GIVE_UP_ROWS}),
        ([ON_TIME, LATE, LATE], {GIVE_UP_ROWS, GIVE_UP_HOGGED_ROWS}),
    ],
)
def test_slices_grow_where_the_interpreter_is_hogged(
    monkeypatch: pytest.MonkeyPatch, sleeps: list[float], sizes: set[int]
) -> None:
    """Two give-ups in a row that come late make the rest of a batch slices of a thousand; one alone does not."""
    monkeypatch.setattr(pacing, "time", Clock(sleeps))
    items = list(range(3 * GIVE_UP_ROWS + 4 * GIVE_UP_HOGGED_ROWS))
    slices = list(pacing.slices_giving_up(items))
    assert items == [item for part in slices for item in part]
    assert sizes == {len(part) for part in slices}
