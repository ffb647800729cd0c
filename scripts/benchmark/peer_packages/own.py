"""This library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from audit_async import AuditLogger, create_table, events
from audit_async.drain import drain
from scripts.benchmark import samples
from scripts.benchmark.peer_packages import Details, in_a_loop


class Ours:
    """This library, as it is without any setting."""

    table = "audit_logs"

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    async def create(self) -> None:
        await create_table(self._url)

    async def __aenter__(self) -> Self:
        self._audit = AuditLogger(self._url, journal_dir=self._folder)
        await self._audit.__aenter__()
        self._acting = samples.acting()
        self._acting.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acting.__exit__(None, None, None)
        await self._audit.close(1)
        # As `audit-async drain`: what a process that was killed has left would else wait for the next one that runs on.
        await drain(self._audit.settings, timeout_seconds=60)

    def log(self, details: Details) -> None:
        self._audit.log(
            events.custom(
                "sso.login",
                user_id=samples.USER_ID,
                resource_type="user",
                resource_id="u-4711",
                duration_ms=12.5,
                details=details,
            )
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await in_a_loop(self.log, many)

    async def flush(self) -> None:
        await self._audit.flush(60)
