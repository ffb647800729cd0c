"""An import that is cancelled on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger
from audit_async.importing import Seen, import_file


async def import_in_part(file: Path, audit: AuditLogger, **options: Any) -> None:
    """Import *file*, and be cancelled after the first batch."""
    begun = asyncio.Event()

    def note(_: Seen) -> None:
        begun.set()

    task = asyncio.create_task(import_file(file, "jsonl", audit=audit, on_progress=note, **options))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
