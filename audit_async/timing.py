"""How long the writer waits for what, as a setting: one value, handed down to whoever waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from audit_async.config import (
    ADOPT_INTERVAL_SECONDS,
    ATTEMPT_SECONDS,
    BACKOFF_FIRST_SECONDS,
    BACKOFF_MAX_SECONDS,
    CANCEL_SECONDS,
    CONNECT_SECONDS,
    FOREIGN_KEY_SECONDS,
    IDLE_IN_TRANSACTION_SECONDS,
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE_SECONDS,
    KEEPALIVE_INTERVAL_SECONDS,
    LEAST_TIMING_SECONDS,
    LOCK_SECONDS,
    MAX_KEEPALIVE_COUNT,
    MAX_KEEPALIVE_SECONDS,
    MAX_TIMING_SECONDS,
    SLOW_ATTEMPT_SECONDS,
    STATEMENT_SECONDS,
)
from audit_async.errors import ConfigurationError, meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the writer waits for a database, and how often it asks again. No caller of `log()` waits for any of it.

    Shorter times notice an outage sooner, longer ones bear with a slow server. A time that has to end before another
    one is cut to that.

    Attributes:
        connect_seconds: for a connection.
        statement_seconds: for one statement, by the server's clock.
        attempt_seconds: for a whole attempt to bring a batch in, by our own clock.
        cancel_seconds: for each of the two steps of cancelling an attempt that overran.
        slow_attempt_seconds: after which an attempt counts as an outage: `write()` then waits for the disk only.
        lock_seconds: for a lock on the table; on SQLite for another process's transaction.
        idle_in_transaction_seconds: after which the server ends a transaction that was left behind.
        backoff_first_seconds, backoff_max_seconds: between two attempts in an outage, growing, with full jitter.
        keepalive_idle_seconds, keepalive_interval_seconds, keepalive_count: after which PostgreSQL asks whether a
            silent client is still there, how often, and how many times; whole numbers.
        foreign_key_seconds: that an event waits for the row it points to, before it goes to quarantine.
        adopt_interval_seconds: between two looks for journals whose process has died.

    Raises:
        ConfigurationError: one of them is no time, or cannot be meant.
    """

    connect_seconds: float = CONNECT_SECONDS
    statement_seconds: float = STATEMENT_SECONDS
    attempt_seconds: float = ATTEMPT_SECONDS
    cancel_seconds: float = CANCEL_SECONDS
    slow_attempt_seconds: float = SLOW_ATTEMPT_SECONDS
    lock_seconds: float = LOCK_SECONDS
    idle_in_transaction_seconds: float = IDLE_IN_TRANSACTION_SECONDS
    backoff_first_seconds: float = BACKOFF_FIRST_SECONDS
    backoff_max_seconds: float = BACKOFF_MAX_SECONDS
    keepalive_idle_seconds: int = KEEPALIVE_IDLE_SECONDS
    keepalive_interval_seconds: int = KEEPALIVE_INTERVAL_SECONDS
    keepalive_count: int = KEEPALIVE_COUNT
    foreign_key_seconds: float = FOREIGN_KEY_SECONDS
    adopt_interval_seconds: float = ADOPT_INTERVAL_SECONDS

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name.startswith("keepalive_"):
                _check_whole(each.name, value)
            else:
                _check_seconds(each.name, value)


def read_timing(given: object) -> Timing:
    """Return what `timing=` was given: a `Timing`, its keywords as a mapping, or None for the usual one.

    Raises:
        ConfigurationError: it is none of these.
    """
    if given is None:
        return USUAL
    if isinstance(given, Timing):
        return given
    names = [each.name for each in fields(Timing)]
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"timing={given!r} is no timing", hint="give Timing(attempt_seconds=5), or its keywords as a mapping"
        )
    for name in given:
        if name not in names:
            raise ConfigurationError(
                f"timing has no setting {name!r}{meant(str(name), names)}", hint=f"there are: {', '.join(names)}"
            )
    return Timing(**given)


def _check_seconds(name: str, value: object) -> None:
    is_flag = isinstance(value, bool)
    # NaN is not between them.
    if is_flag or not isinstance(value, (int, float)) or not LEAST_TIMING_SECONDS <= value <= MAX_TIMING_SECONDS:
        raise ConfigurationError(
            f"{name}={value!r} is no time to wait",
            hint=f"give seconds, from {LEAST_TIMING_SECONDS:g} to {MAX_TIMING_SECONDS:g}",
        )


def _check_whole(name: str, value: object) -> None:
    most = MAX_KEEPALIVE_COUNT if name == "keepalive_count" else MAX_KEEPALIVE_SECONDS
    if type(value) is not int or not 1 <= value <= most:
        raise ConfigurationError(
            f"{name}={value!r} is nothing that a server can be told", hint=f"give a whole number from 1 to {most}"
        )


USUAL = Timing()
"""What holds where nothing is said."""
