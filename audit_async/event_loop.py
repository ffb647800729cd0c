"""The event loop of the writer's thread: asyncio's own, which asks the system less often. And what it waits for."""

from __future__ import annotations

import asyncio
import selectors

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


class Bell:
    """An `asyncio.Event` that one waits for, no longer than agreed, at a third of the cost."""

    def __init__(self) -> None:
        self._has_rung = False
        self._waiter: asyncio.Future[None] | None = None

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
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_later(timeout_seconds, self._stop_waiting)
        try:
            await waiter
        finally:
            timer.cancel()

    def _stop_waiting(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
