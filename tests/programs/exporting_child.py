"""Export a table to a file, and say after each page how many events are in it.

python -m tests.programs.exporting_child URL PATH
"""

from __future__ import annotations

import asyncio
import sys

import audit_async.reader
import audit_async.reading.export
from audit_async import AuditReader, Query, Scope


async def main(url: str, path: str) -> None:
    async with AuditReader(url, tenant=Scope.all()) as reader:
        await reader.export(Query(oldest_first=True), path=path, on_progress=lambda events: print(events, flush=True))


if __name__ == "__main__":
    # So that even a few events need several pages.
    setattr(audit_async.reader, "EXPORT_PAGE_EVENTS", 50)  # noqa: B010 -- it is none of its names
    setattr(audit_async.reading.export, "EXPORT_NOTE_EVENTS", 50)  # noqa: B010
    asyncio.run(main(*sys.argv[1:]))
