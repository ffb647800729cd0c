"""What our table has: its columns, in their order, and its key."""

from __future__ import annotations

from audit_async.inspection import InspectedTable

KEY = ("created_at", "id")
"""The order of the log. It begins with the time, so that new rows touch the index at one end only."""

COLUMNS: dict[str, str] = {
    "id": "text NOT NULL",
    "created_at": "time NOT NULL",
    "action": "text NOT NULL",
    "category": "text NOT NULL",
    "severity": "text NOT NULL",
    "outcome": "text NOT NULL",
    "description": "text",
    "actor_type": "text",
    "actor_id": "text",
    "actor_name": "text",
    "on_behalf_of": "text",
    "user_id": "text",
    "agent_id": "text",
    "api_key_id": "text",
    "tenant_id": "text",
    "organization_id": "text",
    "resource_type": "text",
    "resource_id": "text",
    "ip_address": "text",
    "user_agent": "text",
    "session_id": "text",
    "request_id": "text",
    "trace_id": "text",
    "span_id": "text",
    "status_code": "integer",
    "duration_ms": "double precision",
    "error_message": "text",
    "details": "json NOT NULL",
    "metadata": "json NOT NULL",
    "old_values": "json",
    "new_values": "json",
    "tags": "json NOT NULL",
    "writer_id": "text",
    "writer_seq": "bigint",
}
"""The columns that an entry fills, in its own order; each database adapts the types."""


def lacking(found: InspectedTable) -> tuple[str, ...]:
    """Return the columns of our table that *found* has not."""
    there = {column.name for column in found.columns}
    return tuple(name for name in COLUMNS if name not in there)


def is_ours(found: InspectedTable) -> bool:
    """Say whether *found* is our table: all its columns, and its key."""
    return not lacking(found) and found.primary_key == KEY


def unfit(found: InspectedTable) -> str | None:
    """Return what of a table with our columns is not as the rows need it, as a sentence; None when all is well."""
    for column in found.columns:
        wanted = COLUMNS.get(column.name)
        if wanted is None:
            if not column.is_nullable and not column.has_default and not column.is_generated:
                return f"column {column.name} must not be empty and has no default"
        elif (kind := wanted.removesuffix(" NOT NULL")) in _NUMBERS and not _NUMBERS[kind] & set(column.type.split()):
            return f"column {column.name} is of type {column.type}, and events have numbers there"
    return None


_INTEGERS = {"smallint", "integer", "bigint", "int", "int(11)", "integer(11)", "bigint(20)", "numeric"}
_NUMBERS = {"integer": _INTEGERS, "bigint": _INTEGERS, "double precision": {"double", "real", "float", "numeric"}}
"""What may stand for each: drivers convert between them, but no number into a text."""
