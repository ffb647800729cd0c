"""Types of well-known packages, told by their names: nothing is imported for them."""

from __future__ import annotations

import fractions
import ipaddress
import itertools
import pathlib
import uuid
from collections.abc import Iterable
from typing import Any

from audit_async.config import MAX_DEPTH, MAX_ITEMS
from audit_async.shapes import own_bases, own_module, own_name, type_name

_TEXT_OF: tuple[tuple[type, Any], ...] = (
    (uuid.UUID, uuid.UUID.__str__),
    (pathlib.PurePath, pathlib.PurePath.__str__),
    (ipaddress.IPv4Interface, ipaddress.IPv4Interface.__str__),
    (ipaddress.IPv6Interface, ipaddress.IPv6Interface.__str__),
    (ipaddress.IPv4Address, ipaddress.IPv4Address.__str__),
    (ipaddress.IPv6Address, ipaddress.IPv6Address.__str__),
    (ipaddress.IPv4Network, ipaddress.IPv4Network.__str__),
    (ipaddress.IPv6Network, ipaddress.IPv6Network.__str__),
    (fractions.Fraction, fractions.Fraction.__str__),
    (complex, complex.__repr__),
)
"""Types of the standard library whose text is their value, with their own way to it: a subclass's may do anything."""

_TEXTS = frozenset(
    {
        ("uuid_utils", "UUID"),
        ("bson", "ObjectId"),
        ("ulid", "ULID"),
        ("yarl", "URL"),
        ("httpx", "URL"),
        ("starlette", "URL"),
        ("pydantic", "AnyUrl"),
        ("pydantic", "HttpUrl"),
        ("pydantic", "AnyHttpUrl"),
        ("django", "__proxy__"),
        ("babel", "LazyProxy"),
        ("flask_babel", "LazyString"),
        ("pandas", "NaTType"),
        ("pandas", "NAType"),
        ("numpy", "datetime64"),
        ("numpy", "timedelta64"),
    }
)
"""Types whose `str` is their value: first part of the module's name, last part of their own."""

_ARRAYS = frozenset({"numpy", "torch", "pandas", "polars", "pyarrow", "scipy", "cupy", "jax", "jaxlib", "tensorflow"})
"""Packages of large arrays: what has a shape there is known by it."""

_LIVE = frozenset({"starlette.requests", "aiohttp.web_request", "aiohttp.web_response", "aiohttp.web_app"})
"""Modules of mappings that are no data: a request shows its whole connection, the application included."""


def text_of(value: Any, kind: type) -> str | None:
    """Return the text that *value* is by its type, None for any other type."""
    for base, text in _TEXT_OF:
        if issubclass(kind, base):
            found: str = text(value)
            return found
    if (own_module(kind).partition(".")[0], own_name(kind).rpartition(".")[2]) in _TEXTS:
        return str.__str__(str(value))  # `str` may give a subclass of itself
    return None


def is_missing_time(kind: type) -> bool:
    """Return whether *kind* is that of pandas' NaT: by its bases a time, in the year 1."""
    return own_name(kind) == "NaTType"


def is_numpy_scalar(value: Any, kind: type) -> bool:
    """Return whether *value* is one number, text or truth value of numpy, which its `item()` gives."""
    return own_module(kind) == "numpy" and getattr(value, "ndim", None) == 0


def array_of(value: Any, kind: type) -> dict[str, Any] | None:
    """Return type and shape of *value* if it is an array, a tensor or a table; its numbers are not read."""
    if not any(own_module(base).partition(".")[0] in _ARRAYS for base in own_bases(kind)):
        return None
    shape: Any = getattr(value, "shape", None)
    if not issubclass(type(shape), tuple):
        return None
    sizes = [int.__int__(size) for size in itertools.islice(tuple.__iter__(shape), MAX_DEPTH)]
    return {"$type": type_name(value), "shape": sizes}


def is_live(kind: type) -> bool:
    """Return whether *kind*, a mapping by its type, is a thing that works rather than a value."""
    return any(own_module(base) in _LIVE for base in own_bases(kind))


def pairs_of(value: Any) -> tuple[list[tuple[Any, Any]], int]:
    """Return the first pairs of a mapping, and how many it has. A key that comes several times has a list.

    Source: `multi_items` of starlette and httpx; multidict and headers repeat a key in `items`.
    """
    items: Iterable[Any] = value.multi_items() if hasattr(type(value), "multi_items") else value.items()
    pairs = [(key, item) for key, item in itertools.islice(items, MAX_ITEMS + 1)]
    count = len(value) if len(pairs) > MAX_ITEMS else len(pairs)
    texts = [str.__str__(key) for key, _ in pairs if issubclass(type(key), str)]
    if len(set(texts)) == len(texts):
        return pairs[:MAX_ITEMS], count
    together: dict[str, list[Any]] = {}
    others = []
    for key, item in pairs:
        if issubclass(type(key), str):
            together.setdefault(str.__str__(key), []).append(item)
        else:
            others.append((key, item))
    merged = [(name, found if len(found) > 1 else found[0]) for name, found in together.items()] + others
    return merged[:MAX_ITEMS], count if count > MAX_ITEMS else len(merged)
