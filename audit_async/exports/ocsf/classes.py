"""What each class has beyond what all have: the attributes that it demands, and those that our fields fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit_async.events.ocsf import CLASSES as NAMES
from audit_async.exports.ocsf.objects import (
    UNKNOWN,
    Object,
    a_user,
    known,
    take_endpoint,
    take_entity,
    take_http_request,
    take_resource,
    target_user,
)
from audit_async.exports.ocsf.unplaced import Unplaced

CATEGORIES = {
    0: "Uncategorized",
    1: "System Activity",
    2: "Findings",
    3: "Identity & Access Management",
    6: "Application Activity",
}
_PROTOCOLS = {
    "oidc": (4, "OpenID"),
    "openid": (4, "OpenID"),
    "saml": (5, "SAML"),
    "oauth2": (6, "OAUTH 2.0"),
    "ldap": (12, "LDAP"),
}
_FACTORS = {
    "sms": (1, "SMS"),
    "push": (5, "Push Notification"),
    "totp": (7, "OTP"),
    "hotp": (7, "OTP"),
    "email": (8, "Email"),
    "u2f": (9, "U2F"),
    "webauthn": (10, "WebAuthn"),
    "password": (11, "Password"),
}
_PRIVILEGES = ("role_name", "permission", "role", "privilege", "role_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class OcsfClass:
    """One class.

    Attributes:
        add: makes the class's own attributes, given the acting user.
        has_endpoint: whether it has `src_endpoint`.
        has_request: whether it has `http_request`.
        is_finding: its status is that of the work on it, which is for its consumer to say.
        needs_actor: whether it demands an `actor`.
        profiles: that it has an `actor` by.
    """

    name: str
    add: Callable[[Unplaced, Object | None], Object]
    has_endpoint: bool = True
    has_request: bool = True
    is_finding: bool = False
    needs_actor: bool = False
    profiles: tuple[str, ...] = ()


def _base(fields: Unplaced, user: Object | None) -> Object:
    return {}


def _job(fields: Unplaced, user: Object | None) -> Object:
    name = fields.detail("job_name")
    if name is None and fields.see("resource_type") == "job":
        name = fields.take("resource_id")
    # The machine that ran it: an event does not say.
    return {"job": {"name": name or fields.action}, "device": {"name": UNKNOWN, "type_id": 0, "type": "Unknown"}}


def _log(fields: Unplaced, user: Object | None) -> Object:
    return {"log_name": "audit", "log_provider": "audit-async", "log_type_id": 2, "log_type": "Application"}


def _finding(fields: Unplaced, user: Object | None) -> Object:
    kind, endpoint, resource = fields.detail("event_type"), take_endpoint(fields), take_resource(fields)
    info = known(
        uid=fields.see("id"),
        title=fields.see("description") or fields.action,
        types=None if kind is None else [kind],
    )
    return known(
        finding_info=info,
        evidences=None if endpoint is None else [{"src_endpoint": endpoint}],
        resources=None if resource is None else [resource],
    )


def _account(fields: Unplaced, user: Object | None) -> Object:
    return known(user=target_user(fields) or user or a_user(None), auth_factors=_factors(fields))


def _authentication(fields: Unplaced, user: Object | None) -> Object:
    acted_as = None
    if fields.action.startswith("session.impersonate"):
        acted_as = fields.take("on_behalf_of")
    who = a_user(acted_as) if acted_as is not None else target_user(fields) or user or a_user(None)
    service = fields.take("resource_id") if fields.see("resource_type") in ("application", "service") else None
    protocol = fields.detail("protocol")
    protocol_id, caption = _PROTOCOLS.get((protocol or "").lower(), (99, protocol))
    return known(
        user=who,
        service={"name": UNKNOWN} if service is None else {"uid": service},
        auth_protocol_id=None if protocol is None else protocol_id,
        auth_protocol=caption,
        is_mfa=True if fields.action == "mfa.verify" else None,
        auth_factors=_factors(fields),
        account_switch_type_id=2 if fields.action == "session.impersonate_start" else None,
        account_switch_type="Impersonate" if fields.action == "session.impersonate_start" else None,
    )


def _authorization(fields: Unplaced, user: Object | None) -> Object:
    return {"user": target_user(fields) or user or a_user(None), "privileges": _privileges(fields)}


def _access(fields: Unplaced, user: Object | None) -> Object:
    privileges, target = _privileges(fields), target_user(fields)
    resource = take_resource(fields)
    return known(
        user=target or a_user(None),
        privileges=privileges,
        resources=None if resource is None else [resource],
    )


def _entity(fields: Unplaced, user: Object | None) -> Object:
    entity, result = take_entity(fields)
    return known(entity=entity, entity_result=result)


def _group(fields: Unplaced, user: Object | None) -> Object:
    """Return the group, three cases: a tenant that the acting user joins, the department of a member, a department."""
    member, group = target_user(fields), None
    if fields.action.startswith("tenant."):
        member = member or user
        tenant = fields.see("tenant_id")
        if fields.see("resource_id") == tenant or (tenant is None and fields.see("resource_type") == "tenant"):
            tenant = fields.take("resource_id")
        group = None if tenant is None else {"uid": tenant, "type": "tenant"}
    elif fields.action.startswith("org.member"):
        department = fields.detail("department_id")
        group = None if department is None else {"uid": department, "type": "department"}
    else:
        group = take_resource(fields)
    return known(group=group or {"name": UNKNOWN}, user=member)


def _web(fields: Unplaced, user: Object | None) -> Object:
    return {"web_resources": [take_resource(fields) or {"name": UNKNOWN}]}


def _application(fields: Unplaced, user: Object | None) -> Object:
    uid = fields.take("resource_id" if fields.see("resource_id") is not None else "agent_id")
    return {"app": {"name": UNKNOWN} if uid is None else {"uid": uid}}


def _api(fields: Unplaced, user: Object | None) -> Object:
    method, path, provider = fields.detail("method"), fields.detail("path"), fields.detail("provider")
    request_id, status, resource = fields.see("request_id"), fields.see("status_code"), take_resource(fields)
    operation = " ".join(part for part in (method, path) if part is not None) or fields.action
    api = known(
        operation=operation,
        request=None if request_id is None else {"uid": request_id},
        service=None if provider is None else {"name": provider},
    )
    return known(
        api=api,
        src_endpoint=take_endpoint(fields) or {"name": UNKNOWN},
        http_response=None if status is None else {"code": status},
        resources=None if resource is None else [resource],
    )


def _privileges(fields: Unplaced) -> list[str]:
    return [fields.detail(*_PRIVILEGES) or UNKNOWN]


def _factors(fields: Unplaced) -> list[Object] | None:
    method = "password" if fields.action == "auth.password_login" else fields.detail("method")
    if method is None or not fields.action.startswith(("mfa.", "auth.password_login")):
        return None
    factor_id, caption = _FACTORS.get(method.lower(), (99, method))
    return [{"factor_type_id": factor_id, "factor_type": caption}]


_BY_HOST = ("host",)

CLASSES: dict[int, OcsfClass] = {
    0: OcsfClass(name="Base Event", add=_base, has_endpoint=False, has_request=False, profiles=_BY_HOST),
    1006: OcsfClass(name=NAMES[1006], add=_job, has_endpoint=False, has_request=False),
    1008: OcsfClass(name=NAMES[1008], add=_log, has_request=False),
    2004: OcsfClass(
        name=NAMES[2004], add=_finding, has_endpoint=False, has_request=False, is_finding=True, profiles=_BY_HOST
    ),
    3001: OcsfClass(name=NAMES[3001], add=_account),
    3002: OcsfClass(name=NAMES[3002], add=_authentication),
    3003: OcsfClass(name=NAMES[3003], add=_authorization),
    3004: OcsfClass(name=NAMES[3004], add=_entity),
    3005: OcsfClass(name=NAMES[3005], add=_access),
    3006: OcsfClass(name=NAMES[3006], add=_group),
    6001: OcsfClass(name=NAMES[6001], add=_web, profiles=_BY_HOST),
    6002: OcsfClass(name=NAMES[6002], add=_application, has_endpoint=False, has_request=False, profiles=_BY_HOST),
    6003: OcsfClass(name=NAMES[6003], add=_api, needs_actor=True),
}
"""By number: those that the vocabulary refers to, and 0 for actions that it does not have."""


def own_attributes(kind: OcsfClass, fields: Unplaced, user: Object | None) -> Object:
    """Return what an event of class *kind* has beyond what all have."""
    found = kind.add(fields, user)
    if kind.has_endpoint and "src_endpoint" not in found:
        found |= known(src_endpoint=take_endpoint(fields))
    if kind.has_request:
        found |= known(http_request=take_http_request(fields))
    return found
