"""The builders: one function a family, each giving an event of it.

Every builder takes the action (an `AuditAction`, a canonical name or any text), its family's own keywords, and any
field of the event as a keyword. It never does I/O, keeps no reference to what it is given, and raises on no value;
only a keyword that no event has is a `TypeError`.
"""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import build
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields, to_text
from audit_async.values import is_true, plain, plain_text


def identity(
    action: Any,
    *,
    provider_type: Any = None,
    provider_user_id: Any = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about an identity at a provider: bound, unbound, created, deleted, or used to log in.

    Details: `provider_type`, `provider_user_id`, `success`, and `error` when an error message is given.

    Args:
        action: e.g. `AuditAction.SSO_LOGIN` or `identity.bind`.
        provider_type: `feishu`, `dingtalk`, `entra`, ...
        provider_user_id: the user's id there.
        fields: any field of the event, `success` (True) above all.
    """
    success = fields.setdefault("success", True)
    own = {
        "provider_type": plain(provider_type),
        "provider_user_id": plain(provider_user_id),
        "success": plain(success),
    }
    error = fields.get("error_message")
    if error is not None and is_true(error):
        own["error"] = to_text(error) if issubclass(type(error), BaseException) else plain(error)
    return build(action, own, fields, builder="identity")


def role(
    action: Any,
    *,
    target_user_id: Any = None,
    role_name: Any = None,
    granted_by: Any = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about a role: assigned, revoked, created, updated, deleted.

    Details: `target_user_id`, `role_name`, `granted_by`. The resource is the role.

    Args:
        action: e.g. `AuditAction.ROLE_ASSIGN`.
        target_user_id: who is given or loses the role.
        role_name: its name.
        granted_by: who decided it, if not the actor.
        fields: any field of the event.
    """
    own = {
        "target_user_id": _id(target_user_id),
        "role_name": plain(role_name),
        "granted_by": _id(granted_by),
    }
    return build(action, own, {"resource_type": "role", "resource_id": role_name, **fields}, builder="role")


def tenant(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a tenant: created, updated, deleted, joined, left. The resource is the tenant.

    Args:
        action: e.g. `AuditAction.TENANT_CREATE`.
        fields: any field of the event, `tenant_id` above all.
    """
    about = {"resource_type": "tenant", "resource_id": fields.get("tenant_id")}
    return build(action, {}, {**about, **fields}, builder="tenant")


def agent(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about an agent: created, updated, deleted, started, stopped. The resource is the agent.

    Args:
        action: e.g. `AuditAction.AGENT_START`.
        fields: any field of the event, `agent_id` above all.
    """
    about = {"resource_type": "agent", "resource_id": fields.get("agent_id")}
    return build(action, {}, {**about, **fields}, builder="agent")


def custom(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event of any action, known or free-form (`schedule_execute`).

    Args:
        action: any text.
        fields: any field of the event.
    """
    return build(action, {}, fields, builder="custom")


def _id(value: Any) -> str | None:
    return plain_text(value) if is_true(value) else None
