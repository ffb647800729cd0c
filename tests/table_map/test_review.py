"""What columns and keys alone say about a map."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import TableMap
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.review import key_of, other_keys_of, review

ALL_NEEDED = {"id": "text", "at": "timestamptz", "action": "text", "data": "jsonb"}


def table(
    keys: tuple[tuple[str, ...], ...] = (("id",),),
    nullable: tuple[str, ...] = (),
    defaults: tuple[str, ...] = (),
    **types: str,
) -> InspectedTable:
    columns = tuple(
        InspectedColumn(name, kind, name in nullable, name in defaults)
        for name, kind in {**ALL_NEEDED, **types}.items()
    )
    primary, *unique = keys or ((),)
    return InspectedTable(
        schema=None, name="t", dialect="postgresql", columns=columns, primary_key=primary, unique_keys=tuple(unique)
    )


def mapped(**columns: Any) -> TableMap:
    sources = {"id": "id", "at": "created_at", "action": "action", "data": "details", **columns}
    return TableMap(table="t", columns=sources, fold_into="data")


def said(table_map: TableMap, found: InspectedTable, level: str, *words: str) -> list[str]:
    return [
        finding.column
        for finding in review(table_map, found)
        if finding.level == level and all(word in finding.message for word in words)
    ]


@pytest.mark.parametrize(
    ("kind", "source", "level", "words"),
    [
        ("integer", "id", "error", ("events have ids of text",)),
        ("integer", "user_id", "warning", ("a user_id that is no integer of 32 bits refuses the event",)),
        (
            "integer",
            {"first": ["user_id"], "otherwise": 0},
            "info",
            ("gives its place to the constant", "in data whole"),
        ),
        ("varchar(20)", {"first": ["user_id"], "otherwise": ""}, "info", ("more than 20 characters is cut",)),
        ("text", "user_id", "warning", ("must not be empty: events without user_id are refused",)),
        ("text", ["user_id", "actor_id"], "warning", ("events without user_id or actor_id are refused",)),
        ("integer", {"constant": "x"}, "error", ("does not take the constant 'x'",)),
        ("integer", {"first": ["status_code"], "otherwise": "x"}, "error", ("does not take the constant 'x'",)),
        ("date", "created_at", "warning", ("keeps the day only",)),
        ("timestamp(0)", "created_at", "info", ("whole seconds",)),
        ("point", {"first": ["user_id"], "otherwise": "(0,0)"}, "info", ("is not known here", "gives its place")),
        ("text", lambda event: 1, "info", ("filled by a function",)),
    ],
)
def test_what_becomes_of_values_is_said_by_the_column(
    kind: str, source: Any, level: str, words: tuple[str, ...]
) -> None:
    """Of a column that must not be empty: what does not fit is refused, cut, or gives its place to a constant."""
    assert ["extra"] == said(mapped(extra=source), table(extra=kind), level, *words)


@pytest.mark.parametrize(
    ("keys", "nullable", "columns", "expected"),
    [
        ((("id",),), (), {}, ("id",)),
        ((("at", "id"),), (), {}, ("at", "id")),
        ((("id", "at"),), (), {}, ("at", "id")),
        ((("at", "id"), ("id",)), (), {}, ("id",)),
        ((("tenant", "id"),), (), {"tenant": {"constant": "x"}}, ("tenant", "id")),
        ((("tenant", "at", "id"),), (), {"tenant": {"first": ["tenant_id"], "otherwise": ""}}, ("tenant", "at", "id")),
        ((("tenant", "id"),), ("tenant",), {"tenant": "tenant_id"}, ()),
        ((("tenant", "id"),), (), {"tenant": lambda event: "x"}, ()),
        ((("tenant", "id"),), (), {}, ()),
        ((("at",),), (), {}, ()),
        ((), (), {}, ()),
    ],
)
def test_a_row_is_recognised_by_a_key_that_has_its_id(
    keys: tuple[tuple[str, ...], ...], nullable: tuple[str, ...], columns: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """The other columns of the key have to be filled, and with the same each time; the id comes last."""
    found = table(keys, nullable, tenant="text")
    assert expected == key_of(mapped(**columns), found)
    assert bool(expected) != bool(said(mapped(**columns), found, "warning", "no unique column for an event's id"))


@pytest.mark.parametrize(
    ("keys", "defaults", "nullable", "expected"),
    [
        ((("id",), ("action",)), (), (), [("action",)]),
        ((("id",), ()), (), (), [()]),
        ((("number", "at"), ("id",)), ("number",), (), []),
        ((("number",), ("id",)), ("number",), (), []),
        ((("id",), ("number", "at")), (), ("number",), []),
        ((("id",), ("number", "at")), ("number",), (), [("number", "at")]),
        ((("id",), ("id", "at")), (), (), [("id", "at")]),
    ],
)
def test_other_keys_are_those_that_rows_of_ours_can_violate(
    keys: tuple[tuple[str, ...], ...], defaults: tuple[str, ...], nullable: tuple[str, ...], expected: list[Any]
) -> None:
    """A key with a column that the database numbers, or leaves empty, is never in the way."""
    assert expected == other_keys_of(mapped(), table(keys, nullable, defaults, number="integer"))


def test_an_own_action_is_named_with_the_nearest_known() -> None:
    """A map that takes an action which nobody logs gets no event: a slip there is told."""
    table_map = TableMap(table="t", columns={"id": "id"}, actions=("auth.logn", "auth.login"))
    [finding] = [each for each in review(table_map, table(keys=(("id",),))) if "actions" in each.message]
    assert ("info", True) == (finding.level, "did you mean 'auth.login'" in finding.message)


def test_findings_come_errors_first() -> None:
    """Whoever reads but the first line reads what matters most."""
    levels = [
        finding.level for finding in review(mapped(extra="user_id"), table(extra="integer", other="text", keys=()))
    ]
    assert sorted(levels, key=["error", "warning", "unknown", "info"].index) == levels
    assert {"error", "warning", "info"} == set(levels)


def test_a_tenants_column_that_takes_other_ids_is_told() -> None:
    """Whoever reads a tenant's events there would see those of an organization of the same id."""
    found = table(whose="text", nullable=("whose",))
    assert ["whose"] == said(mapped(whose=["tenant_id", "organization_id"]), found, "warning", "readers of a tenant")
    assert [] == said(mapped(whose="tenant_id"), found, "warning", "readers of a tenant")


def test_a_text_takes_nothing_that_is_folded() -> None:
    """What has no column goes into an object: a column that is filled from a text cannot take it."""
    notes = TableMap(table="t", columns={"id": "id", "at": "created_at", "data": "description"}, fold_into="data")
    assert ["data"] == said(notes, table(), "error", "from description, which is no object")
    assert [] == said(mapped(), table(), "error", "no object")
