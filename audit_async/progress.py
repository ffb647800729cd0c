"""How far it has come, and those who wait for it: a number that only grows.

Waiters may sit in asyncio, in trio or in a plain thread. They are woken by one call for each event loop and step,
never by a thread for each of them. A loop that was closed in the meantime is normal, and no fault.

Every step on the waiters is one operation on a dict, which the interpreter does not let another thread, or a signal
handler, come between: so nobody waits for a lock here.
"""

from __future__ import annotations

import asyncio
import bisect
import contextvars
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

_NEVER = float("inf")


class _Waiter:
    """One who waits. `home` is its asyncio loop or trio token, or None for a thread; `deadline` is by that loop's
    clock, and never where somebody else keeps the time."""

    __slots__ = ("deadline", "home", "is_patient", "number", "result", "signal", "wants_all")

    def __init__(self, number: int, signal: Any, is_patient: bool, wants_all: bool = False) -> None:
        self.number = number
        self.home: Any = None
        self.signal = signal
        self.is_patient = is_patient
        self.wants_all = wants_all
        self.deadline = _NEVER
        self.result = False


class _Alarm:
    """The timer of a loop, and when it goes off."""

    __slots__ = ("__weakref__", "deadline", "timer")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.timer: asyncio.Handle | None = None


class Progress:
    """A number that only grows, with numbers in between that are still open, or have failed for good.

    Args:
        on_wait: called, in the waiter's thread, when somebody starts to wait: it makes the other side hurry.
    """

    def __init__(self, on_wait: Callable[[], None]) -> None:
        self._on_wait = on_wait
        self._waiters: dict[_Waiter, None] = {}
        # One timer for all who wait in a loop, set for the first whose time is up. As a rule it outlives who it was
        # set for: deadlines come in order, and to set one for each of them costs as much as all the rest of a wait.
        # By the identity of the loop, which alone holds its alarm: with a loop that nobody has closed, it is gone.
        self._alarms: weakref.WeakValueDictionary[int, _Alarm] = weakref.WeakValueDictionary()
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
        return not (self._failed and self._has_failed(number))

    def _has_failed(self, number: int) -> bool:
        """Return whether *number*, which is decided on, is one that failed."""
        while at := bisect.bisect_right(self._failed, (number, sys.maxsize)):
            if number <= self._failed[at - 1][1]:
                return True
            # Another thread may have put one in before it since it was looked for; none is ever taken out.
            if at == bisect.bisect_right(self._failed, (number, sys.maxsize)):
                break
        return False

    def outcome_of_all(self, number: int) -> bool | None:
        """Return whether every number up to *number* has been reached well; None as long as that is open."""
        if number > self.value or min(self._open, default=sys.maxsize) <= number:
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
        self._wake_reached()

    def resolve(self, number: int, *, is_well: bool) -> None:
        """Decide on a number that was left open."""
        if not is_well:
            bisect.insort(self._failed, (number, number))
        self._open = self._open - {number}
        self._wake_reached()

    def _outcome_for(self, waiter: _Waiter) -> bool | None:
        if not waiter.is_patient and waiter.number in self._open:
            # It may be this very waiter's transaction that the number is open for.
            return False
        return self.outcome_of_all(waiter.number) if waiter.wants_all else self.outcome(waiter.number)

    def release(self, *, impatient_only: bool = False) -> None:
        """Tell those who wait that it is not to be expected soon."""
        self._wake(
            list(self._waiters),
            lambda waiter: None if impatient_only and waiter.is_patient else self._outcome_for(waiter) or False,
        )

    def end(self) -> None:
        """Let nobody wait any more: what is not reached now never will be, as far as this object knows."""
        self._is_over = True
        self.release()

    def abandon(self) -> None:
        """End in a forked child, where nobody tells the parent's waiters: one in a loop that goes on there is let go
        when his time is up."""
        self._is_over = True

    async def wait(
        self, number: int, timeout_seconds: float | None = None, *, is_patient: bool = True, wants_all: bool = False
    ) -> bool:
        """Return True as soon as *number* is reached well, False when it failed or the time is up.

        Args:
            is_patient: False to be told at once when an outage begins.
            wants_all: wait for every number up to *number*.
        """
        waiter = _Waiter(number, None, is_patient, wants_all)
        # As a rule it is still to come, which is seen at once.
        if number <= self.value or self._is_over:
            known = self._outcome_for(waiter)
            if known is not None:
                return known
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return await self._wait_in_trio(waiter, timeout_seconds)
        waiter.home, waiter.signal = loop, loop.create_future()
        if timeout_seconds is not None:
            waiter.deadline = deadline = loop.time() + timeout_seconds
            alarm = self._alarms.get(id(loop))
            if alarm is None or deadline < alarm.deadline:
                self._set_alarm(loop, deadline)
        try:
            self._add(waiter)
            await waiter.signal
        finally:
            self._waiters.pop(waiter, None)
        return waiter.result

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Have the timer of *loop*, the running one, go off at *deadline*."""
        before, alarm = self._alarms.get(id(loop)), _Alarm(deadline)
        # Nothing lives longer for a timer that nobody needs any more: neither this, nor what a caller's context holds.
        alarm.timer = loop.call_at(deadline, _go_off, weakref.ref(self), loop, alarm, context=contextvars.Context())
        self._alarms[id(loop)] = alarm
        if before is not None and before.timer is not None:
            before.timer.cancel()

    def _meet_deadlines(self, loop: asyncio.AbstractEventLoop, alarm: _Alarm) -> None:
        """Let those in *loop* go whose time is up, and set its timer for the next of them."""
        if self._alarms.get(id(loop)) is not alarm:
            return
        del self._alarms[id(loop)]
        # A timer may go off a little early.
        now, following = max(loop.time(), alarm.deadline), _NEVER
        for waiter in list(self._waiters):
            if waiter.home is not loop:
                continue
            if waiter.deadline > now:
                following = min(following, waiter.deadline)
            elif self._takes(waiter):
                _resolve([waiter])
        if following < _NEVER:
            self._set_alarm(loop, following)

    async def _wait_in_trio(self, waiter: _Waiter, timeout_seconds: float | None) -> bool:
        import trio

        waiter.home, waiter.signal = trio.lowlevel.current_trio_token(), trio.Event()
        try:
            self._add(waiter)
            with trio.move_on_after(float("inf") if timeout_seconds is None else timeout_seconds):
                await waiter.signal.wait()
        finally:
            self._waiters.pop(waiter, None)
        return waiter.result

    def wait_sync(self, number: int, timeout_seconds: float | None = None, *, wants_all: bool = False) -> bool:
        """Do as `wait`, blocking this thread."""
        waiter = _Waiter(number, threading.Event(), True, wants_all)
        known = self._outcome_for(waiter)
        if known is not None:
            return known
        try:
            self._add(waiter)
            waiter.signal.wait(None if timeout_seconds is None else min(timeout_seconds, threading.TIMEOUT_MAX))
        finally:
            self._waiters.pop(waiter, None)
        return waiter.result

    def _add(self, waiter: _Waiter) -> None:
        self._waiters[waiter] = None
        # Between the first look and the entry into the list the number may have been reached.
        if waiter.number <= self.value or self._is_over:
            known = self._outcome_for(waiter)
            if known is not None:
                waiter.result = known
                _signal(waiter.home, [waiter])
                return
        self._on_wait()

    def _takes(self, waiter: _Waiter) -> bool:
        """Take *waiter* out of the list, and return whether nobody else has done so: whoever has tells it."""
        return self._waiters.pop(waiter, waiter) is None

    def _wake_reached(self) -> None:
        """Wake whose number has been passed, and is decided on."""
        if self._waiters:
            value, is_plain = self.value, not (self._failed or self._open)
            reached = [waiter for waiter in list(self._waiters) if waiter.number <= value]
            self._wake(reached, None if is_plain else self._outcome_for)

    def _wake(self, waiters: Iterable[_Waiter], verdict: Callable[[_Waiter], bool | None] | None) -> None:
        """Wake those of *waiters* that *verdict* decides on; without one, all of them: it is well."""
        woken: dict[Any, list[_Waiter]] = {}
        for waiter in waiters:
            result = True if verdict is None else verdict(waiter)
            if result is not None and self._takes(waiter):
                waiter.result = result
                woken.setdefault(waiter.home, []).append(waiter)
        for home, told in woken.items():
            _signal(home, told)


def _go_off(progress: Callable[[], Progress | None], loop: asyncio.AbstractEventLoop, alarm: _Alarm) -> None:
    alive = progress()
    if alive is not None:
        alive._meet_deadlines(loop, alarm)


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
