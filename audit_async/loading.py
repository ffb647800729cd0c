"""Load packages in a thread of ours so that a fork in that very moment does no harm.

A module that another thread is importing while the process forks stays locked in the child for ever: whoever imports
it there hangs. So a fork waits for our own imports, which take some tenths of a second, once. It also waits for what
cannot bear a fork while it is open, and has that closed. Both in one hook: what an import brings in may be open as soon
as the fork has waited for it.
"""

from __future__ import annotations

import concurrent.futures.thread
import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from audit_async.config import LOADING_SECONDS
from audit_async.errors import ConfigurationError

# Hooks run in the reverse order of their registration. That of `logging` takes a lock which imports need: it has to be
# registered before ours, so that ours has waited for the import when that lock is taken. Those of the other one come in
# pairs, of which a fork that has begun already would run the second half alone.
_NEEDED_FIRST = logging, concurrent.futures.thread
_LOGURU_LOCKS = "loguru._locks_machinery"

_lock = threading.RLock()


class ClosedByFork(Protocol):
    """What is never open while the process forks."""

    def close_before_fork(self) -> bool:
        """Wait for what is under way, leave nothing open, and return whether it stays so until `go_on_after_fork`."""
        ...

    def go_on_after_fork(self) -> None:
        """Let it be opened again: in the parent, and in the child."""


# A list, whose copy no other thread can get in between.
_known: list[weakref.ref[ClosedByFork]] = []


def close_in_forks(each: ClosedByFork) -> None:
    """Have *each* closed by every fork from now on, as long as it is there."""
    _known.append(weakref.ref(each, _known.remove))


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


@contextmanager
def optional(needs: str, extra: str) -> Iterator[None]:
    """Import in this block what comes with *extra* of this package.

    Args:
        needs: who needs what, as the message begins: `AuditCollector needs the client library of Prometheus`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        with loading():
            yield
    except ImportError as missing:
        raise ConfigurationError(
            f"{needs}, which is not installed", hint=f"pip install 'audit-async[{extra}]'"
        ) from missing


class _Fork(threading.local):
    """What the fork under way in this thread keeps from others: several threads may fork at once."""

    has_lock = False
    closed: tuple[ClosedByFork, ...] = ()


_fork = _Fork()


def _before_fork() -> None:
    has_loguru = _LOGURU_LOCKS in sys.modules
    _wait()
    if not has_loguru and _LOGURU_LOCKS in sys.modules:
        # Loaded while this has waited, too late for the first half of its own hooks. The second half will be run.
        sys.modules[_LOGURU_LOCKS].acquire_locks()


def _wait() -> None:
    _fork.closed, met = (), list[ClosedByFork]()
    while True:
        for each in _others(met):
            if each.close_before_fork():
                _fork.closed = (*_fork.closed, each)
            met.append(each)
        _fork.has_lock = _lock.acquire(timeout=LOADING_SECONDS)
        if not _fork.has_lock or not _others(met):
            return
        # The import that this has waited for made one more. What that has under way may need the lock.
        _lock.release()


def _others(met: list[ClosedByFork]) -> list[ClosedByFork]:
    return [each for known in list(_known) if (each := known()) is not None and each not in met]


def _after_fork() -> None:
    closed, _fork.closed = _fork.closed, ()
    for each in closed:
        each.go_on_after_fork()
    if _fork.has_lock:
        _fork.has_lock = False
        _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    is_held = _fork.has_lock
    _after_fork()
    if not is_held:
        _lock = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
