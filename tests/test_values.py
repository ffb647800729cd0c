from __future__ import annotations

import concurrent.futures
import decimal
import enum
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async import events
from audit_async.config import MAX_ITEMS, MAX_STRING_CHARS
from audit_async.values import plain, plain_object


class Panic(BaseException):
    """What an extension raises when it breaks, beside all exceptions."""


def panic(*_: object, **__: object) -> NoReturn:
    raise Panic


HOSTILE_NAMES = (
    *("__str__", "__repr__", "__eq__", "__hash__", "__bool__", "__iter__", "__len__", "__getattr__"),
    *("__getattribute__", "__int__", "__float__", "__format__", "items", "isoformat", "utcoffset"),
)


def hostile(base: type) -> type:
    """Return a subclass of *base* of which every method raises, and whose `__class__` does."""
    return type("Hostile", (base,), {**dict.fromkeys(HOSTILE_NAMES, panic), "__class__": property(panic)})


class Liar:
    __class__ = str  # type: ignore[assignment]


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: object


class OwnKey(Mapping[Any, Any]):
    """A mapping whose key is itself."""

    def __hash__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter((self,))

    def __len__(self) -> int:
        return 1


def laughs() -> list[Any]:
    """Return sixteen lists, each of which holds the next a thousand times."""
    result: list[Any] = [1]
    for _ in range(16):
        result = [result] * 1000
    return result


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b", "a␀b"),
        ("a\ud800b", "a\ufffdb"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, {"$int": str(2**63)}),
        (2**2048, {"$int": {"bits": 2049, "sha256": sha256((2**2048).to_bytes(257, "big")).hexdigest()}}),
        (b"", {"$bytes": "", "length": 0}),
        (b"\xff", {"$bytes": "/w==", "length": 1}),
        (bytearray(b"\xff"), {"$bytes": "/w==", "length": 1}),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (decimal.Decimal("1E+1000000"), "1E+1000000"),
        (datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),  # noqa: DTZ001 -- a naive one is the case
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))), "9999-12-31T23:59:59.999999-05:00"),
        (timedelta(seconds=90), "PT90S"),
        (Color.RED, "red"),
        (Point(1, {2}), {"x": 1, "y": [2]}),
        ({3, 1, 2}, [1, 2, 3]),
        ({1: "a", "1": "b", None: "c"}, {"1": "a", "1#2": "b", "null": "c"}),
        (object(), {"$type": "builtins.object"}),
        (ValueError("no"), {"$type": "builtins.ValueError", "message": "no"}),
        (hostile(dict)({"a": 1}), {"a": 1}),
        (hostile(list)([1]), [1]),
        (hostile(str)("abc"), "abc"),
        (hostile(int)(5), 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_has_one_plain_form(value: object, expected: object) -> None:
    """Every value becomes plain JSON data that says what it was."""
    assert expected == plain(value)


@pytest.mark.parametrize("base", [object, Exception, datetime, float, set, tuple])
def test_a_hostile_value_is_survived(base: type) -> None:
    """A value whose every method raises becomes something that JSON can hold."""
    value = hostile(base)(2024, 1, 1) if base is datetime else hostile(base)()
    assert msgspec.json.encode(plain({"a": value, "b": 1})).endswith(b'"b":1}')


def test_a_type_that_lies_is_named_by_its_true_name() -> None:
    """What an object says of its class is not believed."""
    assert {"$type": f"{__name__}.Liar"} == plain(Liar())


def test_a_liar_as_a_key_costs_nothing_else() -> None:
    """A key that cannot be read leaves the other keys as they are."""
    assert 2 == plain({Liar(): 1, "b": 2})["b"]


def test_a_program_s_own_exit_goes_on() -> None:
    """An interrupt that arrives inside a value's own code is not swallowed."""

    class StoppedError(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain(StoppedError())


class UnhashableMeta(type):
    """Compares its classes, and so takes their hash away: legal, and found in the field."""

    def __eq__(cls, other: object) -> bool:
        return type.__eq__(cls, other)


class OfUnhashableType(metaclass=UnhashableMeta):
    pass


def test_a_type_without_a_hash_harms_nobody() -> None:
    """An instance of a type that cannot be looked up in a set is named, and its neighbours stay."""
    value, named = OfUnhashableType(), {"$type": f"{__name__}.OfUnhashableType"}
    assert named == plain(value)
    assert {"a": named, "b": {"c": named, "d": 1}} == plain_object({"a": value, "b": {"c": value, "d": 1}})
    event = events.custom("a", user_id=value, error_message=value, severity=value).with_metadata("b", value)
    assert named == event.metadata["b"]


class CancelOrderError(Exception):
    """An application's own, which has nothing to do with tasks."""


@pytest.mark.parametrize("error", [CancelOrderError, concurrent.futures.CancelledError])
def test_an_error_that_is_named_like_a_cancellation_is_a_value(error: type[Exception]) -> None:
    """Only what cancels this task goes on; an exception of that name is the fault of one value."""

    class Unreadable(Exception):  # noqa: N818 -- its name matters to nobody
        def __str__(self) -> str:
            raise error

    assert "Unreadable" in str(plain(Unreadable()))


def test_a_cycle_is_named() -> None:
    """A container inside itself is marked where it comes again."""
    value: dict[str, Any] = {}
    value["a"] = [value]
    assert {"a": [{"$cycle": "builtins.dict"}]} == plain(value)


def test_depth_has_an_end() -> None:
    """A value of a hundred thousand levels ends in a marker."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert b'{"$depth":16}' in msgspec.json.encode(plain(value))


@pytest.mark.parametrize("value", [laughs(), OwnKey(), {"a": ["x" * 10_000_000] * 1000}], ids=["list", "key", "text"])
def test_work_has_an_end(value: object) -> None:
    """A value that unfolds without end takes neither long nor much."""
    started = time.monotonic()
    assert len(msgspec.json.encode(plain(value))) < 2**20
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", [list, dict, set, range])
def test_a_large_container_keeps_its_first_items(kind: type) -> None:
    """A container beyond the limit says how many items it had."""
    count = MAX_ITEMS + 5
    value = (
        dict.fromkeys(map(str, range(count)))
        if kind is dict
        else kind(range(count))
        if kind is not range
        else range(count)
    )
    result = plain(value)
    kept = result["$items"] if kind is dict else result[-1]["$items"]
    assert (count, MAX_ITEMS + 1) == (kept, len(result))


def test_a_large_text_keeps_its_beginning_and_hash() -> None:
    """A text beyond the limit is cut, and says its length and SHA-256."""
    result = plain("x" * 10_000_000)
    assert ("x" * MAX_STRING_CHARS, 10_000_000) == (result["text"], result["$truncated"]["bytes"])


def test_two_long_keys_stay_two() -> None:
    """Keys that are alike in their first characters are both kept."""
    assert 2 == len(plain({"k" * 300 + "a": 1, "k" * 300 + "b": 2}))


def test_a_mapped_instance_is_not_read() -> None:
    """Reading an attribute of a mapped instance could ask the database, a dataclass or not."""

    class State:
        identity = (7,)

    point = Point(1, 2)
    point.__dict__["_sa_instance_state"] = State()
    assert {"$type": f"{__name__}.Point", "identity": [7]} == plain(point)


def test_a_mapping_that_changes_under_the_hand_is_named() -> None:
    """A mapping that another thread keeps changing is given up after some attempts."""

    class Restless(OwnKey):
        def items(self) -> NoReturn:
            raise RuntimeError("dictionary changed size during iteration")

    assert plain(Restless())["$type"].endswith("Restless")


def test_a_mapping_that_calms_down_is_read() -> None:
    """A mapping that changed under the hand is read again."""
    faults = [RuntimeError("changed"), RuntimeError("changed")]

    class Restless(OwnKey):
        def items(self) -> Any:
            if faults:
                raise faults.pop()
            return [("a", 1)]

    assert {"a": 1} == plain(Restless())


def test_there_is_one_zero() -> None:
    """A zero has no sign, wherever it stands."""
    assert "[0.0, {'a': 0.0}]" == repr(plain([-0.0, {"a": -0.0}]))


@pytest.mark.parametrize(("value", "expected"), [(None, {}), ([1], {"value": [1]}), (b"", {"value": plain(b"")})])
def test_what_is_no_object_is_put_into_one(value: object, expected: object) -> None:
    """An object field holds an object, whatever it is given."""
    assert expected == plain_object(value)


def test_a_key_of_bytes_is_known_by_its_name() -> None:
    """A header's name is text in the row, whether it comes as a key or in a pair: a secret is known by it."""
    assert {"cookie": 1, "a": [["cookie", 2]]} == plain({b"cookie": 1, "a": [(b"cookie", 2)]})


def test_a_coroutine_is_left_alone() -> None:
    """A coroutine that nobody has awaited yet can still be awaited, and no warning comes of logging it."""

    async def work() -> int:
        return 7

    coroutine = work()
    assert {"$type": "builtins.coroutine"} == plain(coroutine)
    with pytest.raises(StopIteration, match="7"):
        coroutine.send(None)


def test_a_subclass_is_not_asked_for_its_text() -> None:
    """Of a subclass of a known type the type's own text is taken, since the subclass may do anything."""

    class Slow(uuid.UUID):
        __str__ = panic

    assert "00000000-0000-0000-0000-000000000005" == plain(Slow(int=5))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.binary().map(bytearray)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.uuids()
    | st.ip_addresses(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.tuples(inner),
    max_leaves=30,
)


@given(anything)
def test_every_value_is_plain_for_good(value: object) -> None:
    """Whatever a value holds, its plain form is encoded and decoded without a change, and is made plain to itself."""
    result = plain(value)
    assert result == msgspec.json.decode(msgspec.json.encode(result)) == plain(result)


@given(st.dictionaries(st.text(), anything))
def test_the_caller_s_object_is_neither_changed_nor_kept(value: dict[str, object]) -> None:
    """The result shares no container with what the caller holds."""
    before = repr(value)
    result = plain_object(value)
    for inner in (result, *result.values()):
        if isinstance(inner, (dict, list)):
            inner.clear()
    assert before == repr(value)
