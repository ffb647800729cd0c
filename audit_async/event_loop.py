"""The event loop of the writer's thread: asyncio's own, which asks the system less often. And what it waits for."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

from audit_async.config import PASSES_WITHOUT_LOOK


class Selector(selectors.DefaultSelector):
    """Looks for what has come in when the loop has nothing else to do, and after some turns in which it had.

    asyncio looks in every turn. A look gives the interpreter away, and beside a thread that computes it comes back
    only milliseconds later: a batch of one takes seven turns, of which two have to wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed_over = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what has come in; nothing, unseen, where there is no time to wait (0), for some calls in a row."""
        if timeout == 0 and self._passed_over < PASSES_WITHOUT_LOOK:
            self._passed_over += 1
            return []
        self._passed_over = 0
        return super().select(timeout)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop for a thread of our own, whatever loops the application has chosen for its threads."""
    return asyncio.SelectorEventLoop(Selector())


class Alarm:
    """A timer for one who waits again and again, and seldom in vain.

    It stays when the wait is over, and is set anew when it goes off too early: to make and cancel one for every wait
    costs as much as to read a batch does.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._due: float | None = None
        # When the timer goes off. It cannot be asked: that of uvloop for less than a millisecond does not know.
        self._at = 0.0
        self._timer: asyncio.Handle | None = None

    def set(self, seconds: float) -> None:
        """Have it call in *seconds*, and not before: one time is set at once."""
        loop = asyncio.get_running_loop()
        self._due = due = loop.time() + seconds
        if self._timer is None:
            self._start(loop, due)
        elif due < self._at:
            self._timer.cancel()
            self._start(loop, due)

    def unset(self) -> None:
        """Have it not call."""
        self._due = None

    def remove(self) -> None:
        """Do as `unset`, and leave no timer behind. To be called in the same loop."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._at = at
        self._timer = loop.call_at(at, self._go_off)

    def _go_off(self) -> None:
        self._timer = None
        if self._due is None:
            return
        loop = asyncio.get_running_loop()
        # A timer may go off a little early.
        if self._due <= max(loop.time(), self._at):
            self._due = None
            self._call()
        else:
            self._start(loop, self._due)


class Bell:
    """An `asyncio.Event` that one waits for, no longer than agreed, at a fourth of the cost."""

    def __init__(self) -> None:
        self._has_rung = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm = Alarm(self._stop_waiting)

    def ring(self) -> None:
        """Wake who waits, or who will."""
        self._has_rung = True
        self._stop_waiting()

    def clear(self) -> None:
        """Have it not rung."""
        self._has_rung = False

    async def wait(self, timeout_seconds: float) -> None:
        """Return when it has rung, or after *timeout_seconds*."""
        if self._has_rung:
            return
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        self._alarm.set(timeout_seconds)
        try:
            await waiter
        finally:
            self._alarm.unset()

    def remove(self) -> None:
        """Leave no timer behind: nobody waits any more."""
        self._alarm.remove()

    def _stop_waiting(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
