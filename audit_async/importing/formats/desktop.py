"""The queue of the desktop program: one JSON object a line, of the kinds `use_log` and `login_log`.

Its times are those of the machine's own clock, without a zone. Whoever reads the queue on another machine says which
zone it was written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit_async import events
from audit_async.events import AuditAction, AuditEvent, Outcome
from audit_async.events.fields import outcome_in_words
from audit_async.importing.formats.format import Format, Mapped, Reading, RefusedError, moment_of, said
from audit_async.values import is_true, plain

UNKNOWN_USER = "未知用户"
UNKNOWN_DEVICE = "未知设备"

_USE = ("prompt", "result_path", "model", "duration_ms", "finish_reason", "error_message")
_LOGIN = ("local_ip", "public_ip", "device_name")
_KNOWN = frozenset({"kind", "ts", "user_name", "device_name", "status", "login_time", *_USE, *_LOGIN})


def use_event(user_name: Any, *, status: Any, **fields: Any) -> AuditEvent:
    """Return the event of a use of a model, with what else is said of it."""
    return events.usage(
        AuditAction.USE_LOG,
        **_user(user_name),
        outcome=outcome_in_words(status) or Outcome.UNKNOWN,
        status=status,
        **fields,
    )


def login_event(user_name: Any, ip_address: Any, details: dict[str, Any], **fields: Any) -> AuditEvent:
    """Return the event of a log-in."""
    # Not `events.auth`, which would add by what method: nobody told us.
    return events.custom(AuditAction.LOGIN_LOG, **_user(user_name), ip_address=ip_address, details=details, **fields)


def _user(name: Any) -> dict[str, Any]:
    is_known = is_true(name) and plain(name) != UNKNOWN_USER
    return {"actor_type": "user", "actor_name": name, "user_id": name if is_known else None}


def _read(body: Mapping[str, Any], reading: Reading) -> Mapped:
    kind = body.get("kind")
    if kind not in ("use_log", "login_log"):
        raise RefusedError(f"its kind is {str(kind)[:100]!r}, neither 'use_log' nor 'login_log'")
    moment = moment_of(body.get("ts") or body.get("login_time"), reading.zone)
    event_id, moment = reading.key_of(None, moment, body)
    key = {"id": event_id, "created_at": moment, "tenant_id": reading.tenant_id}
    others = said({name: value for name, value in body.items() if name not in _KNOWN})
    user = body.get("user_name") or UNKNOWN_USER
    if kind == "use_log":
        event = use_event(
            user,
            status=body.get("status", "unknown"),
            device_name=body.get("device_name") or UNKNOWN_DEVICE,
            details=others,
            **{name: body.get(name) for name in _USE},
            **key,
        )
    else:
        details = {**others, **{name: body.get(name) for name in _LOGIN}}
        event = login_event(user, body.get("public_ip") or body.get("local_ip"), details, **key)
    return Mapped(event=event, operation=str(kind), folded=tuple(others))


FORMAT = Format(
    name="seed003-ndjson",
    about="the queue of the desktop program, with records of the kinds use_log and login_log",
    read=_read,
    is_local=True,
)
