"""Export a table to a file, and say after each page how many events are in it.

python -m tests.programs.exporting_child URL PATH [STOP]

From STOP events on it goes no further, and waits to be killed.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import audit_async.reader
import audit_async.reading.export
from audit_async import AuditReader, Query, Scope


async def main(url: str, path: str, stop: str = "") -> None:
    def tell(events: int) -> None:
        print(events, flush=True)
        if stop and events >= int(stop):
            signal.pause()

    async with AuditReader(url, tenant=Scope.all()) as reader:
        await reader.export(Query(oldest_first=True), path=path, on_progress=tell)


if __name__ == "__main__":
    # So that even a few events need several pages.
    setattr(audit_async.reader, "EXPORT_PAGE_EVENTS", 50)  # noqa: B010 -- it is none of its names
    setattr(audit_async.reading.export, "EXPORT_NOTE_EVENTS", 50)  # noqa: B010
    asyncio.run(main(*sys.argv[1:]))
