"""Values inside values: `actor.user.uid`, `resources.0.uid`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def look(found: Any, path: str) -> Any:
    """Return the value at *path*, None where there is none."""
    for name in path.split("."):
        found = step(found, name)
    return found


def look_first(found: Any, paths: Iterable[str]) -> Any:
    """Return the first value that is at one of *paths*, None where there is none."""
    return next((value for value in (look(found, path) for path in paths) if value is not None), None)


def without(found: Any, names: list[str]) -> Any:
    """Return a copy of *found* without what is at the end of *names*, and without what that leaves empty."""
    name, *further = names
    inner = without(step(found, name), further) if further else None
    if isinstance(found, list):
        return [*([inner] if inner else []), *found[1:]]
    kept = {key: value for key, value in found.items() if key != name or inner}
    return {**kept, name: inner} if inner else kept


def object_of(value: Any) -> dict[str, Any]:
    """Return *value* where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def step(found: Any, name: str) -> Any:
    """Return what is called *name* in an object, or the first item of a list."""
    if isinstance(found, list):
        return found[0] if name == "0" and found else None
    return found.get(name) if isinstance(found, dict) else None
