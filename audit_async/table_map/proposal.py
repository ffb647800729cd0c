"""A first map for a table, from what its columns are called and what they take."""

from __future__ import annotations

import re
from typing import Any

from audit_async.errors import ConfigurationError
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.kinds import Kind, kind_of

# The names seen in the field, most telling first. Where one means two things the column's type decides.
_NAMES = """
id               id event_id uuid audit_id log_id audit_log_id guid
created_at       created_at occurred_at happened_at event_time timestamp logged_at created created_on created_time
                 time ts datetime date_time event_date action_time login_time at
action           action event_type action_type event_name operation activity event action_name verb op type
description      description message summary msg text comment note title
user_id          user_id userid uid account_id member_id principal_id performed_by created_by changed_by
actor_id         actor_id actor employee_id operator_id staff_id who subject_id
actor_name       actor_name user_name username operator user_email email actor_email login full_name
actor_type       actor_type user_type principal_type actor_kind
on_behalf_of     on_behalf_of impersonator_id impersonated_by granted_by
agent_id         agent_id bot_id
api_key_id       api_key_id apikey_id key_id token_id
resource_type    resource_type entity_type object_type target_type resource entity object_name target table_name model
                 auditable_type item_type subject_type content_type
resource_id      resource_id entity_id object_id target_id record_id auditable_id item_id row_id object_pk
ip_address       ip_address ip client_ip remote_addr source_ip ip_addr remote_ip
user_agent       user_agent useragent ua browser
session_id       session_id session
request_id       request_id correlation_id req_id
trace_id         trace_id
span_id          span_id
tenant_id        tenant_id tenant workspace_id customer_id
organization_id  organization_id organisation_id org_id company_id team_id
severity         severity level priority risk_level
category         category event_category
success          success is_success succeeded successful ok
outcome          outcome result status
status_code      status_code http_status response_code response_status
duration_ms      duration_ms duration latency_ms elapsed_ms
error_message    error_message error failure_reason reason exception
old_values       old_values before before_data old_data old_value previous_values old
new_values       new_values after after_data new_data new_value current_values new
details          details detail data payload event_data extra context properties attributes body info changes
metadata         metadata meta event_metadata extra_data additional_data
tags             tags labels
"""

_SYNONYMS: dict[str, list[str]] = {}
for _line in re.sub(r"\n +", " ", _NAMES.strip()).splitlines():
    _path, *_names = _line.split()
    _SYNONYMS[_path] = _names

_OBJECTS = ("details", "metadata", "old_values", "new_values")
_FITTING = {
    "created_at": {"moment", "date"},
    "success": {"bool"},
    "status_code": {"int"},
    "duration_ms": {"int", "float", "decimal"},
    "tags": {"json", "array", "text"},
    **{path: {"json", "text"} for path in _OBJECTS},
}
"""Kinds of columns that a path is proposed for; any but these and the impossible ones for the others."""

_NEVER_TEXT = {"moment", "date", "bool", "json", "bytes", "array"}
_ALSO = {
    "user_id": ["user_id", "actor_id"],
    "actor_id": ["actor_id", "user_id"],
    "actor_name": ["actor_name", "actor_id", "user_id"],
    "description": ["description", "action"],
    "resource_type": ["resource_type", "family"],
}
"""What stands in where a column must not be empty, or is the only one of its sort."""

_OTHERWISE = {"user_id": "system", "actor_id": "system", "actor_name": "system"}


def propose(found: InspectedTable) -> dict[str, Any]:
    """Return the arguments of a `TableMap` for *found*.

    Raises:
        ConfigurationError: there is no such table, or neither action nor time can be recognised in it.
    """
    name = f"{found.schema}.{found.name}" if found.schema else found.name
    if not found.exists:
        raise ConfigurationError(f"there is no table {name} to map", hint="correct its name, or the URL")
    paths = _recognised(found)
    if "action" not in paths.values():
        raise ConfigurationError(
            f"no column of {name} ({', '.join(column.name for column in found.columns)}) looks like an action",
            hint="write the map by hand: TableMap(table=..., columns={'...': 'action', ...})",
        )
    columns: dict[str, Any] = {}
    for column in found.columns:
        if column.name in paths:
            columns[column.name] = _source(column, paths[column.name], paths, kind_of(column, found.dialect))
    return {"table": name, "columns": columns, "fold_into": _fold_into(found, paths)}


def _recognised(found: InspectedTable) -> dict[str, str]:
    """Return column to path, each path once; a name that is more telling wins."""
    chosen: dict[str, str] = {}
    columns = {_snake(column.name): column for column in reversed(found.columns)}
    for path, names in _SYNONYMS.items():
        for name in names:
            column = columns.get(name)
            if column is None or column.name in chosen or column.is_generated:
                continue
            if _takes(column, path, kind_of(column, found.dialect)):
                chosen[column.name] = path
                break
    return chosen


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).casefold().replace("-", "_").replace(" ", "_")


def _takes(column: InspectedColumn, path: str, kind: Kind) -> bool:
    if path == "id":
        # A number is the database's own to give.
        return kind.name in ("uuid", "text", "other")
    if path in _FITTING:
        is_short = kind.name == "text" and kind.chars is not None and path in (*_OBJECTS, "tags")
        return kind.name in _FITTING[path] and not is_short
    if path in ("user_id", "actor_id", "agent_id", "api_key_id", "resource_id", "tenant_id", "organization_id"):
        return kind.name not in _NEVER_TEXT
    if path == "ip_address":
        return kind.name in ("address", "text", "other")
    return kind.name in ("text", "enum", "other", "uuid")


def _source(column: InspectedColumn, path: str, paths: dict[str, str], kind: Kind) -> Any:
    """Return the source for *column*: the path, and where it must not be empty what stands in for it."""
    if path == "outcome" and kind.name == "bool":
        return "success"
    others = [also for also in _ALSO.get(path, [path]) if also == path or also not in paths.values()]
    if path in ("description", "resource_type", "user_id") and column.is_nullable:
        # A user's column may point to a table of users, in which no other actor stands.
        others = [path]
    elif path in ("description", "resource_type"):
        others = _ALSO[path]
    otherwise = _OTHERWISE.get(path) if not column.is_nullable and kind.name == "text" else None
    if otherwise is not None:
        return {"first": others, "otherwise": otherwise}
    return others if len(others) > 1 else path


def _fold_into(found: InspectedTable, paths: dict[str, str]) -> str | None:
    """Return the column that takes what has none: details before metadata, JSON before text."""
    by_path = {path: column for column, path in paths.items()}
    candidates = [by_path[path] for path in ("details", "metadata") if path in by_path]
    json_first = sorted(candidates, key=lambda name: kind_of(_column(found, name), found.dialect).name != "json")
    return json_first[0] if json_first else None


def _column(found: InspectedTable, name: str) -> InspectedColumn:
    return next(column for column in found.columns if column.name == name)
