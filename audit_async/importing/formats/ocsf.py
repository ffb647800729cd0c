"""OCSF: events of the Open Cybersecurity Schema Framework, of whoever wrote them.

An export of ours comes back as it was (`ocsf_own`). Of others the action is the one that `metadata.event_code` names,
if it is one of the vocabulary; else that of class and activity there, the nearest one where several are of the same
class; else `ocsf.` and the name of the class. Attributes that have a field are taken; the others stay in `details`
under their own names. What stands in `unmapped` under the name of a field of ours is that field.

Source: Open Cybersecurity Schema Framework 1.8.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from audit_async import events
from audit_async.events import Outcome
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields
from audit_async.events.vocabulary import TERMS
from audit_async.importing.formats.format import (
    Format,
    Mapped,
    Reading,
    RefusedError,
    address_of,
    moment_of,
    said,
    words_of,
)
from audit_async.importing.formats.ocsf_own import OUTCOMES, SEVERITIES, fields_of, is_own
from audit_async.importing.formats.own import ORIGIN, read_object
from audit_async.importing.formats.paths import look, object_of, without

NEAREST = {
    (1006, 6): "job.start",
    (1006, 99): "job.finish",
    (1008, 99): "audit.gap",
    (3001, 1): "user.create",
    (3002, 1): "auth.login",
    (3002, 2): "auth.logout",
    (3004, 1): "data.create",
    (3004, 2): "data.read",
    (3004, 3): "data.update",
    (3004, 4): "data.delete",
    (3005, 1): "permission.grant",
    (3005, 2): "permission.revoke",
    (3006, 3): "org.member_create",
    (3006, 4): "org.member_delete",
    (2004, 1): "security.event",
    (6003, 99): "api.request",
}
"""Of classes and activities that several of our actions have, the one that says the least more."""

OF_CLASS = {
    1006: "job.finish",
    2001: "security.event",
    2002: "security.event",
    2003: "security.event",
    2004: "security.event",
    2005: "security.event",
    3001: "user.update",
    3004: "data.update",
    6003: "api.request",
    6005: "data.read",
}
"""Of classes whose other activities are all of one action."""

_SPOKEN = (
    *("activity_id", "activity_name", "category_uid", "category_name", "class_uid", "class_name", "type_uid"),
    *("type_name", "severity_id", "severity", "status_id", "status", "time", "time_dt", "timezone_offset"),
)
"""Attributes that action, outcome, severity and time say; the class stays in `metadata.ocsf`."""

PATHS: dict[str, tuple[str, ...]] = {
    "description": ("message",),
    "error_message": ("status_detail",),
    "status_code": ("http_response.code", "status_code"),
    "duration_ms": ("duration",),
    "tenant_id": ("metadata.tenant_uid",),
    "organization_id": ("actor.user.org.uid", "cloud.org.uid"),
    "request_id": ("http_request.uid", "api.request.uid", "metadata.correlation_uid"),
    "session_id": ("session.uid", "actor.session.uid"),
    "trace_id": ("trace.uid",),
    "span_id": ("trace.span.uid",),
    "user_agent": ("http_request.user_agent",),
    "actor_id": ("actor.user.uid", "actor.app_uid", "actor.process.uid"),
    "actor_name": ("actor.user.name", "actor.user.email_addr", "actor.app_name", "actor.process.name"),
    "user_id": ("user.uid", "user.email_addr", "user.name"),
    "resource_type": ("resource.type", "entity.type", "web_resources.0.type", "resources.0.type", "group.type"),
    "resource_id": ("resource.uid", "entity.uid", "web_resources.0.uid", "resources.0.uid", "group.uid"),
}
"""Of each field the attributes that may hold it: the first one that does counts."""

_NAMES = frozenset({*EventFields.__annotations__, *AuditEvent.__struct_fields__}) - {"id", "success", *ORIGIN}


def _read(body: Mapping[str, Any], reading: Reading) -> Mapped:
    if is_own(body):
        return read_object(fields_of(body), reading)
    class_uid = body.get("class_uid")
    if type(class_uid) is not int:
        raise RefusedError("it has no class_uid")
    metadata = object_of(body.get("metadata"))
    given = body.get("unmapped")
    ours = {name: value for name, value in object_of(given).items() if name in _NAMES}
    moment = moment_of(ours.pop("created_at", None) or body.get("time") or body.get("time_dt"), UTC)
    event_id, moment = reading.key_of(metadata.get("uid"), moment, body)

    left = _Left(body)
    fields = {name: left.take(*paths) for name, paths in PATHS.items()}
    fields["user_id"] = fields["user_id"] or fields["actor_id"]
    address = address_of(left.look("src_endpoint.ip"))
    if address is not None:
        fields["ip_address"] = address[0]
        left.take("src_endpoint.ip")
    fields["outcome"] = OUTCOMES.get(_number(body.get("status_id")), Outcome.UNKNOWN)
    fields["severity"] = SEVERITIES.get(_number(body.get("severity_id")))
    for name in _SPOKEN:
        left.body.pop(name, None)
    left.take("metadata.uid")
    action = ours.pop("action", None) or _action_of(class_uid, body, metadata)
    fields |= ours
    rest = said({name: value for name, value in left.body.items() if name not in ("metadata", "unmapped")})
    beside = {name: value for name, value in object_of(given).items() if name not in ours and name != "action"}
    rest |= {"unmapped": beside} if (beside := said(beside)) else {}
    about = object_of(left.body.get("metadata"))
    fields["details"] = {**object_of(fields.get("details")), **rest}
    named = {"class_uid": class_uid, "activity_id": body.get("activity_id"), "class_name": body.get("class_name")}
    fields["metadata"] = {**object_of(fields.get("metadata")), "ocsf": said({**named, **about})}
    fields |= {"id": event_id, "created_at": moment, "tenant_id": fields.get("tenant_id") or reading.tenant_id}
    operation = str(body.get("type_name") or body.get("class_name") or f"class {class_uid}")
    return Mapped(event=events.custom(action, **said(fields)), operation=operation, folded=tuple(rest))


FORMAT = Format(
    name="ocsf",
    about="events of the Open Cybersecurity Schema Framework, JSON",
    read=_read,
)


def _action_of(class_uid: int, body: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    code = metadata.get("event_code")
    if isinstance(code, str) and code in TERMS:
        return code
    key = (class_uid, _number(body.get("activity_id")))
    named = NEAREST.get(key) or next((term.name for term in TERMS.values() if term.ocsf == key), None)
    return named or OF_CLASS.get(class_uid) or f"ocsf.{words_of(str(body.get('class_name') or class_uid))}"


def _number(value: Any) -> int:
    return value if type(value) is int else 0


class _Left:
    """An event's attributes, from which one after another is taken; those around it stay, unless they are empty."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body: dict[str, Any] = dict(body)

    def look(self, path: str) -> Any:
        """Return the value at *path*, None where there is none."""
        return look(self.body, path)

    def take(self, *paths: str) -> Any:
        """Return the first value, of a field's kind, at one of *paths*, and take it out there."""
        for path in paths:
            value = self.look(path)
            if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
                self.body = without(self.body, path.split("."))
                return value
        return None
