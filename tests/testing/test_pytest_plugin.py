"""The pytest plugin: there where the package is installed, light, and without a need for any other plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

BESIDE_PYTEST = """
import sys
import pytest
before = set(sys.modules)
import audit_async.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""


def test_it_loads_nothing_else() -> None:
    """Every pytest run of every user imports it: beside what pytest has loaded that is two files, and no package."""
    said = subprocess.run([sys.executable, "-c", BESIDE_PYTEST], check=True, capture_output=True, text=True).stdout
    assert ["audit_async", "audit_async.pytest_plugin"] == said.split()


def test_a_run_that_asks_for_nothing_loads_nothing(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run of a project that has nothing to do with us finds this plugin by itself, and loads nothing more."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    project.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("audit_async")
            loaded = {name for name in sys.modules if name.startswith("audit_async")}
            assert loaded == {"audit_async", "audit_async.pytest_plugin"}
            assert not {"msgspec", "loguru", "sqlalchemy"} & sys.modules.keys()
        """
    )
    project.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio").assert_outcomes(passed=1)


def test_the_fixture_hears_the_test_and_ends_with_it(project: pytest.Pytester) -> None:
    """What a test logs is in its own list: the next one's is empty, and nothing was written to a disk."""
    project.makepyfile(
        """
        import asyncio
        from audit_async import events, get_audit_logger, write_audit_log
        from audit_async.testing import assert_audited, assert_not_audited

        def test_first(audit_events):
            asyncio.run(write_audit_log("report.print", user_id="u-17"))
            get_audit_logger().log(events.auth("auth.login"))
            assert audit_events.of("report.print") == assert_audited("report.print", user_id="u-17", times=1)

        def test_second(audit_events, tmp_path, pytestconfig):
            assert_not_audited()
            assert not audit_events
            assert not list(pytestconfig.rootpath.glob("audit.db*"))
        """
    )
    project.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_failure_shows_the_line_of_the_test_and_the_nearest_event(project: pytest.Pytester) -> None:
    """Who reads the output sees his own line and the message, and none of our code."""
    project.makepyfile(
        """
        from audit_async import events, get_audit_logger
        from audit_async.testing import assert_audited

        def test_it(audit_events):
            get_audit_logger().log(events.auth("auth.login", user_id="u-18"))
            assert_audited("auth.login", user_id="u-17")
        """
    )
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>       assert_audited("auth.login", user_id="u-17")',
            "E       AssertionError: no event as expected among 1 event: action='auth.login', user_id='u-17'",
            "E         ! user_id  'u-18', expected 'u-17'",
        ]
    )
    assert "def assert_audited" not in result.stdout.str()


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_tests_that_are_coroutines_have_it_too(project: pytest.Pytester, plugin: str) -> None:
    """The fixture needs no event loop, and serves those that have one."""
    project.makepyfile(
        f"""
        import pytest
        from audit_async import write_audit_log
        from audit_async.testing import assert_audited

        @pytest.mark.{plugin}
        async def test_it(audit_events):
            await write_audit_log("report.print")
            assert_audited("report.print", times=1)
        """
    )
    if plugin == "asyncio":
        project.makeini("[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n")
    result = project.runpytest_subprocess("-p", plugin)
    assert {"passed"} == result.parseoutcomes().keys()


def test_workers_each_have_their_own(project: pytest.Pytester) -> None:
    """Under pytest-xdist each test hears itself alone."""
    project.makepyfile(
        """
        import pytest
        from audit_async import events, get_audit_logger
        from audit_async.testing import assert_audited

        @pytest.mark.parametrize("number", range(20))
        def test_it(audit_events, number):
            get_audit_logger().log(events.custom("report.print", user_id=number))
            assert [event.user_id for event in audit_events] == [str(number)]
        """
    )
    project.runpytest_subprocess("-p", "xdist", "-n", "2").assert_outcomes(passed=20)
