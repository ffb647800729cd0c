"""What a test of jobs asks of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit_async import AuditLogger
from tests.tables import all_rows


@dataclass(frozen=True, slots=True)
class Log:
    """A logger, and the address of its table."""

    audit: AuditLogger
    url: str

    async def rows(self) -> list[dict[str, Any]]:
        """Return every row, once all that was logged is there, in the order of the log."""
        assert await self.audit.flush(20)
        return await all_rows(self.url)

    async def last(self) -> dict[str, Any]:
        """Return the row of the job's end."""
        return (await self.rows())[-1]
