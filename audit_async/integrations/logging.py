"""Events from the standard library's logging: what a record carries says that it is one.

    logging.getLogger("app").addHandler(AuditHandler())

    log.info("logged in", extra={"audit": "auth.login", "user_id": user_id})

A record without `audit` is none of ours. No logger, formatter or level of yours is touched.
"""

from __future__ import annotations

import logging

from audit_async.bridge import ACTION, Line, log_line
from audit_async.context import dump
from audit_async.default import given_logger
from audit_async.diagnostics import describe
from audit_async.logger import AuditLogger
from audit_async.shapes import pass_on

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"asctime", "message", "taskName"}
"""What is said of every record, here or in a later Python, or was put there by a formatter."""

_CONTEXT = "_audit_context"
"""Begins so that formatters which show what a record carries leave it out."""

_TRACEBACK = "Traceback (most recent call last):\n"


class AuditHandler(logging.Handler):
    """Makes an event of every record that carries `audit`, in the thread that logs it.

    It waits for nothing, so that it need not stand behind a `QueueHandler` or a `MemoryHandler`. Where it does, put a
    `KeepContext` on that one.

    Args:
        audit: the logger; by default that of the process, as it is when a record is logged.
        level: records below it are left.

    Raises:
        ConfigurationError: *audit* is no logger.
    """

    def __init__(self, audit: AuditLogger | None = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._audit = given_logger(audit)

    def emit(self, record: logging.LogRecord) -> None:
        """Log the event of *record*. Never raises."""
        if record.__dict__.get(ACTION) is not None:
            log_line(self._audit, lambda: _line_of(record))


class KeepContext(logging.Filter):
    """Notes the context in the records that are events: `queue_handler.addFilter(KeepContext())`.

    A filter is asked where the line is logged. The thread that a `QueueListener` starts has no `audit_context` and no
    current span; whoever fills a `MemoryHandler` up has his own. Lets every record through.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Note the context, and return True."""
        if record.__dict__.get(ACTION) is not None:
            record.__dict__[_CONTEXT] = dump()
        return True


def _line_of(record: logging.LogRecord) -> Line:
    carried = record.__dict__
    message, error = _said_by(record)
    return Line(
        action=carried[ACTION],
        message=message,
        fields=carried,
        own=_OWN,
        level=record.levelno,
        origin=record.name,
        moment=record.created,
        error=error,
        context=carried.get(_CONTEXT),
    )


def _said_by(record: logging.LogRecord) -> tuple[str, object]:
    """Return the message, and the exception; as texts where a `QueueHandler` has made one text of both."""
    try:
        message = record.getMessage()
    except BaseException as error:
        pass_on(error)
        message = f"{record.msg if isinstance(record.msg, str) else ''} ({describe(error)})".strip()
    if record.exc_info:
        return message, record.exc_info[1]
    before, found, _ = message.partition(_TRACEBACK)
    if not found:
        return message, None
    # Of a group the line begins with a few signs more.
    description = before.rpartition("\n")[0]
    return description, message[len(description) :].lstrip("\n")
