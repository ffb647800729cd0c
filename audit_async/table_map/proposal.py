"""A first map for a table, from what its columns are called and what they take."""

from __future__ import annotations

import re
from typing import Any

from audit_async.errors import ConfigurationError
from audit_async.events.vocabulary import Category, Outcome, Severity
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.table_map.adapters import UnfitError, adapter
from audit_async.table_map.kinds import Kind, kind_of

# The names seen in the field, most telling first. Where one means two things the column's type decides.
_NAMES = """
id               id event_id uuid audit_id log_id audit_log_id guid
created_at       created_at occurred_at happened_at performed_at event_time event_ts event_timestamp timestamp logged_at
                 log_time created created_on created_time date_created creation_date time ts datetime date_time
                 event_date event_datetime action_time login_time at
action           action event_type action_type event_name operation activity event action_name verb op type
description      description message summary msg text comment note title
user_id          user_id userid uid account_id member_id principal_id performed_by created_by changed_by
actor_id         actor_id actor employee_id operator_id staff_id author_id causer_id whodunnit who subject_id
actor_name       actor_name user_name username operator user_email email actor_email author_name login full_name
actor_type       actor_type user_type principal_type actor_kind
on_behalf_of     on_behalf_of impersonator_id impersonated_by granted_by
agent_id         agent_id bot_id
api_key_id       api_key_id apikey_id key_id token_id
resource_type    resource_type entity_type object_type target_type resource entity object_name target table_name model
                 auditable_type item_type subject_type content_type
resource_id      resource_id entity_id object_id object_pk target_id record_id auditable_id item_id row_id
ip_address       ip_address ip client_ip remote_addr remote_address source_ip ip_addr remote_ip source_ip_address
user_agent       user_agent useragent ua browser
session_id       session_id session
request_id       request_id request_uuid correlation_id req_id cid
trace_id         trace_id
span_id          span_id
tenant_id        tenant_id tenant workspace_id customer_id realm_id
organization_id  organization_id organisation_id org_id company_id team_id
severity         severity level priority risk_level
category         category event_category
success          success is_success succeeded successful ok success_flag
outcome          outcome result status
status_code      status_code http_status response_code response_status status
duration_ms      duration_ms duration latency_ms elapsed_ms
error_message    error_message error failure_reason reason exception
old_values       old_values before before_data old_data old_value previous_values old
new_values       new_values after after_data new_data new_value current_values new
details          details detail data payload event_data event_detail event_details extra context properties attributes
                 details_json detail_json details_json_long_value body info params parameters
metadata         metadata meta event_metadata extra_data additional_data
tags             tags labels
"""

_SYNONYMS: dict[str, list[str]] = {}
for _line in re.sub(r"\n +", " ", _NAMES.strip()).splitlines():
    _path, *_names = _line.split()
    _SYNONYMS[_path] = _names

_OBJECTS = ("details", "metadata", "old_values", "new_values")
_FITTING = {
    "created_at": {"moment", "date", "int", "float", "text"},
    "success": {"bool"},
    "status_code": {"int"},
    "duration_ms": {"int", "float", "decimal"},
    "tags": {"json", "array", "text"},
    **{path: {"json", "text"} for path in _OBJECTS},
}
"""Kinds of columns that a path is proposed for; any but these and the impossible ones for the others."""

_IDS = ("user_id", "actor_id", "agent_id", "api_key_id", "resource_id", "tenant_id", "organization_id")
_NEVER_TEXT = {"moment", "date", "bool", "json", "bytes", "array"}
_WORDS = {"category": Category, "severity": Severity, "outcome": Outcome}
_CHANGES = ("changes", "audited_changes", "object_changes", "change_message")
_LEAST_ACTION_CHARS = 16
"""Of an action's column: one with fewer holds a code, such as I, U and D."""

_ISO_CHARS = 32
"""Of a time as text, with microseconds and its zone."""

_PAIRS = {"resource_type": "resource_id", "actor_type": "actor_id"}
_PREFIX = re.compile(r"^(?:audit|log|event|evt|entry|record)_(?=.)")
_ALSO = {
    "user_id": ["user_id", "actor_id"],
    "actor_id": ["actor_id", "user_id"],
    "actor_name": ["actor_name", "actor_id", "user_id"],
    "description": ["description", "action"],
    "resource_type": ["resource_type", "family"],
}
"""What stands in where a column must not be empty, or is the only one of its sort."""

_ACTORS = ("user_id", "actor_id", "actor_name")
_ALWAYS_SET = (
    "id",
    "created_at",
    "action",
    "category",
    "severity",
    "outcome",
    "success",
    "details",
    "metadata",
    "tags",
)


def propose(found: InspectedTable) -> dict[str, Any]:
    """Return the arguments of a `TableMap` for *found*.

    Raises:
        ConfigurationError: there is no such table, or nothing in it looks like an audit log's.
    """
    name = f"{found.schema}.{found.name}" if found.schema else found.name
    if not found.exists:
        raise ConfigurationError(f"there is no table {name} to map", hint="correct its name, or the URL")
    paths = _recognised(found)
    fold_into = _fold_into(found, paths)
    if "action" not in paths.values() and (fold_into is None or "created_at" not in paths.values()):
        raise ConfigurationError(
            f"no column of {name} ({', '.join(column.name for column in found.columns)}) looks like an action",
            hint="write the map by hand: TableMap(table=..., columns={'...': 'action', ...})",
        )
    columns: dict[str, Any] = {}
    for column in found.columns:
        if column.name in paths:
            columns[column.name] = _source(column, paths[column.name], paths, kind_of(column, found.dialect))
    return {"table": name, "columns": columns, "fold_into": fold_into}


def _recognised(found: InspectedTable) -> dict[str, str]:
    """Return column to path, each path once; a name that is more telling wins."""
    columns = {_snake(column.name): column for column in reversed(found.columns) if not column.is_generated}
    chosen = _pairs(found, columns)
    # In a second round, names behind a word that says no more than the table's name.
    bare = {_PREFIX.sub("", name): column for name, column in columns.items() if _PREFIX.match(name)}
    for by_name in (columns, bare):
        for path, names in _SYNONYMS.items():
            if path in chosen.values():
                continue
            for name in names:
                column = by_name.get(name)
                if column is None or column.name in chosen:
                    continue
                if _takes(column, path, kind_of(column, found.dialect)):
                    chosen[column.name] = path
                    break
    if not {"details", "metadata"} & set(chosen.values()):
        chosen |= _place_for_details(found, columns, chosen)
    return chosen


def _pairs(found: InspectedTable, columns: dict[str, InspectedColumn]) -> dict[str, str]:
    """Return the columns that tell by standing side by side: of `subject_type` and `subject_id` one says what the
    other is."""
    chosen: dict[str, str] = {}
    stems = {"resource_type": _stems("resource_type"), "actor_type": [*_stems("actor_type"), "causer"]}
    for path, its_stems in stems.items():
        for stem in its_stems:
            pair = columns.get(f"{stem}_type"), columns.get(f"{stem}_id")
            if pair[0] is None or pair[1] is None or stem == "user":
                continue
            if all(
                _takes(column, each, kind_of(column, found.dialect))
                for column, each in zip(pair, (path, _PAIRS[path]), strict=True)
                if column is not None
            ):
                chosen |= {pair[0].name: path, pair[1].name: _PAIRS[path]}
                break
    return chosen


def _stems(path: str) -> list[str]:
    return [name.removesuffix("_type") for name in _SYNONYMS[path] if name.endswith("_type")]


def _place_for_details(
    found: InspectedTable, columns: dict[str, InspectedColumn], chosen: dict[str, str]
) -> dict[str, str]:
    """Return a column for details where none is called so: one of changes, or the only JSON column that is left."""
    free = {name: kind_of(column, found.dialect) for name, column in columns.items() if column.name not in chosen}
    of_changes = [name for name in _CHANGES if name in free and _takes(columns[name], "details", free[name])]
    of_json = [name for name, kind in free.items() if kind.name == "json"]
    if of_changes or len(of_json) == 1:
        return {columns[(of_changes or of_json)[0]].name: "details"}
    return {}


def _snake(name: str) -> str:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return apart.casefold().replace("-", "_").replace(" ", "_")


def _takes(column: InspectedColumn, path: str, kind: Kind) -> bool:
    """Return whether *column* is of a kind that takes values of *path*; eight cases."""
    chars = kind.chars if kind.name == "text" else None
    if path == "id":
        # A number is the database's own to give.
        return kind.name in ("uuid", "text")
    if path == "created_at":
        return kind.name in _FITTING[path] and not (chars and chars < _ISO_CHARS) and not (kind.bits < 32)
    if path in _FITTING:
        return kind.name in _FITTING[path] and not (chars and path in (*_OBJECTS, "tags"))
    if path in _WORDS:
        if kind.name == "bool":
            return path == "outcome"
        longest = max(map(len, _WORDS[path]))
        return kind.name in ("text", "enum") and not (chars and chars < longest)
    if path == "action":
        return kind.name in ("text", "enum") and not (chars and chars < _LEAST_ACTION_CHARS)
    if path in _IDS:
        return kind.name not in _NEVER_TEXT
    if path == "ip_address":
        return kind.name in ("address", "text")
    return kind.name in ("text", "enum", "other", "uuid")


def _source(column: InspectedColumn, path: str, paths: dict[str, str], kind: Kind) -> Any:
    """Return the source for *column*: the path, and where it must not be empty what stands in for it."""
    if path == "outcome":
        return _outcome(column, kind)
    if path == "created_at" and kind.name in ("int", "float"):
        # Milliseconds since 1970 have 41 bits.
        is_in_ms = kind.name == "int" and kind.bits >= 64 and not _snake(column.name).endswith(("_s", "_sec", "_secs"))
        return "created_at.epoch_ms" if is_in_ms else "created_at.epoch"
    others = [also for also in _ALSO.get(path, [path]) if also == path or also not in paths.values()]
    if path in ("description", "resource_type", "user_id") and column.is_nullable:
        # A user's column may point to a table of users, in which no other actor stands.
        others = [path]
    elif path in ("description", "resource_type"):
        return _ALSO[path]
    otherwise = None if column.is_nullable else _otherwise(path, kind)
    if otherwise is not None:
        return {"first": others, "otherwise": otherwise}
    return others if len(others) > 1 else path


def _otherwise(path: str, kind: Kind) -> Any:
    """Return what a column gets that must not be empty; None where only its owner can know."""
    if kind.name == "enum":
        return None if path in _WORDS and not _unlabelled(path, kind) else kind.labels[0]
    if path in _ALWAYS_SET:
        return None
    if path in _ACTORS:
        return "system" if kind.name == "text" else None
    if path in ("status_code", "duration_ms"):
        return 0
    if path in _OBJECTS and kind.name == "json":
        return {}
    return "" if kind.name == "text" else None


def _outcome(column: InspectedColumn, kind: Kind) -> Any:
    """Return the source for a column of outcomes: eight words, three, or two."""
    if kind.name == "bool":
        return "success"
    if kind.name != "enum" or not _unlabelled("outcome", kind):
        return "outcome"
    takes = adapter(kind)
    try:
        takes("success")
        failed = takes("failure")
    except UnfitError:
        return "outcome" if column.is_nullable else {"first": ["outcome"], "otherwise": kind.labels[0]}
    return {"first": ["result"], "otherwise": failed}


def _unlabelled(path: str, kind: Kind) -> list[str]:
    """Return the words of *path* for which an enumeration has no label."""
    takes, missing = adapter(kind), []
    for word in _WORDS[path]:
        try:
            takes(str(word))
        except UnfitError:
            missing.append(str(word))
    return missing


def _fold_into(found: InspectedTable, paths: dict[str, str]) -> str | None:
    """Return the column that takes what has none: details before metadata, JSON before text."""
    by_path = {path: column for column, path in paths.items()}
    candidates = [by_path[path] for path in ("details", "metadata") if path in by_path]
    json_first = sorted(candidates, key=lambda name: kind_of(_column(found, name), found.dialect).name != "json")
    return json_first[0] if json_first else None


def _column(found: InspectedTable, name: str) -> InspectedColumn:
    return next(column for column in found.columns if column.name == name)
