"""Take events out of quarantine: into the table, or away for good, which an event tells of."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence

import msgspec

from audit_async.config import CLOSE_SECONDS, DROPPED_IDS
from audit_async.entry import Entry, decode
from audit_async.events import custom
from audit_async.logger import AuditLogger
from audit_async.resend import Resender
from audit_async.settings import Settings
from audit_async.store.kept import Kept, remove


def entry_of(kept: Kept) -> Entry | None:
    """Return the event of *kept* as it would be inserted; None where it is none."""
    if kept.item is None:
        return None
    try:
        return decode(kept.payload, kept.item.writer_id, kept.item.writer_seq)
    except (msgspec.MsgspecError, ValueError):
        return None


async def retry(
    settings: Settings, chosen: Sequence[Kept], *, timeout_seconds: float
) -> AsyncIterator[tuple[Kept, str | None]]:
    """Send *chosen* one by one, and remove those that are in the table then; yield why one is not, None if it is.

    A file goes only after its row has committed. Ended in between, the next time finds the row, and removes the file.

    Raises:
        StoreError: as `Resender.send`.
        OSError: a file whose row is in the table cannot be removed.
    """
    resender = Resender(settings, timeout_seconds=timeout_seconds)
    try:
        for kept in chosen:
            entry = entry_of(kept)
            why: str | None = kept.fault or "it is no event: nothing can be inserted"
            if entry is not None:
                refused = await resender.send([entry])
                why = refused[0].error.message if refused else None
            if why is None:
                remove(kept)
            yield kept, why
    finally:
        await resender.close()


async def tell_dropped(settings: Settings, chosen: Sequence[Kept], *, dropped_by: str | None) -> None:
    """Log that *chosen* are dropped, and return when that is in the table, or at least on disk.

    Raises:
        AuditUnavailableError: neither is so; nothing may be removed.
    """
    logger = AuditLogger.of(dataclasses.replace(settings, service=f"{settings.service}_quarantine"))
    try:
        for at in range(0, len(chosen), DROPPED_IDS):
            some = chosen[at : at + DROPPED_IDS]
            await logger.require(
                custom(
                    "audit.quarantine.dropped",
                    category="security",
                    severity="high",
                    actor_type="user" if dropped_by else "system",
                    actor_id=dropped_by,
                    resource_type="quarantine",
                    details={"count": len(some), "ids": [kept.id for kept in some]},
                )
            )
    finally:
        await logger.close(CLOSE_SECONDS)
