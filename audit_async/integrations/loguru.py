"""Events from loguru: what is bound to a line says that it is one.

    logger.add(audit_sink(), filter=audited)

    logger.bind(audit="auth.login", user_id=user_id).info("logged in with {}", method)

A line without `audit` is none of ours. No handler, filter or level of yours is touched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from audit_async.bridge import ACTION, Line, log_line
from audit_async.context import dump
from audit_async.default import given_logger
from audit_async.logger import AuditLogger

if TYPE_CHECKING:
    from loguru import Message, Record

_CONTEXT = "audit_context"
"""Key of a record, beside those of loguru: what other sinks show of `extra` stays as it is."""


def audit_sink(audit: AuditLogger | None = None) -> Callable[[Message], None]:
    """Return a sink that makes an event of every line that carries `audit`: `logger.add(audit_sink(), filter=audited)`.

    The event is in the journal when the call that logs the line returns; with `enqueue=True` a little later, out of
    loguru's own thread. The sink never raises.

    Args:
        audit: the logger; by default that of the process, as it is when the line is logged.

    Raises:
        ConfigurationError: *audit* is no logger.
    """
    given_logger(audit)

    def write(message: Message) -> None:
        record = message.record
        if record["extra"].get(ACTION) is not None:
            log_line(audit, lambda: _line_of(record))

    return write


def audited(record: Record) -> bool:
    """Return whether *record* may be an event: a filter for the handler of `audit_sink`.

    loguru asks a filter in the thread that logs. So this one also notes the context there (`audit_context`, and the
    current span of OpenTelemetry), for a handler with `enqueue=True`, whose thread has none.
    """
    if record["extra"].get(ACTION) is None:
        return False
    noted: Any = record
    noted[_CONTEXT] = dump()
    return True


def _line_of(record: Record) -> Line:
    noted: Any = record
    return Line(
        action=record["extra"][ACTION],
        message=record["message"],
        fields=record["extra"],
        level=record["level"].no,
        origin=record["name"],
        moment=record["time"],
        error=_error_of(record["exception"]),
        context=None if _is_here(record) else noted.get(_CONTEXT),
    )


def _is_here(record: Record) -> bool:
    """Return whether *record* was made in this thread, whose context is better than any note of it."""
    return record["thread"].id == threading.get_ident() and record["process"].id == os.getpid()


def _error_of(exception: Any) -> object:
    """Return the exception of a record; the name of its type where it could not be passed to loguru's thread."""
    if exception is None:
        return None
    kind, value, _ = exception
    return value if value is not None else getattr(kind, "__name__", None)
