"""Whether a process that lives long grows: memory, threads, descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.programs.soaking_child import State

MIB = 1024 * 1024
WARM_UP_SAMPLES = 60
"""Of one a second, that are passed over: caches fill, the first outage comes."""

LEAST_SAMPLES = 120
"""Behind the warm-up, below which nothing is said."""

MEMORY_GROWTH_BYTES = 8 * MIB
"""Between the medians of the first and the last quarter: what the allocator keeps of one large batch. A leak of a
hundred bytes an event would be twice that in ten minutes at 300 events a second."""

MORE_THREADS = 1
MORE_DESCRIPTORS = 4
"""Between the same: one that happens to be there at the moment of a look, and a connection with its epoll."""


def growth(states: Sequence[State]) -> list[str] | None:
    """Return what grew, a sentence each; None where the process has not lived long enough to say."""
    counted = states[WARM_UP_SAMPLES:]
    if len(counted) < LEAST_SAMPLES:
        return None
    quarter = len(counted) // 4
    first, last = counted[:quarter], counted[-quarter:]
    limits = {"memory": MEMORY_GROWTH_BYTES, "threads": MORE_THREADS, "descriptors": MORE_DESCRIPTORS}
    found = []
    for name, limit in limits.items():
        before, after = (median(getattr(state, name) for state in states) for states in (first, last))
        if after - before > limit:
            found.append(f"{name} grew from {before:,.0f} to {after:,.0f}")
    return found
