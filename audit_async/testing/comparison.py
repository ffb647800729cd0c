"""A value beside what was expected of it, part by part."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audit_async.config import SHOWN_VALUE_CHARS
from audit_async.diagnostics import describe
from audit_async.values import plain, plain_text

_NOTHING = object()
"""Found where there is no such part, or expected where there should be none."""


class Partial:
    """What a value must have at least: some keys of an object, some items of a list, a part of a text.

        Partial(provider_type="feishu")
        Partial({"provider.type": "feishu", "geo": Partial(country="DE")})
        Partial(["vip"])

    An object inside of it is compared whole, unless it is a `Partial` itself. The value of a key can be anything that
    `assert_audited` takes for a field.
    """

    def __init__(self, part: Any = None, /, **keys: Any) -> None:
        self.part: Any = {**(part or {}), **keys} if keys or part is None else part

    def __repr__(self) -> str:
        return f"Partial({self.part!r})"

    def __eq__(self, value: object) -> bool:
        return all(line.agrees for line in compare("", self, value))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a value.

    Attributes:
        path: where it is, with dots between.
        found: what is there, as it is shown.
        wanted: what was expected instead; None where it is as expected.
    """

    path: str
    found: str
    wanted: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether it is as expected."""
        return self.wanted is None


def compare(path: str, expected: Any, found: Any, normal: Callable[[Any], Any] = plain) -> Iterator[Line]:
    """Yield the parts of *found* beside those of *expected*; seven cases.

    A `Partial` expects some parts, an object or a list each part of its own, a pattern that it is found in a text, a
    type an instance of it, any other function that it gives something true, and any other value one that is equal to
    it, as it stands or as an event holds it.

    Args:
        normal: makes of a value what an event holds.
    """
    parts = _parts(expected, found, normal)
    if parts is None:
        yield Line(path, show(found), _objection(expected, found, normal))
        return
    for name, each, there in parts:
        yield from compare(f"{path}{name}" if path else name.lstrip("."), each, there)


def _parts(expected: Any, found: Any, normal: Callable[[Any], Any]) -> Iterator[tuple[str, Any, Any]] | None:
    """Yield the parts that are to be compared, by name; None where the values are compared whole."""
    if not isinstance(expected, Partial):
        return None if _is_equal(expected, found, normal) else _all(expected, found)
    part = expected.part
    if isinstance(part, str):
        return None
    if isinstance(part, Mapping) and isinstance(found, Mapping):
        return ((f".{_key(key)}", each, found.get(_key(key), _NOTHING)) for key, each in part.items())
    if isinstance(part, (list, tuple, set, frozenset)) and isinstance(found, (list, tuple)):
        return (("[]", each, _like(each, found)) for each in part)
    return iter([("", part, found)])


def _like(expected: Any, found: list[Any] | tuple[Any, ...]) -> Any:
    """Return the item that *expected* is met by; if none does, all of them."""
    return next((each for each in found if all(line.agrees for line in compare("", expected, each))), found)


def _all(expected: Any, found: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """Yield all parts of either value, by name; None where they have none in common."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        wanted = {_key(key): each for key, each in expected.items()}
        names = dict.fromkeys([*wanted, *found])
        return ((f".{name}", wanted.get(name, _NOTHING), found.get(name, _NOTHING)) for name in names)
    is_list = isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple))
    if is_list and len(expected) == len(found):
        return ((f"[{i}]", each, there) for i, (each, there) in enumerate(zip(expected, found, strict=True)))
    return None


def _key(key: Any) -> str:
    return key if isinstance(key, str) else plain_text(plain(key))


def _objection(expected: Any, found: Any, normal: Callable[[Any], Any]) -> str | None:
    """Return what was expected instead of *found*; None where that is as expected."""
    if isinstance(expected, Partial):
        is_in = isinstance(found, str) and expected.part in found
        return None if is_in else f"a text with {show(expected.part)} in it"
    if _is_equal(expected, found, normal):
        return None
    if expected is _NOTHING or found is _NOTHING:
        return show(expected)
    if isinstance(expected, re.Pattern):
        is_met = isinstance(found, str) and expected.search(found) is not None
        return None if is_met else f"a text that matches {expected.pattern!r}"
    if isinstance(expected, type):
        return None if isinstance(found, expected) else f"some {expected.__name__}"
    if not callable(expected):
        return show(expected)
    name = getattr(expected, "__qualname__", None) or show(expected)
    try:
        return None if expected(found) else f"what {name} agrees to"
    except Exception as error:
        return f"what {name} agrees to, which raised {describe(error)}"


def _is_equal(expected: Any, found: Any, normal: Callable[[Any], Any]) -> bool:
    try:
        if expected is found or bool(expected == found):
            return True
    except Exception:
        # An array that has no one answer. What an event holds is plain.
        return bool(normal(expected) == found)
    return expected is not _NOTHING and found is not _NOTHING and bool(normal(expected) == found)


def show(value: Any) -> str:
    """Return *value* as one line of a message."""
    if value is _NOTHING:
        return "nothing"
    text = repr(value.value if isinstance(value, enum.Enum) else value)
    return text if len(text) <= SHOWN_VALUE_CHARS else f"{text[:SHOWN_VALUE_CHARS]}..."
