"""Aether's three questions are answered as its service answered them, on its own table and on ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from audit_async import TableMap, events
from tests.reading import recent as plain
from tests.reading.log import everything, ids, stored
from tests.reading.recent import recent, within
from tests.seeds import aether
from tests.seeds.aether import AuditEventType, AuditLog
from tests.store.conftest import Place
from tests.table_map.test_ready_all import unlimited, without_foreign_keys

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
KEYS = ["user_id", "period_days", "event_counts", "failed_requests", "success_requests", "success_rate"]
KEYS += ["suspicious_activities", "analysis_time"]
SUSPICIOUS = ["suspicious_activity", "unauthorized_access", "login_failed", "request_rate_limited"]


async def their_logs(session: AsyncSession, user: str, kinds: Sequence[AuditEventType] | None, limit: int) -> list[str]:
    query = select(AuditLog.id).where(AuditLog.user_id == user)
    if kinds:
        query = query.where(AuditLog.event_type.in_([kind.value for kind in kinds]))
    return list(await session.scalars(query.order_by(AuditLog.created_at.desc()).limit(limit)))


async def their_suspicious(session: AsyncSession, since: datetime) -> list[str]:
    query = select(AuditLog.id).where(AuditLog.event_type.in_(SUSPICIOUS), AuditLog.created_at >= since)
    return list(await session.scalars(query.order_by(AuditLog.created_at.desc())))


async def their_behavior(session: AsyncSession, user: str, since: datetime) -> dict[str, Any]:
    """Return what the service said, but for the time of its analysis: by four queries, as it asked them."""
    of_user = (AuditLog.user_id == user, AuditLog.created_at >= since)
    kinds = select(AuditLog.event_type, func.count(AuditLog.id)).where(*of_user).group_by(AuditLog.event_type)

    async def number(*names: str) -> int:
        query = select(func.count(AuditLog.id)).where(*of_user, AuditLog.event_type.in_(names))
        return await session.scalar(query) or 0

    failed, succeeded = await number("request_failed"), await number("request_success")
    return {
        "user_id": user,
        "period_days": 30,
        "event_counts": {row[0]: row[1] for row in await session.execute(kinds)},
        "failed_requests": failed,
        "success_requests": succeeded,
        "success_rate": succeeded / (succeeded + failed) if succeeded + failed else 0,
        "suspicious_activities": await number("suspicious_activity", "unauthorized_access"),
    }


async def fill(place: Place) -> None:
    """Make Aether's table, with rows as its service wrote them, of every type and age."""
    await without_foreign_keys(place, unlimited(aether.metadata))
    now = datetime.now(UTC)
    async with AsyncSession(place.admin) as session:
        for number, kind in enumerate(kind for kind in AuditEventType for _ in range(6)):
            age = timedelta(hours=(2, 90, 2000)[number % 3], seconds=number)
            row = AuditLog(
                event_type=kind.value,
                description="what happened",
                user_id=f"u{number // 3 % 2}",
                event_metadata={"n": number} if number % 4 else None,
                created_at=now - age,
            )
            session.add(row)
        await session.commit()


@ON_EACH
async def test_answers_on_its_own_table_are_its_own(empty: Place) -> None:
    """On a table that Aether's service has filled each answer is the one that its service gives, event for event."""
    await fill(empty)
    now = datetime.now(UTC).replace(tzinfo=None) if empty.dialect == "mysql" else datetime.now(UTC)
    day, month = now - timedelta(hours=24), now - timedelta(days=30)
    async with (
        everything(empty, table=TableMap.ready("aether")) as reader,
        AsyncSession(empty.admin) as session,
    ):
        for user in ("u0", "u1", "nobody"):
            assert await their_logs(session, user, None, 30) == ids(await reader.user_audit_logs(user, limit=30))
            found = await reader.user_behavior(user)
            assert KEYS == list(found)
            assert now <= datetime.fromisoformat(found.pop("analysis_time")).replace(tzinfo=now.tzinfo)
            assert await their_behavior(session, user, month) == found
        assert await their_suspicious(session, day) == ids(await reader.suspicious_activities())
        for kinds in (*([kind] for kind in AuditEventType), list(AuditEventType)[3:12], []):
            expected = await their_logs(session, "u0", kinds, 100)
            assert expected == ids(await reader.user_audit_logs("u0", kinds))


async def test_answers_on_our_table_are_in_the_spelling_of_old(place: Place) -> None:
    """On our table the numbers are by the words that Aether's service had, and the lists hold the same kinds."""
    given = recent(400, users=("u1", "u2"))
    await stored(place, given)
    async with everything(place) as reader:
        for user in ("u1", "u2"):
            found = await reader.user_behavior(user)
            assert KEYS == list(found)
            found.pop("analysis_time")
            assert plain.behavior(within(given, days=30), user, 30) == found
            assert found["event_counts"]["login_failed"]
            assert 0 < found["success_rate"] < 1
            of_user = [event for event in given if event.user_id == user]
            assert ids(plain.newest(of_user, 10)) == ids(await reader.user_audit_logs(user, limit=10))
            failed = [e for e in of_user if e.action == "auth.login" and e.outcome in ("failure", "denied", "error")]
            assert ids(plain.newest(failed)) == ids(await reader.user_audit_logs(user, AuditEventType.LOGIN_FAILED))
        expected = plain.newest(event for event in within(given, hours=24) if plain.is_suspicious(event))
        assert ids(expected) == ids(await reader.suspicious_activities())
        assert ids(expected[:3]) == ids(await reader.suspicious_activities(limit=3))
        assert {0} == {(await reader.user_behavior("nobody"))[key] for key in KEYS[3:7]}


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_events_without_a_user_are_not_those_of_all(place: Place) -> None:
    """No user is a question for events without one, never one for everybody's."""
    given = [events.custom("app.opened", user_id=user) for user in ("u1", None)]
    await stored(place, given)
    async with everything(place) as reader:
        assert [given[1].id] == ids(await reader.user_audit_logs(None))
        assert {"app.opened": 1} == (await reader.user_behavior(None))["event_counts"]
