"""Load by a schedule: nothing that it meets makes it send less, or forget what it sent late."""

from __future__ import annotations

import time

import pytest

from scripts.benchmark.latency import figures, lags_of
from scripts.benchmark.open_loop import Load, Schedule, load


def test_calls_are_due_at_their_moments() -> None:
    """Call 0 is due at the first moment, and each other one a fixed time after the one before."""
    schedule = Schedule(first=100.0, rate=4, count=3)
    assert [schedule.moment(number) for number in range(3)] == [100.0, 100.25, 100.5]
    assert [schedule.due(now) for now in (99.9, 100.0, 100.2, 100.25, 100.6, 200)] == [0, 1, 1, 2, 3, 3]


def test_every_call_is_due_by_its_own_moment() -> None:
    """No call is made late because of how times are rounded, but for the last digits of a clock."""
    schedule = Schedule(first=1_790_000_000.123, rate=15_000, count=5000)
    assert all(schedule.due(schedule.moment(number) + 1e-6) >= number + 1 for number in range(schedule.count))


async def test_a_load_makes_every_call_once_and_in_order() -> None:
    """What is called slowly is called as often as the schedule says."""
    made: list[int] = []

    def call(number: int) -> None:
        made.append(number)
        if number == 10:
            time.sleep(0.05)  # as a call that blocks the loop

    done = await load(2000, 0.1, call)
    assert made == list(range(200))
    assert done.seconds >= 0.1 - 1 / 2000
    assert max(done.beats) >= 0.045  # the heart was held up as well


def test_a_lag_is_counted_from_the_intended_moment() -> None:
    """What was called late, because one before it was slow, is late."""
    schedule = Schedule(first=10.0, rate=2, count=3)
    assert lags_of(schedule, {0: 10.5, 1: 11.0, 2: 11.0}) == pytest.approx([0.5, 0.5, 0.0])


def test_an_event_that_is_not_there_is_no_figure() -> None:
    """A side that has lost an event has no latency."""
    with pytest.raises(RuntimeError, match="1 of 2 events are not in the table, the first is 1"):
        lags_of(Schedule(first=0, rate=1, count=2), {0: 1.0})


def test_a_side_keeps_up_if_its_last_commit_comes_soon() -> None:
    """More than a second after the last intended moment it has fallen behind."""
    done = Load(Schedule(first=0, rate=10, count=11), seconds=1.1)
    on_time = dict.fromkeys(range(11), 1.9)
    assert figures(done, on_time).keeps_up
    assert not figures(done, {**on_time, 10: 2.1}).keeps_up
