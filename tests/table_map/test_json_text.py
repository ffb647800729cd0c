"""JSON columns of text hold what Python programs write there, and columns of every count are filled."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async import TableMap, events
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.adapters import to_json
from audit_async.table_map.fitting import fit
from tests.table_map.side_by_side import entry_of

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(VALUES)
def test_json_is_written_as_python_programs_do(value: Any) -> None:
    """To the letter: numbers beyond 64 bits, control characters and other scripts too."""
    assert json.dumps(value, ensure_ascii=False) == to_json(value)


def test_what_json_has_no_word_for_is_text() -> None:
    """A constant of the program may be of any type; a function may return half a surrogate pair."""
    assert to_json({"a": uuid.UUID(int=1)}) == '{"a": "00000000-0000-0000-0000-000000000001"}'
    assert to_json("\ud800") == '"\ud800"'


@pytest.mark.parametrize("left_out", [(), ("details.secret",)])
@pytest.mark.parametrize(
    ("kind", "details"), [("json", '{"b": 1, "a": [1, "x,y:z"]}'), ("jsonb", '{"b":1,"a":[1,"x,y:z"]}')]
)
def test_details_arrive_in_their_own_order(kind: str, details: str, left_out: tuple[str, ...]) -> None:
    """With blanks where the text is kept, without where it is parsed; and without what the map leaves out."""
    made = row({"details": "details"}, {"details": kind}, details={"b": 1, "a": [1, "x,y:z"]}, left_out=left_out)
    assert {"details": details} == made
    event = {"b": 1, "secret": 5, "a": [1, "x,y:z"]}
    found = row({"details": "details"}, {"details": kind}, details=event, left_out=("details.secret",))
    assert {"details": details} == found


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_any_number_of_plain_columns(count: int) -> None:
    """None, one or several columns that take a field as it is, before or behind others."""
    plain = ["user_agent", "error_message", "description"][:count]
    columns = {"ok": "success", **{name: name for name in plain}}
    kinds = {"ok": "boolean", **dict.fromkeys(plain, "text")}
    fields: dict[str, Any] = {name: f"<{name}>" for name in plain}
    assert {"ok": True, **fields} == row(columns, kinds, **fields)


def test_an_optional_column_is_filled_where_it_is() -> None:
    """Where the table has it not, the others are filled; a map says so in its file."""
    table_map = TableMap(table="t", columns={"at": "created_at", "a": "action"}, optional=("at",))
    text = table_map.to_toml()
    assert 'optional = ["at"]' in text
    assert ("a",) == fit(table_map, table({"a": "text"})).columns
    assert {"a", "at"} == set(fit(table_map, table({"a": "text", "at": "timestamp with time zone"})).columns)


def row(
    columns: dict[str, Any], kinds: dict[str, str], left_out: tuple[str, ...] = (), **fields: Any
) -> dict[str, Any]:
    layout = fit(TableMap(table="t", columns=columns, left_out=left_out), table(kinds))
    return dict(zip(layout.columns, layout.row(entry_of(events.custom("x.y", **fields))), strict=True))


def table(kinds: dict[str, str]) -> InspectedTable:
    columns = tuple(InspectedColumn(name, kind, True, False) for name, kind in kinds.items())
    return InspectedTable(schema=None, name="t", dialect="postgresql", columns=columns)
