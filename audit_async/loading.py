"""Load packages in a thread of ours so that a fork in that very moment does no harm.

A module that another thread is importing while the process forks stays locked in the child for ever: whoever imports
it there hangs. So a fork waits for our own imports, which take some tenths of a second, once.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from audit_async.config import LOADING_SECONDS

# Hooks run in the reverse order of their registration. That of `logging` takes a lock which imports need: it has to be
# registered before ours, so that ours has waited for the import when that lock is taken.
_NEEDED_FIRST = logging

_lock = threading.RLock()
_is_held = False


@contextmanager
def loading() -> Iterator[None]:
    """Import packages in this block."""
    lock = _lock
    # Not for ever: in a child that was forked too early another thread may hang in an import, and nobody waits for it.
    is_held = lock.acquire(timeout=LOADING_SECONDS)
    try:
        yield
    finally:
        if is_held:
            lock.release()


def _before_fork() -> None:
    global _is_held
    _is_held = _lock.acquire(timeout=LOADING_SECONDS)


def _after_fork_in_parent() -> None:
    if _is_held:
        _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    if _is_held:
        _lock.release()
    else:
        _lock = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
