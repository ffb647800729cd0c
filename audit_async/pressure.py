"""Back-pressure: whoever finds the journal full waits for room, where that was agreed and where it does no harm.

Nothing here costs anything as long as there is room. Whoever waits is woken when there is more of it, and tries again;
who comes first then is left to the journal's lock.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType

from audit_async.errors import JournalFullError
from audit_async.progress import Progress
from audit_async.receipt import OWN_THREADS


def wait_for_room(room: Progress, put: Callable[[], None], deadline: float, *, on_given_up: Callable[[], None]) -> None:
    """Do *put* as soon as there is room for it; this thread stands still until then.

    Args:
        room: moves on whenever there is more of it.
        deadline: by the monotonic clock.
        on_given_up: called when the wait is ended from outside, by an exception out of a signal handler.

    Raises:
        JournalFullError: there was none until *deadline*.
        JournalClosedError: the journal was closed meanwhile.
    """
    while True:
        # Before it is tried: room that is made after that ends the wait at once.
        number = room.value + 1
        seconds = _seconds_to_wait(put, deadline)
        if seconds is None:
            return
        try:
            room.wait_sync(number, seconds)
        except BaseException:
            on_given_up()
            raise


async def wait_for_room_async(
    room: Progress, put: Callable[[], None], deadline: float, *, on_given_up: Callable[[], None]
) -> None:
    """Do as `wait_for_room`, without blocking the event loop."""
    while True:
        number = room.value + 1
        seconds = _seconds_to_wait(put, deadline)
        if seconds is None:
            return
        try:
            await room.wait(number, seconds)
        except BaseException:
            on_given_up()
            raise


def _seconds_to_wait(put: Callable[[], None], deadline: float) -> float | None:
    """Do *put*, and return None; or how long to wait for room where there is none.

    Raises:
        JournalFullError: there is none, and the time is up.
    """
    try:
        put()
    except JournalFullError:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise
        return seconds
    return None


def may_stand_still(caller: FrameType | None, own_calls: frozenset[CodeType]) -> bool:
    """Return whether this thread may wait in a call that *caller* has made.

    Not in a thread of ours, which would have to make the room; nor in a signal handler or a `__del__`, which have
    interrupted who knows what; nor inside another of *own_calls* (a rule of redaction, a log sink), which waits itself.
    """
    if threading.current_thread().name in OWN_THREADS:
        return False
    forbidden = own_calls | _signal_handlers()
    while caller is not None:
        if caller.f_code in forbidden or caller.f_code.co_name == "__del__":
            return False
        caller = caller.f_back
    return True


def _signal_handlers() -> frozenset[CodeType]:
    """Return the code of the handlers that are set. Python does not say that one of them runs; the frames do."""
    if threading.current_thread() is not threading.main_thread():
        return frozenset()
    found = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        handler = getattr(handler, "func", handler)  # of a `functools.partial`
        handler = getattr(handler, "__func__", handler)  # of a method
        called = handler if hasattr(handler, "__code__") or not callable(handler) else type(handler).__call__
        code = getattr(called, "__code__", None)
        if isinstance(code, CodeType):
            found.add(code)
    return frozenset(found)
