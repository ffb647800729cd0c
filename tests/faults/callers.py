"""Callers in this very process: they log and write without a pause while something breaks, and must not notice."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self

from audit_async import Receipt
from tests.faults.lab import Lab
from tests.faults.ledger import event_of
from tests.polling import eventually_sync

MAX_WAIT_SECONDS = 0.5
HELD_SECONDS = 5.0  # beyond what was agreed: no outage is that short, and no machine that slow
COMPLAINT_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
PAUSE_SECONDS = 0.004
STRETCH = 100_000  # far more than callers use up in one trial

QUICK = MappingProxyType(
    {
        "connect_seconds": 1.0,
        "attempt_seconds": 1.5,
        "cancel_seconds": 0.2,
        "slow_attempt_seconds": 0.3,
        "backoff_first_seconds": 0.02,
        "backoff_max_seconds": 0.3,
        "lock_seconds": 1.0,
    }
)
"""Times for outages that are over after a second, not after minutes."""


class Callers:
    """A thread that logs and a task that writes, both without end, through one logger.

    When they have gone without a fault everything they were promised is in the table, nothing is in quarantine, and
    none of them has waited longer than agreed.

    Args:
        url: where the logger connects; straight to the database of the lab by default.
        timing: of the logger, as the lab's.

    Attributes:
        audit: the logger, for all the time.
        quarantined: events that are to be in quarantine at the end.
    """

    def __init__(
        self, lab: Lab, *, url: str | None = None, timing: Mapping[str, float] = QUICK, **options: Any
    ) -> None:
        lab.timing = dict(timing)
        self.audit = lab.logger(**({"url": url} if url else {}), max_wait_seconds=MAX_WAIT_SECONDS, **options)
        self.quarantined = 0
        self._ledger = lab.ledger()
        self._numbers = iter(lab.numbers(STRETCH))
        self._taking = threading.Lock()
        self._ends = threading.Event()
        self._returned = {"log": 0, "write": 0}
        self._longest = {"log": 0.0, "write": 0.0}
        self._threads = [
            threading.Thread(target=self._log_all, name="caller-logs", daemon=True),
            threading.Thread(target=self._write_all, name="caller-writes", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(RECOVERY_SECONDS)
        try:
            if error is None:
                self.recover()
                self._look_back()
        finally:
            self.audit.close_sync(HELD_SECONDS)
            self._ledger.__exit__(None, None, None)

    # --- what a fault does with them -------------------------------------------------------------------

    def go_on(self, logs: int = 20, writes: int = 2) -> None:
        """Return when so many more calls of either kind have returned: whatever is broken, they do."""
        goal = {"log": self._returned["log"] + logs, "write": self._returned["write"] + writes}
        eventually_sync(lambda: all(self._returned[call] >= goal[call] for call in goal), COMPLAINT_SECONDS)

    def store(self, more: int = 20) -> None:
        """Return when so many more events are in the table, and the logger knows."""
        goal = self.audit.stats().stored + more
        eventually_sync(lambda: self.audit.stats().stored >= goal, RECOVERY_SECONDS)

    def complain(self, reason: str) -> None:
        """Return when health says that the database takes no events, for *reason*, a regular expression; then see
        that callers go on, and that nothing is taken for poison."""
        seen: set[str] = set()

        def is_said() -> bool:
            health = self.audit.health()
            seen.update(health.reasons)
            return health.status == "degraded" and any(re.search(reason, each) for each in health.reasons)

        try:
            eventually_sync(is_said, COMPLAINT_SECONDS)
        except TimeoutError:
            raise AssertionError(f"health never said {reason!r}, but {sorted(seen)}") from None
        self.go_on()
        assert self.audit.stats().quarantined == 0, self.audit.health()

    def recover(self) -> None:
        """Return when everything accepted until now is settled and health is good, with no help from us."""
        goal = self.audit.stats().accepted

        def is_well() -> bool:
            stats = self.audit.stats()
            return stats.stored + stats.quarantined >= goal and stats.last_error is None

        try:
            eventually_sync(is_well, RECOVERY_SECONDS)
        except TimeoutError:
            raise AssertionError(f"it did not recover: {self.audit.health()}, {self.audit.stats()}") from None

    # --- inside ----------------------------------------------------------------------------------------

    def _look_back(self) -> None:
        stats = self.audit.stats()
        assert stats.accepted == stats.stored + stats.pending + stats.quarantined + stats.dropped, stats
        assert (0, self.quarantined, 0, 0) == (stats.pending, stats.quarantined, stats.dropped, stats.refused), stats
        assert self.audit.health().is_healthy == (self.quarantined == 0), self.audit.health()
        assert self._longest["log"] < HELD_SECONDS, self._longest
        assert self._longest["write"] < MAX_WAIT_SECONDS + HELD_SECONDS, self._longest

    def _take(self) -> int:
        with self._taking:
            return next(self._numbers)

    def _log_all(self) -> None:
        while not self._ends.wait(PAUSE_SECONDS):
            number, started = self._call()
            self._note("log", number, self.audit.log(event_of(number)), started)

    def _write_all(self) -> None:
        async def write_all() -> None:
            while not self._ends.is_set():
                number, started = self._call()
                self._note("write", number, await self.audit.write(event_of(number)), started)
                await asyncio.sleep(PAUSE_SECONDS)

        asyncio.run(write_all())

    def _call(self) -> tuple[int, float]:
        number = self._take()
        self._ledger.tell("called", number)
        return number, time.monotonic()

    def _note(self, call: str, number: int, receipt: Receipt, started: float) -> None:
        self._longest[call] = max(self._longest[call], time.monotonic() - started)
        self._ledger.tell_answer(number, receipt)
        self._returned[call] += 1
