"""Events from structlog: what an event dictionary carries says that it is one.

    structlog.configure(processors=[merge_contextvars, AuditProcessor(), ...])

    log.info("logged in", audit="auth.login", user_id=user_id)

A dictionary without `audit` is none of ours; every one goes on as it is.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from audit_async.bridge import ACTION, Line, log_line
from audit_async.default import given_logger
from audit_async.diagnostics import describe
from audit_async.logger import AuditLogger

_OWN = frozenset(
    {ACTION, "event", "exc_info", "level", "logger", "positional_args", "stack", "stack_info", "timestamp"}
)
"""What structlog itself, or a processor of its own, says of every line."""

_LEVELS = {**logging.getLevelNamesMapping(), "EXCEPTION": logging.ERROR}


class AuditProcessor:
    """Makes an event of every dictionary that carries `audit`, and passes each on unchanged.

    It stands behind what adds to the dictionary (`merge_contextvars`) or drops it (`filter_by_level`), and before what
    renders it or makes a text of an exception.

    Args:
        audit: the logger; by default that of the process, as it is when a line is logged.

    Raises:
        ConfigurationError: *audit* is no logger.
    """

    def __init__(self, audit: AuditLogger | None = None) -> None:
        self._audit = given_logger(audit)

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Log what *event* says. Never raises."""
        if event.get(ACTION) is not None:
            log_line(self._audit, lambda: _line_of(name, event))
        return event


def _line_of(name: str, event: MutableMapping[str, Any]) -> Line:
    return Line(
        action=event[ACTION],
        message=_message_of(event),
        fields=event,
        own=_OWN,
        level=_level_of(event.get("level"), name),
        error=_error_of(event),
    )


def _message_of(event: MutableMapping[str, Any]) -> object:
    """Return the message, with the arguments in it that `PositionalArgumentsFormatter` has yet to put there."""
    message, arguments = event.get("event"), event.get("positional_args")
    if not isinstance(message, str) or not isinstance(arguments, tuple) or not arguments:
        return message
    # As `logging` does: one mapping is the arguments by name.
    named = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else None
    try:
        return message % (named or arguments)
    except Exception as error:
        return f"{message} ({describe(error)})"


def _level_of(*names: object) -> int | None:
    """Return the level that the first of *names* which is one names."""
    for name in names:
        found = _LEVELS.get(name.upper()) if isinstance(name, str) else None
        if found is not None:
            return found
    return None


def _error_of(event: MutableMapping[str, Any]) -> object:
    """Return the exception, four cases: itself, what `sys.exc_info` gives, True, or the text that it has become."""
    given = event.get("exc_info")
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if len(given) == 3 else None
    if given:
        return sys.exc_info()[1]
    text = event.get("exception")
    return text if isinstance(text, str) else None
