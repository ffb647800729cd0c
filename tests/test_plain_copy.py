from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async import plain_copy
from audit_async.config import CONTEXT_SPELLINGS, MAX_DEPTH, MAX_KEY_CHARS, MAX_PLANNED_KEYS, MAX_STRING_CHARS
from audit_async.plain_copy import copy_of_plain
from audit_async.scalars import LARGEST_INT
from audit_async.values import plain, plain_object

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
objects = st.recursive(
    st.dictionaries(st.text(), scalars),
    lambda inner: st.dictionaries(st.text(), inner | scalars | st.lists(inner | scalars) | st.lists(st.text())),
)


@given(objects)
def test_a_copy_is_what_the_walk_would_have_made(value: dict[str, Any]) -> None:
    """What is copied in one go is the same as what comes of asking each value; else there is no copy."""
    copy = copy_of_plain(value)
    assert copy is None or spelled(copy) == spelled(plain(value))


def spelled(value: object) -> str:
    """Return *value* as text that tells 1 from 1.0 and from True."""
    return json.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": "x", "b": 1, "c": 2.5, "d": True, "e": None},
        {"a": {"b": {"c": ["x", "y"]}}, "d": {}, "e": []},
        {"name": "吴", "city": "Zürich"},
    ],
)
def test_what_is_plain_already_is_copied(value: dict[str, Any]) -> None:
    """The usual object, of any script, is taken in one go."""
    assert value == copy_of_plain(value)


def test_a_copy_shares_nothing_that_can_change() -> None:
    """Whatever the caller does to the original, at any depth, the copy stays."""
    value: dict[str, Any] = {"a": {"b": ["x"]}, "c": ["y"]}
    copy = copy_of_plain(value)
    value["a"]["b"].append("z")
    value["a"]["d"] = 1
    value["c"].clear()
    assert {"a": {"b": ["x"]}, "c": ["y"]} == copy


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {"list": ["x"]}
    value["self"] = value
    return value


class Text(str):
    __slots__ = ()

    def __hash__(self) -> int:
        raise AssertionError("it was asked for its hash")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was compared")


class CountedKey(str):
    """Notes when its hash is asked for."""

    __slots__ = ()
    asked = 0

    def __hash__(self) -> int:
        CountedKey.asked += 1
        return str.__hash__(self)

    __eq__ = str.__eq__


class CountingMeta(type):
    """Notes when one of its classes is looked up or compared."""

    asked = 0

    def __hash__(cls) -> int:
        CountingMeta.asked += 1
        return type.__hash__(cls)

    def __eq__(cls, other: object) -> bool:
        CountingMeta.asked += 1
        return type.__eq__(cls, other)


class Counting(metaclass=CountingMeta):
    pass


@pytest.mark.parametrize(
    "value",
    [
        {"a": b"x"},
        {"a": Text("x")},
        {"a": [Text("x")]},
        {"a": [1, "x"]},
        {1: "x"},
        {"a": {None: "x"}},
        {"a": "\0"},
        {"a": "\ud800"},
        {"a\0": "x"},
        {"a": ["\udfff"]},
        {"a": "x" * (MAX_STRING_CHARS + 1)},
        {"a": LARGEST_INT + 1},
        {"a": ("x",)},
        {"k" * (MAX_KEY_CHARS + 1): "x"},
        {str(number): 1 for number in range(MAX_PLANNED_KEYS + 1)},
        {"a": ["x"] * (MAX_PLANNED_KEYS + 1)},
        nested(MAX_DEPTH + 1),
        cyclic(),
    ],
)
def test_what_needs_more_than_a_copy_is_not_copied(value: dict[Any, Any]) -> None:
    """Other types, marks to make, and what is too long, too large or too deep is left to the walk."""
    assert copy_of_plain(value) is None


def test_the_deepest_that_the_walk_keeps_is_copied() -> None:
    """The limit is the walk's own."""
    value = nested(MAX_DEPTH)
    assert value == copy_of_plain(value) == plain(value)


def test_no_class_is_asked_what_it_is() -> None:
    """A type is known by its identity: the hash and the comparison of a class may be its metaclass's own."""
    value = {"a": "x", "b": Counting()}
    assert copy_of_plain(value) is None
    assert copy_of_plain({"a": "x", "b": [Counting()]}) is None
    assert 0 == CountingMeta.asked


def test_a_key_with_its_own_hash_is_not_asked_for_it() -> None:
    """A dict copies such a key without asking, and so does this."""
    value = {CountedKey("k"): "x"}
    asked = CountedKey.asked
    assert copy_of_plain(value) is None
    assert asked == CountedKey.asked


class Incomparable:
    """Compares itself with nothing, once it is in its place."""

    is_placed = False

    def __hash__(self) -> int:
        return 5

    def __eq__(self, other: object) -> bool:
        if self.is_placed:
            raise RuntimeError("no comparison")
        return self is other


def test_keys_that_cannot_be_compared_cost_their_own_object_alone() -> None:
    """A dict out of which most was deleted compares keys while it is copied; what is beside such a one is kept."""
    sparse: dict[Any, Any] = dict.fromkeys(range(10, 40))
    keys = Incomparable(), Incomparable()
    sparse.update(dict.fromkeys(keys))
    for number in range(10, 40):
        del sparse[number]
    for key in keys:
        key.is_placed = True
    assert copy_of_plain(sparse) is None
    assert {"a": 1, "b": {"$type": "builtins.dict"}} == plain_object({"a": 1, "b": sparse})


@pytest.mark.parametrize("place", [lambda big: big, lambda big: {"a": big}, lambda big: {"a": list(big)}])
def test_what_is_too_large_is_not_copied_to_find_that_out(place: Callable[[dict[str, int]], dict[str, Any]]) -> None:
    """An object or a list of very many items, at any depth, is left to the walk, which takes the first of them."""
    value = place(dict.fromkeys(map(str, range(100_000)), 1))
    tracemalloc.start()
    try:
        assert copy_of_plain(value) is None
        assert tracemalloc.get_traced_memory()[1] < 100_000  # bytes; a copy has millions
    finally:
        tracemalloc.stop()


def test_numbers_become_those_of_json() -> None:
    """There is one zero, and what is no number of JSON becomes a text, whatever came before under the same keys."""
    assert {"n": 1.5} == copy_of_plain({"n": 1.5})
    (zero,) = (copy_of_plain({"n": -0.0}) or {}).values()
    assert 1.0 == math.copysign(1.0, zero)
    assert [{"n": "NaN"}, {"n": "-Infinity"}] == [copy_of_plain({"n": each}) for each in (math.nan, -math.inf)]


def test_the_memory_of_shapes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program with an id in each key fills no memory."""
    plans: dict[tuple[Any, ...], Any] = {}
    monkeypatch.setattr(plain_copy, "_plans", plans)
    for number in range(CONTEXT_SPELLINGS + 10):
        assert copy_of_plain({f"k{number}": 1}) is not None
    assert 0 < len(plans) <= CONTEXT_SPELLINGS
