"""What a journal is opened with, and what it hands out: values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, Unpack

from audit_async.config import GIVE_UP_BYTES, GIVE_UP_ENTRIES, GIVE_UP_SECONDS
from audit_async.journal.book import Counts
from audit_async.journal.confirm import Mark
from audit_async.journal.frame import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """How a journal is to behave.

    Attributes:
        directory: where; it is made if missing.
        service: part of the file names.
        destination: fingerprint of the database and table that the entries are meant for.
        max_bytes: on disk; None for the default.
        memory_max_bytes: in memory, as long as no disk takes entries.
        is_consumed_here: False when another process uploads (`drain`).
    """

    directory: Path
    service: str
    destination: str
    max_bytes: int | None
    memory_max_bytes: int
    is_consumed_here: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries to be settled together.

    Attributes:
        first_seq, last_seq: the numbers it covers.
        missing: of these, the ones whose entries are lost to damage.
    """

    writer_id: str
    first_seq: int
    last_seq: int
    records: Sequence[Record]
    missing: tuple[int, ...] = ()

    @classmethod
    def of(cls, writer_id: str, position: int, records: Sequence[Record], last_seq: int = 0) -> Self:
        """Return the batch behind *position*: up to the last of *records*, or, without any, up to *last_seq*."""
        if records:
            last_seq = records[-1].seq
        missing: tuple[int, ...] = ()
        if len(records) != last_seq - position:
            found = {record.seq for record in records}
            missing = tuple(seq for seq in range(position + 1, last_seq + 1) if seq not in found)
        return cls(writer_id=writer_id, first_seq=position + 1, last_seq=last_seq, records=records, missing=missing)

    def joined_with(self, behind: Self) -> Self:
        """Return this batch and the one that follows it as one."""
        return type(self)(
            writer_id=self.writer_id,
            first_seq=self.first_seq,
            last_seq=behind.last_seq,
            records=[*self.records, *behind.records],
            missing=self.missing + behind.missing,
        )


class Source(Protocol):
    """Where a writer pulls batches from: this process's journal, or the files of another one."""

    @property
    def writer_id(self) -> str:
        """Of the process that logged."""
        ...

    @property
    def mark(self) -> Mark:
        """Up to where nothing is pending."""
        ...

    def read(self, max_entries: int, max_bytes: int) -> Batch | None:
        """Return the next batch, or None when there is none for now."""
        ...

    def settle(self, last_seq: int, **counts: Unpack[Counts]) -> None:
        """Note what became of it."""

    def resolve(self, seq: int, *, is_stored: bool) -> None:
        """Note what became of an entry that was left open."""


def read_in_turns(source: Source, max_entries: int, max_bytes: int) -> Batch | None:
    """Do as `source.read`, bit by bit: in between other threads get the interpreter."""
    bit = min(GIVE_UP_ENTRIES, max_entries)
    batch = last = source.read(bit, min(GIVE_UP_BYTES, max_bytes))
    size = 0
    while batch is not None and last is not None:
        last_size = sum(len(record.payload) for record in last.records)
        size += last_size
        # What ends before its limits is the last: to ask once more costs a caller that waits for one entry.
        if len(last.records) < bit and last_size < GIVE_UP_BYTES // 2:
            break
        # Behind the last bit too, since to decode what was read is the next bit.
        time.sleep(GIVE_UP_SECONDS)
        if len(batch.records) + bit > max_entries or size >= max_bytes:
            break
        try:
            last = source.read(bit, min(GIVE_UP_BYTES, max_bytes - size))
        except OSError:
            # What is behind is asked for again, and must not take along what was read.
            break
        if last is not None:
            batch = batch.joined_with(last)
    return batch
