"""Which column holds what of an entry: in our own table, and in the six-column one found in the field.

    id, action, details, agent_id, user_id, created_at

Of that one the actions keep their old spelling, and what has no column is folded into `details`, so that
nothing is lost in silence. What its own writers would have written is written the same, to the letter.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError
from audit_async.events.dialects import spell, term_of
from audit_async.events.event import SPELLING_KEY
from audit_async.events.vocabulary import FAILED, Outcome
from audit_async.inspection import InspectedColumn, InspectedTable, TableName
from audit_async.table_map.layout import Layout, Row

SIX_COLUMNS = ("id", "action", "details", "agent_id", "user_id", "created_at")

_ID_NAMESPACE = uuid.UUID("6b0f3f5e-8a53-5c0e-9a55-2f6d1f0a7c11")
"""For ids that are no UUIDs, where the column takes nothing else: one id always becomes the same UUID."""

_FOLDED = (
    *("description", "actor_type", "actor_id", "actor_name", "on_behalf_of", "api_key_id", "ip_address"),
    *("user_agent", "session_id", "request_id", "trace_id", "span_id", "status_code", "duration_ms"),
)
_FOLDED_OBJECTS = ("old_values", "new_values", "tags")

Adapter = Callable[[str], Any]
"""Turns an id into what its column takes; raises ValueError when it cannot be one."""


def six_columns(found: InspectedTable, name: TableName) -> Layout:
    columns = {column.name: column for column in found.columns}
    unfilled = [
        column.name
        for column in found.columns
        if column.name not in SIX_COLUMNS and not column.is_nullable and not column.has_default
    ]
    missing = [column for column in SIX_COLUMNS if column not in columns]
    if missing or unfilled:
        raise ConfigStoreError(
            f"table {name} ({', '.join(columns)}) is not one we know: "
            + (f"it lacks {', '.join(missing)}" if missing else f"{', '.join(unfilled)} must not be empty"),
            hint="name another table by table=, and make it with `audit-async init`",
        )
    keys = {found.primary_key, *found.unique_keys} - {()}
    if ("id",) not in keys:
        raise ConfigStoreError(
            f"table {name} has no unique key on id, so that a repeated row could not be recognised",
            hint=f"ALTER TABLE {name} ADD PRIMARY KEY (id)",
        )
    return Layout(
        name="clawith",
        table=name,
        columns=SIX_COLUMNS,
        key=("id",),
        row=_SixColumnRow(found).make,
        has_other_keys=len(keys) > 1,
    )


class _SixColumnRow:
    """Makes rows for the types that the six columns really have."""

    def __init__(self, found: InspectedTable) -> None:
        columns = {column.name: column for column in found.columns}
        self._id = _id_adapter(columns["id"], found.dialect)
        self._agent_id = _id_adapter(columns["agent_id"], found.dialect)
        self._user_id = _id_adapter(columns["user_id"], found.dialect)
        self._created_at = _time_adapter(columns["created_at"], found.dialect)
        self._action_chars = _max_chars(columns["action"].type)

    def make(self, entry: Entry) -> Row:
        details = _folded_details(entry)
        return (
            self._row_id(entry.id, details),
            self._action(entry, details),
            # The fields are in their places now, since the adapters above and below add to the details.
            *self._ids_and_details(entry, details),
            self._created_at(entry.created_at),
        )

    def _ids_and_details(self, entry: Entry, details: dict[str, Any]) -> tuple[str, Any, Any]:
        agent_id = _adapted(self._agent_id, entry.agent_id, "agent_id", details)
        user_id = _adapted(self._user_id, entry.user_id, "user_id", details)
        return json.dumps(details, ensure_ascii=False), agent_id, user_id

    def _row_id(self, event_id: str, details: dict[str, Any]) -> Any:
        try:
            return self._id(event_id)
        except ValueError:
            _fold(details, "event_id", event_id)
            return self._id(str(uuid.uuid5(_ID_NAMESPACE, event_id)))

    def _action(self, entry: Entry, details: dict[str, Any]) -> str:
        action = _spelling(entry)
        if self._action_chars is not None and len(action) > self._action_chars:
            _fold(details, "action", action)
            return action[: self._action_chars]
        return action


def _spelling(entry: Entry) -> str:
    given = entry.objects("metadata").get(SPELLING_KEY) if len(entry.metadata) > 2 else None
    return spell(entry.action, Outcome(entry.outcome), "clawith", given if isinstance(given, str) else None)


def _folded_details(entry: Entry) -> dict[str, Any]:
    """Return the details, then tenant and organization, then what else is set and not said yet."""
    details = entry.objects("details")
    own = dict(details)
    for name in ("tenant_id", "organization_id"):
        value = getattr(entry, name)
        if value:
            # The table's readers filter tenants by this key: the caller's own gives way here, and is kept.
            details[name] = value
            if name in own and str(own[name]) != value:
                _fold(details, name, own[name])
    for name in _FOLDED:
        value = getattr(entry, name)
        if value is not None:
            _fold(details, name, value)
    if entry.error_message and "error" not in own:
        _fold(details, "error_message", entry.error_message)
    _fold_resource(entry, own, details)
    _fold_verdicts(entry, own, details)
    _fold_objects(entry, details)
    return details


def _fold_resource(entry: Entry, own: dict[str, Any], details: dict[str, Any]) -> None:
    """Fold the resource, unless it repeats what the builders of tenants, agents and roles took it from."""
    kind, resource = entry.resource_type, entry.resource_id
    role = own.get("role_name")
    repeats = {
        "tenant": entry.tenant_id,
        "agent": entry.agent_id,
        "role": None if role is None else str(role),
    }
    if kind in repeats and repeats[kind] == resource:
        return
    if kind is not None:
        _fold(details, "resource_type", kind)
    if resource is not None:
        _fold(details, "resource_id", resource)


def _fold_verdicts(entry: Entry, own: dict[str, Any], details: dict[str, Any]) -> None:
    """Fold outcome, category and severity where spelling and details do not lead back to them."""
    implied = term_of(_spelling(entry)).outcome
    if implied is None:
        implied = Outcome.SUCCESS if own.get("success", True) else Outcome.FAILURE
    if entry.outcome != implied:
        _fold(details, "outcome", entry.outcome)
    term = term_of(entry.action)
    if entry.category != term.category:
        _fold(details, "category", entry.category)
    if entry.severity != (term.severity_failed if entry.outcome in FAILED else term.severity):
        _fold(details, "severity", entry.severity)


def _fold_objects(entry: Entry, details: dict[str, Any]) -> None:
    for name in _FOLDED_OBJECTS:
        raw = getattr(entry, name)
        if len(raw) > 2:
            _fold(details, name, msgspec.json.decode(raw))
    if len(entry.metadata) > 2:
        metadata = entry.objects("metadata")
        metadata.pop(SPELLING_KEY, None)
        if metadata:
            _fold(details, "metadata", metadata)


def _fold(details: dict[str, Any], name: str, value: Any) -> None:
    """Add *value* under *name*, or under `name#2` and so on where the caller has a key of that name."""
    free, number = name, 2
    while free in details:
        if details[free] == value:
            return
        free, number = f"{name}#{number}", number + 1
    details[free] = value


def _adapted(adapter: Adapter, value: str | None, name: str, details: dict[str, Any]) -> Any:
    if value is None:
        return None
    try:
        return adapter(value)
    except ValueError:
        _fold(details, name, value)
        return None


def _id_adapter(column: InspectedColumn, dialect: str) -> Adapter:
    """Return how an id becomes a value of *column*; four cases."""
    if column.type == "uuid":
        return uuid.UUID if dialect == "postgresql" else lambda value: str(uuid.UUID(value))
    if column.type in ("char(32)", "character(32)"):
        return lambda value: uuid.UUID(value).hex
    if "int" in column.type:
        if column.name == "id":
            raise ConfigStoreError(
                f"column id is of type {column.type}, and events have ids of text",
                hint="name another table by table=, and make it with `audit-async init`",
            )
        return int
    limit = _max_chars(column.type)
    return str if limit is None else lambda value: _fitting(value, limit)


def _fitting(value: str, limit: int) -> str:
    if len(value) > limit:
        raise ValueError("too long for its column")
    return value


def _max_chars(kind: str) -> int | None:
    found = re.search(r"char[a-z ]*\((\d+)\)", kind)
    return int(found.group(1)) if found else None


def _time_adapter(column: InspectedColumn, dialect: str) -> Callable[[datetime], Any]:
    if dialect == "sqlite":
        return lambda moment: moment.isoformat(" ")
    if "without time zone" in column.type:
        return lambda moment: moment.astimezone(UTC).replace(tzinfo=None)
    return lambda moment: moment
