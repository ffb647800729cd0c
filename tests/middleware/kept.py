"""The middleware without a server, and what it logs."""

from __future__ import annotations

import asyncio
from typing import Any

from audit_async.context import fill
from audit_async.events import AuditEvent
from audit_async.middleware import AuditMiddleware


class Kept:
    """Keeps what is logged, as the real logger would fill it."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def log(self, event: AuditEvent) -> None:
        self.events.append(fill(event))


def wrapped(app: Any, **options: Any) -> tuple[AuditMiddleware, list[AuditEvent]]:
    kept = Kept()
    return AuditMiddleware(app, kept, log_requests=True, **options), kept.events  # type: ignore[arg-type]  # log() is all it needs


async def cancelled_task() -> asyncio.Task[None]:
    task = asyncio.create_task(asyncio.sleep(60))  # which nobody waits for: it is cancelled before it begins
    task.cancel()
    await asyncio.wait([task])
    return task
