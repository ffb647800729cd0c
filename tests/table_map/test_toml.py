"""A map as a file: what is written is read back the same, and a slip in it is said with what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from audit_async import TableMap
from audit_async.errors import ConfigurationError
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.ready import READY
from audit_async.table_map.toml import write_toml

ODD = ['a"b', "a.b", "", " ", "é", "a=b", "#", "a\nb", "\x7f", "\u2028", "'", "\\", "$1", "a b", "[x]", "🎉"]


def again(table_map: TableMap, tmp_path: Path) -> TableMap:
    file = tmp_path / "map.toml"
    file.write_text(table_map.to_toml(), "utf-8")
    return TableMap.load(file)


@pytest.mark.parametrize("name", READY)
def test_a_ready_map_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    """Written and loaded, every ready map is equal to itself."""
    assert TableMap.ready(name) == again(TableMap.ready(name), tmp_path)


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite", "mysql"])
def test_a_proposed_map_comes_back_from_its_file(dialect: str, tmp_path: Path) -> None:
    """Constants of every kind, and columns of every name, survive the file."""
    columns = {"action": "text", "details": "json", "new": "json", "status_code": "integer", "user_id": "text"}
    table = InspectedTable(
        schema="s",
        name="t",
        dialect=dialect,
        columns=tuple(InspectedColumn(n, t, False, False) for n, t in columns.items()),
    )
    table_map = TableMap.from_table(table)
    assert table_map == again(table_map, tmp_path)


@pytest.mark.parametrize("name", ODD)
def test_any_column_and_any_text_can_be_written(name: str, tmp_path: Path) -> None:
    """Quotes, dots, line ends and whatever else TOML has a use for."""
    table_map = TableMap(
        table="t",
        columns={
            name: {"constant": name},
            "b": {"first": ["user_id"], "otherwise": name},
            "c": {"constant": {name: [1, 2.5, True, name, {}]}},
            "d": f"details.{name or 'x'}",
        },
        fold_into=name,
        left_out=("user_agent",),
        actions=("auth.login",),
        delivered_ids="t_ids",
    )
    assert table_map == again(table_map, tmp_path)


@pytest.mark.parametrize("name", ODD)
def test_remarks_are_comments_whatever_is_in_them(name: str) -> None:
    """No remark, and no column's name in one, can become a line of its own."""
    table_map = TableMap(table="t", columns={"a": "action"})
    text = write_toml(table_map, {"": [name], "a": [f"{name}\nb = 1"], name or "x": [name]})
    assert {"table": "t", "columns": {"a": "action"}} == tomllib.loads(text)


@pytest.mark.parametrize("value", [lambda event: 1, object(), {"a": object()}])
def test_what_no_file_can_hold_is_said(value: Any) -> None:
    """A function, or a constant without a form in TOML, is added in the program."""
    with pytest.raises(ConfigurationError, match="cannot") as caught:
        TableMap(table="t", columns={"a": {"constant": value} if not callable(value) else value}).to_toml()
    assert "with_columns" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table = ", "is no TOML"),
        ("", "lacks 'table'"),
        ('table = "t"', "lacks 'columns'"),
        ('tabel = "t"\n[columns]\na = "action"', "did you mean 'table'"),
        ("table = 1\n[columns]\n", "has table = 1"),
        ('table = "t"\nleft_out = "x"\n[columns]\na = "action"', "left_out is a list"),
        ('table = "t"\n[columns]\na = "acton"', "did you mean 'action'"),
        ('table = "t"\n[columns]\na = "billing"', "constant"),
        ('table = "t"\n[columns]\na = { frist = ["user_id"] }', "source of column 'a' cannot be read"),
        ('table = "t"\n[columns]\na = { merge = ["user_id"] }', "which is no object"),
        ('table = "t"\n[columns]\na = { merge = [1] }', "which no event has"),
        ('table = "t"\n[columns]\na = { first = 1 }', "source of column 'a' cannot be read"),
        ('table = "t"\n[columns]\na = { first = [] }', "source of column 'a' cannot be read"),
        ('table = "t"\n[columns]\na = []', "source of column 'a' cannot be read"),
        ('table = "t"\n[columns]\n', "has no columns"),
        ('table = "t"\nspelling = "klingon"\n[columns]\na = "action"', "no dialect 'klingon'"),
        ('table = "t"\nleft_out = ["acton"]\n[columns]\na = "action"', "did you mean 'action'"),
    ],
)
def test_a_slip_is_said_with_the_file_and_what_to_do(text: str, said: str, tmp_path: Path) -> None:
    """Every error names the file, the place in it, and the way out."""
    file = tmp_path / "my map.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        TableMap.load(file)
    assert (True, True, True) == (
        said in str(caught.value),
        "my map.toml" in str(caught.value),
        bool(caught.value.hint),
    )


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_said(content: bytes | None, tmp_path: Path) -> None:
    """A missing file, or one that is no text."""
    file = tmp_path / "map.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"map\.toml cannot be read"):
        TableMap.load(file)
