"""The six-column table is written as its own writers write it, and nothing is lost on the way."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from audit_async import events
from audit_async.entry import decode, encode
from audit_async.errors import ConfigStoreError
from audit_async.events import AuditAction, AuditEvent
from audit_async.inspection import InspectedColumn, InspectedTable
from audit_async.store import Store
from audit_async.table_map.layout import Layout
from audit_async.table_map.recognition import recognise
from tests.store.conftest import Place, empty, postgres_empty  # noqa: F401 -- fixtures

USER, TENANT, AGENT = (uuid.UUID(int=number) for number in (1, 2, 3))
TYPES = {
    "id": "uuid",
    "action": "character varying(100)",
    "details": "jsonb",
    "agent_id": "uuid",
    "user_id": "uuid",
    "created_at": "timestamp with time zone",
}
NOT_NULL = {"id", "action", "created_at"}


def table(dialect: str = "postgresql", **types: str) -> InspectedTable:
    columns = tuple(InspectedColumn(n, t, n not in NOT_NULL, False) for n, t in {**TYPES, **types}.items())
    return InspectedTable(schema=None, name="audit_logs", dialect=dialect, columns=columns, primary_key=("id",))


def row(event: AuditEvent, layout: Layout | None = None) -> dict[str, Any]:
    layout = layout or recognise(table())
    made = dict(zip(layout.columns, layout.row(decode(encode(event), "0" * 32, 1)), strict=True))
    return {**made, "details": json.loads(made["details"])}


def details(event: AuditEvent) -> dict[str, Any]:
    found: dict[str, Any] = row(event)["details"]
    return found


# What the six columns' own writers would be called with, the event it is here, and what they put into details.
CALLS = [
    (events.custom("supervision_tick", details={"n": 1}, agent_id=AGENT), "supervision_tick", {"n": 1}),
    (events.custom("schedule_execute", user_id=USER), "schedule_execute", {}),
    (
        events.identity(
            AuditAction.SSO_LOGIN,
            user_id=USER,
            provider_type="feishu",
            provider_user_id="ou_1",
            tenant_id=TENANT,
        ),
        "sso_login",
        {"provider_type": "feishu", "provider_user_id": "ou_1", "success": True, "tenant_id": str(TENANT)},
    ),
    (
        events.identity("sso_login", success=False, error_message="no such user"),
        "sso_login",
        {"provider_type": None, "provider_user_id": None, "success": False, "error": "no such user"},
    ),
    (
        events.identity(AuditAction.SSO_LOGIN_FAILED),
        "sso_login_failed",
        {"provider_type": None, "provider_user_id": None, "success": True},
    ),
    (
        events.identity(AuditAction.LOGIN_FAILED, success=False, error_message=""),
        "login_failed",
        {"provider_type": None, "provider_user_id": None, "success": False},
    ),
    (
        events.role(AuditAction.ROLE_ASSIGN, user_id=USER, target_user_id=AGENT, role_name="admin", granted_by=USER),
        "role_assign",
        {"target_user_id": str(AGENT), "role_name": "admin", "granted_by": str(USER)},
    ),
    (
        events.role("My Own Action"),
        "My Own Action",
        {"target_user_id": None, "role_name": None, "granted_by": None},
    ),
    (
        events.tenant(AuditAction.TENANT_JOIN, tenant_id=TENANT, details={"plan": "é"}),
        "tenant_join",
        {"plan": "é", "tenant_id": str(TENANT)},
    ),
    (events.tenant(AuditAction.TENANT_LEAVE), "tenant_leave", {}),
    (events.agent(AuditAction.AGENT_START, agent_id=AGENT), "agent_start", {}),
]


@pytest.mark.parametrize(("event", "action", "expected"), CALLS)
def test_known_calls_are_written_to_the_letter(event: AuditEvent, action: str, expected: Any) -> None:
    """The same keys in the same order, and nothing besides."""
    made = row(event)
    assert (action, list(expected.items())) == (made["action"], list(made["details"].items()))
    assert made["id"] == uuid.UUID(event.id)
    assert made["created_at"] == event.created_at


def test_canonical_actions_take_their_old_spelling() -> None:
    """`sso.login` is `sso_login` there, and a failed one `sso_login_failed`."""
    assert row(events.custom("sso.login"))["action"] == "sso_login"
    failed = row(events.custom("sso.login", success=False))
    assert (failed["action"], failed["details"]) == ("sso_login_failed", {})


@pytest.mark.parametrize(
    ("fields", "folded"),
    [
        ({"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}),
        ({"description": "d", "request_id": "r"}, {"description": "d", "request_id": "r"}),
        ({"status_code": 404, "duration_ms": 1.5}, {"status_code": 404, "duration_ms": 1.5}),
        ({"error_message": "e"}, {"error_message": "e"}),
        ({"outcome": "denied"}, {"outcome": "denied"}),
        ({"severity": "critical"}, {"severity": "critical"}),
        ({"category": "financial"}, {"category": "financial"}),
        ({"resource_type": "file", "resource_id": "f1"}, {"resource_type": "file", "resource_id": "f1"}),
        ({"resource_type": "tenant", "resource_id": "x"}, {"resource_type": "tenant", "resource_id": "x"}),
        ({"organization_id": "o1"}, {"organization_id": "o1"}),
        ({"tags": ["a"], "metadata": {"m": 1}}, {"tags": ["a"], "metadata": {"m": 1}}),
        ({"user_id": "no-uuid"}, {"user_id": "no-uuid"}),
        ({"api_key_id": "k", "actor_name": "n"}, {"api_key_id": "k", "actor_name": "n"}),
        # The caller's own keys stay.
        ({"ip_address": "::1", "details": {"ip_address": "b"}}, {"ip_address": "b", "ip_address#2": "::1"}),
        ({"ip_address": "::1", "details": {"ip_address": "::1"}}, {"ip_address": "::1"}),
        ({"user_id": "x", "details": {"user_id": "y"}}, {"user_id": "y", "user_id#2": "x"}),
        # But the tenant is the tenant.
        ({"tenant_id": "t", "details": {"tenant_id": "u"}}, {"tenant_id": "t", "tenant_id#2": "u"}),
    ],
)
def test_what_has_no_column_is_folded(fields: dict[str, Any], folded: dict[str, Any]) -> None:
    """Every field that is set and not said otherwise is in details, under its own name."""
    assert details(events.custom("free_action", **fields)) == folded


def test_no_field_is_lost_in_silence() -> None:
    """Of an event with every field set, every value is somewhere in the row."""
    given: dict[str, Any] = {
        name: f"<{name}>"
        for name in AuditEvent.__struct_fields__
        if name not in ("created_at", "recorded_at", "writer_id", "writer_seq", "old_values", "new_values")
    }
    given |= {"category": "financial", "severity": "critical", "outcome": "cancelled", "status_code": 418}
    given |= {"duration_ms": 7.25, "tags": ["<tag>"], "details": {"own": 1}, "metadata": {"<meta>": 1}}
    action = given.pop("action")
    made = row(events.custom(action, **given))
    everything = json.dumps({**made, "id": None}, default=str)
    for name, value in given.items():
        shown = json.dumps(value, ensure_ascii=True).strip("{}[]")
        assert shown in everything, name


def test_ids_fit_their_columns() -> None:
    """UUID, 32 digits, text, a short varchar and a number: what does not fit goes to details."""
    event = events.custom("x", id="not-a-uuid", user_id="42", agent_id=AGENT, created_at=datetime.now(UTC))
    as_uuid = row(event)
    assert as_uuid["id"].version == 5
    assert (as_uuid["user_id"], as_uuid["agent_id"]) == (None, AGENT)
    assert as_uuid["details"] == {"event_id": "not-a-uuid", "user_id": "42"}
    as_uuid_again = row(event)
    assert as_uuid_again["id"] == as_uuid["id"]

    texts = row(event, recognise(table(id="text", user_id="text", agent_id="text")))
    assert (texts["id"], texts["user_id"], texts["agent_id"]) == ("not-a-uuid", "42", str(AGENT))
    assert texts["details"] == {}

    others = recognise(table("sqlite", id="char(32)", user_id="integer", agent_id="varchar(5)"))
    made = row(events.custom("x", user_id="42", agent_id=AGENT), others)
    assert (made["id"].isalnum(), made["user_id"], made["agent_id"]) == (True, 42, None)
    assert made["details"] == {"agent_id": str(AGENT)}


def test_an_action_too_long_for_its_column_is_cut_visibly() -> None:
    """The whole action is in details."""
    made = row(events.custom("a" * 128))
    assert (made["action"], made["details"]) == ("a" * 99 + "…", {"action": "a" * 128})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            InspectedTable(schema=None, name="audit_logs", dialect="postgresql", columns=()),
            "audit-async init",
        ),
        (table(id="integer"), "numbers the rows"),
        (table(extra="text"), None),
        (table(tenant_id="text"), "map propose"),
    ],
)
def test_other_tables_are_refused_with_a_way_out(found: InspectedTable, said: str | None) -> None:
    """A missing table, ids that are numbers; a further column that may be empty is no hindrance."""
    if said is None:
        assert recognise(found).name == "clawith"
        return
    with pytest.raises(ConfigStoreError, match=said):
        recognise(found)


def test_a_column_that_must_not_be_empty_and_a_missing_key_are_refused() -> None:
    """A row that could not be filled, or not be recognised, is refused before the first one."""
    whole = table()
    needed = InspectedColumn("tenant", "text", False, False)
    with pytest.raises(ConfigStoreError, match="tenant must not be empty"):
        recognise(
            InspectedTable(
                schema=None,
                name="audit_logs",
                dialect="postgresql",
                columns=(*whole.columns, needed),
                primary_key=("id",),
            )
        )
    with pytest.raises(ConfigStoreError, match="unique key on id"):
        recognise(InspectedTable(schema=None, name="audit_logs", dialect="postgresql", columns=whole.columns))


OWN_WRITERS_INSERT = (
    "INSERT INTO audit_logs (id, action, details, agent_id, user_id, created_at) "
    "VALUES (:id, :action, :details, :agent_id, :user_id, :created_at)"
)


@pytest.mark.parametrize(
    ("ids", "json_type"), [("uuid", "jsonb"), ("uuid", "json"), ("uuid", "text"), ("varchar(36)", "text")]
)
@pytest.mark.parametrize("copies", [1, 3])
async def test_side_by_side_with_the_tables_own_writer(
    empty: Place,  # noqa: F811
    ids: str,
    json_type: str,
    copies: int,
) -> None:
    """For every call that both know, the two rows differ in nothing but their id."""
    is_sqlite, is_mariadb = empty.dialect == "sqlite", empty.dialect == "mysql"
    moment_type = {"sqlite": "datetime", "mysql": "datetime(6)"}.get(empty.dialect, "timestamptz")
    json_type = {"jsonb": "json", "text": "longtext"}.get(json_type, json_type) if is_mariadb else json_type
    await empty.execute(
        f"CREATE TABLE audit_logs (id {ids} PRIMARY KEY, action varchar(100) NOT NULL,"
        f" details {json_type}, agent_id {ids}, user_id {ids}, created_at {moment_type} NOT NULL)"
    )
    takes_text = is_sqlite or is_mariadb or ids != "uuid"
    calls = CALLS * copies
    async with empty.admin.begin() as connection:
        for event, action, written in calls:
            bound = {
                "id": uuid.uuid4(),
                "action": action,
                "details": json.dumps(written, ensure_ascii=False, default=str),
                "agent_id": event.agent_id and uuid.UUID(event.agent_id),
                "user_id": event.user_id and uuid.UUID(event.user_id),
                "created_at": event.created_at,
            }
            if takes_text:
                bound |= {n: bound[n] and str(bound[n]) for n in ("id", "agent_id", "user_id")}
            if is_sqlite:
                # As SQLAlchemy's own type writes it: the application's models read this column.
                bound["created_at"] = event.created_at.replace(tzinfo=None).isoformat(" ", "microseconds")
            if is_mariadb:
                bound["created_at"] = event.created_at.replace(tzinfo=None)  # which it keeps nowhere
            await connection.execute(text(OWN_WRITERS_INSERT), bound)
    compared = "SELECT action, details, agent_id, user_id, created_at FROM audit_logs"
    theirs = [tuple(found) for found in await empty.rows(compared)]
    await empty.execute("DELETE FROM audit_logs")

    store: Store = empty.open()
    fresh = [event for _ in range(copies) for event, _, _ in CALLS]
    made = [decode(encode(event), "0" * 32, n) for n, event in enumerate(fresh)]
    for number, found in enumerate(made):
        found.id = str(uuid.UUID(int=number + 100))
    await store.insert(made)
    ours = [tuple(found) for found in await empty.rows(compared)]
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    await store.insert(made, is_replay=True)
    assert await empty.count() == len(made)
