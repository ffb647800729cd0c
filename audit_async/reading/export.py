"""The events of a query as a file, page by page, and what is told of that."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from audit_async.config import EXPORT_NOTE_EVENTS, EXPORT_SLICE_EVENTS
from audit_async.events import AuditEvent, Outcome, custom
from audit_async.exports import Sink, can_continue, open_export
from audit_async.reading.draft import Draft, Progress
from audit_async.reading.query import Query

Row = Sequence[Any]

Batch = tuple[Sequence[Row], str | None]
"""Rows, and the cursor behind them; None behind the last."""

Batches = Callable[[datetime, str | None], AsyncGenerator[Batch, None]]
"""Reads on behind a cursor; times such as `24h` count back from the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was handed over.

    Attributes:
        format: of the file.
        path: of the file; None where it was somebody's open file, such as standard output.
        events: that are in it, those of an earlier attempt that was continued among them; of one that broke off, no
            more than these.
        query: what was asked for, as plain JSON data.
        scope: whose events, as text.
        tenant_id: whose, where it is one tenant's.
        table: from which.
        is_complete: False where it broke off; what was written has left the database all the same.
        is_continued: an earlier attempt was gone on with.
    """

    format: str
    path: Path | None
    events: int
    query: dict[str, Any]
    scope: str
    table: str
    is_complete: bool
    is_continued: bool = False
    tenant_id: str | None = None

    def event(self) -> AuditEvent:
        """Return what the log should say of it: `on_export=lambda exported: audit.log(exported.event())`.

        Who it was follows from the context in which it is logged.
        """
        details = {
            **{name: getattr(self, name) for name in ("format", "events", "query", "scope", "table", "is_continued")},
            "file": None if self.path is None else str(self.path),
        }
        return custom(
            "audit.export",
            outcome=Outcome.SUCCESS if self.is_complete else Outcome.PARTIAL,
            tenant_id=self.tenant_id,
            resource_type="table",
            resource_id=self.table,
            description=f"{self.events:,} events were exported as {self.format}",
            details=details,
        )


OnExport = Callable[[Exported], object]
"""Is told of every export, to log it: the reader itself logs nothing. What it returns is awaited if it can be."""


@dataclass(slots=True, kw_only=True)
class Export:
    """One export under way.

    Args:
        batches: reads the rows.
        shown: makes of rows the events that may be seen.
        bound_to: what it is of: an attempt of something else is not continued.
        on_progress: is told the number of events written so far.
    """

    query: Query
    format: str
    scope: str
    tenant_id: str | None
    table: str
    bound_to: str
    batches: Batches
    shown: Callable[[Sequence[Row]], Sequence[AuditEvent]]
    on_export: OnExport | None = None
    on_progress: Callable[[int], None] | None = None
    events: int = 0
    is_continued: bool = False

    async def to_file(self, file: BinaryIO, options: dict[str, Any]) -> Exported:
        """Write to an open file."""
        sink = open_export(self.format, file, **options)
        is_complete = False
        try:
            async with aclosing(self.batches(datetime.now(UTC), None)) as batches:
                async for rows, _ in batches:
                    # Not in a thread: where it is a pipe that nobody reads, that would outlive whoever gave up.
                    self._put(sink, rows)
                    self._tell_progress(rows)
            sink.close()
            file.flush()
            is_complete = True
        finally:
            exported = await self._tell(None, is_complete)
        return exported

    async def to_path(self, path: Path, options: dict[str, Any], *, may_replace: bool) -> Exported:
        """Write a file that is under its own name when it is whole, and go on with an earlier attempt at the same."""
        # A slip in an option is told before there is a file.
        open_export(self.format, io.BytesIO(), **options)
        draft = Draft(path, may_replace=may_replace)
        found = draft.found(self.bound_to) if can_continue(self.format) else None
        progress = found or Progress(bound_to=self.bound_to, began_at=datetime.now(UTC).isoformat())
        is_complete = False
        try:
            began_at = datetime.fromisoformat(progress.began_at)
            async with aclosing(self.batches(began_at, progress.cursor)) as batches:
                with draft.told():
                    sink = self._open(draft, found, options)
                    async for rows, cursor in batches:
                        # In a thread, since it takes a while and others use the loop.
                        await asyncio.to_thread(self._put, sink, rows)
                        self._tell_progress(rows)
                        is_due = self.events - progress.events >= EXPORT_NOTE_EVENTS
                        if cursor is not None and is_due and can_continue(self.format):
                            progress = msgspec.structs.replace(progress, cursor=cursor, events=self.events)
                            await asyncio.to_thread(draft.note, progress)
                    sink.close()
                    await asyncio.to_thread(draft.finish)
            is_complete = True
        finally:
            draft.close()
            exported = await self._tell(path, is_complete)
        return exported

    def _open(self, draft: Draft, found: Progress | None, options: dict[str, Any]) -> Sink:
        if found is None:
            return open_export(self.format, draft.begin(), **options)
        self.events, self.is_continued = found.events, True
        return open_export(self.format, draft.resume(found), is_continued=True, **options)

    def _put(self, sink: Sink, rows: Sequence[Row]) -> None:
        # A Parquet file has a group of rows for each call.
        step = EXPORT_SLICE_EVENTS if can_continue(self.format) else max(1, len(rows))
        for first in range(0, len(rows), step):
            events = self.shown(rows[first : first + step])
            # Before they are written: of a pipe that breaks, nobody knows how many have left.
            self.events += len(events)
            sink.write(events)

    def _tell_progress(self, rows: Sequence[Row]) -> None:
        if self.on_progress is not None and rows:
            self.on_progress(self.events)

    async def _tell(self, path: Path | None, is_complete: bool) -> Exported:
        exported = Exported(
            format=self.format,
            path=path,
            events=self.events,
            # A page's size means nothing here.
            query={name: value for name, value in self.query.to_dict().items() if name != "limit"},
            scope=self.scope,
            table=self.table,
            tenant_id=self.tenant_id,
            is_complete=is_complete,
            is_continued=self.is_continued,
        )
        # Of one that never began, for a slip in an option or no such folder, there is nothing to tell.
        if self.on_export is not None and (is_complete or self.events):
            told = self.on_export(exported)
            if inspect.isawaitable(told):
                await told
        return exported
