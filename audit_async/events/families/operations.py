"""What happens to the system itself: settings, security, jobs, and everything that has no family of its own."""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import Id, Number, Text, assume_success, build, given, say, settle
from audit_async.events.dialects import is_spelled_in
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields, convert
from audit_async.events.vocabulary import Category, Severity
from audit_async.shapes import is_object


def config(action: Any, *, key: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a setting that was changed. The resource is the setting.

    Details: `key`, where given.

    Args:
        action: e.g. `config.change`.
        key: the name of the setting. A bare value in `old_values` and `new_values` is kept under this name, and
            removed if it is that of a secret.
        fields: any field of the event, `old_values` and `new_values` above all.
    """
    about = {"resource_type": "config", "resource_id": key}
    if key is not None:
        for name in ("old_values", "new_values"):
            value = fields.get(name)
            if value is not None:
                fields[name] = _under(key, value)
    return build(action, given(key=key), fields, builder="config", about=about)


def _under(key: Any, value: Any) -> Any:
    """Return the one *value* of a setting under its own name, so that whether it is a secret is told by that."""
    if type(value) is dict and list(value) == ["value"]:
        value = value["value"]
    return value if is_object(value) else {say(key): value}


def security(action: Any, *, event_type: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about an attack, a breach, or the suspicion of one. It counts as failed unless you say otherwise.

    The resource is the kind of event, *event_type*. `suspicious_activity` and `unauthorized_access`, spelled so, are of
    medium severity where none is given, and details say it too; whatever else is in them cannot change the severity.

    Args:
        action: e.g. `AuditAction.SECURITY_EVENT`, `security.unauthorized_access`.
        event_type: e.g. `brute_force`.
        fields: any field of the event, `description`, `severity`, `ip_address` and `details` above all.
    """
    said = settle(action, "security")
    spelled = said.spelled
    about: dict[str, Any] = {"resource_type": "security", "resource_id": event_type}
    if not said.term.is_known:
        assume_success(fields, False)
    own: dict[str, Any] = {}
    if is_spelled_in("aether", spelled):
        about["severity"] = convert("severity", fields.get("severity"), {}) or Severity.MEDIUM
        own["severity"] = about["severity"].value
    tags = ("security",) if event_type is None else ("security", say(event_type))
    return build(said, own, fields, builder="security", about=about, tags=tags)


def system(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about the system as a whole, of any action. Category system, severity low, unless given.

    Args:
        action: any text.
        fields: any field of the event, `description`, `resource_type` (`system`) and `resource_id` above all.
    """
    about = {"resource_type": "system", "category": Category.SYSTEM, "severity": Severity.LOW}
    said = settle(action, "system")
    assume_success(fields, True)
    return build(said, {}, fields, builder="system", about=about, tags=("system", said.spelled))


def job(
    action: Any,
    *,
    job_name: Text = None,
    job_id: Id = None,
    attempt: Number = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about a job of a scheduler or a queue: started, finished. The resource is the job.

    Details: `job_name`, `job_id`, `attempt`, where given.

    Args:
        action: `job.start`, `job.finish`.
        job_name: what is run.
        job_id: this run of it.
        attempt: from 1.
        fields: any field of the event, `outcome`, `duration_ms` and `error_message` above all.
    """
    about = {"resource_type": "job", "resource_id": job_name if job_id is None else job_id}
    own = given(job_name=job_name, job_id=job_id, attempt=attempt)
    return build(action, own, fields, builder="job", about=about)


def custom(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event of any action, known or free-form (`schedule_execute`).

    Args:
        action: any text.
        fields: any field of the event.
    """
    return build(action, {}, fields, builder="custom")
