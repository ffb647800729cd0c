"""Rows are made many at once, a column after the other; each is the one that its entry gets alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from audit_async import TableMap, events
from audit_async.config import MAPPED_ROWS
from audit_async.entry import Entry
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.rows import MappedRows
from tests.table_map.side_by_side import entry_of

KINDS = {
    "who": "integer",
    "named": "character varying(8)",
    "kind": "text",
    "said": "text",
    "before": "json",
    "more": "json",
    "at": "timestamp with time zone",
}
COLUMNS: dict[str, Any] = {
    "who": "user_id",
    "named": "actor_name",
    "kind": ["resource_type", "family"],
    "said": {"first": ["description"], "otherwise": "nothing"},
    "before": "old_values",
    "more": "details",
    "at": "created_at",
}


def rows_of(made: list[Entry], **arguments: Any) -> list[dict[str, Any]]:
    columns = tuple(InspectedColumn(name, kind, True, False) for name, kind in KINDS.items())
    found = InspectedTable(schema=None, name="t", dialect="postgresql", columns=columns)
    rows = MappedRows(TableMap(table="t", columns=COLUMNS, fold_into="more", **arguments), found, ())
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.make(made)]


def several() -> list[Entry]:
    """Return entries of which every other one has something that the next one has not."""
    made = []
    for number in range(2 * MAPPED_ROWS + 1):
        fields: dict[str, Any] = {"user_id": ("7", "u-7", None, "9" * 31)[number % 4]}
        fields |= {"actor_name": ("Eve", "Alexandra", None)[number % 3], "tenant_id": ("acme", None)[number % 2]}
        fields |= {"resource_type": (None, "user")[number % 5 > 2], "description": (None, "done", None)[number % 3]}
        fields |= {
            "old_values": {"a": number} if number % 7 == 0 else None,
            "status_code": number if number % 2 else None,
        }
        details = {"n": number, "secret": 1, "tenant_id": "theirs"} if number % 3 else {}
        made.append(entry_of(events.custom("x.y", details=details, **fields), number + 1))
    return made


def test_rows_made_at_once_are_those_made_alone() -> None:
    """Misfits, empty objects, what is left out and what stands in for nothing: each stays with its own row."""
    made = several()
    for arguments in ({}, {"left_out": ("details.secret", "tenant_id")}, {"spelling": "aether"}):
        assert [rows_of([each], **arguments)[0] for each in made] == rows_of(made, **arguments)


def test_an_id_that_is_no_number_is_folded() -> None:
    """Beside one that is; and so is a number that no column holds."""
    words, number, long = (entry_of(events.custom("x.y", user_id=user)) for user in ("u-7", "7", "9" * 31))
    rows = rows_of([words, number, long])
    assert [None, 7, None] == [row["who"] for row in rows]
    assert ["u-7", None, "9" * 31] == [json.loads(row["more"]).get("user_id") for row in rows]


def test_of_nothing_come_no_rows() -> None:
    """As little as of no entry there is a row."""
    assert [] == rows_of([])


def test_a_number_below_nothing_fits_no_column_without_a_sign() -> None:
    """Where it is the first of several it is not taken as it is, since the database refuses it."""
    columns = (InspectedColumn("code", "int unsigned", True, False), InspectedColumn("more", "json", True, False))
    found = InspectedTable(schema=None, name="t", dialect="mysql", columns=columns)
    for source in ("status_code", {"first": ["status_code"], "otherwise": 0}):
        rows = MappedRows(TableMap(table="t", columns={"code": source, "more": "details"}, fold_into="more"), found, ())
        (row,) = rows.make([entry_of(events.custom("x.y", status_code=-5))])
        made = dict(zip(rows.columns, row, strict=True))
        assert made["code"] in (None, 0)
        assert -5 == json.loads(made["more"])["status_code"]


def test_an_event_that_was_made_without_a_builder_has_its_row() -> None:
    """It may have nothing where others have an object, or tags that are no texts."""
    for name, value in (("metadata", None), ("tags", None), ("tags", [["a"]]), ("details", None)):
        entry = entry_of(msgspec.structs.replace(events.custom("x.y", user_id="7"), **{name: value}))
        for arguments in ({}, {"spelling": "enclava"}):
            (row,) = rows_of([entry], **arguments)
            assert 7 == row["who"]
    assert () == entry_of(msgspec.structs.replace(events.custom("x.y"), tags=None)).event().tags
