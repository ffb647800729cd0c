"""A context on its way to another process: what is carried, and what is not taken."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from audit_async import AuditEvent, audit_context, events
from audit_async.config import DUMPED_CONTEXT_BYTES, LOADED_CONTEXT_BYTES
from audit_async.context import FIELDS, dump, fill, job_actor, load
from tests.logs import heard

FULL = {name: f"{name} äß中" for name in FIELDS} | {"ip_address": "203.0.113.9"}


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("hostile")

    def __hash__(self) -> int:
        return hash("v")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")


def filled(payload: object) -> AuditEvent:
    """Return an event that was logged inside what *payload* carries."""
    with load(payload):
        return fill(events.custom("a"))


def said_by(event: AuditEvent) -> dict[str, str]:
    return {name: getattr(event, name) for name in FIELDS if getattr(event, name) is not None}


@pytest.mark.parametrize("carry", [lambda p: p, json.dumps, lambda p: json.dumps(p, ensure_ascii=False).encode()])
def test_a_payload_carries_every_field(carry: Any) -> None:
    """What was said here fills events there, from the object, its JSON as text, and as bytes."""
    with audit_context(**FULL):
        payload = dump()
    assert {"v", "context"} == payload.keys()
    assert FULL == said_by(filled(carry(payload)))


async def test_a_payload_travels_in_the_headers_of_a_job() -> None:
    """In the headers of a message, as of Celery, which a broker turns to JSON and back, it is a value like others."""
    with audit_context(tenant_id="t1", user_id="u1"):
        message = json.dumps({"headers": {"id": "x", "retries": 0, "audit": dump()}, "body": []})
    headers = json.loads(message)["headers"]
    async with load(headers.get("audit")), job_actor("org.sync"):
        event = fill(events.custom("a"))
    assert ("t1", "u1", "org.sync") == (event.tenant_id, event.user_id, event.actor_id)


def test_a_loaded_context_nests_like_any_other() -> None:
    """Field by field the innermost wins: over what is around it, and under what is inside it or said by the event."""
    payload = {"v": 1, "context": {"tenant_id": "t2", "user_id": "u2", "request_id": "r2"}}
    with audit_context(tenant_id="t1", session_id="s1"), load(payload), audit_context(user_id="u3"):
        event = fill(events.custom("a", request_id="own"))
    assert ("t2", "s1", "u3", "own") == (event.tenant_id, event.session_id, event.user_id, event.request_id)


def test_a_loaded_actor_is_not_mixed_with_the_workers_own() -> None:
    """A person in a payload does not get the name of the worker that runs the job."""
    with job_actor("worker"):
        event = filled({"v": 1, "context": {"actor_type": "user", "actor_id": "u1"}})
    assert ("user", "u1", None) == (event.actor_type, event.actor_id, event.actor_name)


def test_a_job_without_a_context_is_nothing_to_talk_about() -> None:
    """None leaves the outer context in place, without a word."""
    with heard() as lines, audit_context(tenant_id="t1"):
        assert {"tenant_id": "t1"} == said_by(filled(None))
    assert [] == lines


def giving(value: Any) -> Callable[[], Any]:
    return lambda: value


NONE_OF_OURS: list[Callable[[], Any]] = [
    *map(giving, ("", "{", b"\xff\xfe", "[]", "null", "17", "[" * 60_000, '"\ud800"', "sekret")),
    *map(giving, ({}, [], 17, {"v": 1}, {"context": {"tenant_id": "sekret"}})),
    *(giving({"v": version, "context": {"tenant_id": "sekret"}}) for version in (0, 2, "1", True, 1.0, None)),
    *(giving({"v": 1, "context": inner}) for inner in (None, "sekret", ["sekret"], 17)),
    giving(json.dumps({"v": 1, "new": "x" * LOADED_CONTEXT_BYTES, "context": {"tenant_id": "sekret"}})),
    object,
    Hostile,
    lambda: {Hostile(): "sekret"},
    lambda: {"v": Hostile(), "context": {"tenant_id": "sekret"}},
    lambda: {"v": 1, "context": Hostile()},
]


@pytest.mark.parametrize("make", NONE_OF_OURS)
def test_what_is_no_context_is_ignored_with_one_line(make: Callable[[], object]) -> None:
    """What is damaged, or of another version, fills nothing, raises nothing, and one line says so without its
    value."""
    with heard() as lines, audit_context(request_id="r1"):
        assert {"request_id": "r1"} == said_by(filled(make()))
        filled(make())
    assert 1 == len(lines)
    assert "sekret" not in lines[0]


def test_a_payload_with_a_million_keys_is_ignored() -> None:
    """One that is too large to be ours is not walked through, as an object or as text, whatever else is in it."""
    many = {"tenant_id": "t1"} | {f"k{number}": "x" for number in range(1_000_000)}
    inside, outside = {"v": 1, "context": many}, {**many, "v": 1, "context": {"tenant_id": "t1"}}
    with heard() as lines:
        assert [{}] * 3 == [said_by(filled(payload)) for payload in (inside, outside, json.dumps(inside))]
    assert 1 == len(lines)


def test_keys_of_a_later_version_are_passed_over() -> None:
    """What a known version does not know is left aside, the rest is taken, and nothing is said."""
    with heard() as lines:
        event = filled({"v": 1, "new": 1, "context": {"tenant_id": "t1", "region": {"eu": 1}, "action": "b"}})
    assert ({"tenant_id": "t1"}, "a", []) == (said_by(event), event.action, lines)


@pytest.mark.parametrize("value", [17, True, ["x"], {"$ne": 1}, b"x", "x" * 1025, Hostile, float("nan")])
def test_a_damaged_value_is_left_out_with_what_it_names(value: Any) -> None:
    """A value that `dump` cannot have written is left out, and with it the rest of that actor and of that span; the
    line names the fields alone."""
    inner = {
        "tenant_id": "t1",
        "actor_type": "user",
        "actor_id": value,
        "trace_id": value,
        "span_id": "b",
        "user_id": value,
    }
    with heard() as lines:
        assert {"tenant_id": "t1"} == said_by(filled({"v": 1, "context": inner}))
    assert ["['actor_id', 'trace_id', 'user_id']"] == [line.strip()[line.index("[") :] for line in lines]


def test_a_text_that_no_database_holds_is_cleaned() -> None:
    """NUL and half of a surrogate pair in a payload do not get into an event."""
    event = filled({"v": 1, "context": {"tenant_id": "a\0b", "user_id": "\ud800"}})
    assert ("a\u2400b", "\ufffd") == (event.tenant_id, event.user_id)


def test_a_payload_is_small_whatever_was_said() -> None:
    """A long user agent is cut, a field that finds no room is left out whole, and what remains can be loaded."""
    with audit_context(**dict.fromkeys(FIELDS, "\U0001f600" * 1024) | {"user_agent": "x" * 16_000}), heard() as lines:
        payload = dump()
    assert len(json.dumps(payload, ensure_ascii=False).encode()) <= DUMPED_CONTEXT_BYTES
    assert len(json.dumps(payload)) <= LOADED_CONTEXT_BYTES
    assert ("\U0001f600" * 1024, 1) == (filled(json.dumps(payload)).actor_id, len(lines))
    with audit_context(user_agent="x" * 16_000):
        assert 1024 == len(dump()["context"]["user_agent"])


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_a_payload_raises(seed: int) -> None:
    """A payload with bytes that were changed, lost or added raises nothing and fills texts only."""
    chance = random.Random(seed)
    with audit_context(**FULL):
        sound = json.dumps(dump()).encode()
    for _ in range(200):
        damaged = bytearray(sound)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        assert all(type(value) is str for value in said_by(filled(bytes(damaged))).values())
