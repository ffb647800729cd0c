"""Say what is wrong with ourselves: one line to loguru, seldom, without a payload, never in the caller's way."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque

from audit_async.config import DIAGNOSTIC_INTERVAL_SECONDS, MAX_TEXT_CHARS
from audit_async.errors import AuditError
from audit_async.loading import loading

_last_said: dict[str, float] = {}
_inside = threading.local()


def one_line(text: str) -> str:
    """Return *text* without anything that ends a line, moves a cursor or turns the direction of reading."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def describe(error: BaseException) -> str:
    """Return the type and text of a foreign *error* on one line, whatever its `__str__` does.

    A foreign error's text can be empty, hold line feeds, or raise itself (an SQLAlchemy error over a value that is
    too deep does).
    """
    if isinstance(error, AuditError):
        return error.message
    try:
        text = one_line(" ".join(str(error).split())[:MAX_TEXT_CHARS])
    except Exception:
        text = "its text cannot be read"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def report(kind: str, message: str, *, level: str = "WARNING", every_seconds: float | None = None) -> bool:
    """Log *message*, unless one of the same *kind* was logged a short while ago.

    Returns whether it was logged. Never raises, and cannot recurse: a log sink that logs audit events, which fail
    in turn, is cut off here.
    """
    now = time.monotonic()
    interval = DIAGNOSTIC_INTERVAL_SECONDS if every_seconds is None else every_seconds
    if now - _last_said.get(kind, -interval) < interval or getattr(_inside, "reporting", False):
        return False
    _last_said[kind] = now
    return tell(level, f"audit_async: {message}")


def tell(level: str, message: str) -> bool:
    """Log *message* to loguru on one line, and return whether that could be done. Never raises, and cannot recurse."""
    if getattr(_inside, "reporting", False):
        return False
    _inside.reporting = True
    try:
        if "loguru" in sys.modules:
            from loguru import logger
        else:
            with loading():
                from loguru import logger

        # The text goes in as an argument: braces in it would otherwise be read as a format.
        logger.opt(depth=2).log(level, "{}", one_line(message))
    except Exception:
        return False
    finally:
        _inside.reporting = False
    return True


def is_telling() -> bool:
    """Return whether this thread is saying something of ours at this moment: a sink of the log was called by us."""
    return getattr(_inside, "reporting", False)


_deferred: deque[tuple[str, str, str]] = deque()


def report_later(kind: str, message: str, *, level: str = "WARNING") -> None:
    """Do as `report` as soon as `tell_deferred` is called: for whoever holds a lock of ours.

    A log sink that logs audit events holds a lock of its own, and waits for ours.
    """
    _deferred.append((kind, message, level))


def tell_deferred() -> None:
    """Say what was to be said under a lock. The caller holds none."""
    while _deferred:
        try:
            kind, message, level = _deferred.popleft()
        except IndexError:
            return
        report(kind, message, level=level)


def settle_down(kind: str) -> None:
    """Forget that *kind* was said, because what it said is over: the next time is news again."""
    _last_said.pop(kind, None)


def forget_all() -> None:
    """Forget everything that was said."""
    _last_said.clear()
