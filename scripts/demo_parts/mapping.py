"""From a Microsoft 365 audit record to an event: fields of their own where they fit, `metadata` for the rest.

No value of a record is lost here. The logger itself takes out what is called a credential, a password or the like
before anything reaches the disk.

Source: "Office 365 Management Activity API schema", common schema and Azure Active Directory schemas.
"""

from __future__ import annotations

import json
import re
from typing import Any

from audit_async import AuditAction, AuditEvent, Outcome, events
from scripts.demo_parts.records import Record

ACTIONS = {
    "Add member to role.": AuditAction.ROLE_ASSIGN,
    "Add eligible member to role.": AuditAction.ROLE_ASSIGN,
    "Remove member from role.": AuditAction.ROLE_REVOKE,
    "Remove eligible member from role.": AuditAction.ROLE_REVOKE,
    "Add user.": AuditAction.USER_CREATE,
    "Update user.": AuditAction.USER_UPDATE,
    "Delete user.": AuditAction.USER_DELETE,
    "Enable account.": AuditAction.USER_ACTIVATE,
    "Disable account.": AuditAction.USER_DEACTIVATE,
    "Create company": AuditAction.TENANT_CREATE,
    "Set Company Information.": AuditAction.TENANT_UPDATE,
    "Reset user password.": "auth.password_reset",
    "Change user password.": "auth.password_change",
    "Enable Strong Authentication.": "mfa.bind",
    "Disable Strong Authentication.": "mfa.reset",
    "Update StsRefreshTokenValidFrom Timestamp.": "session.revoke",
    "Add app role assignment to service principal.": "permission.grant",
    "Add app role assignment grant to user.": "permission.grant",
    "Add delegated permission grant.": "permission.grant",
    "Remove delegated permission grant.": "permission.revoke",
    # From here on free-form ones: any `family.verb` will do.
    "Set directory feature on tenant.": "tenant.set_feature",
    "Add member to group.": "group.member_add",
    "Remove member from group.": "group.member_remove",
    "Add owner to group.": "group.owner_add",
    "Add group.": "group.create",
    "Update group.": "group.update",
    "Delete group.": "group.delete",
    "Consent to application.": "permission.consent",
    "Add application.": "application.create",
    "Update application.": "application.update",
    "Update application – Certificates and secrets management": "application.secrets_update",
    "Delete application.": "application.delete",
    "Hard Delete application.": "application.purge",
    "Add owner to application.": "application.owner_add",
    "Add service principal.": "service_principal.create",
    "Update service principal.": "service_principal.update",
    "Remove service principal.": "service_principal.delete",
    "Add policy.": "policy.create",
    "Add device.": "device.create",
    "Add registered owner to device.": "device.owner_add",
}
LOG_INS = {"UserLoggedIn": Outcome.SUCCESS, "UserLoginFailed": Outcome.FAILURE}
OUTCOMES = {
    **dict.fromkeys(("success", "succeeded", "true"), Outcome.SUCCESS),
    **dict.fromkeys(("failure", "failed", "false"), Outcome.FAILURE),
    "partiallysucceeded": Outcome.PARTIAL,
}
ACTOR_TYPES = {0: "user", 2: "user", 3: "user", 4: "system", 5: "service", 6: "service"}
NOBODY = ("", "Not Available", "Unknown", None)


def event_of(record: Record) -> AuditEvent:
    """Return the event of *record*, with its id and time: however often it is logged, it is stored once."""
    if not record.is_m365:
        return _event_of_other(record)
    body = _Body(record.body)
    operation = str(body.take("Operation"))
    changes = _changes(body)
    fields: dict[str, Any] = {
        "id": record.id,
        "created_at": record.happened_at,
        "outcome": _outcome(operation, body),
        "tenant_id": body.take_text("OrganizationId"),
        "ip_address": body.take_text("ClientIP"),
        "request_id": body.take_text("IntraSystemId"),
        "trace_id": body.take_text("InterSystemsId"),
        "error_message": body.take_text("LogonError"),
        "status_code": body.take_number("ErrorNumber"),
        "user_agent": _user_agent(body),
        "old_values": {name: old for name, (old, _) in changes.items()} or None,
        "new_values": {name: new for name, (_, new) in changes.items()} or None,
        **_actor(body),
    }
    # What is not taken stays as it came, under its own name.
    fields["metadata"] = {
        "operation": operation,
        "record_id": body.left.pop("Id"),
        "round": record.round,
        **body.left,
    }

    if operation in LOG_INS:
        about = {"resource_type": "application", "resource_id": body.left.get("ApplicationId")}
        return events.identity(
            AuditAction.SSO_LOGIN,
            provider_type="entra",
            provider_user_id=fields["actor_id"],
            success=LOG_INS[operation] is Outcome.SUCCESS,
            **about,
            **fields,
        )
    action = ACTIONS.get(operation.strip()) or _free_form(operation)
    kind, target_id, name = _target(body)
    if action in (AuditAction.ROLE_ASSIGN, AuditAction.ROLE_REVOKE):
        old, new = changes.get("Role.DisplayName", (None, None))
        return events.role(action, target_user_id=name or target_id, role_name=new or old, **fields)
    return events.custom(action, resource_type=kind, resource_id=target_id, description=name, **fields)


def _event_of_other(record: Record) -> AuditEvent:
    details = record.body if isinstance(record.body, dict) else {"line": record.body}
    return events.custom(
        "import.line",
        id=record.id,
        created_at=record.happened_at,
        details=details,
        metadata={"round": record.round},
    )


class _Body:
    """A record's object, from which field after field is taken.

    Attributes:
        left: what has not been taken. A value that does not fit its field is not.
    """

    def __init__(self, body: dict[str, Any] | str) -> None:
        self.left = dict(body) if isinstance(body, dict) else {}

    def take(self, name: str) -> Any:
        return self.left.pop(name, None)

    def take_text(self, name: str) -> str | None:
        value = self.left.get(name)
        return self.take(name) if isinstance(value, str) and value and len(value) <= 1000 else None

    def take_number(self, name: str) -> int | None:
        value = self.left.get(name)
        is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        return int(self.take(name)) if is_number and str(int(value)) == value else None

    def items_of(self, name: str) -> list[dict[str, Any]]:
        """Return the objects of the list *name*, without taking it."""
        value = self.left.get(name)
        return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _outcome(operation: str, body: _Body) -> Outcome:
    if operation in LOG_INS:
        # An interrupted log-in says `UserLoginFailed` with the result `Success`: the operation decides.
        return LOG_INS[operation]
    return OUTCOMES.get(str(body.left.get("ResultStatus")).lower(), Outcome.UNKNOWN)


def _actor(body: _Body) -> dict[str, Any]:
    user = body.take_text("UserId")
    key = None if body.left.get("UserKey") in NOBODY else body.take_text("UserKey")
    kind = body.left.get("UserType")
    is_service = bool(user) and str(user).startswith("ServicePrincipal_")
    names = [item.get("ID") for item in body.items_of("Actor") if item.get("Type") == 1]
    return {
        "user_id": user,
        "actor_id": key or user,
        "actor_type": "service" if is_service else ACTOR_TYPES.get(kind) if isinstance(kind, int) else None,
        "actor_name": names[0] if is_service and names else user,
    }


def _user_agent(body: _Body) -> str | None:
    """Return what is called `UserAgent` for log-ins, and sits in a JSON text for changes of the directory."""
    for item in body.items_of("ExtendedProperties"):
        name, value = item.get("Name"), item.get("Value")
        if name == "UserAgent" and isinstance(value, str):
            return value
        if name == "additionalDetails" and isinstance(value, str):
            try:
                found = json.loads(value)
            except (ValueError, RecursionError):
                continue
            agent = found.get("User-Agent") if isinstance(found, dict) else None
            if isinstance(agent, str):
                return agent
    return None


def _changes(body: _Body) -> dict[str, tuple[Any, Any]]:
    """Take the modified properties, by name: old value and new. Those of another shape stay where they are."""
    changes = {
        item["Name"]: (item["OldValue"], item["NewValue"])
        for item in body.items_of("ModifiedProperties")
        if item.keys() == {"Name", "OldValue", "NewValue"} and isinstance(item["Name"], str)
    }
    found = body.left.get("ModifiedProperties")
    if not changes or not isinstance(found, list) or len(changes) != len(found):
        return {}
    body.take("ModifiedProperties")
    return changes


def _target(body: _Body) -> tuple[str | None, str | None, str | None]:
    """Return type, id and name of what was acted upon. The list itself stays in the metadata: it says more."""
    ids = [(item.get("Type"), item.get("ID")) for item in body.items_of("Target")]
    plain = [str(value) for kind, value in ids if kind == 2]
    named = [str(value) for kind, value in ids if kind in (1, 5)]
    # Of type 2 there are `User_<guid>`, `<guid>` and `User`, in this order.
    kind = plain[2] if len(plain) > 2 else None
    target_id = plain[1] if len(plain) > 1 else body.left.get("ObjectId")
    return kind and re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower(), target_id, named[0] if named else None


def _free_form(operation: str) -> str:
    """Return `m365.file_accessed` for `FileAccessed`: an operation this table has never heard of."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", operation)
    return f"m365.{'_'.join(words).lower() or 'unnamed'}"
