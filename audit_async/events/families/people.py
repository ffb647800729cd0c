"""Who there is and what they may: users, roles, permissions, tenants, and what a sync with a directory brings."""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import Id, Number, Text, build, given, named, say, settle, verb_of
from audit_async.events.dialects import is_spelled_in
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields
from audit_async.events.vocabulary import Category
from audit_async.values import is_true, plain, plain_text


def user(action: Any, *, target_user_id: Id = None, reason: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a user: created, updated, deleted, activated, deactivated, unlocked.

    Details: `target_user_id`, `reason`, where given. The resource is the user it is about.

    Args:
        action: e.g. `AuditAction.USER_CREATE`.
        target_user_id: whom it is about, where `user_id` is who did it.
        reason: why.
        fields: any field of the event, `old_values` and `new_values` of an update above all.
    """
    about = {
        "resource_type": "user",
        "resource_id": fields.get("user_id") if target_user_id is None else target_user_id,
    }
    own = given(target_user_id=target_user_id, reason=reason)
    return build(action, own, fields, builder="user", about=about)


def role(
    action: Any,
    *,
    target_user_id: Id = None,
    role_name: Text = None,
    granted_by: Id = None,
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
    about = {"resource_type": "role", "resource_id": role_name}
    return build(action, own, fields, builder="role", about=about)


def permission(
    action: Any, *, target_user_id: Id = None, permission: Text = None, **fields: Unpack[EventFields]
) -> AuditEvent:
    """Build an event about a permission: granted or revoked.

    Details: `permission`, `target_user_id`. The resource is the user who is given or loses it; the severity is high.

    Args:
        action: e.g. `AuditAction.PERMISSION_GRANT`.
        target_user_id: who is given or loses it.
        permission: its name.
        fields: any field of the event.
    """
    said = settle(action, "permission")
    spelled = said.spelled
    for_whom = "" if target_user_id is None else f" for user {say(target_user_id)}"
    about = {
        "resource_type": "permission",
        "resource_id": target_user_id,
        "description": named(f"Permission {verb_of(spelled)}", permission) + for_whom,
    }
    if is_spelled_in("enclava", spelled) or not said.term.is_known:
        about["category"] = Category.SECURITY
    own = {"permission": plain(permission), "target_user_id": plain(target_user_id)}
    return build(said, own, fields, builder="permission", about=about, tags=("permission", spelled))


def tenant(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a tenant: created, updated, deleted, joined, left. The resource is the tenant.

    Args:
        action: e.g. `AuditAction.TENANT_CREATE`.
        fields: any field of the event, `tenant_id` above all.
    """
    about = {"resource_type": "tenant", "resource_id": fields.get("tenant_id")}
    return build(action, {}, fields, builder="tenant", about=about)


def org_sync(
    action: Any,
    *,
    provider_type: Text = None,
    department_id: Id = None,
    member_id: Id = None,
    created: Number = None,
    updated: Number = None,
    deleted: Number = None,
    unchanged: Number = None,
    failed: Number = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about a sync with a directory: of the whole run, or of one department or member.

    Details: what is given of the keywords. The resource is the member or the department, else the organization.

    Args:
        action: e.g. `AuditAction.ORG_SYNC`, `org.sync_start`, `AuditAction.ORG_MEMBER_CREATE`.
        provider_type: `feishu`, `wecom`, `entra`, ...
        department_id: the department it is about.
        member_id: the member it is about.
        created: how many were made; likewise *updated*, *deleted*, *unchanged* and *failed*.
        fields: any field of the event.
    """
    about = (
        {"resource_type": "member", "resource_id": member_id}
        if member_id is not None
        else {"resource_type": "department", "resource_id": department_id}
        if department_id is not None
        else {"resource_type": "organization", "resource_id": fields.get("organization_id")}
    )
    own = given(
        provider_type=provider_type,
        department_id=department_id,
        member_id=member_id,
        created=created,
        updated=updated,
        deleted=deleted,
        unchanged=unchanged,
        failed=failed,
    )
    return build(action, own, fields, builder="org_sync", about=about)


def _id(value: Any) -> str | None:
    return plain_text(value) if is_true(value) else None
