"""Actions that the vocabulary does not have: legal and counted, or, where a logger is strict, an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import audit_async
from audit_async import AuditAction, AuditLogger, UnknownActionError, configure, events
from audit_async.default import ashutdown


def test_any_action_is_taken_and_counted(sqlite_url: str, tmp_path: Path) -> None:
    """A free-form action is stored as any other, and counted."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        for action in ("auth.login", AuditAction.ROLE_CHANGE, "schedule_execute", "order.paid"):
            audit.log(events.custom(action))
        assert (True, 4, 2) == (audit.flush_sync(), audit.stats().stored, audit.stats().unknown_actions)


def test_a_strict_logger_names_the_right_one(sqlite_url: str, tmp_path: Path) -> None:
    """A misspelt action is an error that says which was meant, and nothing is logged."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", strict=True) as audit:
        with pytest.raises(UnknownActionError, match=r"'auth.logn' \(did you mean 'auth.login'"):
            audit.log(events.custom("auth.logn"))
        audit.log(events.custom("sso_login_failed"))
        assert (True, 1) == (audit.flush_sync(), audit.stats().accepted)


async def test_a_strict_logger_speaks_through_a_helper(sqlite_url: str, tmp_path: Path) -> None:
    """Who asked for errors gets them from a helper, too."""
    configure(sqlite_url, journal_dir=tmp_path / "journal", strict=True)
    try:
        with pytest.raises(UnknownActionError, match="catalog"):
            await audit_async.write_audit_log("schedule_execute")
    finally:
        await ashutdown()


@pytest.mark.parametrize("action", [["auth.login"], None, {"a": 1}])
def test_an_action_made_by_hand_breaks_nothing(action: Any, sqlite_url: str, tmp_path: Path) -> None:
    """An event whose action is no text is repaired, as ever; a strict logger names it."""
    event = msgspec.structs.replace(events.custom("a"), action=action)
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        assert audit.log(event).is_accepted
    with (
        AuditLogger(sqlite_url, journal_dir=tmp_path / "strict", strict=True) as audit,
        pytest.raises(UnknownActionError),
    ):
        audit.log(event)
