"""A map as a TOML file, for people to read and to change."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audit_async.errors import ConfigurationError, meant
from audit_async.table_map.source import read_source, written

if TYPE_CHECKING:
    from audit_async.table_map.mapping import TableMap

_TEXTS = ("table", "fold_into", "spelling", "delivered_ids")
_LISTS = ("actions", "left_out", "optional")


def read_toml(text: str, name: str) -> dict[str, Any]:
    """Return the arguments of `TableMap` that *text* holds.

    Args:
        name: of the file, for messages.

    Raises:
        ConfigurationError: *text* is no TOML, or says what no map can.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the map {name} is no TOML: {error}", hint="mend it there") from error
    except (RecursionError, ValueError):
        # A number of thousands of digits, or lists in lists in lists.
        raise ConfigurationError(f"the map {name} holds a value that nobody can mean", hint="mend it there") from None
    known = (*_TEXTS, *_LISTS, "columns")
    for key, value in found.items():
        if key not in known:
            raise ConfigurationError(
                f"the map {name} has an entry {key!r} that none has{meant(key, known)}", hint=f"there are {known}"
            )
        _see_type(name, key, value)
    for needed in ("table", "columns"):
        if needed not in found:
            raise ConfigurationError(f"the map {name} lacks {needed!r}", hint="audit-async map propose URL TABLE")
    columns = {column: read_source(column, given, is_file=True) for column, given in found.pop("columns").items()}
    lists = {key: tuple(found.pop(key)) for key in _LISTS if key in found}
    return {**found, **lists, "columns": columns, "name": name}


def _see_type(name: str, key: str, value: object) -> None:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in _TEXTS:
        is_right, wanted = isinstance(value, str), "a text"
    elif key in _LISTS:
        is_right, wanted = is_list, "a list of texts"
    else:
        is_right, wanted = isinstance(value, dict), "a table"
    if not is_right:
        raise ConfigurationError(f"the map {name} has {key} = {value!r}", hint=f"{key} is {wanted}")


def write_toml(table_map: TableMap, remarks: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return *table_map* as TOML.

    Args:
        remarks: written as comments: by column above its line, under an empty text at the top. Of a column that the
            map does not fill they stand behind the others.

    Raises:
        ConfigurationError: it holds what TOML cannot: a function, or a constant of another kind.
    """
    said = dict(remarks or {})
    lines = _comments(said.pop("", ()))
    lines += [f"{key} = {_value(getattr(table_map, key))}" for key in _TEXTS if getattr(table_map, key) is not None]
    lines += [f"{key} = {_value(list(getattr(table_map, key)))}" for key in _LISTS if getattr(table_map, key)]
    lines += ["", "[columns]"]
    for column, source in table_map.sources.items():
        lines += _comments(said.pop(column, ()))
        lines.append(f"{_key(column)} = {_value(written(column, source))}")
    for column, remark in said.items():
        lines += _comments(remark) + _comments([f"{_key(column)} = ..."])
    return "\n".join(lines) + "\n"


def _comments(remarks: Iterable[str]) -> list[str]:
    # A column's name may hold a line's end, or what no comment may.
    shown = ("".join(char if char.isprintable() else " " for char in remark) for remark in remarks)
    return [f"# {' '.join(remark.split())}" for remark in shown]


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if name and is_bare else _value(name)


def _value(value: object) -> str:
    """Return *value* as TOML writes it; six cases."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's as well; it has one more control character that has to be escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(str(key))} = {_value(item)}" for key, item in value.items()) + " }"
    raise ConfigurationError(
        f"a map holds {value!r}, which TOML cannot", hint="add it in the program: TableMap.load(path).with_columns({})"
    )
