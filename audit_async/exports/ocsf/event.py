"""An event of OCSF: what every class has, and in it what its own class has."""

from __future__ import annotations

from typing import Any

from audit_async.events import AuditEvent, Outcome, Severity
from audit_async.events.ocsf import ACTIVITIES, type_uid
from audit_async.events.vocabulary import TERMS, Term
from audit_async.exports.lines import milliseconds, our_version, time_text
from audit_async.exports.ocsf.classes import CATEGORIES, CLASSES, own_attributes
from audit_async.exports.ocsf.objects import Object, a_user, actor_of, has_address, known, take_acting_user
from audit_async.exports.ocsf.unplaced import Unplaced

VERSION = "1.8.0"

SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
STATUSES = {
    Outcome.SUCCESS: (1, "Success"),
    **dict.fromkeys((Outcome.FAILURE, Outcome.DENIED, Outcome.ERROR), (2, "Failure")),
    Outcome.UNKNOWN: (0, "Unknown"),
}
"""Of outcomes. The others are 99, in their own words."""

_OTHER = 99
_SAID_BY_STATUS = frozenset({Outcome.SUCCESS, Outcome.FAILURE, Outcome.UNKNOWN})
_MOST_MILLISECONDS = 2**53


def ocsf_event(event: AuditEvent) -> dict[str, Any]:
    """Return *event* as an event of its class, JSON data. Valid by the schema whatever fields it has or lacks."""
    term: Term | None = TERMS.get(event.action)
    class_uid, activity_id = (term and term.ocsf) or (0, _OTHER)
    kind = CLASSES[class_uid]
    caption = "Other" if activity_id == _OTHER else ACTIVITIES[class_uid][activity_id]
    fields = Unplaced(event)
    user = take_acting_user(fields)
    actor = actor_of(fields, user)
    if actor is None and kind.needs_actor:
        actor = {"user": a_user(None, type_id=0, type="Unknown")}
    own = own_attributes(kind, fields, user)
    session = (actor or {}).get("session") if class_uid in (3002, 3003) else None
    found: dict[str, Any] = {
        "class_uid": class_uid,
        "class_name": kind.name,
        "category_uid": class_uid // 1000,
        "category_name": CATEGORIES[class_uid // 1000],
        "activity_id": activity_id,
        "activity_name": event.action if activity_id == _OTHER else caption,
        "type_uid": type_uid((class_uid, activity_id)),
        "type_name": f"{kind.name}: {caption}",
        "time": milliseconds(event.created_at),
        "severity_id": SEVERITIES[event.severity][0],
        "severity": SEVERITIES[event.severity][1],
        **_status(fields, event.outcome, is_finding=kind.is_finding),
        **known(message=fields.take("description"), actor=actor, session=session, duration=_duration(fields)),
        **own,
        **_observables(fields),
        "metadata": _metadata(fields, event, kind.profiles),
    }
    for name in ("action", "severity"):
        fields.take(name)
    rest = fields.rest()
    return {**found, "unmapped": rest} if rest else found


def _status(fields: Unplaced, outcome: str, *, is_finding: bool) -> Object:
    """Return how it went. An outcome that the status does not tell from another stays in `unmapped` as well."""
    code, detail = fields.take("status_code"), fields.take("error_message")
    more = known(status_code=None if code is None else str(code), status_detail=detail)
    if is_finding:
        return more
    status_id, status = STATUSES.get(Outcome(outcome), (_OTHER, str(outcome)))
    if outcome in _SAID_BY_STATUS or status_id == _OTHER:
        fields.take("outcome")
    return {"status_id": status_id, "status": status, **more}


def _duration(fields: Unplaced) -> int | None:
    """Return the whole milliseconds. What is not whole, or not a time that there can be, stays in `unmapped`."""
    exact: float | None = fields.see("duration_ms")
    if exact is None or not abs(exact) < _MOST_MILLISECONDS:
        return None
    if exact == int(exact):
        fields.take("duration_ms")
    return round(exact)


def _observables(fields: Unplaced) -> Object:
    """Return the address of a class that has no place for it, where those who search for addresses find it."""
    if not has_address(fields):
        return {}
    found = {"name": "unmapped.ip_address", "type_id": 2, "type": "IP Address", "value": fields.see("ip_address")}
    return {"observables": [found]}


def _metadata(fields: Unplaced, event: AuditEvent, profiles: tuple[str, ...]) -> Object:
    logged_at = fields.see("recorded_at")
    if logged_at is not None and logged_at.microsecond % 1000 == 0:
        fields.take("recorded_at")
    fields.take("created_at")
    tags = fields.take("tags")
    return known(
        version=VERSION,
        product={"name": "audit-async", "vendor_name": "audit-async", "version": our_version()},
        profiles=list(profiles) or None,
        uid=fields.take("id"),
        event_code=event.action,
        original_time=time_text(event.created_at),
        logged_time=None if logged_at is None else milliseconds(logged_at),
        tenant_uid=fields.take("tenant_id"),
        sequence=fields.take("writer_seq"),
        correlation_uid=fields.take("trace_id"),
        labels=None if tags is None else list(tags),
    )
