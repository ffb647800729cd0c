from __future__ import annotations

from typing import Any

import pytest

from audit_async import events
from audit_async.config import MAX_ITEMS, MAX_STRING_CHARS
from audit_async.damage import ADVICE, kinds_of, tell
from audit_async.entry import encode
from tests.logs import heard

MANY = {f"k{n}": "x" * 1000 for n in range(100)}


def in_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> Any:
    value: Any = 1
    for _ in range(100):
        value = [value]
    return value


DAMAGED: list[tuple[dict[str, Any], set[str]]] = [
    ({"details": {"a": "x" * MAX_STRING_CHARS * 2}}, {"truncated"}),
    ({"details": MANY}, {"truncated"}),
    ({"details": {"a": b"x" * MAX_STRING_CHARS}}, {"truncated"}),
    ({"details": {"k" * 300: 1}}, {"truncated"}),
    ({"error_message": "x" * MAX_STRING_CHARS * 2}, {"truncated"}),
    ({"user_id": "x" * 5000}, {"truncated"}),
    ({"tags": [f"{n}" * 300 for n in range(1000)]}, {"truncated"}),
    ({"details": {"a": in_itself()}}, {"cycle"}),
    ({"details": {"a": deep()}}, {"depth"}),
    ({"details": {"a": list(range(MAX_ITEMS + 1))}}, {"items"}),
    ({"details": {"a": object()}}, {"type"}),
    ({"details": {"a": [object(), ValueError("x")]}}, {"type"}),
    ({"details": {"a": 2**70}}, {"int"}),
    ({"status_code": "none"}, {"invalid"}),
    ({"user_id": "a\0b"}, {"nul"}),
    ({"details": {"审": "a\0b"}}, {"nul"}),
    ({"user_id": "\ud800"}, {"surrogate"}),
    ({"details": {"a": "\0\ud800", "b": object(), "c": 2**70}}, {"nul", "surrogate", "type", "int"}),
]

SOUND: list[dict[str, Any]] = [
    {},
    {"details": {"a": 1, "b": "审计日志，张三", "c": [1.5, None, {}]}, "tags": ["[x]"]},
    {"details": {"a": b"short"}},
    {"details": {"a": ValueError("no")}},
    {"details": {"price": "$5", "$ref": 1, "a": '"$'}},
    {"details": {"a": '{"$truncated":1}', "b": '{"$type":"x"}', "c": '"$bytes":"","length":1,"sha256"'}},
    {"details": {'a"$truncated': 1, 'b"$bytes': 1, 'c,"$type': 1}},
    {"details": {"a": "it was [cut], — “so”"}},
]


@pytest.mark.parametrize(("fields", "kinds"), DAMAGED, ids=lambda each: "-".join(sorted(each)))
def test_every_damage_is_known_by_its_mark(fields: dict[str, Any], kinds: set[str]) -> None:
    """An event whose value was changed to be stored shows how."""
    assert kinds == kinds_of(encode(events.custom("a.b", **fields)))


@pytest.mark.parametrize("fields", SOUND, ids=str)
def test_what_is_whole_is_not_called_damaged(fields: dict[str, Any]) -> None:
    """Bytes, exceptions, other scripts and texts that only look like a mark are no damage."""
    assert set() == kinds_of(encode(events.custom("a.b", **fields)))


def test_an_application_s_own_words_are_no_damage() -> None:
    """An action that is kept as it was spelled has lost nothing, and hides no damage."""
    fields: Any = {"old_values": {"a": object()}}
    assert set() == kinds_of(encode(events.custom("Weird Action!")))
    assert {"type"} == kinds_of(encode(events.custom("Weird Action!", **fields)))


def test_a_damage_is_told_once_without_the_value() -> None:
    """Each kind is said in one line, once for many events, and nothing of the value or its type is in it."""
    payload = encode(events.custom("a.b", user_id="hunter2\0", details={"hunter3": object(), "n": 2**70}))
    with heard() as lines:
        for _ in range(100):
            tell(payload)
    assert 3 == len(lines)
    assert [] == [line for line in lines if "hunter" in line or "builtins" in line or line.count("\n") != 1]


def test_a_sound_event_is_not_told() -> None:
    """Nothing is said of an event that is whole."""
    with heard() as lines:
        tell(encode(events.custom("a.b", details={"a": 1})))
    assert [] == lines


def test_every_kind_has_its_advice() -> None:
    """No mark is left without a sentence on what to do."""
    assert set().union(*(kinds for _, kinds in DAMAGED)) == ADVICE.keys()
