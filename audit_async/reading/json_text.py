"""What stands in a JSON column, as text, for each database; of a damaged value nothing, and never an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from audit_async.errors import ConfigurationError
from audit_async.table.ddl import MYSQL

_IS_JSON_SINCE = (16,)
"""PostgreSQL that can be asked whether a text is JSON."""

_WHOLE_ESCAPES = r"\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}"
"""In JSON, as PostgreSQL matches it: a backslash, and both halves of a surrogate pair."""

_NO_CHARACTER = r"\\u(0000|d[89a-f])"
"""What is left of those that are none: the character 0, and half of a pair."""

_LETTERS_AS_ESCAPES = ("\\u005f", "\\u006", "\\u007")
"""How the letters of a field's name begin where they are escapes, which no program writes."""


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """A column with an object of JSON in it.

    Attributes:
        kind: `json`, `jsonb`, or `text` for one that may hold anything.
        version: of the server.
    """

    column: ColumnElement[Any]
    kind: str
    dialect: str
    version: tuple[int, ...]

    def text(self, path: Sequence[str]) -> ColumnElement[Any]:
        """Return what is under *path* as text: a string without its quotes, `true`, `12`, an object as JSON.

        NULL where there is nothing, where it is null, and where the column holds no JSON.

        Raises:
            ConfigurationError: the column is a text, and the server too old to say whether it is JSON.
        """
        if self.dialect == "postgresql":
            return self._postgres_text(path)
        location = _location(path)
        if self.dialect in MYSQL:
            return self._if_valid(_mysql_text(sa.func.json_extract(self.column, location)))
        if any(character in key for key in path for character in '"\\'):
            return self._if_valid(_sqlite_step_by_step(self.column, path))
        found = sa.func.json_extract(self.column, location)
        return self._if_valid(_sqlite_text(found, sa.func.json_type(self.column, location)))

    def _if_valid(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        return sa.case((sa.func.json_valid(self.column) == 1, text))

    def _postgres_text(self, path: Sequence[str]) -> ColumnElement[Any]:
        keys = [sa.cast(sa.bindparam(None, key, type_=sa.Text), sa.Text) for key in path]
        if self.kind == "jsonb":
            return sa.func.jsonb_extract_path_text(self.column, *keys)
        if self.kind == "json":
            return sa.case((self._has_characters(), sa.func.json_extract_path_text(self.column, *keys)))
        if self.version < _IS_JSON_SINCE:
            raise ConfigurationError(
                f"PostgreSQL {self.version[0]} cannot look into column {self.column.name}, which is a text",
                hint="ask for what has a column of its own, or make the column json",
            )
        text = sa.func.json_extract_path_text(sa.cast(self.column, sa.JSON), *keys)
        return sa.case((self.column.op("IS")(sa.text("JSON")) & self._has_characters(), text))

    def _has_characters(self) -> ColumnElement[bool]:
        """Return the condition that every escape in the JSON is a character to PostgreSQL.

        It keeps `\\u0000` and halves of surrogate pairs in a column of type json, and fails when it is asked for any
        text of such an object.
        """
        text = sa.cast(self.column, sa.Text)
        rest = sa.func.regexp_replace(text, _WHOLE_ESCAPES, " ", "gi")
        return (sa.func.strpos(text, "\\u") == 0) | rest.op("!~*")(_NO_CHARACTER)

    def is_readable(self) -> ColumnElement[bool] | None:
        """Return the condition that the column is empty, or holds JSON; None where it can hold nothing else."""
        if self.dialect == "postgresql":
            if self.kind == "jsonb":
                return None
            is_json = sa.true() if self.kind == "json" else self.column.op("IS")(sa.text("JSON"))
            return self.column.is_(None) | (is_json & self._has_characters())
        return self.column.is_(None) | (sa.func.json_valid(self.column) == 1)

    def is_plain(self, key: str) -> ColumnElement[bool] | None:
        """Return the condition that we and the database read the same under *key*; None where we do anyway.

        Of a key that stands twice they take the first, and we the last. Some do not know a letter that is written as
        an escape, or end a text at the character 0.
        """
        if self.dialect == "postgresql":
            return None
        location = _location([key])
        rest = sa.func.json_remove(self.column, location)
        found: list[ColumnElement[bool]]
        if self.dialect in MYSQL:
            found = [sa.func.json_extract(rest, location).is_(None)]
        else:
            # Of two paths it gives an array, in which escapes are as they stand.
            written = sa.func.json_extract(self.column, location, location)
            found = [sa.func.json_type(rest, location).is_(None), sa.func.instr(written, "\\u0000") == 0]
        escapes = sa.func.lower(sa.func.replace(self.column, "\\\\", ""))
        found += [sa.func.instr(escapes, escape) == 0 for escape in _LETTERS_AS_ESCAPES]
        return sa.case((sa.func.json_valid(self.column) == 1, sa.and_(*found)), else_=sa.true())

    def equals(self, path: Sequence[str], value: Any) -> ColumnElement[bool]:
        """Return the condition that *value*, a scalar, is under *path*: one key with its dots, or several."""
        texts = [self.text(each) for each in ways(path)]
        found = sa.func.coalesce(*texts) if len(texts) > 1 else texts[0]
        if value is None:
            return found.is_(None)
        return found == as_text(value)


def _mysql_text(value: ColumnElement[Any]) -> ColumnElement[Any]:
    # Texts out of JSON compare as if in lower case, unless they are told not to.
    text = sa.case((sa.func.json_type(value) == "NULL", None), else_=sa.func.json_unquote(value))
    return sa.collate(text, "utf8mb4_bin")


def _sqlite_text(value: ColumnElement[Any], kind: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.case((kind == "true", "true"), (kind == "false", "false"), else_=sa.cast(value, sa.Text))


def _sqlite_step_by_step(column: ColumnElement[Any], path: Sequence[str]) -> ColumnElement[Any]:
    """Return what is under *path*, of whose keys one has a mark that no location of SQLite can express."""
    found = column
    for place, key in enumerate(path):
        each = sa.func.json_each(found).table_valued("key", "value", "type").alias(f"step{place}")
        is_last = place == len(path) - 1
        value = _sqlite_text(each.c.value, each.c.type) if is_last else each.c.value
        where = [each.c.key == key] if is_last else [each.c.key == key, each.c.type == "object"]
        found = sa.select(value).where(*where).limit(1).scalar_subquery()
    return found


def ways(path: Sequence[str]) -> list[Sequence[str]]:
    """Return the ways in which *path* can be meant: one key with dots in it, or several."""
    if len(path) != 1 or "." not in path[0]:
        return [path]
    return [path, path[0].split(".")]


def as_text(value: Any) -> str:
    """Return a scalar as databases write it."""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _location(path: Sequence[str]) -> str:
    """Return *path* as MySQL and SQLite write it: `$."geo"."country"`."""
    return "$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in path)
