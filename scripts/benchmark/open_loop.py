"""Load at a fixed schedule, whatever becomes of what it calls, and a heartbeat beside it in the same loop.

Each call has the moment at which it was meant to be made; what it takes is counted from there. A load that waits for
its calls would send less while they are slow, and leave out of the figures those that would have met it.

Source: Gil Tene, "How NOT to Measure Latency": coordinated omission.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_STEP_SECONDS = 0.001
_MOST_IN_STEP = 50  # so that who catches up lets the loop run, as requests do
_BEAT_SECONDS = 0.001
_LEAD_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each of *count* calls is meant to be made: *rate* a second from *first* on, a wall-clock time."""

    first: float
    rate: float
    count: int

    def moment(self, number: int) -> float:
        """Return when call *number*, from 0, is meant to be made."""
        return self.first + number / self.rate

    def due(self, now: float) -> int:
        """Return how many calls are meant to have been made by *now*."""
        return min(self.count, max(0, int((now - self.first) * self.rate) + 1)) if now >= self.first else 0


@dataclass(slots=True)
class Load:
    """What became of a schedule.

    Attributes:
        beats: seconds that each beat of the loop came late.
        seconds: from the first intended moment to the end of the last call.
        cpu: seconds of the whole process meanwhile.
    """

    schedule: Schedule
    beats: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0


async def load(rate: float, seconds: float, call: Callable[[int], object]) -> Load:
    """Make *rate* calls a second for *seconds*, from a task that lets the loop run after each step of those due.

    It leaves none out: when the loop was held up, all calls that were meant to be made meanwhile are made as soon as
    can be.
    """
    schedule = Schedule(time.time() + _LEAD_SECONDS, rate, int(rate * seconds))
    done = Load(schedule)
    heart = asyncio.create_task(_beat(done.beats))
    await asyncio.sleep(_LEAD_SECONDS / 2)
    cpu = time.process_time()
    made = 0
    while made < schedule.count:
        due = schedule.due(time.time())
        for number in range(made, min(due, made + _MOST_IN_STEP)):
            call(number)
            made = number + 1
        await asyncio.sleep(0 if made < due else _STEP_SECONDS)
    done.seconds, done.cpu = time.time() - schedule.first, time.process_time() - cpu
    heart.cancel()
    return done


async def _beat(late: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_BEAT_SECONDS)
        late.append(time.perf_counter() - before - _BEAT_SECONDS)
