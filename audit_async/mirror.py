"""The line that every event leaves in the system log as well, where a logger is told to mirror.

    AUDIT [login_failed] - Login attempt for joe@example.com: locked | user_id=None, ip=192.0.2.17

It is written after redaction, on one line whatever the event holds, and through the log of the program, loguru: the
caller waits for its sinks.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit_async.config import MIRROR_CHARS
from audit_async.diagnostics import describe, one_line, report, tell
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import FAILED
from audit_async.shapes import pass_on

_WARNINGS = frozenset({"security.unauthorized_access", "security.suspicious_activity"})
_FAILURES = frozenset({"auth.login", "auth.password_login", "auth.qrcode_login", "sso.login", "api.request"})


def mirror(event: AuditEvent) -> None:
    """Write the line of *event* to the system log; one more, an alert, for grave security events. Never raises.

    Levels: WARNING for unauthorized access and suspicious activity, INFO for failed log-ins and requests, DEBUG for
    everything else; the alert is an ERROR.
    """
    try:
        for level, line in _lines_of(event):
            tell(level, line)
    except BaseException as error:
        pass_on(error)  # an event made by hand may hold anything in any field
        report("mirror", f"an event cannot be mirrored ({describe(error)}); it is logged all the same")


def _lines_of(event: AuditEvent) -> Iterator[tuple[str, str]]:
    said = _one_line(event.description or event.action)
    action, user, address = event.legacy_action("aether"), str(event.user_id), str(event.ip_address)
    line = f"AUDIT [{_one_line(action)}] - {said} | user_id={_one_line(user)}, ip={_one_line(address)}"
    yield _level_of(event), line
    if event.family == "security" and event.is_high_severity:
        yield "ERROR", f"SECURITY ALERT [{event.severity.upper()}]: {said}"


def _level_of(event: AuditEvent) -> str:
    if event.action in _WARNINGS:
        return "WARNING"
    return "INFO" if event.action in _FAILURES and event.outcome in FAILED else "DEBUG"


def _one_line(text: str) -> str:
    return one_line(text[:MIRROR_CHARS])
