"""How far it has come, and those who wait for it: a number that only grows.

Waiters may sit in asyncio, in trio or in a plain thread. They are woken by one call for each event loop and step,
never by a thread for each of them. A loop that was closed in the meantime is normal, and no fault.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any


class _Waiter:
    """One who waits. `home` is its asyncio loop or trio token, or None for a thread."""

    __slots__ = ("home", "is_patient", "number", "result", "signal", "wants_all")

    def __init__(self, number: int, home: Any, signal: Any, is_patient: bool, wants_all: bool = False) -> None:
        self.number = number
        self.home = home
        self.signal = signal
        self.is_patient = is_patient
        self.wants_all = wants_all
        self.result = False


class Progress:
    """A number that only grows, with numbers in between that are still open, or have failed for good.

    Args:
        on_wait: called, in the waiter's thread, when somebody starts to wait: it makes the other side hurry.
    """

    def __init__(self, on_wait: Callable[[], None]) -> None:
        self._on_wait = on_wait
        # Guards the waiters. It is taken only by those who wait and those who wake, never by `log()`. Re-entrant,
        # because a signal handler may flush while its own thread is inside.
        self._lock = threading.RLock()
        self._waiters: dict[_Waiter, None] = {}
        self._failed: list[tuple[int, int]] = []
        self._open: set[int] = set()
        self._is_over = False
        self.value = 0

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits now."""
        return bool(self._waiters)

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiters)

    def outcome(self, number: int) -> bool | None:
        """Return whether *number* has been reached well; None as long as that is open."""
        if number > self.value or number in self._open:
            return False if self._is_over else None
        if self._failed:
            at = bisect.bisect_right(self._failed, (number, sys.maxsize)) - 1
            if at >= 0 and self._failed[at][0] <= number <= self._failed[at][1]:
                return False
        return True

    def outcome_of_all(self, number: int) -> bool | None:
        """Return whether every number up to *number* has been reached well; None as long as that is open."""
        if number > self.value or (self._open and min(self._open) <= number):
            return False if self._is_over else None
        return not self._failed or self._failed[0][0] > number

    def advance(self, value: int, failed: Iterable[int] = (), left_open: Iterable[int] = ()) -> None:
        """Move on to *value* and wake who waited for it.

        Args:
            failed: numbers on the way that failed, ascending.
            left_open: numbers on the way that `resolve` will decide on.
        """
        self._open = self._open.union(left_open)
        for number in failed:
            if self._failed and self._failed[-1][1] == number - 1:
                self._failed[-1] = (self._failed[-1][0], number)
            else:
                bisect.insort(self._failed, (number, number))
        self.value = max(self.value, value)
        self._wake(self._outcome_for)

    def resolve(self, number: int, *, is_well: bool) -> None:
        """Decide on a number that was left open."""
        if not is_well:
            bisect.insort(self._failed, (number, number))
        self._open = self._open - {number}
        self._wake(self._outcome_for)

    def _outcome_for(self, waiter: _Waiter) -> bool | None:
        if not waiter.is_patient and waiter.number in self._open:
            # It may be this very waiter's transaction that the number is open for.
            return False
        return self.outcome_of_all(waiter.number) if waiter.wants_all else self.outcome(waiter.number)

    def release(self, *, impatient_only: bool = False) -> None:
        """Tell those who wait that it is not to be expected soon."""
        self._wake(lambda waiter: None if impatient_only and waiter.is_patient else self._outcome_for(waiter) or False)

    def end(self) -> None:
        """Let nobody wait any more: what is not reached now never will be, as far as this object knows."""
        self._is_over = True
        self.release()

    def abandon(self) -> None:
        """End in a forked child: the parent's waiters are not here, and its lock may be held for ever."""
        self._lock = threading.RLock()
        self._waiters = {}
        self._is_over = True

    async def wait(
        self, number: int, timeout_seconds: float | None = None, *, is_patient: bool = True, wants_all: bool = False
    ) -> bool:
        """Return True as soon as *number* is reached well, False when it failed or the time is up.

        Args:
            is_patient: False to be told at once when an outage begins.
            wants_all: wait for every number up to *number*.
        """
        waiter = _Waiter(number, None, None, is_patient, wants_all)
        known = self._outcome_for(waiter)
        if known is not None:
            return known
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return await self._wait_in_trio(waiter, timeout_seconds)
        waiter.home, waiter.signal = loop, loop.create_future()
        timer = loop.call_later(timeout_seconds, _resolve, [waiter]) if timeout_seconds is not None else None
        try:
            self._add(waiter)
            await waiter.signal
        finally:
            if timer is not None:
                timer.cancel()
            self._remove(waiter)
        return waiter.result

    async def _wait_in_trio(self, waiter: _Waiter, timeout_seconds: float | None) -> bool:
        import trio

        waiter.home, waiter.signal = trio.lowlevel.current_trio_token(), trio.Event()
        try:
            self._add(waiter)
            with trio.move_on_after(float("inf") if timeout_seconds is None else timeout_seconds):
                await waiter.signal.wait()
        finally:
            self._remove(waiter)
        return waiter.result

    def wait_sync(self, number: int, timeout_seconds: float | None = None, *, wants_all: bool = False) -> bool:
        """Do as `wait`, blocking this thread."""
        waiter = _Waiter(number, None, threading.Event(), True, wants_all)
        known = self._outcome_for(waiter)
        if known is not None:
            return known
        try:
            self._add(waiter)
            waiter.signal.wait(None if timeout_seconds is None else min(timeout_seconds, threading.TIMEOUT_MAX))
        finally:
            self._remove(waiter)
        return waiter.result

    def _add(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiters[waiter] = None
        # Between the first look and the entry into the list the number may have been reached.
        known = self._outcome_for(waiter)
        if known is not None:
            waiter.result = known
            _signal(waiter.home, [waiter])
        else:
            self._on_wait()

    def _remove(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiters.pop(waiter, None)

    def _wake(self, verdict: Callable[[_Waiter], bool | None]) -> None:
        if not self._waiters:
            return
        woken: dict[Any, list[_Waiter]] = {}
        with self._lock:
            for waiter in list(self._waiters):
                result = verdict(waiter)
                if result is not None:
                    waiter.result = result
                    del self._waiters[waiter]
                    woken.setdefault(waiter.home, []).append(waiter)
        for home, waiters in woken.items():
            _signal(home, waiters)


def _signal(home: Any, waiters: list[_Waiter]) -> None:
    if home is None:
        _resolve(waiters)
        return
    try:
        if isinstance(home, asyncio.AbstractEventLoop):
            home.call_soon_threadsafe(_resolve, waiters)
        else:
            home.run_sync_soon(_resolve, waiters)
    except Exception:
        # The loop is closed, and with it whoever waited: RuntimeError in asyncio, RunFinishedError in trio.
        return


def _resolve(waiters: list[_Waiter]) -> None:
    for waiter in waiters:
        if not isinstance(waiter.signal, asyncio.Future):
            waiter.signal.set()
        elif not waiter.signal.done():
            waiter.signal.set_result(None)
