"""Where the value of a column comes from: a field of the event, several, a constant, or a function of the program's."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from audit_async.errors import ConfigurationError, meant
from audit_async.events.event import AuditEvent

OBJECTS = ("details", "metadata", "old_values", "new_values")
"""Fields that are JSON objects, whose keys can be named behind a dot."""

FIELDS = tuple(name for name in AuditEvent.__struct_fields__ if name != "recorded_at")

VIEWS: dict[str, str] = {
    "success": "whether the outcome is success",
    "result": "success, failure or partial",
    "family": "the action's part before the dot",
    "event": "all of it as one JSON object",
    "created_at.epoch": "seconds since 1970",
    "created_at.epoch_ms": "milliseconds since 1970",
}
"""What follows from the fields, beside them."""

_NEAR = 0.8
"""How like a field's name a text has to be to be taken for a slip of the pen, by `difflib`'s measure."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field, one of `VIEWS`, or a key in an object: `user_id`, `success`, `details.provider_type`."""

    path: str


@dataclass(frozen=True, slots=True)
class First:
    """The first of several that is set, else a constant."""

    paths: tuple[str, ...]
    otherwise: Any = None


@dataclass(frozen=True, slots=True)
class Merge:
    """Several objects in one; of equal keys the first counts, and the other is kept as `name#2`."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """The same in every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Function:
    """What a function of the program makes of the event."""

    call: Callable[[AuditEvent], Any]


Source = Field | First | Merge | Constant | Function


def paths_of(source: Source) -> tuple[str, ...]:
    """Return the paths that *source* names."""
    if isinstance(source, Field):
        return (source.path,)
    return source.paths if isinstance(source, (First, Merge)) else ()


def read_source(column: str, given: object, *, is_file: bool = False) -> Source:
    """Return the source that *given* says; six cases.

    Args:
        given: a path as text, a list of them (the first that is set), a mapping with `first` and `otherwise`, with
            `merge` or with `constant`, a function, or any other value: a constant.
        is_file: it was read from a file, where a text is always a path.

    Raises:
        ConfigurationError: it names what no event has.
    """
    if isinstance(given, (Field, First, Merge, Constant, Function)):
        for path in paths_of(given):
            _see_path(column, path)
        return given
    if isinstance(given, str):
        if is_path(given):
            return Field(given)
        head, dot, _ = given.partition(".")
        if is_file or _near(given) or head in FIELDS or (dot and _near(head)):
            _see_path(column, given)
        return Constant(given)
    if isinstance(given, (list, tuple)):
        return _first(column, given, None)
    if isinstance(given, Mapping):
        return _read_mapping(column, given)
    return Function(given) if callable(given) else Constant(given)


def _read_mapping(column: str, given: Mapping[str, Any]) -> Source:
    keys = set(given)
    if keys == {"constant"}:
        return Constant(given["constant"])
    if keys == {"merge"} and isinstance(given["merge"], (list, tuple)) and given["merge"]:
        for path in given["merge"]:
            _see_path(column, path)
            if path not in OBJECTS:
                raise ConfigurationError(
                    f"column {column!r} merges {path!r}, which is no object", hint=f"objects are {', '.join(OBJECTS)}"
                )
        return Merge(tuple(given["merge"]))
    if "first" in keys and keys <= {"first", "otherwise"}:
        return _first(column, given["first"], given.get("otherwise"))
    raise _unreadable(column)


def _first(column: str, paths: object, otherwise: Any) -> First:
    paths = (paths,) if isinstance(paths, str) else paths
    if not isinstance(paths, (list, tuple)) or not paths:
        raise _unreadable(column)
    for path in paths:
        _see_path(column, path)
    return First(tuple(paths), otherwise)


def _unreadable(column: str) -> ConfigurationError:
    return ConfigurationError(
        f"the source of column {column!r} cannot be read",
        hint='write "user_id", ["actor_id", "user_id"], { first = ["actor_id"], otherwise = "system" }, '
        '{ merge = ["details", "metadata"] } or { constant = "x" }',
    )


def is_path(text: str) -> bool:
    """Return whether *text* names a field, a view, or a key in an object."""
    head, dot, key = text.partition(".")
    return text in FIELDS or text in VIEWS or (bool(dot) and bool(key) and head in OBJECTS)


def _near(text: str) -> list[str]:
    return difflib.get_close_matches(text, [*FIELDS, *VIEWS], n=1, cutoff=_NEAR)


def _see_path(column: str, path: Any) -> None:
    if not isinstance(path, str) or not is_path(path):
        raise ConfigurationError(
            f"column {column!r} is to be filled from {path!r}, which no event has{meant(str(path), [*FIELDS, *VIEWS])}",
            hint=f"fields are {', '.join(FIELDS)}; further {', '.join(VIEWS)}, and keys such as details.provider_type; "
            f"a text that is always the same is {{ constant = {str(path)[:40]!r} }}",
        )


def written(column: str, source: Source) -> Any:
    """Return *source* as `read_source` takes it from a file.

    Raises:
        ConfigurationError: it is a function, which no file can hold.
    """
    if isinstance(source, Field):
        return source.path
    if isinstance(source, First):
        if source.otherwise is None:
            return list(source.paths)
        return {"first": list(source.paths), "otherwise": source.otherwise}
    if isinstance(source, Merge):
        return {"merge": list(source.paths)}
    if isinstance(source, Constant):
        return {"constant": source.value}
    raise ConfigurationError(
        f"column {column!r} is filled by a function, which a file cannot hold",
        hint="leave it out of the file, and add it in the program: TableMap.load(path).with_columns({...})",
    )
