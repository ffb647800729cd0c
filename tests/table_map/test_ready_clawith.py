"""The helpers, called through their new import, leave the rows that those of old left."""

from __future__ import annotations

import functools
import uuid
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

import audit_async
from audit_async import TableMap, configure
from audit_async.events.dialects import DIALECTS
from tests.seeds import clawith
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import differing, look, make_tables, rows_of, through_model

USER, TENANT, AGENT, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3, 4))
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    *(("write_audit_log", action, {"details": {"n": 1}, "user_id": USER}) for action in DIALECTS["clawith"].meanings),
    ("write_audit_log", "supervision_tick", {"details": {"名": "é", "at": TENANT, "list": [1, None]}}),
    ("write_audit_log", "schedule_execute", {"agent_id": AGENT}),
    ("write_audit_log", "Something of its own", {"details": {"success": False, "error": "x"}}),
    *(
        ("write_identity_audit_log", action, given)
        for action in ("sso_login", "sso_login_failed", "login_failed", "identity_bind", "identity_unbind", "my_own")
        for given in (
            {"user_id": USER, "provider_type": "feishu", "provider_user_id": "ou_1", "tenant_id": TENANT},
            {"provider_type": "dingtalk", "success": False, "error_message": "no such user"},
            {"success": False, "error_message": ""},
            {},
        )
    ),
    *(
        ("write_role_audit_log", action, given)
        for action in ("role_assign", "role_revoke", "role_create", "role_update", "role_delete", "my_own")
        for given in (
            {"user_id": USER, "target_user_id": OTHER, "role_name": "admin", "tenant_id": TENANT, "granted_by": USER},
            {"role_name": "审计"},
            {},
        )
    ),
    *(
        ("write_tenant_audit_log", action, given)
        for action in ("tenant_create", "tenant_update", "tenant_delete", "tenant_join", "tenant_leave", "my_own")
        for given in ({"user_id": USER, "tenant_id": TENANT, "details": {"plan": "pro"}}, {"tenant_id": TENANT}, {})
    ),
]


@ON_EACH
async def test_every_call_leaves_the_row_that_it_left(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """All 34 actions and free ones, by the four functions: the same but for the row's own id and time."""
    await make_tables(empty, clawith.metadata)
    configure(empty.url, journal_dir=tmp_path / "journal", table=TableMap.ready("clawith"))
    different = {}
    async with look(empty) as looked:
        for function, action, given in CALLS:
            await getattr(clawith, function)(looked.connection, action, **given)
            theirs = await looked.take()
            await getattr(audit_async, function)(action, **given)
            if found := differing(theirs, await looked.take()):
                different[function, action] = found
    await audit_async.ashutdown()
    assert {} == different


@ON_EACH
async def test_its_own_model_reads_what_was_written(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """Ids are UUIDs and details a dict."""
    await make_tables(empty, clawith.metadata)
    configure(empty.url, journal_dir=tmp_path / "journal", table=TableMap.ready("clawith"))
    await audit_async.write_audit_log("schedule_execute", {"n": 1}, agent_id=AGENT, user_id=USER)
    await audit_async.ashutdown()
    (row,) = await through_model(empty, clawith.AuditLog)
    assert isinstance(row.id, uuid.UUID)
    assert (AGENT, USER, {"n": 1}) == (row.agent_id, row.user_id, row.details)
    assert row.created_at.replace(tzinfo=UTC).year >= 2025


@ON_EACH
async def test_what_the_caller_passed_is_left_alone(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """The tenant is in the row's details, and not in the caller's dict, where the old helper left it."""
    await make_tables(empty, clawith.metadata)
    write = functools.partial(audit_async.write_tenant_audit_log, "tenant_join", tenant_id=TENANT)
    configure(empty.url, journal_dir=tmp_path / "journal", table=TableMap.ready("clawith"))
    mine = {"plan": "pro"}
    await write(details=mine)
    await audit_async.ashutdown()
    assert {"plan": "pro"} == mine
    (row,) = await rows_of(empty)
    assert {"plan": "pro", "tenant_id": str(TENANT)} == row["details"]
