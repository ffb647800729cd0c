"""A copy of what is plain JSON data already, as nearly every object that a caller passes is.

The walk in `values` asks each value what it is. Objects of the same keys and the same types of values are alike in
that, so here it is asked once for each such combination; what remains are the limits of texts and numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import repeat
from types import NoneType
from typing import Any

from audit_async.config import (
    CONTEXT_SPELLINGS,
    MAX_DEPTH,
    MAX_KEY_CHARS,
    MAX_PLANNED_KEYS,
    MAX_STRING_CHARS,
)
from audit_async.scalars import LARGEST_INT, SMALLEST_INT, number
from audit_async.shapes import pass_on
from audit_async.text import clean_text

Getter = Callable[[dict[str, Any]], tuple[Any, ...]]

_KINDS = frozenset(map(id, (str, int, float, bool, NoneType, dict, list)))
_EACH_STR = repeat(str)


class _Plan:
    """Where an object has what must be looked at."""

    __slots__ = ("containers", "floats", "ints", "texts_of")

    def __init__(self, value: dict[str, Any]) -> None:
        kinds = {key: type(item) for key, item in value.items()}
        self.texts_of = getter([key for key, kind in kinds.items() if kind is str])
        self.ints = [key for key, kind in kinds.items() if kind is int]
        self.floats = [key for key, kind in kinds.items() if kind is float]
        self.containers = [key for key, kind in kinds.items() if kind is dict or kind is list]


_plans: dict[tuple[Any, ...], _Plan] = {}


def copy_of_plain(value: dict[Any, Any]) -> dict[str, Any] | None:
    """Return a copy of *value*, a dict and no subclass, that shares nothing with it that can change.

    None where that is more than a copy: something in it is no plain data, too long, too large or too many. No code
    of a caller runs, but for the comparison of keys that share a hash, which may fail: a type is known by its identity,
    since its hash and its comparison may be a metaclass's own.
    """
    try:
        return _copy(value)
    except BaseException as error:
        pass_on(error)
        return None


def _copy(value: dict[Any, Any]) -> dict[str, Any] | None:
    # Its length comes first: of a million items the walk takes the first thousand, and no copy.
    if len(value) > MAX_PLANNED_KEYS:
        return None
    # Each copy is ours before it is looked at, so that no other thread changes it meanwhile.
    result = value.copy()
    texts: list[str] = []
    inside: list[Any] = [result]
    for each in inside:
        # The keys of an object, or the items of a list.
        if len(each) > MAX_PLANNED_KEYS or not all(map(operator.is_, map(type, each), _EACH_STR)):
            return None
        if type(each) is list:
            texts += each
            continue
        plan = _plans.get((*each, *map(id, map(type, each.values())))) or _new_plan(each)
        if plan is None:
            return None
        texts += plan.texts_of(each)
        for key in plan.ints:
            if not SMALLEST_INT <= each[key] <= LARGEST_INT:
                return None
        for key in plan.floats:
            each[key] = number(each[key])
        if plan.containers:
            for key in plan.containers:
                if len(each[key]) > MAX_PLANNED_KEYS:
                    return None
                each[key] = part = each[key].copy()
                inside.append(part)
            # Each may be inside of the one before; one that holds itself would never end.
            if len(inside) > MAX_DEPTH:
                return None
    joined = "".join(texts)
    return result if len(joined) <= MAX_STRING_CHARS and clean_text(joined) == joined else None


def _new_plan(value: dict[str, Any]) -> _Plan | None:
    kinds = [*map(id, map(type, value.values()))]
    names = "".join(value)
    is_plain = _KINDS.issuperset(kinds) and clean_text(names) == names
    if not is_plain or max(map(len, value), default=0) > MAX_KEY_CHARS:
        return None
    if len(_plans) >= CONTEXT_SPELLINGS:
        _plans.clear()
    plan = _plans[*value, *kinds] = _Plan(value)
    return plan


def getter(keys: list[str]) -> Getter:
    """Return what gets the values of *keys* from an object, as a tuple whatever their number."""
    if len(keys) > 1:
        return operator.itemgetter(*keys)
    return (lambda value: (value[keys[0]],)) if keys else (lambda value: ())
