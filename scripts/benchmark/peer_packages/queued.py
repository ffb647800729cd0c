"""fastapi-fabric-audit, with its queue before its database writer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from fastapi_fabric.audit.models import AuditEvent
from fastapi_fabric.audit.protocol import set_writer
from fastapi_fabric.audit.writer import emit_audit_nowait
from fastapi_fabric.audit.writers.database import DatabaseAuditWriter
from fastapi_fabric.audit.writers.queued import QueuedAuditWriter
from fastapi_fabric.auth.dependencies import CurrentPrincipal
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from scripts.benchmark import samples
from scripts.benchmark.peer_packages import MANY, Details, in_a_loop


class Fabric:
    """fastapi-fabric-audit: a queue before its database writer, which opens a session for each event."""

    table = "audit_events"

    CONNECTIONS = 20
    QUEUED: ClassVar[dict[str, Any]] = {"maxsize": MANY}
    ENGINE: ClassVar[dict[str, Any]] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": 600}

    def __init__(self, url: str, folder: Path) -> None:
        self._engine = create_async_engine(url, **self.ENGINE)
        factory = async_sessionmaker(self._engine, expire_on_commit=False)
        self._writer = QueuedAuditWriter(DatabaseAuditWriter(factory), **self.QUEUED)

    async def create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(AuditEvent.metadata.create_all)

    async def __aenter__(self) -> Self:
        set_writer(self._writer)
        await self._writer.start()
        self._principal = CurrentPrincipal(sub=str(samples.USER_ID), type="user")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    def log(self, details: Details) -> None:
        emit_audit_nowait(
            "sso.login",
            principal=self._principal,
            resource_type="user",
            resource_id="u-4711",
            detail={
                **details,
                "duration_ms": 12.5,
                "tenant_id": samples.ACTING["tenant_id"],
                "session_id": samples.ACTING["session_id"],
                "request_id": samples.ACTING["request_id"],
            },
            ip_address=samples.ACTING["ip_address"],
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await in_a_loop(self.log, many)

    async def flush(self) -> None:
        await asyncio.sleep(0)  # the last events are in tasks that have not begun
        await self._writer.flush()


class FabricByDefault(Fabric):
    """The same without a setting: a queue of 10,000, and SQLAlchemy's pool of 5 and 10 more for 30 s."""

    QUEUED: ClassVar[dict[str, Any]] = {}
    ENGINE: ClassVar[dict[str, Any]] = {}
