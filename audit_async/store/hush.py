"""aiosqlite's log lines, which quote every row at level DEBUG: those about connections of ours are left out."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def hush(raw: Any) -> None:
    """Leave out what is logged about *raw*, a connection of aiosqlite. Others are logged as ever."""
    # Until version 0.22 a connection is itself the thread that works for it.
    _threads.add(getattr(raw, "_thread", raw))
    logger = logging.getLogger("aiosqlite")
    if _is_of_others not in logger.filters:
        logger.addFilter(_is_of_others)


def _is_of_others(record: logging.LogRecord) -> bool:
    # A record is made, and filtered, in the thread of its connection.
    return threading.current_thread() not in _threads
