"""OCSF events that an export of ours wrote: the fields that they were made of.

An export says in `metadata.event_code` what the action was, and puts what has no attribute into `unmapped` under its
own name, the details whole. What the schema demanded beyond that says nothing, and is not read back. Whether an actor
without a `uid_alt` was also the event's user is not told apart: for a person it is taken to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit_async.events import Outcome, Severity
from audit_async.events.event import AuditEvent
from audit_async.importing.formats.paths import look, look_first, object_of

PRODUCT = "audit-async"

SEVERITIES = {
    1: Severity.INFO,
    2: Severity.LOW,
    3: Severity.MEDIUM,
    4: Severity.HIGH,
    5: Severity.CRITICAL,
    6: Severity.CRITICAL,
}
OUTCOMES = {0: Outcome.UNKNOWN, 1: Outcome.SUCCESS, 2: Outcome.FAILURE}

_PATHS = {
    "description": ("message",),
    "error_message": ("status_detail",),
    "status_code": ("status_code",),
    "duration_ms": ("duration",),
    "tenant_id": ("metadata.tenant_uid",),
    "trace_id": ("metadata.correlation_uid",),
    "tags": ("metadata.labels",),
    "organization_id": ("actor.user.org.uid", "user.org.uid"),
    "api_key_id": ("actor.user.programmatic_credentials.0.uid",),
    "session_id": ("actor.session.uid", "session.uid"),
    "agent_id": ("actor.app_uid",),
    "actor_name": ("actor.user.name",),
    "ip_address": ("src_endpoint.ip", "evidences.0.src_endpoint.ip"),
    "user_agent": ("http_request.user_agent",),
    "request_id": ("http_request.uid", "api.request.uid"),
    "resource_type": ("resources.0.type", "web_resources.0.type", "group.type"),
    "old_values": ("entity.data",),
    "new_values": ("entity_result.data",),
}
_RESOURCES = (
    *("resources.0.uid", "web_resources.0.uid", "entity.uid", "app.uid", "group.uid", "service.uid", "user.uid"),
    "job.name",
)
_NAMES = frozenset(AuditEvent.__struct_fields__)


def is_own(body: Mapping[str, Any]) -> bool:
    """Return whether an export of ours wrote it, and says which action it was."""
    return look(body, "metadata.product.name") == PRODUCT and bool(look(body, "metadata.event_code"))


def fields_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event's fields, under our names."""
    unmapped = {name: value for name, value in object_of(body.get("unmapped")).items() if name in _NAMES}
    fields = {name: look_first(body, paths) for name, paths in _PATHS.items()}
    kind = unmapped.get("resource_type") or fields["resource_type"] or _kind_of_entity(body)
    acting = look(body, "actor.user.uid")
    fields |= {
        "action": look(body, "metadata.event_code"),
        "id": look(body, "metadata.uid"),
        "created_at": look(body, "metadata.original_time") or body.get("time"),
        "severity": SEVERITIES.get(_number(body.get("severity_id"))),
        "outcome": OUTCOMES.get(_number(body.get("status_id"))) or body.get("status"),
        "resource_type": kind,
        "resource_id": None if kind is None else _resource_of(body),
        **_who(body, acting),
        "writer_seq": look(body, "metadata.sequence"),
        "recorded_at": look(body, "metadata.logged_time"),
    }
    return {name: value for name, value in {**fields, **unmapped}.items() if value is not None}


def _who(body: Mapping[str, Any], acting: Any) -> dict[str, Any]:
    said = look(body, "actor.user.type")
    kind = said.lower() if isinstance(said, str) and said != "Unknown" else None
    alternative = look(body, "actor.user.uid_alt")
    return {
        "actor_type": kind,
        "actor_id": alternative or acting,
        "user_id": acting if alternative or kind in (None, "user") else None,
    }


def _kind_of_entity(body: Mapping[str, Any]) -> Any:
    said = look(body, "entity.type")
    return said.lower() if isinstance(said, str) and said != "Unknown" else "user" if "user" in body else None


def _resource_of(body: Mapping[str, Any]) -> Any:
    return look_first(body, _RESOURCES)


def _number(value: Any) -> int:
    return value if type(value) is int else -1
