"""N36 to N57: containers and objects."""

from __future__ import annotations

import collections
import ctypes
import hashlib
import itertools
import socket
import threading
import types
import unittest.mock
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import attrs
import msgspec
from sqlalchemy.orm import DeclarativeBase, Mapped, make_transient_to_detached, mapped_column

from audit_async.config import MAX_DEPTH, MAX_ITEMS
from tests.nasty.case import Case, case, detail, kept, made, typed
from tests.nasty.failures import CAUSES, CHAIN, FRAMES, GROUP, MEMBERS, TRACEBACK, SilentError, UnreadableError
from tests.nasty.stand_ins import Headers, Model1, Model2, QueryParams, Repeating, Request, SecretStr, lazy
from tests.test_values import Color, Panic, hostile, panic

PAIRS = (("a", 1), ("b", 2), ("a", 3))
MERGED = {"a": [1, 3], "b": 2}


@dataclass
class Point:
    x: int


@attrs.define
class Box:
    x: int


class Struct(msgspec.Struct):
    x: int


class Named(NamedTuple):
    x: int


class Typed(TypedDict):
    x: int


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Recursing:
    def __getattr__(self, name: str) -> Any:
        return getattr(self, name)


class Endless(list[int]):
    def __len__(self) -> int:
        return 2**62

    __iter__ = __eq__ = __hash__ = panic  # type: ignore[assignment]  # every method breaks


class Slow:
    """Whoever asks for its text waits for it."""

    __repr__ = __str__ = panic


def in_itself() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


def two_in_each_other() -> dict[str, Any]:
    one: dict[str, Any] = {}
    one["b"] = {"a": one}
    return one


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def deep_as_stored() -> Any:
    value: Any = {"$depth": MAX_DEPTH}
    for _ in range(MAX_DEPTH - 1):  # the details are the first level
        value = [value]
    return value


def expired_user() -> User:
    """Return a user of which nothing but the key is loaded: every other attribute would ask the database."""
    user = User(id=42)
    make_transient_to_detached(user)
    return user


def dead_reference() -> Any:
    return weakref.ref(Point(1).__class__("gone"))  # type: ignore[arg-type]  # one argument of two


def closed_coroutine() -> Coroutine[Any, Any, None]:
    async def work() -> None: ...

    coroutine = work()
    coroutine.close()
    return coroutine


def closed_socket() -> socket.socket:
    with socket.socket() as found:
        return found


ODD_KEYS = {None: 1, True: 2, "1": 3, 1.5: 4, "1.5": 5, (1, 2): 6, b"k": 7, Color.RED: 8, 2: 9, "2": 10}
ODD_KEYS_STORED = {"null": 1, "true": 2, "1": 3, "1.5": 4, "1.5#2": 5, "[1,2]": 6, "k": 7, "red": 8, "2": 9, "2#2": 10}
SECRETS = {f"password{n}": "s" * 16_000 for n in range(10)}
LARGE = {str(n): "x" * 1000 for n in range(100)}


def summary_of(details: dict[str, str]) -> dict[str, Any]:
    data = msgspec.json.encode(details)
    return {"$truncated": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}, "keys": list(details)[:20]}


CASES: list[Case] = [
    made(36, "in-itself", in_itself, [1, {"$cycle": "builtins.list"}]),
    made(36, "two-in-each-other", two_in_each_other, {"b": {"a": {"$cycle": "builtins.dict"}}}),
    # mypy cannot tell the type of a lambda with a default.
    *(made(37, f"depth-{levels}", lambda levels=levels: deep(levels), deep_as_stored()) for levels in (1000, 100_000)),  # type: ignore[misc]
    made(
        38,
        "million-keys",
        lambda: dict.fromkeys(range(10**6)),
        {**{str(n): None for n in range(MAX_ITEMS)}, "$items": 10**6},
    ),
    made(38, "ten-million-items", lambda: [0] * 10**7, [0] * MAX_ITEMS + [{"$items": 10**7}]),
    made(
        38,
        "iterators",
        lambda: [(n for n in range(3)), itertools.count(), iter([1]), map(str, ())],
        [
            {"$type": "builtins.generator"},
            typed(itertools.count),
            {"$type": "builtins.list_iterator"},
            typed(map),
        ],
    ),
    detail(39, "odd-keys", ODD_KEYS, ODD_KEYS_STORED),
    detail(
        39,
        "hostile-keys",
        {hostile(object): 1, Slow(): 2, b"\xff\x00": 3},
        {
            '{"$type":"builtins.type"}': 1,
            '{"$type":"tests.nasty.cases_containers.Slow"}': 2,
            '{"$bytes":"/wA=","length":2}': 3,
        },
    ),
    kept(40, "keys-of-other-worlds", {"": 1, "__proto__": 2, "constructor": 3, "$ref": 4, "a.b": 5}),
    case(
        41,
        "names-of-columns",
        {"details": {"tenant_id": "x", "id": "y", "_meta": 1}, "tenant_id": "t"},
        {"tenant_id": "t", "details": {"tenant_id": "x", "id": "y", "_meta": 1}},
    ),
    made(
        43,
        "mappings",
        lambda: [
            collections.OrderedDict(a=1),
            types.MappingProxyType({"a": 1}),
            collections.ChainMap({"a": 1}),
            collections.UserDict(a=1),
            collections.defaultdict(int, a=1),
            collections.Counter("a"),
        ],
        [{"a": 1}] * 6,
    ),
    made(
        43,
        "multi-mappings",
        lambda: [Repeating(*PAIRS), QueryParams(*PAIRS), Headers(("a", "1"), ("a", "2"))],
        [MERGED, MERGED, {"a": ["1", "2"]}],
    ),
    case(43, "multi-mapping-as-details", {"details": Repeating(*PAIRS)}, {"details": MERGED}),
    detail(43, "asgi-headers", [(b"accept", b"*/*")], [["accept", {"$bytes": "Ki8q", "length": 3}]]),
    detail(44, "sets", [{"b", "c", "a"}, frozenset({3, 1, 2}), {1, "a"}], [["a", "b", "c"], [1, 2, 3], ["a", 1]]),
    made(45, "classes-with-fields", lambda: [Point(1), Box(1), Struct(1), Named(1), Typed(x=1)], [{"x": 1}] * 5),
    made(45, "models", lambda: [Model1(x=1, y=2), Model2(1)], [{"x": 1, "y": 2}] * 2),
    made(46, "mapped-instance", expired_user, typed(User, identity=[42])),
    made(47, "lazy-text-and-secret", lambda: [lazy("hello"), SecretStr()], ["hello", "[redacted]"]),
    made(
        48,
        "things-that-work",
        lambda: [Request(), closed_socket(), threading.Lock(), closed_coroutine()],
        [
            {"$type": "starlette.requests.Request"},
            typed(socket.socket),
            {"$type": "_thread.lock"},
            {"$type": "builtins.coroutine"},
        ],
    ),
    detail(49, "chain-of-1000", CHAIN, CAUSES),
    detail(49, "group", GROUP, MEMBERS),
    detail(
        49,
        "silent",
        [SilentError(), UnreadableError(), TimeoutError()],
        [
            typed(SilentError, message=""),
            typed(UnreadableError, message="its text cannot be read"),
            typed(TimeoutError, message=""),
        ],
    ),
    case(49, "as-error-message", {"error_message": TimeoutError()}, {"error_message": "TimeoutError"}),
    detail(50, "traceback-with-locals", TRACEBACK, {"$type": "builtins.traceback", "frames": FRAMES}),
    made(
        51,
        "hostile",
        lambda: [hostile(object)(), Recursing(), Endless([1]), hostile(dict)(a=1)],
        [
            {"$type": "tests.test_values.Hostile"},
            typed(Recursing),
            [1],
            {"a": 1},
        ],
    ),
    made(52, "slow-text", lambda: [Slow(), Panic()], [typed(Slow), typed(Panic, message="")]),
    made(53, "dead-reference", dead_reference, {"$type": "weakref.ReferenceType"}),
    made(
        53,
        "ctypes",
        lambda: [ctypes.c_int(5), (ctypes.c_char * 3)()],
        [{"$type": "ctypes.c_int"}, {"$type": "tests.nasty.cases_containers.c_char_Array_3"}],
    ),
    made(
        53,
        "mock",
        lambda: [unittest.mock.Mock(), unittest.mock.MagicMock(spec=Point)],
        [typed(unittest.mock.Mock), typed(unittest.mock.MagicMock)],
    ),
    *(
        case(54, f"details-are-{type(value).__name__}", {"details": value}, {"details": stored})
        for value, stored in (
            ([1], {"value": [1]}),
            ("x", {"value": "x"}),
            (1, {"value": 1}),
            (None, {}),
            (False, {"value": False}),
            (Slow(), {"value": typed(Slow)}),
            (Point(1), {"x": 1}),
            (Named(1), {"x": 1}),
        )
    ),
    case(
        55,
        "mostly-secret",
        {"details": {**SECRETS, "harmless": {"why": "because " * 10}}},
        {"details": {**dict.fromkeys(SECRETS, "[redacted]"), "harmless": {"why": "because " * 10}}},
    ),
    case(
        56,
        "too-large",
        {"details": LARGE, "user_id": "u", "metadata": {"m": 1}},
        {"details": summary_of(LARGE), "user_id": "u", "metadata": {"m": 1}},
    ),
]
