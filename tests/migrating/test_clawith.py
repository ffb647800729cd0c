"""docs/migrating/clawith.md: one import is changed, and the rows stay the same."""

from __future__ import annotations

import functools
import uuid
from typing import Any

import pytest

from audit_async import get_audit_logger
from audit_async.events import AuditAction
from tests.migrating.page import Page, stand_in
from tests.seeds import clawith
from tests.store.conftest import Place
from tests.table_map.side_by_side import differing, look, make_tables, rows_of

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
USER, OTHER, TENANT, AGENT = (str(uuid.UUID(int=number)) for number in (1, 2, 3, 4))
CALLS: dict[str, tuple[Any, ...]] = {
    "tick": (uuid.UUID(AGENT), 3),
    "came_in": (uuid.UUID(USER), "ou_1", uuid.UUID(TENANT)),
    "promoted": (uuid.UUID(USER), uuid.UUID(OTHER), uuid.UUID(TENANT)),
    "joined": (uuid.UUID(USER), uuid.UUID(TENANT), {"plan": "pro"}),
}


def their_module(place: Place) -> dict[str, Any]:
    """Return what the module of the helpers has: each opens a connection of its own, and commits."""

    async def call(name: str, *given: Any, **named: Any) -> None:
        async with place.admin.begin() as connection:
            await getattr(clawith, name)(connection, *given, **named)

    names = ("write_audit_log", "write_identity_audit_log", "write_role_audit_log", "write_tenant_audit_log")
    return {"AuditAction": AuditAction, **{name: functools.partial(call, name) for name in names}}


@pytest.mark.usefixtures("closing")
@ON_EACH
async def test_the_rows_are_those_that_were(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the page leaves the same row before and after the change."""
    stand_in(monkeypatch, "app.services.audit_logger", their_module(empty))
    await make_tables(empty, clawith.metadata)
    page = Page("clawith", empty.url)
    before, after = page.before(), page.after()
    begun = page.python("configure")["lifespan"](None)
    await anext(begun)
    async with look(empty) as looked:
        for name, given in CALLS.items():
            await before[name](*given)
            theirs = await looked.take()
            await after[name](*given)
            assert {} == differing(theirs, await looked.take()), name
    with pytest.raises(StopAsyncIteration):
        await anext(begun)


@pytest.mark.usefixtures("closing")
@ON_EACH
async def test_old_rows_and_new_ones_are_read_together(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their tenant, which stands in the details."""
    stand_in(monkeypatch, "app.services.audit_logger", their_module(empty))
    await make_tables(empty, clawith.metadata)
    page = Page("clawith", empty.url)
    await anext(page.python("configure")["lifespan"](None))
    await page.before()["promoted"](*CALLS["promoted"])
    await page.after()["promoted"](*CALLS["promoted"])
    await page.after()["promoted"](uuid.UUID(USER), uuid.UUID(OTHER), uuid.UUID(int=99))
    found = await page.python("roles_given")["roles_given"](TENANT)
    assert [(USER, OTHER)] * 2 == [(user, target) for user, target, _ in found]
    assert 3 == len(await rows_of(empty))


@pytest.mark.usefixtures("closing")
@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_what_the_caller_passed_is_left_alone(empty: Place) -> None:
    """The tenant is in the row, and not in the caller's dict."""
    await make_tables(empty, clawith.metadata)
    page = Page("clawith", empty.url)
    await anext(page.python("configure")["lifespan"](None))
    mine = {"plan": "pro"}
    await page.after()["joined"](USER, TENANT, mine)
    assert {"plan": "pro"} == mine
    assert 1 == get_audit_logger().stats().stored
