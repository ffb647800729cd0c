"""What attributes are made of: users, endpoints, requests, resources. Each is None where nothing is known of it."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from audit_async.exports.ocsf.unplaced import Unplaced

Object = dict[str, Any]

UNKNOWN = "unknown"
"""Stands where a class demands what the event does not have."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_USER_TYPES: dict[str | None, tuple[int, str]] = {
    "user": (1, "User"),
    "system": (3, "System"),
    "service": (4, "Service"),
    None: (0, "Unknown"),
}
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_USERS = frozenset({"user", "member", "account"})
_ENTITY_TYPES: dict[str | None, tuple[int, str]] = {
    **dict.fromkeys(_USERS, (2, "User")),
    "device": (1, "Device"),
    **dict.fromkeys(("group", "department"), (3, "Group")),
    **dict.fromkeys(("organization", "tenant"), (4, "Organization")),
    **dict.fromkeys(("policy", "role", "permission", "sso_provider"), (5, "Policy")),
    None: (0, "Unknown"),
}


def known(**attributes: Any) -> Object:
    """Return the *attributes* that are something."""
    return {name: value for name, value in attributes.items() if value is not None}


def a_user(uid: str | None, name: str | None = None, **more: Any) -> Object:
    """Return the user *uid*; an unknown one where neither id nor name is known."""
    if uid is None and name is None:
        name = UNKNOWN
    email = next((text for text in (uid, name) if text and _EMAIL.fullmatch(text)), None)
    return known(uid=uid, name=name, email_addr=email, **more)


def take_acting_user(fields: Unplaced) -> Object | None:
    """Return the user who acted: the user's id, else the actor's; where both are given, the actor's is `uid_alt`."""
    user_id, actor_id, name = fields.take("user_id"), fields.take("actor_id"), fields.take("actor_name")
    key, organization = fields.take("api_key_id"), fields.take("organization_id")
    kind = fields.take("actor_type")
    if all(value is None for value in (user_id, actor_id, name, key, organization, kind)):
        return None
    type_id, caption = _USER_TYPES.get(kind, (99, kind))
    return a_user(
        actor_id if user_id is None else user_id,
        name,
        uid_alt=actor_id if user_id is not None and actor_id != user_id else None,
        type_id=type_id,
        type=caption,
        org=None if organization is None else {"uid": organization},
        programmatic_credentials=None if key is None else [{"uid": key}],
    )


def actor_of(fields: Unplaced, user: Object | None) -> Object | None:
    """Return the actor: the acting *user*, in which session, by which agent, vouched for by which provider."""
    session, provider = take_session(fields), fields.detail("provider_type")
    agent = fields.take("agent_id") if user is not None and user.get("type") == "agent" else None
    found = known(user=user, session=session, app_uid=agent)
    return {**found, **known(idp=None if provider is None else {"name": provider})} if found else None


def take_session(fields: Unplaced) -> Object | None:
    """Return the session."""
    uid = fields.take("session_id")
    return None if uid is None else {"uid": uid}


def target_user(fields: Unplaced) -> Object | None:
    """Return the user who was acted upon: named in the details, or the resource."""
    uid = fields.detail("target_user_id", "member_id")
    is_resource = fields.see("resource_type") in _USERS and uid in (None, fields.see("resource_id"))
    if is_resource:
        uid = fields.take("resource_id")
    return None if uid is None else a_user(uid)


def take_endpoint(fields: Unplaced) -> Object | None:
    """Return the endpoint that the event came from; None, with the text left where it is, if it is no address."""
    return {"ip": fields.take("ip_address")} if has_address(fields) else None


def has_address(fields: Unplaced) -> bool:
    """Return whether the address is one, and has found no attribute yet."""
    try:
        ipaddress.ip_address(fields.see("ip_address"))
    except ValueError:
        return False
    return True


def take_http_request(fields: Unplaced) -> Object | None:
    """Return the request: what a user agent asked for, by its id."""
    path, method = fields.detail("path"), (fields.detail("method") or "").upper()
    found = known(
        user_agent=fields.take("user_agent"),
        uid=fields.take("request_id"),
        http_method=method if method in _METHODS else None,
        url=None if path is None else {"path": path},
    )
    return found or None


def take_resource(fields: Unplaced) -> Object | None:
    """Return type and id of what was acted upon; None where it has no id."""
    uid = fields.see("resource_id")
    if uid is None:
        return None
    return known(uid=fields.take("resource_id"), type=fields.take("resource_type"))


def take_entity(fields: Unplaced) -> tuple[Object, Object | None]:
    """Return what was managed as it was before, and, where that is known, as it became."""
    kind = fields.see("resource_type")
    type_id, caption = _ENTITY_TYPES.get(kind, (99, kind))
    if kind is not None and kind.lower() == caption.lower():
        fields.take("resource_type")
    uid = fields.take("resource_id")
    entity = known(uid=uid, name=UNKNOWN if uid is None else None, type_id=type_id, type=caption)
    before, after = fields.take("old_values"), fields.take("new_values")
    return {**entity, **known(data=before)}, None if after is None else {**entity, "data": after}
