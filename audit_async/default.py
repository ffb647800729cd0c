"""The logger of the process, for helpers that are called without one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, Unpack

from audit_async.config import CLOSE_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.logger import AuditLogger
from audit_async.settings import LoggerOptions, Settings, read_options, read_settings
from audit_async.shapes import type_name

_Given = TypeVar("_Given")

_lock = threading.RLock()
_default: AuditLogger | None = None
_make: Callable[[Settings], AuditLogger] = AuditLogger.of


def configure(url: object = None, **options: Unpack[LoggerOptions]) -> AuditLogger:
    """Make the process default logger, and return it. Arguments as of `AuditLogger`.

    With the settings that it has already nothing happens; with others the old logger is closed (for `CLOSE_SECONDS` at
    most) and replaced. Events that an earlier process left in the journal are delivered from now on.

    Raises:
        ConfigurationError: a setting cannot be meant; the old logger stays.
    """
    global _default
    settings = read_options(url, options)
    with _lock:
        old = _default
        if old is not None and old.settings == settings and not old.is_closed:
            return old
        _default = _make(settings)
        made = _default
    if old is not None:
        old.close_sync()
    made.deliver_leftovers()
    return made


def get_audit_logger() -> AuditLogger:
    """Return the process default logger; the first call makes it from the environment, or the embedded default.

    Raises:
        ConfigurationError: `$AUDIT_DATABASE_URL` is no address.
    """
    global _default
    if _default is None or _default.is_closed:
        with _lock:
            if _default is None or _default.is_closed:
                _default = _make(read_settings())
    return _default


def given_logger(audit: _Given) -> _Given:
    """Return *audit*, with which somebody names the logger; None is that of the process.

    Raises:
        ConfigurationError: it takes no events, as an address does not. Found later, each event would be lost.
    """
    if audit is None or (not isinstance(audit, type) and callable(getattr(audit, "log", None))):
        return audit
    raise ConfigurationError(
        f"audit is {type_name(audit)}, which is no audit logger",
        hint="give an AuditLogger(...), or nothing for that of the process",
    )


def shutdown(timeout: float = CLOSE_SECONDS) -> bool:
    """Close the process default logger within *timeout* seconds, if there is one; return whether nothing remained.

    A later call of any helper makes a new one.
    """
    global _default
    with _lock:
        logger, _default = _default, None
    return logger.close_sync(timeout) if logger is not None else True


async def ashutdown(timeout: float = CLOSE_SECONDS) -> bool:
    """Do as `shutdown`, without blocking the event loop."""
    global _default
    with _lock:
        logger, _default = _default, None
    return await logger.close(timeout) if logger is not None else True


@contextmanager
def made_by(make: Callable[[Settings], AuditLogger]) -> Iterator[None]:
    """Have *make* make every process default logger in this block: in a test, whatever the program configures.

    The one that was there before stays open, and is the default again behind the block; what was made in it is closed.
    """
    global _default, _make
    with _lock:
        before = _default, _make
        _default, _make = None, make
    try:
        yield
    finally:
        with _lock:
            made, (_default, _make) = _default, before
        if made is not None:
            made.close_sync()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
