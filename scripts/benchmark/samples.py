"""The event that everyone logs: sixteen filled columns, some 200 bytes of details."""

from __future__ import annotations

import uuid
from typing import Any

from audit_async import audit_context, events
from audit_async.entry import Entry, decode, encode
from audit_async.events import AuditEvent

WRITER_ID = uuid.uuid4().hex
USER_ID = uuid.uuid4()

ACTING = {
    "actor_type": "user",
    "tenant_id": "7b0c7c1e-5d0e-4d5c-9a55-2f6d1f0a7c11",
    "ip_address": "192.0.2.17",
    "session_id": "s-5d4c2b1a09f8e7d6",
    "request_id": "r-018f3f5e8a535c0e",
}
_SECRETS = {"client_secret": "q8w7e6r5t4z3", "refreshToken": "r-0123456789"}


def details(number: int) -> dict[str, Any]:
    """Return details of about 200 bytes, fresh ones for each call."""
    return {
        "provider_type": "feishu",
        "provider_user_id": f"ou_7dab8a3d3cdcc9da365777c7ad5{number:05d}",
        "department": {"id": "od-4e6ac4d14bcd5071a37a39de902c7141", "path": ["acme", "sales", "emea"]},
        "attempt": number,
        "mfa": True,
    }


def event(number: int = 0, *, with_secrets: bool = False) -> AuditEvent:
    """Return an event; what it leaves open comes from `acting()`."""
    return _sign_on({**details(number), **_SECRETS} if with_secrets else details(number))


def typical(number: int = 0) -> AuditEvent:
    """Return an event with eight details, none of them a secret."""
    return _sign_on(
        {
            "provider_type": "feishu",
            "provider_user_id": f"ou_7dab8a3d3cdcc9da365777c7ad5{number:05d}",
            "department": "sales",
            "city": "Shanghai",
            "login_method": "oidc",
            "attempt": number,
            "elapsed_ms": 12.5,
            "mfa": True,
        }
    )


def _sign_on(said: dict[str, Any]) -> AuditEvent:
    return events.custom(
        "sso.login",
        user_id=USER_ID,
        resource_type="user",
        resource_id="u-4711",
        duration_ms=12.5,
        details=said,
    )


def acting() -> audit_context:
    """Return the context in which events are logged."""
    return audit_context(**ACTING)


def record(number: int = 0) -> dict[str, Any]:
    """Return the same as plain data, for those who know no events."""
    filled = encode_in_context(event(number))
    return {
        name: value
        for name, value in decode_whole(filled).items()
        if name not in ("writer_id", "writer_seq") and value is not None
    }


def entries(count: int) -> list[Entry]:
    """Return *count* entries as the writer has them, each with a key of its own."""
    return [decode(encode_in_context(event(number)), WRITER_ID, number + 1) for number in range(count)]


def encode_in_context(made: AuditEvent) -> bytes:
    """Return the bytes that `log()` puts into the journal."""
    from audit_async import context

    with acting():
        return encode(context.fill(made))


def decode_whole(payload: bytes) -> dict[str, Any]:
    """Return everything in *payload* as plain data."""
    import msgspec

    whole = msgspec.json.decode(payload)
    assert isinstance(whole, dict)
    return whole
