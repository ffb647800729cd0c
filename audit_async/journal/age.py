"""How long the oldest entry that is not settled has waited."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from audit_async.config import MAX_SAMPLES


class Age:
    """When some of the numbers were appended: a sample for each group commit, thinned out as they grow many.

    Noted by the sync thread, forgotten by the reader, asked by anybody: every step is one operation on a deque.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[int, float]] = deque()

    def note(self, seq: int) -> None:
        """Note that *seq* is the newest number by now."""
        if self._samples and self._samples[-1][0] >= seq:
            return
        self._samples.append((seq, self._clock()))
        if len(self._samples) > MAX_SAMPLES:
            samples = list(self._samples)
            # The first tells the age, the last that there is one.
            self._samples = deque([*samples[:-1:2], samples[-1]])

    def forget(self, settled_seq: int) -> None:
        """Drop what was noted of numbers up to *settled_seq*."""
        while self._samples and self._samples[0][0] <= settled_seq:
            try:
                self._samples.popleft()
            except IndexError:
                return

    def seconds(self, settled_seq: int) -> float:
        """Return how long the oldest number above *settled_seq* has waited; 0.0 when there is none."""
        for seq, noted in list(self._samples):
            if seq > settled_seq:
                return self._clock() - noted
        return 0.0
