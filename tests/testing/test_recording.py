"""A logger that keeps events, in the place of the default one, whatever the program does with that."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from audit_async import (
    AuditAction,
    ConfigurationError,
    UnknownActionError,
    ashutdown,
    configure,
    events,
    get_audit_logger,
    write_audit_log,
    write_identity_audit_log,
)
from audit_async.testing import assert_audited, assert_not_audited, recording

pytestmark = pytest.mark.usefixtures("no_default")


async def test_what_helpers_write_is_kept(tmp_path: Path) -> None:
    """Every helper writes to the list, and nothing to a disk."""
    with recording() as kept:
        await write_identity_audit_log(AuditAction.SSO_LOGIN, user_id="u-17", provider_type="feishu")
        await write_audit_log("report.print")
        assert_audited("sso.login", user_id="u-17", times=1)
    assert ["sso.login", "report.print"] == kept.actions
    assert [] == list(tmp_path.iterdir())


async def test_a_program_may_configure_and_shut_down(sqlite_url: str, tmp_path: Path) -> None:
    """An application that configures its logger, ends it and begins again is heard throughout, by its own settings."""
    with recording() as kept:
        for _ in range(2):
            async with configure(sqlite_url, journal_dir=tmp_path / "j", redact={"keys": ["salary"]}) as audit:
                audit.log(events.custom("report.print", details={"salary": 1}))
            assert await ashutdown()
        configure(sqlite_url, journal_dir=tmp_path / "j", strict=True)
        with pytest.raises(UnknownActionError):
            await write_audit_log("report.print")
        with pytest.raises(ConfigurationError):
            configure("sqlite:///x.db")
    assert 2 == len(assert_audited("report.print", audit=kept, details={"salary": "[redacted]"}))
    assert [] == list(tmp_path.iterdir())


def test_the_logger_that_was_there_comes_back(sqlite_url: str, tmp_path: Path) -> None:
    """Behind the block, even one that fails, the default logger is the one before, and was not closed."""
    before = configure(sqlite_url, journal_dir=tmp_path / "j")
    with contextlib.suppress(ZeroDivisionError), recording() as kept:
        get_audit_logger().log(events.custom("a"))
        raise ZeroDivisionError
    assert before is get_audit_logger()
    assert (False, 0, ["a"]) == (before.is_closed, before.stats().accepted, kept.actions)


def test_recordings_nest() -> None:
    """An inner recording hears what is logged inside it, and the outer one the rest."""
    with recording() as outer:
        get_audit_logger().log(events.custom("a"))
        with recording() as inner:
            get_audit_logger().log(events.custom("b"))
            assert_not_audited("a")
        get_audit_logger().log(events.custom("c"))
    assert (["a", "c"], ["b"]) == (outer.actions, inner.actions)


def test_threads_of_the_program_are_heard() -> None:
    """The default logger is that of the process: a thread that was started before the block logs there, too."""
    begin, done = threading.Event(), threading.Event()

    def work() -> None:
        begin.wait(10)
        get_audit_logger().log(events.custom("a"))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    with recording() as kept:
        begin.set()
        assert done.wait(10)
    thread.join()
    assert ["a"] == kept.actions


def test_a_logger_that_is_closed_in_the_block_stays_behind(sqlite_url: str, tmp_path: Path) -> None:
    """What the block has made is closed with it: whoever has kept it hears that it is."""
    with recording():
        audit = get_audit_logger()
    assert "closed" == audit.log(events.custom("a")).refused
    assert audit is not get_audit_logger()
