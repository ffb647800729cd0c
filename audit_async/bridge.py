"""A line of the application's own log that is an event as well: what the bridges of the logging libraries share.

A line that carries `audit`, an action, is one. What else it carries fills the field of its name, the rest is in
`details`; its message is the description, its time is that of the event. Where the vocabulary does not know the action,
its level says how grave it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from audit_async.context import load, nothing_said
from audit_async.default import get_audit_logger
from audit_async.diagnostics import describe, is_telling, report
from audit_async.events import AuditEvent, Severity
from audit_async.events.build import build, settle
from audit_async.events.fields import EventFields
from audit_async.logger import AuditLogger
from audit_async.shapes import pass_on, type_name
from audit_async.values import plain_object

ACTION = "audit"
"""The key that makes an event of a line."""

WARNING, ERROR, CRITICAL = 30, 40, 50
INFO = 20
"""Levels, as `logging` and loguru number them."""

_FIELDS = frozenset(EventFields.__annotations__) - {"id"}
"""Without the event's own: an `id` that somebody binds to his log is that of an order."""

_BENEATH = frozenset({"audit_async", "aiosqlite", "asyncio", "asyncmy", "asyncpg", "psycopg", "sqlalchemy"})
"""Packages whose lines are no events, not even where a default gives every line an action: each event would leave
lines of theirs, which were events in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a log.

    Attributes:
        action: whatever stands under `audit`.
        fields: what else it carries. What begins with an underscore, and what `own` names, is no part of the event.
        level: as a number, None where nobody knows.
        origin: the name of its logger, or of the module that it comes from.
        moment: when it was logged; None for now.
        error: the exception that it tells of, or the text of one.
        own: names that the logging library itself puts beside the caller's.
        context: what `dump` gave where it was logged, if that may have been elsewhere; nothing else holds then.
    """

    action: object
    message: object
    fields: Mapping[str, Any]
    level: int | None
    origin: str | None = None
    moment: object = None
    error: object = None
    own: frozenset[str] = frozenset()
    context: object = None


def log_line(audit: AuditLogger | None, read: Callable[[], Line]) -> None:
    """Log the event of the line that *read* gives with *audit*, or the logger of the process.

    Never raises, whatever *read* meets. What is no event is left.
    """
    try:
        line = read()
        if not _is_event(line):
            return
        event = event_of(line)
        logger = get_audit_logger() if audit is None else audit
        if line.context is None:
            logger.log(event)
        else:
            with nothing_said(), load(line.context):
                logger.log(event)
    except BaseException as error:
        pass_on(error)
        report("bridge", f"a line of the log could not be made an event ({describe(error)})", level="ERROR")


def _is_event(line: Line) -> bool:
    if line.action is None or line.action is False or line.action == "":
        return False
    if is_telling() or (line.origin or "").partition(".")[0] in _BENEATH:
        return False
    if isinstance(line.action, str):
        return True
    report("bridge_action", f"a line of the log is no event: its `{ACTION}` is {type_name(line.action)}, no action")
    return False


def event_of(line: Line) -> AuditEvent:
    """Return the event that *line* says. Never raises on a value.

    A line at ERROR or above, or with an exception, tells of something that failed, unless it says `outcome` or
    `success`.
    """
    said = settle(line.action, "custom")
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in list(line.fields.items()):
        if name in _FIELDS:
            if value is not None:
                fields[name] = value
        elif name != ACTION and name not in line.own and not str(name).startswith("_"):
            rest[name] = value
    if "description" not in fields:
        fields["description"] = line.message
    elif line.message:
        rest.setdefault("message", line.message)
    if line.moment is not None:
        fields.setdefault("created_at", line.moment)
    if line.error is not None:
        fields.setdefault("error_message", _last_line(line.error))
        rest.setdefault("exception", line.error)
    level = line.level or 0
    if line.error is not None or level >= ERROR:
        fields.setdefault("success", False)
    if not said.term.is_known and level:
        severity = _severity_of(level)
        if severity is not None:
            fields.setdefault("severity", severity)
    return build(said, plain_object(rest), fields, builder="custom")


def _severity_of(level: int) -> Severity | None:
    """Return how grave a line of *level* is; None at INFO, which says nothing of it."""
    if level >= CRITICAL:
        return Severity.CRITICAL
    if level >= ERROR:
        return Severity.HIGH
    if level >= WARNING:
        return Severity.MEDIUM
    return None if level >= INFO else Severity.INFO


def _last_line(error: object) -> object:
    """Return the message of an exception: of a formatted traceback that is the last line."""
    return error.rstrip().rpartition("\n")[2] if isinstance(error, str) else error
