"""docs/analysis.md is true: its code runs, and what it names is what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from audit_async import AuditReader, events
from audit_async.config import MAX_COUNTED_VALUES, MAX_LISTED_EVENTS
from audit_async.reading.analysis import Analysis
from audit_async.reading.asked import LOGINS, PRIVILEGES
from tests.reading.log import stored
from tests.store.conftest import Place

PAGE = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
QUESTIONS = [name for name, value in vars(Analysis).items() if inspect.iscoroutinefunction(value) and name[0] != "_"]


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_the_code_runs_as_it_stands(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """The block prints what was logged."""
    given = [
        events.auth("login", user_id="u-17", outcome=how, tenant_id="t-1") for how in [*["failure"] * 5, "success"]
    ]
    await stored(place, given)
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(block.partition("asyncio.run(")[0], names)
    await names["look"](place.url)  # type: ignore[operator]
    printed = capsys.readouterr().out
    for said in ("5 failed log-ins of 1 users", "u-17 5 then a success", "auth.login failure 5", "'login_failed': 5"):
        assert said in printed


def test_every_question_is_on_the_page_with_its_defaults() -> None:
    """Each method stands there, and every number beside it is its default."""
    for name in QUESTIONS:
        [row] = re.findall(rf"^\| `{name}\((.*?)\)` \|", PAGE, re.MULTILINE)
        parameters = inspect.signature(getattr(AuditReader, name)).parameters
        for said in re.findall(r"(\w+)=(\d+|\"\w+\")", row):
            assert repr(parameters[said[0]].default).replace("'", '"') == said[1], (name, said)
        assert row.split("(")[0].split("=")[0].split(",")[0].strip() == list(parameters)[1]


def test_the_actions_and_limits_are_those_of_the_code() -> None:
    """What counts as a log-in or a right, and where lists end, is written out."""
    assert [] == [name for name in (*LOGINS, *PRIVILEGES) if f"`{name}`" not in PAGE]
    assert all(f"{number:,}" in PAGE for number in (MAX_COUNTED_VALUES, MAX_LISTED_EVENTS))
