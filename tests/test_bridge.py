"""What event a line of the log is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditAction, AuditEvent, AuditLogger
from audit_async.bridge import Line, event_of, log_line
from tests.logs import heard

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50


def event(action: object = "report.print", level: int | None = INFO, **fields: Any) -> AuditEvent:
    """Return the event of a line."""
    return event_of(Line(action=action, message="printed", level=level, fields=fields))


def test_what_has_a_field_fills_it_and_the_rest_is_in_details() -> None:
    """Names of fields are taken as such, any other, and an `id`, which is another's, goes into the details."""
    made = event(user_id=7, status_code="201", tags=["a"], copies=2, id="order-1", details={"pages": 9, "copies": 3})
    assert ("7", 201, ("a",), "printed") == (made.user_id, made.status_code, made.tags, made.description)
    assert {"copies": 2, "copies#2": 3, "id": "order-1", "pages": 9} == made.details
    assert "order-1" != made.id


def test_what_is_somebody_elses_own_is_no_part_of_it() -> None:
    """The library's own names, the action itself and what begins with an underscore are left."""
    fields = {"audit": "a.b", "_record": 1, "lineno": 7, "copies": 2}
    line = Line(action="a.b", message="", level=INFO, fields=fields, own=frozenset({"lineno"}))
    assert {"copies": 2} == event_of(line).details


def test_a_description_of_its_own_stands_and_the_message_is_kept() -> None:
    """Neither of the two is lost."""
    made = event(description="two copies of the report")
    assert ("two copies of the report", {"message": "printed"}) == (made.description, made.details)


def test_a_field_that_is_none_says_nothing() -> None:
    """A value bound as None leaves the field to the context, and what the line implies."""
    made = event(level=ERROR, user_id=None, success=None, description=None)
    assert (None, "failure", "printed") == (made.user_id, made.outcome, made.description)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, "low"),
        (5, "info"),
        (DEBUG, "info"),
        (INFO, "low"),
        (25, "low"),
        (WARNING, "medium"),
        (ERROR, "high"),
        (CRITICAL, "critical"),
    ],
)
def test_the_level_says_how_grave_an_unknown_action_is(level: int | None, expected: str) -> None:
    """It does where the vocabulary and the line say nothing; at INFO it is that of any other event."""
    assert expected == event(level=level).severity
    assert "medium" == event(level=level, severity="medium").severity


@pytest.mark.parametrize("level", [DEBUG, WARNING, CRITICAL])
def test_the_vocabulary_says_how_grave_a_known_action_is(level: int) -> None:
    """A known action, in whatever spelling, is as grave as when it is logged directly."""
    for action in ("role.assign", AuditAction.ROLE_ASSIGN):
        assert ("role.assign", "high") == (event(action, level).action, event(action, level).severity)
    assert "low" == event("auth.login", level, outcome="success").severity


@pytest.mark.parametrize(
    ("action", "level", "fields", "expected"),
    [
        ("auth.login", WARNING, {}, "success"),
        ("auth.login", ERROR, {}, "failure"),
        ("auth.login", ERROR, {"success": True}, "success"),
        ("auth.login", ERROR, {"outcome": "pending"}, "pending"),
        ("login_failed", INFO, {}, "failure"),
        ("security.unauthorized_access", CRITICAL, {}, "denied"),
    ],
)
def test_an_error_tells_of_what_failed(action: str, level: int, fields: dict[str, Any], expected: str) -> None:
    """From ERROR on something was not done, unless the line or the action says otherwise."""
    assert expected == event(action, level, **fields).outcome


def test_an_exception_is_recorded() -> None:
    """Its type, text and cause are in the event, which failed, at whatever level."""
    error = ValueError("no such user")
    error.__cause__ = KeyError("u-7")
    made = event_of(Line(action="auth.login", message="", level=INFO, fields={}, error=error))
    assert ("failure", "ValueError: no such user") == (made.outcome, made.error_message)
    kept = made.details["exception"]
    assert ("builtins.ValueError", "no such user", ["'u-7'"]) == (
        kept["$type"],
        kept["message"],
        [cause["message"] for cause in kept["causes"]],
    )


def test_the_event_is_of_the_moment_of_the_line() -> None:
    """A line that reaches us late, out of a queue, happened when it was logged."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    made = event_of(Line(action="a.b", message="", level=INFO, fields={}, moment=moment))
    assert moment == made.created_at


@pytest.mark.parametrize("origin", ["audit_async.journal.journal", "sqlalchemy.engine.Engine", "aiosqlite", "asyncio"])
def test_what_we_and_the_drivers_say_is_no_event(origin: str, sqlite_url: str, tmp_path: Path) -> None:
    """A default that gives every line an action would otherwise have each event make others."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        log_line(audit, lambda: Line(action="a.b", message="", level=INFO, fields={}, origin=origin))
        log_line(audit, lambda: Line(action="a.b", message="", level=INFO, fields={}, origin="sqlalchemy_of_mine"))
        assert 1 == audit.stats().accepted


@pytest.mark.parametrize("action", [None, False, ""])
def test_a_line_that_says_no_action_is_no_event(action: object, sqlite_url: str, tmp_path: Path) -> None:
    """Nothing is logged, and nothing is said of it."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit, heard() as lines:
        log_line(audit, lambda: Line(action=action, message="", level=INFO, fields={}))
        assert (0, []) == (audit.stats().accepted, lines)


@pytest.mark.parametrize("action", [True, 7, {"a": 1}, object()], ids=lambda action: type(action).__name__)
def test_an_action_that_is_none_is_told(action: object, sqlite_url: str, tmp_path: Path) -> None:
    """Whoever uses the word for something else learns of it, and no event is made up."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit, heard() as lines:
        log_line(audit, lambda: Line(action=action, message="", level=INFO, fields={}))
        assert 0 == audit.stats().accepted
    assert f"its `audit` is {type(action).__module__}.{type(action).__qualname__}, no action" in "".join(lines)


def test_a_strict_logger_raises_nothing_here(sqlite_url: str, tmp_path: Path) -> None:
    """An action that the vocabulary does not have is told, since the caller only wrote a line."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", strict=True) as audit, heard() as lines:
        log_line(audit, lambda: Line(action="report.print", message="", level=INFO, fields={}))
        assert 0 == audit.stats().accepted
    assert "the vocabulary has no action 'report.print'" in "".join(lines)
