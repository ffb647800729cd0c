"""`--must-audit`: a run that never emits what has to be audited fails, and says what."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import asyncio
import pytest
from audit_async import AuditAction, events, get_audit_logger
from audit_async.testing import MemoryAuditLogger

@pytest.fixture(scope="session")
def session_wide():
    yield
    MemoryAuditLogger().log(events.user("user.delete"))

def test_with_the_fixture(audit_events, session_wide):
    get_audit_logger().log(events.auth(AuditAction.LOGIN_FAILED))

def test_with_a_logger_of_its_own():
    asyncio.run(MemoryAuditLogger(when_full="block").write(events.role("role.assign")))

def test_other():
    pass
"""

EMITTED = ("auth.login", "login_failed", "role.*", "user")


@pytest.fixture
def suite(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(SUITE)
    return project


def run(suite: pytest.Pytester, wanted: Sequence[str], *arguments: str) -> pytest.RunResult:
    named = "".join(f"\n    {each}" for each in wanted)
    suite.makeini(f"[pytest]\nfilterwarnings = error\nmust_audit ={named}\n")
    if "-n" in arguments:
        return suite.runpytest_subprocess("-p", "xdist", *arguments)
    return suite.runpytest_inprocess(*arguments)


def test_what_was_emitted_is_no_finding(suite: pytest.Pytester) -> None:
    """Events of any test and any fixture count."""
    result = run(suite, EMITTED, "--must-audit")
    result.assert_outcomes(passed=3)
    assert pytest.ExitCode.OK == result.ret
    result.stdout.fnmatch_lines(["*= must audit =*", "4 of 4 actions were emitted."])


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_was_missed_fails_the_run(suite: pytest.Pytester, way: tuple[str, ...]) -> None:
    """What nothing was emitted for, in any process, is named, and a run that went well otherwise has failed."""
    result = run(suite, (*EMITTED, "sso.login", "login_success", "tenant"), "--must-audit", *way)
    result.assert_outcomes(passed=3)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        ["3 of 7 actions were emitted by no test of this run:", "  sso.login", "  login_success", "  tenant"],
        consecutive=True,
    )


def test_a_real_logger_counts_too(project: pytest.Pytester) -> None:
    """It is no matter where a test's events go to: to a table, or into the transaction of a caller."""
    project.makepyfile(
        """
        from audit_async import AuditLogger, events
        from sqlalchemy import create_engine

        def test_it(tmp_path):
            engine = create_engine(f"sqlite:///{tmp_path}/audit.db")
            with AuditLogger(f"sqlite+aiosqlite:///{tmp_path}/audit.db", journal_dir=tmp_path / "j") as audit:
                audit.log(events.custom("report.print"))
                assert audit.flush_sync(30)
                with engine.begin() as connection:
                    audit.add_sync(connection, events.custom("report.send"), strict=True)
            engine.dispose()
        """
    )
    project.makeini("[pytest]\nmust_audit = report.print report.send\n")
    result = project.runpytest_subprocess("--must-audit")
    assert pytest.ExitCode.OK == result.ret


def test_a_worker_that_dies_takes_only_its_last_test_along(project: pytest.Pytester) -> None:
    """What the tests before had emitted is known, though their process is gone."""
    project.makepyfile(
        """
        import os
        from audit_async import events
        from audit_async.testing import MemoryAuditLogger

        def test_first():
            MemoryAuditLogger().log(events.role("role.assign"))

        def test_second():
            os._exit(1)
        """
    )
    result = run(project, ["role.assign"], "--must-audit", "-n", "1", "--max-worker-restart", "0")
    result.stdout.fnmatch_lines(["1 of 1 actions were emitted."])
    assert pytest.ExitCode.TESTS_FAILED == result.ret


def test_without_the_option_nothing_is_said(suite: pytest.Pytester) -> None:
    """The list alone does nothing: a run of one test is no reason to complain."""
    result = run(suite, ["sso.login"], "-k", "other")
    assert pytest.ExitCode.OK == result.ret
    assert "must audit" not in result.stdout.str()


def test_a_look_at_what_there_is_says_nothing(suite: pytest.Pytester) -> None:
    """A run that only collects has emitted nothing, and that is no finding."""
    result = run(suite, ["sso.login"], "--must-audit", "--collect-only")
    assert pytest.ExitCode.OK == result.ret
    assert "must audit" not in result.stdout.str()


@pytest.mark.parametrize(
    ("wanted", "told"), [((), "*set `must_audit`*"), (["'x" + "y" * 200 + "'"], "*names no action*")]
)
def test_a_list_that_is_none_is_a_usage_error(suite: pytest.Pytester, wanted: Sequence[str], told: str) -> None:
    """Without a list, or with what cannot be an action on it, nothing is run."""
    result = run(suite, wanted, "--must-audit")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([told])
