"""docs/migrating/aether.md: the same rows, whose fate is no longer that of the request."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from tests.migrating.page import Names, Page, stand_in
from tests.seeds import aether
from tests.store.conftest import Place
from tests.table_map.side_by_side import by_session, differing, look, make_tables, rows_of

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
USER, KEY = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
CALLS: dict[str, tuple[Any, ...]] = {
    "signed_in": ("王@example.com", USER, "192.0.2.1", "curl/8"),
    "refused": ("王@example.com", "locked", "192.0.2.1", "curl/8"),
    "answered": (USER, KEY, "r-1", "192.0.2.1", 12),
    "attacked": ("192.0.2.1", "/admin"),
    "changed": (USER, "retries"),
}
BETTER = {"refused": {"error_message": (None, "locked")}}
"""Where the rows differ: the value of old, and ours."""


@pytest.fixture
async def page(empty: Place, monkeypatch: pytest.MonkeyPatch) -> Page:
    service = SimpleNamespace(
        log_event=aether.log_event,
        log_login_attempt=aether.log_login_attempt,
        log_api_request=aether.log_api_request,
        log_security_event=aether.log_security_event,
    )
    stand_in(monkeypatch, "src.models.database", {"AuditEventType": aether.AuditEventType})
    stand_in(monkeypatch, "src.services.system.audit", {"audit_service": service})
    await make_tables(empty, aether.metadata, f"INSERT INTO users (id) VALUES ('{USER}')")
    return Page("aether", empty.url)


@pytest.fixture
async def begun(page: Page) -> AsyncIterator[Names]:
    """What the block about the beginning of the program makes: the logger."""
    names = page.python("audit = ")
    yield names
    await names["audit"].close()


def called(function: Callable[..., None], given: tuple[Any, ...]) -> Any:
    """Return the call of *function* with the session of a request, which is committed."""

    def request(db: Session) -> None:
        function(db, *given)

    return by_session(request)


def uncommitted(connection: Connection, function: Callable[..., None], given: tuple[Any, ...]) -> None:
    function(Session(connection), *given)


@ON_EACH
async def test_the_rows_are_those_that_were(empty: Place, page: Page, begun: Names) -> None:
    """Each call of the page leaves the same row before and after, but for the reason that has a column now."""
    before, after = page.before(), page.after(names=begun)
    async with look(empty) as looked:
        for name, given in CALLS.items():
            await called(before[name], given)(looked.connection)
            theirs = await looked.take()
            await called(after[name], given)(looked.connection)
            assert await begun["audit"].flush(20)
            assert BETTER.get(name, {}) == differing(theirs, await looked.take()), name


@ON_POSTGRES
async def test_a_refused_log_in_outlives_the_request(empty: Place, page: Page, begun: Names) -> None:
    """Of two requests that are rolled back the log-in is recorded by the new call alone; a changed setting by none."""
    before, after = page.before(), page.after(names=begun)
    async with empty.admin.connect() as connection:
        for programs in (before, after):
            for name in ("refused", "changed"):
                await connection.run_sync(uncommitted, programs[name], CALLS[name])
                await connection.rollback()
    assert await begun["audit"].flush(20)
    assert [("login_failed", "locked")] == [(row["event_type"], row["error_message"]) for row in await rows_of(empty)]


@ON_EACH
async def test_the_three_questions_are_answered_of_old_rows_and_new(empty: Place, page: Page, begun: Names) -> None:
    """Each sees what the old calls have left, beside what the new ones have."""
    for programs in (page.before(), page.after(names=begun)):
        async with empty.admin.begin() as connection:
            for name, given in CALLS.items():
                await called(programs[name], given)(connection)
    assert await begun["audit"].flush(20)
    rows, alarms, behavior = await page.python("three_questions")["three_questions"](USER)
    assert 6 == len(rows)
    assert {"auth.login", "security.suspicious_activity"} == {event.action for event in alarms}
    assert {"login_success": 2, "request_success": 2, "config_changed": 2} == behavior["event_counts"]
