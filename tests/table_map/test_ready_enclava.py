"""Enclava's table is written as its own builders fill it, and reads the same through its own model."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from audit_async import AuditAction, AuditEvent, TableMap, events
from tests.seeds import enclava
from tests.seeds.enclava import AuditLog
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

READY = TableMap.ready("enclava")
USERS = "INSERT INTO users (id) VALUES (5), (9)"
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)


def call(row: AuditLog, ours: AuditEvent, **traps: Any) -> Call:
    return Call(
        name=f"{row.action} {row.description} {row.success} {row.details}",
        theirs=of_model(row),
        ours=ours,
        traps=traps,
    )


WHERE: dict[str, Any] = {"ip_address": "192.0.2.1", "user_agent": "curl/8", "session_id": "s-1"}
SYSTEMS: list[dict[str, Any]] = [
    {},
    {"resource_type": "queue", "resource_id": "q1", "severity": "high", "details": {"n": 1}},
]
OLD, NEW = {"state": "open", "total": 5}, {"state": "付", "total": 5}


def calls() -> list[Call]:
    """Return the calls, with rows that no session has seen yet."""
    return [
        call(AuditLog.create_login_event(5, **WHERE), events.auth(AuditAction.LOGIN, user_id=5, **WHERE)),
        call(
            AuditLog.create_login_event(5, success=False, error_message="wrong password"),
            events.auth(AuditAction.LOGIN, user_id=5, success=False, error_message="wrong password"),
        ),
        call(AuditLog.create_logout_event(5, "s-1"), events.auth(AuditAction.LOGOUT, user_id=5, session_id="s-1")),
        *(
            call(
                AuditLog.create_api_key_event(5, action, 7, "deploy", success=success, error_message=error),
                events.api_key(
                    action, user_id=5, api_key_id=7, api_key_name="deploy", success=success, error_message=error
                ),
            )
            for action in ("api_key_create", "api_key_delete")
            for success, error in ((True, None), (False, "quota"))
        ),
        *(
            call(
                AuditLog.create_budget_event(5, action, 3, "Q3", details=details, success=success),
                events.budget(action, user_id=5, budget_id=3, budget_name="Q3", details=details, success=success),
            )
            for action, success in (("budget_create", True), ("budget_update", True), ("budget_exceed", True))
            for details in (None, {"limit_usd": 0})
        ),
        *(
            call(
                AuditLog.create_module_event(5, action, "rag", error is None, error),
                events.module(action, user_id=5, module_name="rag", success=error is None, error_message=error),
            )
            for action in ("module_enable", "module_disable")
            for error in (None, "no licence")
        ),
        *(
            call(
                AuditLog.create_permission_event(5, action, 9, "读", success),
                events.permission(action, user_id=5, target_user_id=9, permission="读", success=success),
            )
            for action in ("permission_grant", "permission_revoke")
            for success in (True, False)
        ),
        *(
            call(
                AuditLog.create_security_event(5, "brute_force", "many", severity, {"tries": 40}, "192.0.2.1"),
                events.security(
                    AuditAction.SECURITY_EVENT,
                    user_id=5,
                    event_type="brute_force",
                    description="many",
                    severity=severity,
                    details={"tries": 40},
                    ip_address="192.0.2.1",
                ),
            )
            for severity in ("low", "medium", "high", "critical")
        ),
        *(
            call(
                AuditLog.create_system_event(action, "done", **given),
                events.system(action, description="done", **given),
            )
            for action in ("system_config", "backup", "Nightly Backup")
            for given in SYSTEMS
        ),
        *(
            call(
                AuditLog.create_data_change_event(5, action, "order", "o1", "changed", OLD, NEW),
                events.data_change(
                    action,
                    user_id=5,
                    resource_type="order",
                    resource_id="o1",
                    description="changed",
                    old_values=OLD,
                    new_values=NEW,
                ),
            )
            for action in ("create", "read", "update", "delete", "archive")
        ),
        # Where nothing was before, SQL's null stands for it and not that of JSON.
        call(
            AuditLog.create_data_change_event(5, "create", "order", "o2", "made", None, NEW),
            events.data_change(
                "create", user_id=5, resource_type="order", resource_id="o2", description="made", new_values=NEW
            ),
            old_values=(NULL_IN_JSON, None),
        ),
    ]


@ON_EACH
async def test_every_builder_leaves_the_row_that_its_own_left(empty: Place) -> None:  # noqa: F811
    """Column by column, but for the row's own number and time, and the traps that are named."""
    await make_tables(empty, enclava.metadata, USERS)
    made = calls()
    assert {each.name: each.traps for each in made} == await differences(empty, made, READY)


@ON_EACH
async def test_its_own_model_reads_what_was_written(empty: Place) -> None:  # noqa: F811
    """Of a batch, the database numbers the rows in their order, and the times are those of the events, in UTC."""
    await make_tables(empty, enclava.metadata, USERS)
    made = [each.ours for each in calls()]
    await empty.open(table=READY).insert([entry_of(event, number) for number, event in enumerate(made)])
    rows = sorted(await through_model(empty, AuditLog), key=lambda row: row.id)
    assert list(range(1, len(made) + 1)) == [row.id for row in rows]
    assert [event.created_at for event in made] == [row.created_at.replace(tzinfo=UTC) for row in rows]
    assert [(event.success, list(event.tags)) for event in made] == [(row.success, row.tags) for row in rows]


@ON_EACH
async def test_what_has_no_column_is_in_its_metadata(empty: Place) -> None:  # noqa: F811
    """A tenant, an outcome that is neither, a user whose id is no number: nothing else is lost either."""
    await make_tables(empty, enclava.metadata)
    event = events.custom(
        "sso.login", user_id="ou_1", tenant_id="t-1", outcome="denied", duration_ms=1.5, metadata={"own": 1}
    )
    await empty.open(table=READY).insert([entry_of(event)])
    (row,) = await rows_of(empty)
    assert (None, False) == (row["user_id"], bool(row["success"]))
    assert {"own": 1, "tenant_id": "t-1", "duration_ms": 1.5, "outcome": "denied", "user_id": "ou_1"} == row["metadata"]
