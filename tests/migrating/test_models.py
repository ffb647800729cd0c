"""docs/migrating/enclava.md and wecom.md: models whose rows are added to a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from audit_async import AuditAction, AuditEvent, AuditReader, Query, Scope, TableMap
from tests.migrating.changed import called, differences
from tests.migrating.page import Names, Page, stand_in
from tests.seeds import enclava, wecom
from tests.store.conftest import Place
from tests.table_map.side_by_side import make_tables, rows_of

MODULES = {"enclava": enclava, "wecom": wecom}
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
CALLS: dict[str, dict[str, tuple[Any, ...]]] = {
    "enclava": {
        "signed_in": (5, "192.0.2.1", "s-1"),
        "refused": (5, "wrong password"),
        "key_made": (5, 7, "deploy"),
        "spent": (5, 3, "Q3"),
        "enabled": (5, "rag"),
        "granted": (5, 9, "读"),
        "attacked": ("192.0.2.1",),
        "backed_up": (),
        "paid": (5, "o-1"),
    },
    "wecom": {
        "role_changed": ("ZhangSan", "a-1", "agent", "admin", "10.80.0.5", "wxwork/4.1"),
        "scanned": ("ZhangSan", False, "10.80.0.5"),
        "exported": ("ZhangSan", 40, 2),
        "disabled_at_night": ("a-1",),
        "handed_on": ("ZhangSan", "c-1", "LiSi"),
    },
}
BETTER = {
    # Of a constant that is a text as well Python 3.11 writes the name, and so did the model.
    "enclava": {
        name: {"description": (f"{kind} AuditAction.{action.upper()}{rest}", f"{kind} {action}{rest}")}
        for name, kind, action, rest in (
            ("key_made", "API key", "api_key_create", ": deploy"),
            ("spent", "Budget", "budget_exceed", ": Q3"),
            ("enabled", "Module", "module_enable", ": rag"),
            ("granted", "Permission", "permission_grant", ": 读 for user 9"),
        )
    },
    "wecom": {},
}
"""Where the rows differ: the value of old, and ours."""
PAGES = pytest.mark.parametrize("name", CALLS)


@pytest.fixture
async def page(name: str, empty: Place, monkeypatch: pytest.MonkeyPatch) -> Page:
    module: ModuleType = MODULES[name]
    stand_in(monkeypatch, "app.models.audit_log", {"AuditLog": module.AuditLog, "AuditAction": AuditAction})
    page = Page(name, empty.url)
    users = ["INSERT INTO users (id) VALUES (5), (9)"] if name == "enclava" else []
    await make_tables(empty, module.metadata, *users, *page.blocks("sql"))
    return page


@pytest.fixture
async def after(page: Page) -> AsyncIterator[Names]:
    """The program after the change, with its logger."""
    names = page.after(names=page.python("audit = "))
    yield names
    await names["audit"].close()


@PAGES
@ON_EACH
async def test_the_rows_are_those_that_were(name: str, empty: Place, page: Page, after: Names) -> None:
    """Each call of the page leaves the same row before and after, but for what the page says."""
    before = page.before()
    assert set(CALLS[name]) <= set(before)
    assert BETTER[name] == await differences(empty, before, after, CALLS[name])


@PAGES
@pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
async def test_what_is_in_the_transaction_is_rolled_back_with_it(
    name: str, empty: Place, page: Page, after: Names
) -> None:
    """Of a request that fails the old calls leave nothing; of the new ones what is logged, not what is added."""
    [added] = [call for call in ("paid", "handed_on") if call in CALLS[name]]
    before, logged = page.before(), next(iter(CALLS[name]))
    for program in (before, after):
        async with AsyncSession(empty.admin) as session:
            for call in (added, logged):
                await program[call](session, *CALLS[name][call])
            await session.rollback()
    assert await after["audit"].flush(20)
    assert {"enclava": ["login"], "wecom": ["role_change"]}[name] == [row["action"] for row in await rows_of(empty)]


@PAGES
@ON_EACH
async def test_old_rows_and_new_ones_are_read_together(name: str, empty: Place, page: Page, after: Names) -> None:
    """By the map of the page each action is there twice, and every field that both have is alike."""
    before = page.before()
    async with empty.admin.connect() as connection:
        for program in (before, after):
            for call, given in CALLS[name].items():
                await called(connection, program[call], given)
    assert await after["audit"].flush(20)
    async with AuditReader(empty.url, tenant=Scope.all(), table=TableMap.ready(name)) as reader:
        found = list(await reader.search(Query(limit=100, oldest_first=True)))
    half = len(CALLS[name])
    assert half * 2 == len(found)
    for old, new in zip(found[:half], found[half:], strict=True):
        assert told(old) == told(new)


def told(event: AuditEvent) -> dict[str, Any]:
    """Return what an event says, but for its id, its time and its description."""
    said = event.to_dict()
    return {name: value for name, value in said.items() if name not in ("id", "created_at", "description")}


@pytest.mark.parametrize("name", ["enclava"])
@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_the_map_of_the_page_can_be_kept_in_a_file(after: Names, folder: Path) -> None:
    """For the command that brings what waits."""
    table = after["TableMap"].ready("enclava").with_delivered_ids("audit_delivered")
    (folder / "enclava.toml").write_text(table.to_toml())
    assert "audit_delivered" == TableMap.load(folder / "enclava.toml").delivered_ids
