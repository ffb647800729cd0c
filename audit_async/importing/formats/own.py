"""Our own export, and whatever calls its fields as we do: JSON objects, or the rows of a table.

A field that is null, empty or absent is the same. What is no field of ours is folded into `details` under its own
name; who wrote an exported event, and when, into `metadata` under `origin`, since the import writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audit_async import events
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields
from audit_async.exports.lines import SEEN_WITH_OTHERS
from audit_async.importing.formats.format import Format, Mapped, Reading, RefusedError, moment_of, said
from audit_async.importing.records import parse_json
from audit_async.text import unused_name

FIELDS = frozenset({*EventFields.__annotations__, "action"})
"""That a column can be."""

_OBJECTS = ("details", "metadata", "old_values", "new_values")
ORIGIN = ("writer_id", "writer_seq", "recorded_at")
"""What an event has from the log that it was exported from, and gets anew in this one."""

_UNSEEN = rf"\s|[{SEEN_WITH_OTHERS}]|\\[tnr]|\\x[0-9a-f]{{2}}|\\u[0-9a-f]{{4}}|\\U[0-9a-f]{{8}}"
_FORMULA = re.compile(rf"\A'(?=\\[tnr]|[\t\r\n]|(?:{_UNSEEN})*[=+@＝＋＠﹦﹢﹫\-－﹣−])")
"""What an export puts before a cell that a spreadsheet would run."""

assert frozenset(AuditEvent.__struct_fields__) <= FIELDS | {*ORIGIN}


def read_object(body: Mapping[str, Any], reading: Reading) -> Mapped:
    """Return the event of an object with fields of ours."""
    named = {reading.columns.get(name, name): value for name, value in body.items() if value is not None}
    action = named.get("action")
    if not isinstance(action, str) or not action:
        raise RefusedError("it has no action")
    event_id, moment = reading.key_of(named.get("id"), moment_of(named.get("created_at"), reading.zone), body)
    fields = {name: value for name, value in named.items() if name in FIELDS and name != "action"}
    for name in _OBJECTS:
        if isinstance(fields.get(name), str):
            fields[name] = _parsed(fields[name])
    if isinstance(fields.get("tags"), str):
        tags = _parsed(fields["tags"])
        fields["tags"] = tags if isinstance(tags, list) else [fields["tags"]]
    others = said({name: value for name, value in named.items() if name not in FIELDS and name not in ORIGIN})
    if others:
        fields["details"] = _beside(fields.get("details"), others)
    origin = {name: named[name] for name in ORIGIN if name in named}
    if origin:
        fields["metadata"] = _beside(fields.get("metadata"), {"origin": origin})
    fields |= {"id": event_id, "created_at": moment}
    if fields.get("tenant_id") in (None, ""):
        fields["tenant_id"] = reading.tenant_id
    return Mapped(event=events.custom(action, **fields), operation=action, folded=(*others, *origin))


def _read_row(body: Mapping[str, Any], reading: Reading) -> Mapped:
    """Read a row, in which everything is text."""
    cells = {name: _FORMULA.sub("", cell, count=1) for name, cell in body.items() if cell != ""}
    for name, column in {reading.columns.get(name, name): name for name in cells}.items():
        if name == "duration_ms":
            cells[column] = _number(cells[column])
    return read_object(cells, reading)


JSONL = Format(
    name="jsonl",
    about="our own export, or any JSON objects whose names are those of our fields",
    read=read_object,
    has_columns=True,
)
CSV = Format(
    name="csv",
    about="our own export, or any table whose columns are fields of ours, or are named to be",
    read=_read_row,
    header_mark=b"",
    has_columns=True,
)


def _parsed(text: str) -> Any:
    try:
        return parse_json(text.encode("utf-8", "replace"))
    except ValueError:
        return text


def _beside(given: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return *given*, an object or what stands in its place, with *others*, which never replace what is there."""
    kept = dict(given) if isinstance(given, dict) else {} if given is None else {"value": given}
    for name, value in others.items():
        kept[unused_name(name, kept, {})] = value
    return kept


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell
