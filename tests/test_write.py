"""The coroutine helpers: signatures and rows of old, and nothing that breaks their caller."""

from __future__ import annotations

import asyncio
import inspect
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import audit_async
from audit_async import AuditAction, configure
from audit_async.default import ashutdown
from tests.tables import all_rows, run_sql

USER = uuid.UUID("11111111-1111-4111-8111-111111111111")
OTHER = uuid.UUID("22222222-2222-4222-8222-222222222222")
TENANT = uuid.UUID("33333333-3333-4333-8333-333333333333")

SIX_COLUMNS = (
    "CREATE TABLE audit_logs (id TEXT PRIMARY KEY, action TEXT NOT NULL, details JSON, agent_id TEXT, user_id TEXT, "
    "created_at TIMESTAMP NOT NULL)"
)


@pytest.fixture
async def default_url(sqlite_url: str, tmp_path: Path) -> AsyncIterator[str]:
    configure(sqlite_url, journal_dir=tmp_path / "journal")
    yield sqlite_url
    await ashutdown()


class Hostile:
    """An object whose every method raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


HELPERS: list[tuple[Callable[..., Awaitable[None]], list[str]]] = [
    (audit_async.write_audit_log, ["action", "details", "agent_id", "user_id"]),
    (
        audit_async.write_identity_audit_log,
        ["action", "user_id", "provider_type", "provider_user_id", "success", "error_message", "tenant_id"],
    ),
    (
        audit_async.write_role_audit_log,
        ["action", "user_id", "target_user_id", "role_name", "tenant_id", "granted_by"],
    ),
    (audit_async.write_tenant_audit_log, ["action", "user_id", "tenant_id", "details"]),
    (
        audit_async.write_agent_audit_log,
        ["action", "agent_id", "user_id", "tenant_id", "details", "success", "error_message"],
    ),
]


@pytest.mark.parametrize(("helper", "names"), HELPERS)
def test_signatures_are_kept(helper: Callable[..., Awaitable[None]], names: list[str]) -> None:
    """Each helper takes its arguments in the order of old, by position or name, all but the action optional."""
    parameters = inspect.signature(helper).parameters
    assert names == list(parameters)
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert [p.name for p in parameters.values() if p.default is inspect.Parameter.empty] == ["action"]


@pytest.mark.parametrize(("helper", "names"), HELPERS)
async def test_a_misspelt_keyword_is_told_the_right_one(
    helper: Callable[..., Awaitable[None]], names: list[str]
) -> None:
    """Even a helper of old says which was meant, and what it takes."""
    wrong = f"{names[-1]}s"
    with pytest.raises(TypeError, match=f"{wrong!r} .did you mean {names[-1]!r}.*It takes: action"):
        await helper("login", **{wrong: 1})


async def test_an_identity_event_has_the_detail_keys_of_old(default_url: str) -> None:
    """`error` is there only when given; the tenant has a column of its own."""
    await audit_async.write_identity_audit_log(
        AuditAction.SSO_LOGIN, USER, "feishu", "ou_1", success=False, error_message="expired", tenant_id=TENANT
    )
    (row,) = await all_rows(default_url)
    assert {
        "provider_type": "feishu",
        "provider_user_id": "ou_1",
        "success": False,
        "error": "expired",
    } == row["details"]
    assert ("sso.login", "failure", str(USER), str(TENANT)) == (
        row["action"],
        row["outcome"],
        row["user_id"],
        row["tenant_id"],
    )


async def test_a_role_event_has_the_detail_keys_of_old(default_url: str) -> None:
    """Ids in the details are texts, or null where there is none."""
    await audit_async.write_role_audit_log(AuditAction.ROLE_ASSIGN, USER, OTHER, "admin")
    (row,) = await all_rows(default_url)
    assert {"target_user_id": str(OTHER), "role_name": "admin", "granted_by": None} == row["details"]


async def test_the_callers_dict_is_left_alone(default_url: str) -> None:
    """A helper neither changes the details it is given nor keeps them."""
    details = {"plan": "pro", "tenant_id": "mine"}
    await audit_async.write_tenant_audit_log("tenant_update", USER, TENANT, details)
    assert details == {"plan": "pro", "tenant_id": "mine"}
    assert details == (await all_rows(default_url))[0]["details"]


@pytest.mark.parametrize(("helper", "names"), HELPERS)
@pytest.mark.parametrize(
    "nonsense",
    [Hostile(), object(), {1, 2}, b"\xff", float("nan"), "\ud800\0", 10**5000, "x" * 10_000_000, [[]] * 5000],
    ids=lambda value: type(value).__name__,
)
async def test_no_value_makes_a_helper_raise(
    helper: Callable[..., Awaitable[None]], names: list[str], nonsense: Any, default_url: str
) -> None:
    """Nonsense for every argument at once is stored, with a marker, and nothing is raised."""
    await helper(**dict.fromkeys(names, nonsense))
    assert len(await all_rows(default_url)) == 1


async def test_a_cancelled_caller_keeps_its_event(default_url: str) -> None:
    """The event of a task that is cancelled in the middle of a helper is stored."""
    task = asyncio.create_task(audit_async.write_audit_log("schedule_execute", {"n": 1}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await audit_async.get_audit_logger().flush()
    assert [{"n": 1}] == [row["details"] for row in await all_rows(default_url)]


async def test_a_wrong_setting_does_not_break_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an environment that names no database leaves the caller alone."""
    await ashutdown()
    monkeypatch.setenv("AUDIT_DATABASE_URL", "nonsense")
    await audit_async.write_audit_log("schedule_execute")


MODULE_OF_OLD = '''
"""A service as it was written for the helper it had."""
import uuid
from {package} import AuditAction, write_audit_log, write_identity_audit_log
from {package} import write_role_audit_log, write_tenant_audit_log

async def run(user, other, tenant, agent):
    await write_audit_log("supervision_tick", {{"n": 3, "when": None}}, agent_id=agent, user_id=user)
    await write_audit_log(AuditAction.ORG_SYNC)
    await write_audit_log(AuditAction.LOGIN_FAILED, {{"ip": "10.0.0.1"}}, user_id=user)
    await write_identity_audit_log(AuditAction.SSO_LOGIN, user_id=user, provider_type="feishu",
                                   provider_user_id="ou_1", tenant_id=tenant)
    await write_identity_audit_log(AuditAction.SSO_LOGIN, user_id=user, success=False, error_message="no")
    await write_identity_audit_log(AuditAction.SSO_LOGIN_FAILED, provider_type="dingtalk")
    await write_identity_audit_log(action=AuditAction.IDENTITY_BIND, user_id=user, tenant_id=tenant)
    await write_role_audit_log(AuditAction.ROLE_ASSIGN, user, other, "admin", tenant, user)
    await write_role_audit_log(AuditAction.ROLE_DELETE, role_name="guest")
    await write_tenant_audit_log(AuditAction.TENANT_CREATE, user_id=user, tenant_id=tenant, details={{"plan": "pro"}})
    await write_tenant_audit_log(AuditAction.TENANT_JOIN)
'''


async def test_a_module_of_old_runs_with_its_import_line_changed(sqlite_url: str, tmp_path: Path) -> None:
    """Against its own six-column table, a module writes the same rows after nothing but its import line has changed."""
    await run_sql(sqlite_url, SIX_COLUMNS)
    configure(sqlite_url, journal_dir=tmp_path / "journal")
    agent = uuid.uuid4()
    module: dict[str, Any] = {}
    exec(MODULE_OF_OLD.format(package="audit_async"), module)
    await module["run"](USER, OTHER, TENANT, agent)
    assert await audit_async.get_audit_logger().flush()
    await ashutdown()

    expected = await rows_of_old(tmp_path / "old.db", agent)
    found = [
        {**row, "details": row["details"]} for row in await run_sql(sqlite_url, "SELECT * FROM audit_logs ORDER BY id")
    ]
    for row in found:
        assert uuid.UUID(row.pop("id")).version == 7
        assert row.pop("created_at")
    assert expected == found


async def rows_of_old(path: Path, agent: uuid.UUID) -> list[dict[str, Any]]:
    """Return what the helpers of old write for the same calls: their INSERT, with ids as text."""
    database = sqlite3.connect(path)
    database.execute(SIX_COLUMNS)

    async def write(
        action: str,
        details: dict[str, Any] | None = None,
        agent_id: Any = None,
        user_id: Any = None,
        tenant_id: Any = None,
    ) -> None:
        full = details or {}
        if tenant_id:
            full["tenant_id"] = str(tenant_id)
        database.execute(
            "INSERT INTO audit_logs (id, action, details, agent_id, user_id, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                str(uuid.uuid4()),
                str.__str__(action),
                json.dumps(full, ensure_ascii=False, default=str),
                str(agent_id) if agent_id else None,
                str(user_id) if user_id else None,
                "now",
            ),
        )

    async def identity(
        action: str, user_id: Any = None, provider_type: Any = None, provider_user_id: Any = None,
        success: bool = True, error_message: Any = None, tenant_id: Any = None,
    ) -> None:  # fmt: skip
        details = {"provider_type": provider_type, "provider_user_id": provider_user_id, "success": success}
        if error_message:
            details["error"] = error_message
        await write(action, details, user_id=user_id, tenant_id=tenant_id)

    async def role(
        action: str, user_id: Any = None, target_user_id: Any = None, role_name: Any = None,
        tenant_id: Any = None, granted_by: Any = None,
    ) -> None:  # fmt: skip
        details = {
            "target_user_id": str(target_user_id) if target_user_id else None,
            "role_name": role_name,
            "granted_by": str(granted_by) if granted_by else None,
        }
        await write(action, details, user_id=user_id, tenant_id=tenant_id)

    async def tenant(action: str, user_id: Any = None, tenant_id: Any = None, details: Any = None) -> None:
        await write(action, details, user_id=user_id, tenant_id=tenant_id)

    source = "\n".join(MODULE_OF_OLD.format(package="x").split("\n")[5:])
    module: dict[str, Any] = {
        "AuditAction": AuditAction,
        "write_audit_log": write,
        "write_identity_audit_log": identity,
        "write_role_audit_log": role,
        "write_tenant_audit_log": tenant,
    }
    exec(source, module)
    await module["run"](USER, OTHER, TENANT, agent)
    names = ("action", "details", "agent_id", "user_id")
    rows = database.execute(f"SELECT {', '.join(names)} FROM audit_logs ORDER BY rowid").fetchall()
    database.close()
    return [{**dict(zip(names, row, strict=True)), "details": json.loads(row[1])} for row in rows]
