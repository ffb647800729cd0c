"""The event loop of the writer's thread: asyncio's own, which asks the system less often."""

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
