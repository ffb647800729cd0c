"""The catalogue: what can be said, as it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit_async import events
from audit_async.events.catalogue import as_json, as_markdown, catalogue, detail_keys_of, find, own_keywords_of
from audit_async.events.families import BUILDERS
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


@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_the_details_are_those_that_the_builder_fills(builder: str) -> None:
    """With all of its own keywords a builder fills the keys that the catalogue names, and no others."""
    found: set[str] = set()
    actions = [item.action for item in catalogue() if item.builder == builder] or ["anything"]
    for action in [*actions, "suspicious_activity" if builder == "security" else actions[0]]:
        for keywords in (dict.fromkeys(own_keywords_of(builder), "x"), {}):
            event = BUILDERS[builder](action, error_message="no", old_values={"a": 1}, **keywords)
            found |= set(event.details)
    assert set(detail_keys_of(builder)) == found


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("assign_role", ["role.assign"]),
        ("QRCODE", ["auth.qrcode_login"]),
        ("financial", ["budget.create", "budget.update", "budget.exceed"]),
        ("no such thing", []),
    ],
)
def test_an_action_is_found_by_any_of_its_names(word: str, expected: list[str]) -> None:
    """A word finds actions by canonical name, old spelling, builder and category."""
    assert expected == [item.action for item in find(word)]


def test_every_builder_is_on_the_face() -> None:
    """A builder is reached as `events.<name>`, under its own name."""
    assert {name: getattr(events, name) for name in BUILDERS} == BUILDERS
