"""Import a file: what is asked for is checked, done, and told of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, tzinfo
from pathlib import Path

import msgspec

from audit_async import events
from audit_async.config import IMPORT_WAIT_SECONDS
from audit_async.default import get_audit_logger
from audit_async.errors import ConfigurationError, meant
from audit_async.events import AuditEvent, Outcome
from audit_async.importing.batches import Run
from audit_async.importing.cursor import Cursor
from audit_async.importing.formats import FORMATS, Format, Reading, format_named
from audit_async.importing.formats.own import FIELDS
from audit_async.importing.pace import import_all, in_thread
from audit_async.importing.records import read_records
from audit_async.importing.rejects import kept_for_mending
from audit_async.importing.repeats import remembered
from audit_async.importing.report import Report, Seen
from audit_async.importing.source import opened
from audit_async.logger import AuditLogger


async def import_file(
    path: str | os.PathLike[str],
    format: str,
    *,
    audit: AuditLogger | None = None,
    tenant_id: str | None = None,
    zone: tzinfo | None = None,
    columns: Mapping[str, str] | None = None,
    rejects: str | os.PathLike[str] | None = None,
    may_replace: bool = False,
    dry_run: bool = False,
    logs_itself: bool = True,
    wait_seconds: float = IMPORT_WAIT_SECONDS,
    on_progress: Callable[[Seen], None] | None = None,
) -> Report:
    """Log every record of a file, with its own id and time, and return what came of it.

    When it returns with `stopped` None every event of the file is in the table, or in quarantine. Cancelled or killed,
    and called again, it goes on where it was; each record is in the table once. What the caller's context says is
    filled into none of the events: it is not about them.

    Args:
        path: of the file; what gzip has packed is unpacked.
        format: one of `FORMATS`.
        audit: the logger; that of the process by default. Not used where *dry_run* is true.
        tenant_id: of records that name no tenant.
        zone: of times that name none; by default UTC, for a queue of the desktop program that of this machine.
        columns: names in the file for fields of ours: `{"when": "created_at"}`.
        rejects: a file that refused records are written to as they are, for mending; `.part` until all are in it.
        may_replace: a file that *rejects* names, and that is there already; else that is an error.
        dry_run: map and report, and log nothing.
        logs_itself: log one `data.import` event at the end: which file, how many, how it ended.
        wait_seconds: that it waits without any event arriving in the table, before it stops and says so.
        on_progress: called after each batch, in this task.

    Raises:
        ConfigurationError: there is no such file or format, or an option cannot be meant.
    """
    file, kind = Path(path), format_named(format)
    if tenant_id == "":
        raise ConfigurationError("the tenant of records that name none is empty", hint="leave it out, or name one")
    if not wait_seconds >= 0:
        raise ConfigurationError(f"{wait_seconds!r} is no time to wait", hint="give seconds, 0 or more")
    reading = Reading(
        zone=zone or (None if kind.is_local else UTC), tenant_id=tenant_id, columns=_checked(columns or {}, kind)
    )
    logger = None if dry_run else audit or get_audit_logger()
    with ExitStack() as stack:
        source, content = stack.enter_context(opened(file))
        rejected = stack.enter_context(
            kept_for_mending(None if rejects is None else Path(rejects), file, may_replace=may_replace)
        )
        repeats = stack.enter_context(remembered(has_time_in_key=_is_ours(logger)))
        cursor = None if logger is None else Cursor(file, _purpose(logger, kind, reading))
        run = Run(
            source=source,
            records=read_records(content, kind.header_mark),
            kind=kind,
            reading=reading,
            logger=logger,
            repeats=repeats,
            rejects=rejected,
        )
        if cursor is not None:
            run.confirmed_before = await in_thread(_confirmed, cursor, file, kind)
        outcome, stopped = Outcome.CANCELLED, None
        try:
            stopped = await import_all(run, cursor, wait_seconds, on_progress)
            if rejected is not None and run.is_read:
                await in_thread(rejected.finish)
            outcome = Outcome.SUCCESS
        except Exception:
            outcome = Outcome.ERROR
            raise
        finally:
            report = run.report(file, stopped)
            if outcome is Outcome.SUCCESS and not report.is_complete:
                outcome = Outcome.PARTIAL
            if logger is not None and logs_itself:
                logger.log(_own_event(report, outcome, tenant_id))
    return report


def _is_ours(logger: AuditLogger | None) -> bool:
    return logger is None or isinstance(logger.settings.table, str)


def _confirmed(cursor: Cursor, file: Path, kind: Format) -> int:
    if not cursor.path.exists():
        return 0
    with opened(file) as (_, content):
        return cursor.place(read_records(content, kind.header_mark))


def _purpose(logger: AuditLogger, kind: Format, reading: Reading) -> str:
    said = (kind.name, logger.settings.destination, str(reading.zone), reading.tenant_id, dict(reading.columns))
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _checked(columns: Mapping[str, str], kind: Format) -> Mapping[str, str]:
    if columns and not kind.has_columns:
        able = [each.name for each in FORMATS.values() if each.has_columns]
        raise ConfigurationError(
            f"the names of format {kind.name!r} are fixed: no column can be said to be a field",
            hint=f"leave them out; that is for {' and '.join(able)}",
        )
    for column, name in columns.items():
        if name not in FIELDS:
            raise ConfigurationError(
                f"{name[:100]!r}, which column {column[:100]!r} is to be, is no field{meant(name, FIELDS)}",
                hint=f"there are {', '.join(sorted(FIELDS))}",
            )
        if list(columns.values()).count(name) > 1:
            both = " and ".join(repr(each[:100]) for each, other in columns.items() if other == name)
            raise ConfigurationError(f"columns {both} are both to be {name!r}", hint="say one of them")
    return columns


def _own_event(report: Report, outcome: Outcome, tenant_id: str | None) -> AuditEvent:
    """Return the event that tells of the import itself."""
    return events.data_import(
        "data.import",
        format=report.format,
        row_count=report.confirmed,
        source=report.file,
        outcome=outcome,
        tenant_id=tenant_id,
        resource_type="file",
        resource_id=Path(report.file).name,
        error_message=report.stopped,
        details={
            "records": report.records,
            "refused": report.refused,
            "quarantined": report.quarantined,
            "earlier": report.earlier,
            "sha256": report.sha256,
        },
    )
