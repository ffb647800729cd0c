"""A value beside what was expected of it, part by part."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest

from audit_async.testing import Partial
from audit_async.testing.comparison import compare

FOUND = {"n": 1, "text": "timed out", "geo": {"country": "DE", "city": "Ulm"}, "items": [1, {"a": 1, "b": 2}]}


def agrees(expected: Any, found: Any) -> bool:
    return all(line.agrees for line in compare("details", expected, found))


@pytest.mark.parametrize(
    "expected",
    [
        FOUND,
        dict(FOUND),
        {**FOUND, "n": int, "text": re.compile("^timed")},
        {**FOUND, "geo": Partial(city="Ulm"), "items": [ANY, Partial(a=1)]},
        Partial(),
        Partial(n=1),
        Partial({"text": Partial("out"), "geo": Partial({"country": "DE"})}),
        Partial({"n": 1}, items=Partial([{"a": 1, "b": 2}])),
        Partial(n=pytest.approx(1.0000001)),
        Partial(n=lambda n: n < 2),
        lambda details: len(details) == 4,
        dict,
        ANY,
    ],
)
def test_what_agrees(expected: Any) -> None:
    """The value itself, a part of it, and conditions on it at any depth agree."""
    assert agrees(expected, FOUND)


@pytest.mark.parametrize(
    ("expected", "path", "found", "wanted"),
    [
        ({**FOUND, "n": 2}, "details.n", "1", "2"),
        ({**FOUND, "more": None}, "details.more", "nothing", "None"),
        ({key: FOUND[key] for key in ("text", "geo", "items")}, "details.n", "1", "nothing"),
        (Partial(geo={"country": "DE"}), "details.geo.city", "'Ulm'", "nothing"),
        (Partial(geo=Partial(city="Bern")), "details.geo.city", "'Ulm'", "'Bern'"),
        (Partial(more=1), "details.more", "nothing", "1"),
        (Partial(items=Partial([2])), "details.items[]", "[1, {'a': 1, 'b': 2}]", "2"),
        (Partial(items=[1, Partial(b=3)]), "details.items[1].b", "2", "3"),
        (Partial(items=[1]), "details.items", "[1, {'a': 1, 'b': 2}]", "[1]"),
        (Partial(text=Partial("refused")), "details.text", "'timed out'", "a text with 'refused' in it"),
        (Partial(text=re.compile("^out")), "details.text", "'timed out'", "a text that matches '^out'"),
        (Partial(n=re.compile("1")), "details.n", "1", "a text that matches '1'"),
        (Partial(text=int), "details.text", "'timed out'", "some int"),
        (Partial(n=len), "details.n", "1", "what len agrees to, which raised TypeError"),
        (Partial(n=Partial(x=1)), "details.n", "1", "{'x': 1}"),
        (["a"], "details", "{", "['a']"),
        (None, "details", "{", "None"),
    ],
)
def test_what_differs_is_told_where_it_is(expected: Any, path: str, found: str, wanted: str) -> None:
    """One line names the place, what is there, and what was expected there."""
    [line] = [line for line in compare("details", expected, FOUND) if not line.agrees]
    assert path == line.path
    assert line.found.startswith(found)
    assert (line.wanted or "").startswith(wanted)


def test_a_value_is_met_by_what_an_event_makes_of_it() -> None:
    """What a caller logs can be expected as he has it: the plain value is what is compared."""
    number = uuid.uuid4()
    expected = {"id": number, "price": Decimal("1.50"), "tags": {"x"}, "at": (1, 2), 5: "five"}
    assert agrees(expected, {"id": str(number), "price": "1.50", "tags": ["x"], "at": [1, 2], "5": "five"})


def test_what_cannot_be_compared_differs() -> None:
    """A value whose comparison raises is compared as an event would hold it, and the assertion does not break."""

    class Array(list[int]):
        def __eq__(self, other: object) -> bool:
            raise ValueError("which of them?")

        __hash__ = None

    assert agrees(Partial(items=Array([1, 2])), {"items": [1, 2]})
    assert not agrees(Partial(items=Array([1, 2])), {"items": [1, 3]})


def test_a_long_value_is_cut() -> None:
    """A megabyte is no line of a message."""
    [line] = compare("details", "x", "y" * 1_000_000)
    assert len(line.found) < 300


def test_a_partial_equals_what_has_its_parts() -> None:
    """In an assertion of one's own it can stand for the whole."""
    assert FOUND == Partial(n=1)
    assert FOUND != Partial(n=2)
    assert "Partial({'n': 1})" == repr(Partial(n=1))
