"""Microsoft 365 and Entra ID: unified audit records, as JSON or as the table that the Purview portal exports.

No value of a record is lost: what has no field of its own stays under its own name, in `details` what happened, in
`metadata` what is about the record. The logger itself takes out what is called a credential, a password or the like
before anything reaches the disk.

Source: "Office 365 Management Activity API schema", common schema and Azure Active Directory schemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit_async import events
from audit_async.events import AuditAction, Outcome
from audit_async.importing.formats.format import (
    Format,
    Mapped,
    Reading,
    RefusedError,
    address_of,
    moment_of,
    said,
    words_of,
)
from audit_async.importing.formats.m365_operations import LOG_INS, action_of, key_of
from audit_async.importing.records import parse_json

_OUTCOMES = {
    **dict.fromkeys(("success", "succeeded", "true"), Outcome.SUCCESS),
    **dict.fromkeys(("failure", "failed", "false"), Outcome.FAILURE),
    "partiallysucceeded": Outcome.PARTIAL,
}
_ACTOR_TYPES = {0: "user", 2: "user", 3: "user", 4: "system", 5: "service", 6: "service"}
_NOBODY = ("", "Not Available", "Unknown", None)
_ABOUT_THE_RECORD = ("CreationTime", "RecordType", "Version", "Workload")
_IN_AUDIT_DATA = frozenset(
    {
        *("AuditData", "RecordId", "Identity", "CreationDate", "CreationTime", "RecordType", "Operation", "Operations"),
        *("UserId", "UserIds", "ResultIndex", "ResultCount", "IsValid", "ObjectState"),
    }
)
"""Columns of the portal's table that say again what `AuditData` says, or which row of how many this is."""


def event_of(body: Mapping[str, Any], event_id: str, moment: datetime, tenant_id: str | None = None) -> Mapped:
    """Return the event of a record with this id and time.

    Args:
        tenant_id: of a record that names no organization.
    """
    record = _Body(body)
    operation = str(record.take("Operation"))
    changes = _changes(record)
    # The id is said in this spelling too where the event's own is a normal UUID.
    about = {"operation": operation, "record_id": record.left.pop("Id", None)}
    about |= {name: record.left.pop(name) for name in _ABOUT_THE_RECORD if name in record.left}
    fields: dict[str, Any] = {
        "id": event_id,
        "created_at": moment,
        "outcome": _outcome(operation, record),
        "tenant_id": record.take_text("OrganizationId") or tenant_id,
        **_address(record),
        "request_id": record.take_text("IntraSystemId"),
        "trace_id": record.take_text("InterSystemsId"),
        "error_message": record.take_text("LogonError"),
        "status_code": record.take_number("ErrorNumber"),
        "user_agent": _user_agent(record),
        "old_values": {name: old for name, (old, _) in changes.items()} or None,
        "new_values": {name: new for name, (_, new) in changes.items()} or None,
        "metadata": said(about),
        **_actor(record),
    }
    details = said(record.left)
    fields["details"] = details

    if key_of(operation) in LOG_INS:
        event = events.identity(
            AuditAction.SSO_LOGIN,
            provider_type="entra",
            provider_user_id=fields["actor_id"],
            success=fields["outcome"] is Outcome.SUCCESS,
            resource_type="application",
            resource_id=record.left.get("ApplicationId"),
            **fields,
        )
        return Mapped(event=event, operation=operation, folded=tuple(details))
    action = action_of(operation) or f"m365.{words_of(operation)}"
    kind, target_id, name = _target(record)
    if action in ("role.assign", "role.revoke"):
        old, new = changes.get("Role.DisplayName", (None, None))
        event = events.role(action, target_user_id=name or target_id, role_name=new or old, **fields)
    else:
        event = events.custom(action, resource_type=kind, resource_id=target_id, description=name, **fields)
    return Mapped(event=event, operation=operation, folded=tuple(details))


def _read(body: Mapping[str, Any], reading: Reading) -> Mapped:
    if "AuditData" in body:
        body = _of_row(body)
    operation = body.get("Operation")
    if not isinstance(operation, str) or not operation.strip():
        raise RefusedError("it has no Operation")
    moment = moment_of(body.get("CreationTime"), reading.zone)
    if moment is None:
        raise RefusedError("it has no CreationTime")
    event_id, moment = reading.key_of(body.get("Id"), moment, body)
    return event_of(body, event_id, moment, reading.tenant_id)


FORMAT = Format(
    name="m365",
    about="Microsoft 365 and Entra ID: unified audit records, JSON or the portal's CSV with AuditData",
    read=_read,
    header_mark=b"AuditData",
)


def _of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a row of the portal's table."""
    data = row["AuditData"]
    try:
        body = parse_json(data.encode("utf-8", "replace")) if isinstance(data, str) else data
    except ValueError as error:
        raise RefusedError(f"its AuditData is {error}") from None
    if not isinstance(body, dict):
        raise RefusedError("its AuditData is no JSON object")
    first = said({"Id": row.get("RecordId") or row.get("Identity"), "CreationTime": row.get("CreationDate")})
    return {**first, **body, **said({name: row[name] for name in row if name not in _IN_AUDIT_DATA})}


class _Body:
    """A record's object, from which field after field is taken.

    Attributes:
        left: what has not been taken. A value that does not fit its field is not.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.left = dict(body)

    def take(self, name: str) -> Any:
        return self.left.pop(name, None)

    def take_text(self, name: str) -> str | None:
        value = self.left.get(name)
        return self.take(name) if isinstance(value, str) and value and len(value) <= 1000 else None

    def take_number(self, name: str) -> int | None:
        value = self.left.get(name)
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10):
            return None
        return int(self.take(name)) if str(int(value)) == value else None

    def items_of(self, name: str) -> list[dict[str, Any]]:
        """Return the objects of the list *name*, without taking it."""
        value = self.left.get(name)
        return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _outcome(operation: str, record: _Body) -> Outcome:
    # An interrupted log-in says `UserLoginFailed` with the result `Success`: the operation decides.
    decided = LOG_INS.get(key_of(operation))
    return decided or _OUTCOMES.get(str(record.left.get("ResultStatus")).lower(), Outcome.UNKNOWN)


def _address(record: _Body) -> dict[str, str]:
    """Take the client's address: `ClientIP`, else `ActorIpAddress`. One that is another stays beside it."""
    fields: dict[str, str] = {}
    for name in ("ClientIP", "ActorIpAddress", "ClientIPAddress"):
        found = address_of(record.left.get(name))
        if found is not None and fields.setdefault("ip_address", found[0]) == found[0]:
            record.take(name)
            if found[1] is not None:
                record.left["client_port"] = found[1]
    return fields


def _actor(record: _Body) -> dict[str, Any]:
    user = record.take_text("UserId")
    key = None if record.left.get("UserKey") in _NOBODY else record.take_text("UserKey")
    kind = record.left.get("UserType")
    is_service = bool(user) and str(user).startswith("ServicePrincipal_")
    names = [item.get("ID") for item in record.items_of("Actor") if item.get("Type") == 1]
    return {
        "user_id": user,
        "actor_id": key or user,
        "actor_type": "service" if is_service else _ACTOR_TYPES.get(kind) if type(kind) is int else None,
        "actor_name": names[0] if is_service and names else user,
    }


def _user_agent(record: _Body) -> str | None:
    """Return what is called `UserAgent` for log-ins, and sits in a JSON text for changes of the directory."""
    for item in record.items_of("ExtendedProperties"):
        name, value = item.get("Name"), item.get("Value")
        if name == "UserAgent" and isinstance(value, str):
            return value
        if name == "additionalDetails" and isinstance(value, str):
            try:
                found = parse_json(value.encode("utf-8", "replace"))
            except ValueError:
                continue
            agent = found.get("User-Agent") if isinstance(found, dict) else None
            if isinstance(agent, str):
                return agent
    return None


def _changes(record: _Body) -> dict[str, tuple[Any, Any]]:
    """Take the modified properties, by name: old value and new. Those of another shape stay where they are."""
    changes = {
        item["Name"]: (item["OldValue"], item["NewValue"])
        for item in record.items_of("ModifiedProperties")
        if item.keys() == {"Name", "OldValue", "NewValue"} and isinstance(item["Name"], str)
    }
    found = record.left.get("ModifiedProperties")
    if not changes or not isinstance(found, list) or len(changes) != len(found):
        return {}
    record.take("ModifiedProperties")
    return changes


def _target(record: _Body) -> tuple[str | None, str | None, str | None]:
    """Return type, id and name of what was acted upon. The list itself stays in the details: it says more."""
    ids = [(item.get("Type"), item.get("ID")) for item in record.items_of("Target")]
    plain = [str(value) for kind, value in ids if kind == 2]
    named = [str(value) for kind, value in ids if kind in (1, 5)]
    # Of type 2 there are `User_<guid>`, `<guid>` and `User`, in this order.
    kind = plain[2] if len(plain) > 2 else None
    target_id = plain[1] if len(plain) > 1 else record.left.get("ObjectId")
    return kind and re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower(), target_id, named[0] if named else None
