"""Exceptions and tracebacks as they come out of programs, and what their rows hold."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from audit_async.config import MAX_CAUSES


class SilentError(Exception):
    """Has no text."""


class UnreadableError(Exception):
    """Breaks when it is asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError


def chain(length: int) -> Exception:
    """Return an exception that *length* others led to."""
    error: Exception = ValueError("0")
    for number in range(1, length + 1):
        following = ValueError(str(number))
        # Both ways in which Python links them.
        if number % 2:
            following.__cause__ = error
        else:
            following.__context__ = error
        error = following
    return error


def value_error(message: str) -> dict[str, Any]:
    return {"$type": "builtins.ValueError", "message": message}


CHAIN = chain(1000)
CAUSES = {
    **value_error("1000"),
    "causes": [*(value_error(str(n)) for n in range(999, 999 - MAX_CAUSES, -1)), {"$depth": 5}],
}

GROUP = ExceptionGroup("g", [chain(1), ExceptionGroup("h", [ValueError("x")])])
MEMBERS = {
    "$type": "builtins.ExceptionGroup",
    "message": "g (2 sub-exceptions)",
    "errors": [
        {**value_error("1"), "causes": [value_error("0")]},
        {"$type": "builtins.ExceptionGroup", "message": "h (1 sub-exception)", "errors": [value_error("x")]},
    ],
}


def failing(password: str) -> None:
    secret = password.upper()
    raise ValueError(len(secret))


def caught() -> TracebackType | None:
    """Return a traceback whose innermost frame has a secret in a variable."""
    try:
        failing("hunter2")
    except ValueError as error:
        return error.__traceback__
    return None


TRACEBACK = caught()
FRAMES = [
    f"{__file__}:{caught.__code__.co_firstlineno + 3} in caught",
    f"{__file__}:{failing.__code__.co_firstlineno + 2} in failing",
]
