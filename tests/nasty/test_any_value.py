"""Arbitrary values, the hostile ones among them: nothing raises, everything arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from audit_async import events
from audit_async.config import MAX_EVENT_BYTES
from audit_async.damage import ADVICE, kinds_of
from audit_async.entry import decode, encode
from audit_async.events.fields import EventFields
from audit_async.redact import redact
from audit_async.values import plain
from tests.test_values import Color, Liar, OwnKey, Point, anything, hostile, panic

NEVER_MADE_ANEW = (object(), Liar(), Color.RED, Color, panic, OwnKey(), Point(1, 2), hostile(object), range(3))


@dataclass(frozen=True)
class Wild:
    """A value whose every method raises, before it is made: a report of a failed test has to show it."""

    base: type
    of: Any = ()

    def make(self) -> Any:
        return hostile(self.base)(unleashed(self.of)) if self.of != () else hostile(self.base)()


def unleashed(value: Any) -> Any:
    """Return *value* with every wild part of it made."""
    if isinstance(value, Wild):
        return value.make()
    if isinstance(value, list):
        return [unleashed(item) for item in value]
    return {key: unleashed(item) for key, item in value.items()} if isinstance(value, dict) else value


keys = st.text() | st.binary() | st.booleans() | st.floats() | st.none() | st.tuples(st.integers(), st.text())
unruly = st.recursive(
    anything
    | st.sampled_from([*map(Wild, (object, Exception, set)), *NEVER_MADE_ANEW])
    | st.text().map(ValueError)
    | st.builds(Wild, st.just(str), st.text())
    | st.builds(Wild, st.just(int), st.integers())
    | st.sets(st.integers() | st.text() | st.binary()),
    lambda inner: (
        st.lists(inner)
        | st.builds(Wild, st.just(list), st.lists(inner))
        | st.dictionaries(keys, inner)
        | st.builds(Wild, st.just(dict), st.dictionaries(keys, inner))
        | st.lists(st.text().map(KeyError), min_size=1).map(lambda errors: ExceptionGroup("g", errors))
    ),
    max_leaves=30,
)


@given(unruly)
def test_whatever_it_is_it_becomes_plain_for_good(value: object) -> None:
    """Any value is made plain without a fault; what is plain stays as it is, in memory and through JSON."""
    found = plain(unleashed(value))
    assert found == plain(found) == msgspec.json.decode(msgspec.json.encode(found))


@given(st.dictionaries(st.sampled_from([*EventFields.__annotations__]), unruly), unruly)
def test_whatever_is_logged_arrives(fields: dict[str, Any], action: object) -> None:
    """Any value of any field, and any action, is an event that is encoded and decoded, within its limit."""
    event = redact(events.custom(unleashed(action), **unleashed(fields)))
    payload = encode(event)
    entry = decode(payload, "w", 1)
    assert (event.id, event.created_at, event.action) == (entry.id, entry.created_at, entry.action)
    assert entry == decode(payload, "w", 1)
    assert len(payload) <= MAX_EVENT_BYTES
    assert kinds_of(payload) <= ADVICE.keys()
