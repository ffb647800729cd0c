"""What can have happened.

    from audit_async import events

    events.role("role.assign", target_user_id=42, role_name="admin", tenant_id="t1")

A builder gives a frozen `AuditEvent`: its action in canonical form, its id and time set, every value plain JSON.
The parts:

    identifier   ids that carry their time
    vocabulary   what actions are called, and what follows from the name
    dialects     the spellings of old, there and back
    actions      these, for callers
    event        the value itself
    fields       what each field makes of what it is given
    build        an event from an action and its fields
    families     the builders
    catalogue    all of it as values
    reference    all of it as a page
"""

from __future__ import annotations

from audit_async.events.actions import AuditAction
from audit_async.events.event import AuditEvent
from audit_async.events.families.operations import config, custom, job, security, system
from audit_async.events.families.people import org_sync, permission, role, tenant, user
from audit_async.events.families.records import conversation, data_change, data_export, data_import
from audit_async.events.families.services import agent, api_key, api_request, budget, module, usage
from audit_async.events.families.signing_in import auth, identity, mfa, session, sso
from audit_async.events.vocabulary import Category, Outcome, Severity

__all__ = [
    "AuditAction",
    "AuditEvent",
    "Category",
    "Outcome",
    "Severity",
    "agent",
    "api_key",
    "api_request",
    "auth",
    "budget",
    "config",
    "conversation",
    "custom",
    "data_change",
    "data_export",
    "data_import",
    "identity",
    "job",
    "mfa",
    "module",
    "org_sync",
    "permission",
    "role",
    "security",
    "session",
    "sso",
    "system",
    "tenant",
    "usage",
    "user",
]
