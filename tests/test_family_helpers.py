"""The helper of every family: what its builder takes, awaited, and never a word to the caller."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import audit_async
from audit_async import configure, events
from audit_async.default import ashutdown
from audit_async.events.catalogue import catalogue
from audit_async.events.dialects import LEGACY
from audit_async.events.families import BUILDERS
from audit_async.events.vocabulary import TERMS
from tests.tables import all_rows
from tests.test_values import hostile

OF_OLD = {"identity", "role", "tenant", "agent"}
FAMILIES = sorted(set(BUILDERS) - OF_OLD)


def helper_of(family: str) -> Callable[..., Awaitable[None]]:
    helper: Callable[..., Awaitable[None]] = getattr(audit_async, f"write_{family}_audit_log")
    return helper


@pytest.fixture
async def default_url(sqlite_url: str, tmp_path: Path) -> AsyncIterator[str]:
    configure(sqlite_url, journal_dir=tmp_path / "journal")
    yield sqlite_url
    await ashutdown()


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_every_family_has_a_helper(family: str) -> None:
    """A family's helper is a coroutine function on the face, and says what it writes."""
    helper = helper_of(family)
    assert (True, f"write_{family}_audit_log") == (inspect.iscoroutinefunction(helper), helper.__name__)
    assert "event" in (helper.__doc__ or "")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_helper_takes_what_its_builder_takes(family: str) -> None:
    """The parameters of a helper are those of the builder: keywords after the action."""
    helper, builder = inspect.signature(helper_of(family)), inspect.signature(BUILDERS[family])
    assert list(builder.parameters.values()) == list(helper.parameters.values())


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_helper_writes_what_its_builder_builds(family: str, default_url: str) -> None:
    """The row is the event that the builder makes of the same arguments."""
    own = [
        name for name, each in inspect.signature(BUILDERS[family]).parameters.items() if each.kind is each.KEYWORD_ONLY
    ]
    given: dict[str, Any] = {**dict.fromkeys(own, 7), "user_id": "u1", "tenant_id": "t1", "tags": ["own"]}
    await helper_of(family)("login", **given)
    (row,) = await all_rows(default_url)
    expected = BUILDERS[family]("login", **given).to_dict()
    compared = set(row) & set(expected) - {"id", "created_at", "recorded_at", "writer_id", "writer_seq"}
    assert {name: expected[name] for name in compared} == {name: row[name] for name in compared}


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_wrong_keyword_is_told_the_right_one(family: str, default_url: str) -> None:
    """A keyword that there is not is the caller's slip, and nothing is written."""
    with pytest.raises(TypeError, match="did you mean 'tenant_id'"):
        await helper_of(family)("login", tenantid="t1")
    with pytest.raises(TypeError, match="action"):
        await helper_of(family)()
    assert audit_async.get_audit_logger().stats().accepted == 0


def test_the_right_keywords_are_all_named() -> None:
    """The message names the family's own keywords, too."""
    with pytest.raises(TypeError, match=r"did you mean 'cost_usd'.*It takes: model, provider, input_tokens"):
        events.usage("api.request", cost_us=0)  # type: ignore[call-arg]  # the slip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("base", [object, dict, list, str, Exception])
async def test_no_value_makes_a_helper_raise(family: str, base: type, default_url: str) -> None:
    """Values whose every method raises, for all of a family's keywords at once, are stored somehow."""
    own = inspect.signature(BUILDERS[family]).parameters
    value = hostile(base)()
    given = {name: value for name, each in own.items() if each.kind is each.KEYWORD_ONLY}
    actions = [value, *(item.action for item in catalogue() if item.builder == family)][:2]
    for action in actions:
        await helper_of(family)(action, **given, user_id=value, success=value, error_message=value, details=value)
    assert await audit_async.get_audit_logger().flush()
    assert len(actions) == len(await all_rows(default_url))


NONSENSE = [b"\xff", float("nan"), "\ud800\0", 10**5000, [[]] * 5000, {"a": {"b": 1}}, ""]


@pytest.mark.parametrize("family", sorted(BUILDERS))
@pytest.mark.parametrize("base", [object, dict, list, str, Exception])
def test_no_value_makes_a_builder_raise_whatever_the_action(family: str, base: type) -> None:
    """What a builder does for a known action, it does with values whose every method raises."""
    own = inspect.signature(BUILDERS[family]).parameters
    value = hostile(base)()
    given = {name: value for name, each in own.items() if each.kind is each.KEYWORD_ONLY}
    for action in (*TERMS, *LEGACY):
        event = BUILDERS[family](action, **given, user_id=value, success=value, error_message=value, details=value)
        assert event.action in TERMS


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda value: type(value).__name__)
def test_no_value_makes_a_builder_raise(family: str, nonsense: Any) -> None:
    """Nonsense for all of a family's keywords gives an event."""
    own = inspect.signature(BUILDERS[family]).parameters
    given = {name: nonsense for name, each in own.items() if each.kind is each.KEYWORD_ONLY}
    assert BUILDERS[family](nonsense, **given, resource_id=nonsense, tags=nonsense).id
