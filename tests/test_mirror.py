"""The line in the system log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from loguru import logger as log

from audit_async import AuditEvent, AuditLogger, events
from audit_async.mirror import mirror
from tests.logs import heard


def lines_of(event: AuditEvent) -> list[str]:
    with heard() as lines:
        mirror(event)
    return lines


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            events.auth("login_failed", email="joe@example.com", error_message="locked", ip_address="192.0.2.1"),
            "INFO AUDIT [login_failed] - Login attempt for joe@example.com: locked | user_id=None, ip=192.0.2.1\n",
        ),
        (
            events.auth("login_success", email="joe@example.com", user_id="u1"),
            "DEBUG AUDIT [login_success] - Login attempt for joe@example.com | user_id=u1, ip=None\n",
        ),
        (
            events.api_request("request_failed", model="m", provider="p"),
            "INFO AUDIT [request_failed] - API request to p/m | user_id=None, ip=None\n",
        ),
        (
            events.security("unauthorized_access", description="no"),
            "WARNING AUDIT [unauthorized_access] - no | user_id=None, ip=None\n",
        ),
        (
            events.security("suspicious_activity", description="odd"),
            "WARNING AUDIT [suspicious_activity] - odd | user_id=None, ip=None\n",
        ),
        (events.custom("order.paid"), "DEBUG AUDIT [order.paid] - order.paid | user_id=None, ip=None\n"),
    ],
    ids=lambda value: value.action if isinstance(value, AuditEvent) else "",
)
def test_the_line_has_the_level_of_its_kind(event: AuditEvent, expected: str) -> None:
    """What is suspicious is a warning, what failed to get in is told, and everything else is for debugging."""
    assert [expected] == lines_of(event)


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_a_grave_security_event_is_an_alert(severity: str) -> None:
    """High and critical ones are told a second time, as an error."""
    alerts = lines_of(events.security("suspicious_activity", description="odd", severity=severity))[1:]
    assert ([f"ERROR SECURITY ALERT [{severity.upper()}]: odd\n"] if severity in ("high", "critical") else []) == alerts


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\u2028b", "a\x1b[2Jb", "a\u202eb", "{0.__class__}", "x" * 100_000]
)
def test_the_line_is_one_line(text: str) -> None:
    """Nothing in an event ends the line, moves the cursor or turns the direction of reading."""
    (line,) = lines_of(events.custom("a", description=text, user_id=text))
    assert (True, True) == (line[:-1].isprintable(), len(line) < 5000)


def test_an_event_made_by_hand_is_logged_all_the_same(sqlite_url: str, tmp_path: Path) -> None:
    """An event whose fields hold what no builder puts there is not mirrored, and not refused for it."""
    event: Any = msgspec.structs.replace(events.custom("a"), description=["x"], metadata=None)
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", mirror=True) as audit:
        audit.log(event)
        assert (True, 0) == (audit.flush_sync(), audit.stats().refused)


def test_a_logger_mirrors_what_it_is_told_to(sqlite_url: str, tmp_path: Path) -> None:
    """With `mirror=True` every event leaves a line, without its secrets; else none does."""
    for mirrors, expected in ((True, 1), (False, 0)):
        with heard() as lines, AuditLogger(sqlite_url, journal_dir=tmp_path / str(mirrors), mirror=mirrors) as audit:
            audit.log(events.custom("a", description="Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"))
        found = [line for line in lines if "AUDIT [a]" in line]
        assert (expected, False) == (len(found), any("eyJ" in line for line in found))


def test_a_sink_that_logs_events_does_not_turn_in_circles(sqlite_url: str, tmp_path: Path) -> None:
    """An event that a log sink makes of a mirrored line is stored, and not mirrored again."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", mirror=True) as audit:

        def again(message: Any) -> None:
            if "AUDIT [a]" in message:
                audit.log(events.custom("b"))

        number = log.add(again, level="DEBUG")
        try:
            audit.log(events.custom("a"))
        finally:
            log.remove(number)
        assert (True, 2) == (audit.flush_sync(), audit.stats().stored)
