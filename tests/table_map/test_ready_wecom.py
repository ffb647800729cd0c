"""The service desk's table is written as its own constructor fills it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from audit_async import AuditEvent, TableMap, events
from tests.seeds import wecom
from tests.seeds.wecom import WHEN_TO_WRITE, AuditLog
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import (
    NULL_IN_JSON,
    Call,
    differences,
    entry_of,
    make_tables,
    of_model,
    rows_of,
    through_model,
)

READY = TableMap.ready("wecom")
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
WHERE = {"ip_address": "10.80.0.5", "user_agent": "wxwork/4.1"}
DETAILS = {"before": {"role": "agent"}, "after": {"role": "admin"}, "reason": "新员工转岗"}


def call(action: str, resource: str, *, result: str = "success", **fields: Any) -> Call:
    """Return the call of the constructor, and of the builder that takes what it took."""
    row = AuditLog(employee_id="ZhangSan", action=action, resource=resource, result=result, **fields)
    ours = events.custom(action, user_id="ZhangSan", resource_type=resource, outcome=result, **fields)
    return Call(name=f"{action} {result} {sorted(fields)}", theirs=of_model(row), ours=ours)


def calls() -> list[Call]:
    """Return the calls, with rows that no session has seen yet."""
    return [
        *(
            call(action, "agent", result=result, resource_id="a-1", details=DETAILS, **WHERE)
            for action in WHEN_TO_WRITE
            for result in ("success", "failure", "partial")
        ),
        call("role_change", "user_role", details={}),
        call("config_change", "system_config", resource_id="sla", details={"key": "sla", "success": False}),
        # Of the system itself, and without details: SQL's null, or what JSON has for it, becomes an empty object.
        Call(
            name="of the system",
            theirs=of_model(AuditLog(employee_id="system", action="account_disable", resource="agent", details=None)),
            ours=events.custom("account_disable", resource_type="agent"),
            traps={"details": (NULL_IN_JSON, {})},
        ),
    ]


@ON_EACH
async def test_every_call_leaves_the_row_that_it_left(empty: Place) -> None:  # noqa: F811
    """All actions of its list with all results: the same but for the row's own id and time, and the traps named."""
    await make_tables(empty, wecom.metadata)
    made = calls()
    assert {each.name: each.traps for each in made} == await differences(empty, made, READY)


@ON_EACH
async def test_its_own_model_reads_what_was_written(empty: Place) -> None:  # noqa: F811
    """The id is the event's, and its time is a moment, wherever the writer stands."""
    await make_tables(empty, wecom.metadata)
    made = [each.ours for each in calls()]
    await empty.open(table=READY).insert([entry_of(event, number) for number, event in enumerate(made)])
    rows = await through_model(empty, AuditLog)
    assert {event.id: event.created_at for event in made} == {
        row.id: row.created_at.replace(tzinfo=UTC) for row in rows
    }


FAMILIES: list[tuple[AuditEvent, tuple[str, str, str | None, str], dict[str, Any]]] = [
    (
        events.role("assign_role", user_id="z", target_user_id="w", role_name="auditor"),
        ("assign_role", "role", "auditor", "success"),
        {"target_user_id": "w", "role_name": "auditor", "granted_by": None},
    ),
    (
        events.mfa("mfa_verify", user_id="z", method="totp", success=False),
        ("mfa_verify", "user", "z", "failure"),
        {"method": "totp"},
    ),
    (
        events.conversation("transfer_conversation", user_id="z", conversation_id="c-1", transferred_to="w"),
        ("transfer_conversation", "conversation", "c-1", "success"),
        {"transferred_to": "w"},
    ),
    # What is foreign to it is written as it has a word for it, and a denial is a failure that says what it is.
    (
        events.role("role.assign", user_id="z", outcome="denied"),
        ("assign_role", "role", None, "failure"),
        {"target_user_id": None, "role_name": None, "granted_by": None, "outcome": "denied"},
    ),
    (events.agent("agent.start", user_id="z", agent_id="a-1"), ("agent_start", "agent", "a-1", "success"), {}),
    (events.job("job.start", user_id="z"), ("job.start", "job", None, "success"), {}),
]


@pytest.mark.parametrize(("event", "expected", "details"), FAMILIES)
@ON_EACH
async def test_events_of_every_family_find_their_place(
    event: AuditEvent,
    expected: tuple[Any, ...],
    details: dict[str, Any],
    empty: Place,  # noqa: F811
) -> None:
    """Resource and result have columns, and the details are the builder's."""
    await make_tables(empty, wecom.metadata)
    await empty.open(table=READY).insert([entry_of(event)])
    (row,) = await rows_of(empty)
    assert (*expected, details, "z") == (
        *(row[name] for name in ("action", "resource", "resource_id", "result", "details")),
        row["employee_id"],
    )
