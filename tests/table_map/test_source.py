"""What a column can be filled from, as people write it."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import TableMap
from audit_async.errors import ConfigurationError
from audit_async.table_map.source import Constant, Field, First, Function, Merge, read_source, written

READ = [
    ("user_id", Field("user_id")),
    ("success", Field("success")),
    ("details.a.b", Field("details.a.b")),
    ("event", Field("event")),
    ("billing", Constant("billing")),
    ("", Constant("")),
    (7, Constant(7)),
    (None, Constant(None)),
    (["actor_id", "user_id"], First(("actor_id", "user_id"))),
    (("actor_id",), First(("actor_id",))),
    ({"first": ["actor_id"], "otherwise": "system"}, First(("actor_id",), "system")),
    ({"first": "actor_id", "otherwise": 0}, First(("actor_id",), 0)),
    ({"merge": ["details", "metadata"]}, Merge(("details", "metadata"))),
    ({"constant": "user_id"}, Constant("user_id")),
    ({"constant": ["a"]}, Constant(["a"])),
]


@pytest.mark.parametrize(("given", "expected"), READ)
def test_each_way_of_writing_a_source_is_read(given: Any, expected: Any) -> None:
    """A path, several, objects together, a constant: and what was read is read again as itself."""
    assert expected == read_source("c", given) == read_source("c", expected)


@pytest.mark.parametrize("expected", [source for _, source in READ])
def test_what_is_written_for_a_file_is_read_from_it(expected: Any) -> None:
    """`written` and `read_source` are each other's inverse."""
    assert expected == read_source("c", written("c", expected), is_file=True)


def test_a_function_is_a_function() -> None:
    """Whatever can be called is called with the event."""
    assert Function(str) == read_source("c", str)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("user_idd", "did you mean 'user_id'"),
        ("succes", "did you mean 'success'"),
        ("detials", "did you mean 'details'"),
        ("user_id.x", "which no event has"),
        ("details.", "which no event has"),
        (["user_id", "nope"], "'nope'"),
        ([], "cannot be read"),
        ([1], "which no event has"),
        ({}, "cannot be read"),
        ({"first": []}, "cannot be read"),
        ({"first": None}, "cannot be read"),
        ({"first": ["user_id"], "otherwhise": 1}, "cannot be read"),
        ({"merge": []}, "cannot be read"),
        ({"merge": ["tags"]}, "which is no object"),
        ({"constant": 1, "first": ["user_id"]}, "cannot be read"),
    ],
)
def test_a_slip_is_an_error_at_once(given: Any, said: str) -> None:
    """A text that nearly is a path is not taken for a constant; the column and the way out are named."""
    with pytest.raises(ConfigurationError) as caught:
        TableMap(table="t", columns={"colour": given})
    assert (True, True, True) == (said in str(caught.value), "'colour'" in str(caught.value), bool(caught.value.hint))


def test_maps_are_values(tmp_path: Any) -> None:
    """A map that is changed is another one; two alike are equal."""
    one = TableMap(table="t", columns={"a": "action"})
    assert one == TableMap(table="t", columns={"a": Field("action")})
    assert {"a", "b"} == set(one.with_columns({"b": "user_id"}).columns)
    assert ({"a"}, "u") == (set(one.with_columns({"b": 1}).without_columns("b").columns), one.on_table("u").table)
