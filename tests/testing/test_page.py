"""docs/testing.md is true: its tests pass, and its outputs are what is seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from audit_async import shutdown
from audit_async.testing import Partial, assert_audited, recording

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
SHOP, OWN, FLAKY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def test_the_message_is_what_is_seen() -> None:
    """The failed assertion of the page tells what the page says."""
    [message] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(SHOP, names)
    with recording():
        await names["log_in"]("u-17", "feishu")
        names["export"]("u-17", "geheim")
        with pytest.raises(AssertionError) as caught:
            assert_audited("sso.login", user_id="u-17", details=Partial(provider_type="dingtalk"))
    assert message.rstrip() == str(caught.value)


def test_the_suite_passes_and_the_report_is_what_is_seen(project: pytest.Pytester) -> None:
    """The tests of the page pass, and with its list the run says what the page shows."""
    project.makepyfile(test_shop=SHOP)
    project.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    [ini] = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    project.makeini(ini)
    result = project.runpytest_subprocess("-p", "anyio", "--must-audit")
    result.assert_outcomes(passed=2)
    [session] = re.findall(r"\$ pytest --must-audit\n\.\.\.\n(.*?)```", PAGE, re.DOTALL)
    result.stdout.fnmatch_lines(session.splitlines(), consecutive=True)


def test_a_logger_of_ones_own() -> None:
    """The block about it runs as it stands."""
    exec(OWN, {})


async def test_the_outage(tmp_path: Path) -> None:
    """The test of the page passes."""
    shutdown()
    names: dict[str, Callable[[Path], Coroutine[Any, Any, None]]] = {}
    exec(FLAKY, names)
    await names["test_the_report_is_printed_in_an_outage"](tmp_path)
