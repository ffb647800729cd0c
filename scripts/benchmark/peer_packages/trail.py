"""sqlalchemy-audit-trail, whose events are rows of the caller's own transaction."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from audit_trail import AuditEvent, AuditTrail, Severity, event
from audit_trail.migrations import create_audit_tables
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from scripts.benchmark import samples
from scripts.benchmark.peer_packages import Details


class _SsoEvent(AuditEvent):
    LOGIN = event("sso.login", Severity.INFO)


class _AppSession(Session):
    """The listeners are registered on this class."""


class InTransaction:
    """sqlalchemy-audit-trail, an event in the caller's own transaction: a session and a commit for each call.

    Nothing of it runs in the background, so there is nothing to set but how much a transaction holds and how many
    callers there are; `on_error="raise"` spares a savepoint.
    """

    table = "audit.audit_activity"

    WORKERS = 8
    EVENTS_A_COMMIT = 100

    def __init__(self, url: str, folder: Path) -> None:
        self._engine = create_async_engine(url, pool_size=self.WORKERS)
        self._audit = AuditTrail(self._engine, events=[_SsoEvent], on_error="raise")
        self._session = async_sessionmaker(self._engine, sync_session_class=_AppSession)

    async def create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(create_audit_tables, self._audit.tables, self._audit.severities)
        await self._audit.maintenance.aensure_partitions()

    async def __aenter__(self) -> Self:
        self._audit.install(self._session)
        self._acting = self._audit.context(
            actor_type="user",
            actor_id=str(samples.USER_ID),
            remote_addr=samples.ACTING["ip_address"],
            request_id=uuid.uuid5(uuid.NAMESPACE_OID, samples.ACTING["request_id"]),  # it takes nothing but UUIDs
            scope_id=samples.ACTING["tenant_id"],
            extra={"session_id": samples.ACTING["session_id"]},
        )
        self._acting.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acting.__exit__(None, None, None)
        await self._audit.adispose()
        await self._engine.dispose()

    async def log(self, details: Details) -> None:
        async with self._session() as session:
            await self._say(session, details)
            await session.commit()

    async def log_all(self, many: Sequence[Details]) -> None:
        waiting = iter(
            [many[start : start + self.EVENTS_A_COMMIT] for start in range(0, len(many), self.EVENTS_A_COMMIT)]
        )

        async def work() -> None:
            for batch in waiting:
                async with self._session() as session:
                    for details in batch:
                        await self._say(session, details)
                    await session.commit()

        async with asyncio.TaskGroup() as group:
            for _ in range(self.WORKERS):
                group.create_task(work())

    async def flush(self) -> None:
        """Every call has committed."""

    async def _say(self, session: AsyncSession, details: Details) -> None:
        await self._audit.alog(
            session, _SsoEvent.LOGIN, target=("user", "u-4711"), payload={**details, "duration_ms": 12.5}
        )
