"""docs/migrating/README.md: the rows of each system of old are brought into our table, and back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from audit_async import AuditEvent, AuditLogger, AuditReader, Query, Scope, TableMap, events
from tests.migrating.page import Page, follow
from tests.seeds import aether, clawith, enclava, wecom
from tests.store.conftest import Place
from tests.table_map.side_by_side import make_tables

NOON = datetime(2025, 11, 30, 12, tzinfo=UTC)
"""When the first of the old rows was written: before the switch, of which the page speaks."""
USER = str(uuid.UUID(int=7))
ON_SQLITE = pytest.mark.parametrize("empty", ["sqlite"], indirect=True)


def rows() -> dict[str, list[Any]]:
    """Return rows of each system, as its own code makes them."""
    # Nothing of theirs says a zone; a time that does is the same to all their columns but one.
    plain = NOON.replace(tzinfo=None)
    login: dict[str, Any] = {"user_id": USER, "description": "Login attempt", "event_metadata": {"email": "a@b.c"}}
    return {
        "aether": [
            aether.AuditLog(event_type=kind.value, created_at=NOON + timedelta(seconds=n), **login)
            for n, kind in enumerate(aether.AuditEventType)
        ],
        "clawith": [
            clawith.AuditLog(action=action, details={"tenant_id": f"t-{n % 2}", "n": n}, created_at=NOON)
            for n, action in enumerate(("login_failed", "org_sync", "supervision_tick"))
        ],
        "enclava": [
            *(enclava.AuditLog.create_login_event(5, success=n > 0) for n in range(3)),
            enclava.AuditLog.create_data_change_event(5, "update", "order", "o", "paid", {"a": 1}, {"a": 2}),
        ],
        "wecom": [
            wecom.AuditLog(
                employee_id="ZhangSan",
                action=action,
                resource="agent",
                details={"n": 1},
                created_at=plain,
                result=result,
            )
            for action in wecom.WHEN_TO_WRITE
            for result in ("success", "failure", "partial")
        ],
    }


MODULES: dict[str, Any] = {"aether": aether, "clawith": clawith, "enclava": enclava, "wecom": wecom}


async def followed(part: str, folder: Path, name: str) -> list[str]:
    """Follow the commands of the page, with another map than the one that it names; return what they say."""
    commands = [line.replace("aether", name) for line in Page("README").commands(part)]
    done = await follow(commands, folder)
    assert [0] * len(commands) == [each.returncode for each in done], [each.stderr for each in done]
    return [each.stdout + each.stderr for each in done]


async def filled(place: Place, name: str) -> None:
    users = {"aether": f"('{USER}')", "enclava": "(5), (9)"}
    more = [f"INSERT INTO users (id) VALUES {users[name]}"] if name in users else []
    await make_tables(place, MODULES[name].metadata, *more)
    async with AsyncSession(place.admin) as session:
        session.add_all(rows()[name])
        await session.commit()


async def events_of(url: str, table: str | TableMap) -> list[AuditEvent]:
    async with AuditReader(url, tenant=Scope.all(), table=table) as reader:
        found = [event async for event in reader.events(Query(oldest_first=True))]
    return [event for event in found if event.action != "data.import"]


def told(event: AuditEvent) -> dict[str, Any]:
    """Return what an event says, but for who wrote it, and when."""
    said = event.to_dict()
    return {name: value for name, value in said.items() if name not in ("writer_id", "writer_seq", "recorded_at")}


@pytest.fixture(autouse=True)
def environment(empty: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_DATABASE_URL", empty.url)
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(folder / "audit-journal"))
    (folder / "audit-journal").mkdir(mode=0o700)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
async def test_each_row_arrives_as_it_is_read(name: str, empty: Place, folder: Path) -> None:
    """Every event is in our table as the map reads it from the old one, once, though it is brought twice."""
    await filled(empty, name)
    await followed("init", folder, name)
    for _ in range(2):
        await followed("drain", folder, name)
        (folder / "old.jsonl").unlink()
    old = await events_of(empty.url, TableMap.ready(name))
    new = await events_of(empty.url, "audit_events")
    assert len(rows()[name]) == len(old)
    key = lambda event: (event.created_at, event.id)  # noqa: E731 -- of one line
    assert [told(each) for each in sorted(old, key=key)] == [told(each) for each in sorted(new, key=key)]


@ON_SQLITE
async def test_what_waits_for_the_old_table_comes_along(empty: Place, folder: Path) -> None:
    """An event that a process has left behind, which wrote to the old table, is in ours in the end."""
    await filled(empty, "aether")
    await followed("init", folder, "aether")
    table = TableMap.ready("aether")
    async with AuditLogger(empty.url, journal_dir=folder / "audit-journal", writer="none", table=table) as audit:
        left = events.custom("report.print", description="left behind")
        audit.log(left)
    said = await followed("drain", folder, "aether")
    assert left.id in {event.id for event in await events_of(empty.url, "audit_events")}
    assert "report.print" in said[-1]


@pytest.mark.parametrize("name", ["aether", "clawith", "wecom"])
@ON_SQLITE
async def test_the_way_back(name: str, empty: Place, folder: Path) -> None:
    """What came since the switch is in the old table, once, though it is brought back twice."""
    await filled(empty, name)
    await followed("init", folder, name)
    switched = datetime(2026, 3, 1, 8, tzinfo=UTC)
    async with AuditLogger(empty.url, journal_dir=folder / "audit-journal", table="audit_events") as audit:
        given = [events.custom("role.assign", user_id=USER, tenant_id="t-1", created_at=switched) for _ in range(3)]
        for event in given:
            audit.log(event)
        assert await audit.flush(20)
    for _ in range(2):
        await followed("--since", folder, name)
        (folder / "new.jsonl").unlink()
    back = [event for event in await events_of(empty.url, TableMap.ready(name)) if event.created_at == switched]
    assert {event.id for event in given} == {event.id for event in back}
    assert ["t-1"] * 3 == [event.tenant_id for event in back]
