"""The catalogue: what can be said, as it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit_async import events
from audit_async.events.catalogue import as_json, catalogue, find
from audit_async.events.families import BUILDERS
from audit_async.events.fields import EventFields
from audit_async.events.reference import FIELDS, as_markdown
from audit_async.events.vocabulary import TERMS

PAGE = Path(__file__).parent.parent.parent / "docs" / "events.md"


def test_the_page_is_the_catalogue() -> None:
    """`docs/events.md` is what `audit-async catalog --md` prints."""
    assert as_markdown(catalogue()) == PAGE.read_text()


def test_every_action_is_in_it() -> None:
    """The catalogue has an item for every action of the vocabulary."""
    assert (
        list(TERMS)
        == [item.action for item in catalogue()]
        == [item["action"] for item in json.loads(as_json(catalogue()))]
    )


@pytest.mark.parametrize(
    ("action", "keys"),
    [
        ("budget.exceed", set()),
        ("module.enable", set()),
        ("security.event", set()),
        ("api_key.create", {"api_key_name", "action"}),
        ("data.update", {"changed"}),
        ("data.export", {"format", "row_count", "destination"}),
        ("role.assign", {"target_user_id", "role_name", "granted_by"}),
        ("sso.login", {"provider_type", "provider_user_id", "success", "error", "protocol"}),
        ("auth.lockout", {"login_method", "logout_method", "email"}),
        ("auth.login", {"login_method", "logout_method", "email", "success"}),
        ("audit.gap", set()),
    ],
)
def test_the_details_are_those_that_the_builder_fills(action: str, keys: set[str]) -> None:
    """The catalogue names the keys of an action's details, and no others."""
    (item,) = (item for item in catalogue() if item.action == action)
    assert keys == set(item.detail_keys)


def test_every_field_is_explained() -> None:
    """The page has a row for every field that a builder takes."""
    assert set(EventFields.__annotations__) == set(FIELDS)


def test_every_builder_is_explained() -> None:
    """The page has a row for every builder."""
    assert [] == [name for name in BUILDERS if f"| `{name}` | about" not in PAGE.read_text() and name != "custom"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("assign_role", ["role.assign"]),
        ("QRCODE", ["auth.qrcode_login"]),
        ("financial", ["budget.create", "budget.update", "budget.exceed"]),
        ("usage", ["api.request", "api.rate_limited"]),
        ("no such thing", []),
    ],
)
def test_an_action_is_found_by_any_of_its_names(word: str, expected: list[str]) -> None:
    """A word finds actions by canonical name, old spelling, builder and category."""
    assert expected == [item.action for item in find(word)]


def test_every_builder_is_on_the_face() -> None:
    """A builder is reached as `events.<name>`, under its own name."""
    assert {name: getattr(events, name) for name in BUILDERS} == BUILDERS
