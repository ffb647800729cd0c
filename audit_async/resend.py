"""Send entries to the database once more, beside whoever else may be sending them: the table takes each once.

No lock of a journal is taken and no mark written, and the sessions of a living writer are left alone.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from audit_async.delivery import Delivery, Refusal
from audit_async.entry import Entry, decode
from audit_async.errors import TransientStoreError
from audit_async.journal.contents import Contents, batches, examine, left_over_entries
from audit_async.journal.frame import Record
from audit_async.journal.survey import Surveyed
from audit_async.settings import Settings
from audit_async.store import Store, StoreOptions


class Resender:
    """Inserts what is in the table already, or may be.

    Args:
        timeout_seconds: that a database which is away or busy is tried again.
    """

    def __init__(self, settings: Settings, *, timeout_seconds: float) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._session_name = f"audit/again-{os.urandom(8).hex()}"
        self._delivery = Delivery(self._open_store, on_slow=lambda: None, timing=settings.timing)

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        """Bring *entries*, all of one writer, into the table and return those that it refuses for what is in them.

        Raises:
            TransientStoreError: the database took nothing for `timeout_seconds`.
            ConfigStoreError: table, column, right or password is not as it must be.
        """
        deadline = time.monotonic() + self._timeout_seconds
        timing = self._settings.timing
        first = longest = min(timing.backoff_first_seconds, timing.backoff_max_seconds)
        while True:
            try:
                return await self._delivery.insert(entries, is_replay=True)
            except TransientStoreError:
                if time.monotonic() + longest > deadline:
                    raise
            await asyncio.sleep(random.uniform(first, longest))
            longest = min(timing.backoff_max_seconds, 2 * longest)

    async def close(self) -> None:
        """Close the connection."""
        await self._delivery.close()

    def _open_store(self) -> Store:
        from audit_async.store.opening import open_store

        address = self._settings.address
        return open_store(
            StoreOptions(
                url=address.url,
                table=self._settings.table,
                may_create=address.is_file,
                session_name=self._session_name,
                timing=self._settings.timing,
            )
        )


@dataclass(slots=True)
class Replayed:
    """What became of entries that were sent once more.

    Attributes:
        stored: rows that are in the table now, whether they were before or not.
        refused: how many the table refuses, by what it says.
        unreadable: entries that are no events.
        contents: of each file set, after it was sent.
    """

    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    contents: list[tuple[Surveyed, Contents]] = field(default_factory=list)


async def replay(
    settings: Settings,
    file_sets: Iterable[Surveyed],
    *,
    since: datetime | None = None,
    timeout_seconds: float,
    on_progress: Callable[[Replayed], None] | None = None,
) -> Replayed:
    """Send what *file_sets* still hold, settled or not, and whole entries among what was kept of damage.

    Args:
        since: only events that happened then or later.

    Raises:
        StoreError: as `Resender.send`; what was sent until then is in the table.
    """
    done = Replayed()
    resender = Resender(settings, timeout_seconds=timeout_seconds)
    try:
        for surveyed in file_sets:
            for records in _all_of(surveyed):
                entries = _since(since, _decode(surveyed.writer_id, records, done))
                if entries:
                    refused = await resender.send(entries)
                    done.refused.update(refusal.error.message for refusal in refused)
                    done.stored += len(entries) - len(refused)
                if on_progress is not None:
                    on_progress(done)
            done.contents.append((surveyed, examine(surveyed)))
    finally:
        await resender.close()
    return done


def _all_of(surveyed: Surveyed) -> Iterable[list[Record]]:
    yield from batches(surveyed)
    yield left_over_entries(surveyed)


def _decode(writer_id: str, records: Iterable[Record], done: Replayed) -> list[Entry]:
    entries = []
    for record in records:
        try:
            entries.append(decode(record.payload, writer_id, record.seq))
        except (msgspec.MsgspecError, ValueError):
            done.unreadable += 1
    return entries


def _since(since: datetime | None, entries: list[Entry]) -> list[Entry]:
    return entries if since is None else [entry for entry in entries if entry.created_at >= since]
