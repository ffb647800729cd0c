"""Aether's table is written as its own service writes it."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy.orm import Session

from audit_async import AuditAction, TableMap, events
from tests.seeds import aether
from tests.seeds.aether import AuditEventType, log_api_request, log_event, log_login_attempt, log_security_event
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import (
    NULL_IN_JSON,
    Call,
    by_session,
    differences,
    entry_of,
    make_tables,
    rows_of,
    through_model,
)

USER, KEY = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
READY = TableMap.ready("aether")
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)

# Of a call without metadata, where SQL knows no value there stood the JSON value null.
NO_METADATA: dict[str, Any] = {"event_metadata": (NULL_IN_JSON, {})}


def an_event(kind: AuditEventType, metadata: dict[str, Any] | None = None, **fields: Any) -> Call:
    """Return the call of `log_event` with *fields*."""
    return Call(
        name=f"{kind.value} {sorted(fields)} {metadata}",
        theirs=by_session(lambda db: log_event(db, kind, "what happened", metadata=metadata, **fields)),
        ours=events.custom(kind.value, description="what happened", metadata=metadata, **fields),
        traps=NO_METADATA if metadata is None else {},
    )


def a_login(success: bool, traps: dict[str, Any] | None = None, **fields: Any) -> Call:
    def theirs(db: Session) -> None:
        log_login_attempt(db, "王@example.com", success, "192.0.2.1", "curl/8", **fields)

    said = {"error_message" if name == "error_reason" else name: value for name, value in fields.items()}
    action = AuditAction.LOGIN_SUCCESS if success else AuditAction.LOGIN_FAILED
    return Call(
        name=f"login {success} {fields}",
        theirs=by_session(theirs),
        ours=events.auth(action, email="王@example.com", ip_address="192.0.2.1", user_agent="curl/8", **said),
        traps=traps or {},
    )


def a_request(success: bool, traps: dict[str, Any] | None = None, **fields: Any) -> Call:
    known: dict[str, Any] = {
        "user_id": USER,
        "api_key_id": KEY,
        "request_id": "r-1",
        "model": "large",
        "provider": "acme",
        "ip_address": "2001:db8::1",
        "status_code": 200 if success else 502,
        **fields,
    }
    action = AuditAction.REQUEST_SUCCESS if success else AuditAction.REQUEST_FAILED
    return Call(
        name=f"request {success} {fields}",
        theirs=by_session(lambda db: log_api_request(db, success=success, **known)),
        ours=events.api_request(action, **known),
        traps=traps or {},
    )


def an_alarm(kind: AuditEventType, traps: dict[str, Any] | None = None, **fields: Any) -> Call:
    return Call(
        name=f"{kind.value} alarm {fields}",
        theirs=by_session(lambda db: log_security_event(db, kind, "too many", "192.0.2.1", **fields)),
        ours=events.security(kind.value, description="too many", ip_address="192.0.2.1", **fields),
        traps=traps or {},
    )


CALLS = [
    *(an_event(kind, {"n": 1, "名": ["é", None]}) for kind in AuditEventType),
    *(an_event(kind) for kind in AuditEventType),
    an_event(
        AuditEventType.REQUEST_FAILED,
        {},
        user_id=USER,
        api_key_id=KEY,
        ip_address="192.0.2.1",
        user_agent="Mozilla/5.0",
        request_id="r-1",
        status_code=0,
        error_message="boom",
    ),
    a_login(True, user_id=USER),
    a_login(False),
    # Why it failed stood in the sentence only, though there was a column for it.
    a_login(False, {"error_message": (None, "")}, error_reason=""),
    a_login(False, {"error_message": (None, "locked")}, error_reason="locked"),
    a_request(True),
    a_request(True, input_tokens=12, output_tokens=3, cost_usd=0.25),
    a_request(False, error_message="upstream: reset"),
    # What is 0 was left out.
    a_request(
        True,
        {
            "event_metadata": (
                {"model": "large", "provider": "acme"},
                {"model": "large", "provider": "acme", "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0},
            )
        },
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
    ),
    an_alarm(AuditEventType.SUSPICIOUS_ACTIVITY, user_id=USER),
    an_alarm(AuditEventType.UNAUTHORIZED_ACCESS, severity="critical", details={"path": "/admin", "tries": 40}),
    # A detail could say another severity than the call.
    an_alarm(
        AuditEventType.SUSPICIOUS_ACTIVITY,
        {"event_metadata": ({"severity": "low"}, {"severity": "high", "severity#2": "low"})},
        severity="high",
        details={"severity": "low"},
    ),
]


@ON_EACH
async def test_every_call_leaves_the_row_that_its_own_code_left(empty: Place) -> None:  # noqa: F811
    """Column by column, but for the row's own id and time, and the traps that are named."""
    await make_tables(empty, aether.metadata, f"INSERT INTO users (id) VALUES ('{USER}')")
    assert {call.name: call.traps for call in CALLS} == await differences(empty, CALLS, READY)


@ON_EACH
async def test_its_own_model_reads_what_was_written(empty: Place) -> None:  # noqa: F811
    """Of a batch, the id is the event's, the time is when it happened, and the metadata are a dict."""
    await make_tables(empty, aether.metadata, f"INSERT INTO users (id) VALUES ('{USER}')")
    made = [call.ours for call in CALLS]
    await empty.open(table=READY).insert([entry_of(event, number) for number, event in enumerate(made)])
    rows = await through_model(empty, aether.AuditLog)
    found = {row.id: (row.created_at.replace(tzinfo=UTC), type(row.event_metadata)) for row in rows}
    assert {event.id: (event.created_at, dict) for event in made} == found


@ON_EACH
async def test_what_is_too_long_is_cut_and_kept_whole(empty: Place) -> None:  # noqa: F811
    """A text ends visibly at its column's length; an id that does not fit is left out; all of it is in the metadata."""
    await make_tables(empty, aether.metadata)
    long: dict[str, Any] = {"user_agent": "u" * 600, "request_id": "r" * 101}
    event = events.custom("a" * 60, **long)
    await empty.open(table=READY).insert([entry_of(event)])
    (row,) = await rows_of(empty)
    assert (row["event_type"], row["user_agent"], row["request_id"]) == ("a" * 49 + "…", "u" * 499 + "…", None)
    assert {"action": "a" * 60, **long} == row["event_metadata"]
    assert "a" * 60 == row["description"]
