"""What cannot be meant is a TypeError that names the right call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from audit_async import AuditLogger, UnknownActionError, events
from tests.transaction.shop import paid


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLogger]:
    with AuditLogger(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", journal_dir=tmp_path, writer="none") as made:
        yield made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Session(), "for a Session call audit.add_sync"),
        (scoped_session(sessionmaker()), "call audit.add_sync"),
        (None, "takes an AsyncSession or AsyncConnection, not a NoneType"),
        (create_async_engine("sqlite+aiosqlite://"), "an engine is in no transaction"),
        (async_sessionmaker(), "not an async_sessionmaker"),
    ],
)
async def test_add_takes_what_is_async(audit: AuditLogger, given: Any, said: str) -> None:
    """`add` says which call is the one for what it was given."""
    with pytest.raises(TypeError, match=said):
        await audit.add(given, paid())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (AsyncSession(), r"for an AsyncSession write: await audit\.add"),
        (async_scoped_session(async_sessionmaker(), scopefunc=lambda: 1), r"write: await audit\.add"),
        ("session", "not a str"),
        (create_engine("sqlite://"), "open a session, or connect"),
    ],
)
def test_add_sync_takes_what_blocks(audit: AuditLogger, given: Any, said: str) -> None:
    """`add_sync` says which call is the one for what it was given."""
    with pytest.raises(TypeError, match=said):
        audit.add_sync(given, paid())


@pytest.mark.parametrize("given", [None, create_engine("sqlite://"), sessionmaker()])
def test_within_takes_a_session(audit: AuditLogger, given: Any) -> None:
    """`within` says what it takes."""
    with pytest.raises(TypeError, match="within"):
        audit.within(given)


async def test_an_event_is_an_event(audit: AuditLogger) -> None:
    """What is no event is refused before anything is done, by each of the calls."""
    wrong: Any = {"action": "a.b"}
    with pytest.raises(TypeError, match=r"add\(\) takes an AuditEvent, not dict"):
        await audit.add(AsyncSession(), wrong)
    with pytest.raises(TypeError, match=r"add_sync\(\) takes an AuditEvent, not dict"):
        audit.add_sync(Session(), wrong)
    with pytest.raises(TypeError, match=r"log\(\) takes an AuditEvent, not dict"):
        audit.within(Session()).log(wrong)


async def test_a_strict_logger_knows_its_actions(tmp_path: Path) -> None:
    """A logger that allows no unknown action allows none here."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    with AuditLogger(url, journal_dir=tmp_path, writer="none", strict=True) as audit:
        for call in (audit.add_sync, lambda session, event: audit.within(session).log(event)):
            with pytest.raises(UnknownActionError):
                call(Session(), events.custom("no.such"))
