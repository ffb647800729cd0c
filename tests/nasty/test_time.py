"""What a value costs and whom it disturbs: reading stops at the limit, and other threads may go on."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from audit_async import events
from audit_async.config import MAX_EVENT_BYTES, MAX_HASHED_BYTES, MAX_ITEMS
from audit_async.entry import encode
from audit_async.redact import redact
from audit_async.values import plain

SIZE = 10_000_000
GIB = 2**30
EVENT_COST = 16 * MAX_EVENT_BYTES  # a value cut to its limit, its JSON, and both once more when that is cut


def nested() -> Any:
    return {"a": [{"b": [str(n).ljust(1000) for n in range(100)]} for _ in range(100)]}


def many_keys() -> Any:
    return {"k" * 5000 + str(n): n for n in range(SIZE // 5000)}


VALUES: dict[str, Callable[[], Any]] = {
    "str": lambda: "x" * SIZE,
    "str-of-other-letters": lambda: "审" * (SIZE // 2),
    "bytes": lambda: bytes(SIZE),
    "bytearray": lambda: bytearray(SIZE),
    "memoryview": lambda: memoryview(bytes(SIZE)),
    "int": lambda: 1 << 8 * SIZE,
    "list": lambda: list(range(SIZE // 40)),
    "dict": lambda: {str(n): n for n in range(SIZE // 150)},
    "nested": nested,
    "keys": many_keys,
    "exception": lambda: ValueError("x" * SIZE),
}


@pytest.mark.parametrize("field", ["details", "error_message", "user_id"])
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_a_large_value_is_never_held_twice(make: Callable[[], Any], field: str) -> None:
    """Building and encoding an event of a value of 10 MB takes at its peak at most twice that value's own size."""
    events.custom("a", details={"warm": 1})
    tracemalloc.start()
    try:
        value = make()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        payload = encode(redact(events.custom("a", **{field: value})))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(payload) <= MAX_EVENT_BYTES
    assert peak <= 2 * size + EVENT_COST


def test_a_text_of_a_gigabyte_is_not_copied() -> None:
    """N12: of a text of 1 GiB no more is copied than an event holds."""
    value = "x" * GIB
    tracemalloc.start()
    try:
        found = plain(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (GIB, MAX_HASHED_BYTES) == (found["$truncated"]["bytes"], found["$truncated"]["hashed"])
    assert peak < EVENT_COST


class Counting(Mapping[str, int]):
    """A mapping without end that counts how often it is asked."""

    def __init__(self) -> None:
        self.read = 0

    def __getitem__(self, key: str) -> int:
        self.read += 1
        return 0

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1

    def __len__(self) -> int:
        return 2**40


def test_a_mapping_is_read_up_to_its_limit() -> None:
    """Of a mapping without end the first items are read, and one more to see that there are more."""
    endless = Counting()
    found = plain(endless)
    assert (MAX_ITEMS + 1, 2**40) == (endless.read, found["$items"])


def test_what_no_longer_fits_is_not_read_at_all() -> None:
    """Behind many events' worth of text a mapping is not asked for anything."""
    endless = Counting()
    found = plain(["x" * 16_000] * 100 + [endless])
    assert (0, {"$type": f"{__name__}.Counting"}) == (endless.read, found[100])


def test_hashing_has_one_budget_for_a_value() -> None:
    """However often long texts, keys and bytes come, no more than the limit is hashed of all of them together."""
    text = "x" * (MAX_HASHED_BYTES // 2 + 1)
    found = plain([text, text, text, text.encode(), {text: 1}])
    marks = [item["$truncated"] for item in found[:3]]
    read = [mark.get("hashed", mark["bytes"]) for mark in marks]
    assert len(text) == read[0]
    assert MAX_HASHED_BYTES <= sum(read) <= MAX_HASHED_BYTES + 64 * 1024
    assert (0, 0) == (read[2], found[3]["hashed"])
    assert "of the first 0" in next(iter(found[4]))


def churn(change: Callable[[int], None], stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        change(number)
        number += 1


def grown_and_shrunk(value: dict[int, int], number: int) -> None:
    value[number] = number
    value.pop(number - 500, None)


@pytest.mark.parametrize("size", [10, 10 * MAX_ITEMS])
def test_a_container_that_changes_meanwhile_is_read_all_the_same(size: int) -> None:
    """N42: another thread that adds and removes keys all the time harms no event, and no event it."""
    value = {-number: 0 for number in range(1, size)}
    stop, faults = threading.Event(), []
    thread = threading.Thread(target=churn, args=(lambda n: grown_and_shrunk(value, n), stop))
    thread.start()
    try:
        for _ in range(300):
            found = events.custom("a", details={"v": value, "s": [value.keys()]}).details
            faults += [found] if "$type" in found["v"] else []
    finally:
        stop.set()
        thread.join()
    assert [] == faults


def test_bytes_may_grow_afterwards() -> None:
    """N42: no view of a bytearray is kept, which would forbid its owner to resize it."""
    value = bytearray(SIZE)
    event = events.custom("a", details={"v": value})
    value.extend(b"x")
    assert SIZE == event.details["v"]["length"]
