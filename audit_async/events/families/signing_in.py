"""How somebody came in: log-ins, single sign-on, second factors, sessions, and identities at a provider."""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import Id, Text, assume_success, build, given, named, outcome_of, say, settle
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields, to_text
from audit_async.events.vocabulary import Outcome
from audit_async.values import is_true, plain

_LOG_INS = {"auth.login": "password", "auth.password_login": "password", "auth.qrcode_login": "qrcode"}


def auth(
    action: Any,
    *,
    login_method: Text = None,
    logout_method: Text = None,
    email: Text = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about signing in or out by a method of our own, about lock-outs and passwords.

    The resource is the user. Details of a log-in: `login_method` and `success`; of one by *email*: that, and the
    description names it. Details of a log-out: `logout_method`.

    Args:
        action: e.g. `AuditAction.LOGIN`, `auth.password_change`.
        login_method: `password` (the default of a log-in), `qrcode`, `ldap`, ...
        logout_method: `manual` (the default of a log-out), `expired`, `forced`, ...
        email: what was typed to log in; there may be no user of that name.
        fields: any field of the event, `success` and `error_message` above all.
    """
    said = settle(action, "auth")
    name = said.term.name
    own = given(login_method=login_method, logout_method=logout_method, email=email)
    about: dict[str, Any] = {"resource_type": "user", "resource_id": fields.get("user_id")}
    if name == "auth.logout":
        own.setdefault("logout_method", "manual")
        about["description"] = "User logout"
        return build(said, own, fields, builder="auth", about=about, tags=("authentication", "logout"))
    if name not in _LOG_INS:
        return build(said, own, fields, builder="auth", about=about)

    went_well = outcome_of(said, fields) == Outcome.SUCCESS
    if email is not None:
        reason = None if went_well else _or_none(fields.get("error_message"))
        about["description"] = named(f"Login attempt for {say(email)}", reason)
        return build(said, own, fields, builder="auth", about=about)
    own.setdefault("login_method", _LOG_INS[name])
    own["success"] = went_well
    about["description"] = f"User login {'successful' if went_well else 'failed'}"
    return build(said, own, fields, builder="auth", about=about, tags=("authentication", "login"))


def sso(
    action: Any,
    *,
    provider_type: Text = None,
    provider_user_id: Id = None,
    protocol: Text = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about single sign-on: somebody came in through a provider, or its settings changed.

    Details: `provider_type`, `provider_user_id`, `success`; where given `protocol`, and the error message as `error`.
    The resource is the user, of a change of settings the provider.

    Args:
        action: e.g. `AuditAction.SSO_LOGIN`, `sso.config_change`.
        provider_type: `feishu`, `dingtalk`, `entra`, ...
        provider_user_id: the user's id there.
        protocol: `oidc`, `saml`, `oauth2`, `ldap`.
        fields: any field of the event, `success` above all.
    """
    said = settle(action, "sso")
    went_well = outcome_of(said, fields) == Outcome.SUCCESS
    own = {**_at_provider(provider_type, provider_user_id, went_well, fields), **given(protocol=protocol)}
    about = (
        {"resource_type": "sso_provider", "resource_id": provider_type}
        if said.term.name == "sso.config_change"
        else {"resource_type": "user", "resource_id": fields.get("user_id")}
    )
    return build(said, own, fields, builder="sso", about=about)


def mfa(action: Any, *, method: Text = None, target_user_id: Id = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a second factor: bound, verified, reset.

    Details: `method`, `target_user_id`, where given. The resource is the user whose factor it is.

    Args:
        action: e.g. `AuditAction.MFA_VERIFY`.
        method: `totp`, `sms`, `webauthn`, ...
        target_user_id: whose factor it is, if not the acting user's.
        fields: any field of the event.
    """
    owner = fields.get("user_id") if target_user_id is None else target_user_id
    about = {"resource_type": "user", "resource_id": owner}
    return build(action, given(method=method, target_user_id=target_user_id), fields, builder="mfa", about=about)


def session(
    action: Any, *, target_user_id: Id = None, reason: Text = None, **fields: Unpack[EventFields]
) -> AuditEvent:
    """Build an event about a session: created, revoked, or one user acting as another.

    Details: `target_user_id`, `reason`, where given. The resource is the session. Of an impersonation both identities
    are in the event: the actor is who really acts, `on_behalf_of` whom he acts as (*target_user_id*, unless given).

    Args:
        action: e.g. `session.revoke`, `session.impersonate_start`.
        target_user_id: whose session it is, or who is impersonated.
        reason: why.
        fields: any field of the event, `session_id` above all.
    """
    said = settle(action, "session")
    about = {"resource_type": "session", "resource_id": fields.get("session_id")}
    if said.term.name.startswith("session.impersonate"):
        about["on_behalf_of"] = target_user_id
    own = given(target_user_id=target_user_id, reason=reason)
    return build(said, own, fields, builder="session", about=about)


def identity(
    action: Any,
    *,
    provider_type: Text = None,
    provider_user_id: Id = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about an identity at a provider: bound, unbound, created, deleted, or used to log in.

    Details: `provider_type`, `provider_user_id`, `success`, and `error` when an error message is given.

    Args:
        action: e.g. `AuditAction.IDENTITY_BIND`, `AuditAction.SSO_LOGIN`.
        provider_type: `feishu`, `dingtalk`, `entra`, ...
        provider_user_id: the user's id there.
        fields: any field of the event, `success` (True) above all.
    """
    said = settle(action, "identity")
    # As of old: it went well unless somebody says otherwise, whatever the spelling of the action implies.
    assume_success(fields, True)
    success = fields.get("success")
    went_well = success if success is not None else outcome_of(said, fields) == Outcome.SUCCESS
    return build(said, _at_provider(provider_type, provider_user_id, went_well, fields), fields, builder="identity")


def _or_none(value: Any) -> Any:
    return value if is_true(value) else None


def _at_provider(provider_type: Any, provider_user_id: Any, success: Any, fields: EventFields) -> dict[str, Any]:
    own = {
        "provider_type": plain(provider_type),
        "provider_user_id": plain(provider_user_id),
        "success": plain(success),
    }
    error = fields.get("error_message")
    if error is not None and is_true(error):
        own["error"] = to_text(error) if issubclass(type(error), BaseException) else plain(error)
    return own
