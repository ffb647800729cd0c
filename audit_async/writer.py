"""The writer: pulls batches from the journal, brings them into the table, and settles them.

Its loop is a coroutine that knows nothing of who runs it (see `host`). It takes what has accumulated: while somebody
waits for a receipt, or on the step from idle to busy, it starts at once; otherwise it lingers some milliseconds for
company. After a fault it waits and tries the same batch again, without end; only a row that the database refuses for
what is in it is put into quarantine.

This file is a little longer than others: its turns share the batch under way, the orphans and the outage, and whoever
reads one of them has to see what the others do with these.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from itertools import chain

import msgspec

from audit_async.config import (
    BATCH_BYTES,
    BATCH_ENTRIES,
    GIVE_UP_ENTRIES,
    GIVE_UP_SECONDS,
    GIVE_WAY_TURNS,
    LINGER_SECONDS,
    MAX_DOUBTED_ENTRIES,
    MAX_ORPHANS,
)
from audit_async.delivery import Delivery, Refusal, usual_cause
from audit_async.diagnostics import describe, report, settle_down
from audit_async.entry import Entry, decode
from audit_async.errors import ConfigStoreError, StoreError, TableDoubtError, TransientStoreError
from audit_async.event_loop import Bell
from audit_async.journal.adoption import Orphan
from audit_async.journal.batch import Batch, Source, read_in_turns
from audit_async.parts import WriterParts
from audit_async.store.pacing import slices_giving_up


class Writer:
    """The loop. Made and run by its host, woken from any thread through `wake` and `nudge`.

    Attributes:
        is_out: in a known outage: the last attempt failed, or one has been under way for over a second.
        last_error: what the last failed attempt met; None after one that succeeded.
        needs_mending: that was the database's answer, and not its silence: somebody has to mend something.
        has_ended: `run` has returned.
    """

    def __init__(self, parts: WriterParts) -> None:
        self.is_out = False
        self.last_error: str | None = None
        self.needs_mending = False
        self.has_ended = False
        self.is_idle = False
        self._parts = parts
        self._delivery = Delivery(parts.open_store, on_slow=self._begin_outage, timing=parts.timing)
        self._parking = parts.parking
        self._orphans: deque[Orphan] = deque()
        self._is_orphans_turn = False
        # Of orphans that were taken over since the last whole look, done with or not.
        self._looked_at: set[str] = set()
        self._has_more_orphans = False
        # The batch that is being brought in; kept over a fault of our own, since it is not read a second time.
        self._current: tuple[Source, Batch] | None = None
        self._was_tried = False
        # Those of orphans of which the table takes nothing. They stand aside until it has taken something else.
        self._doubted: deque[tuple[Source, Batch]] = deque()
        self._trusts_table = False
        self._adopt_at = 0.0
        self._failures = 0
        self._is_stopping = False
        # Why it refused events, since it has taken one.
        self._refused_for: set[tuple[str | None, str]] = set()
        # How many waited for their rows when the last batch came in.
        self._company = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_asleep = True
        self._woken = Bell()
        self._nudged = Bell()

    # --- from any thread -------------------------------------------------------------------------------

    def wake(self) -> None:
        """Say that there is something to read, or that somebody waits. Costs nothing while it is at work anyway."""
        if self._is_asleep:
            # Who comes before it has opened its eyes need not call again.
            self._is_asleep = False
            self._set(self._woken)

    def nudge(self) -> None:
        """Cut a back-off short, once: somebody flushes or closes."""
        self._set(self._nudged)
        self._set(self._woken)

    def stop(self) -> None:
        """Let `run` return as soon as nothing is pending."""
        self._is_stopping = True
        self.nudge()

    def _set(self, bell: Bell) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(bell.ring)
        except RuntimeError:
            # Its loop is closed. What is in the journal waits for the next writer.
            self.has_ended = True

    # --- the loop --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write until `stop`. A fault of our own is logged and waited out like one of the database."""
        self._loop = asyncio.get_running_loop()
        if self._parts.was_cut_off:
            self._parts.journal.rewind()
        try:
            while not (self.is_idle and self._may_end):
                try:
                    await self._turn()
                except StoreError as error:
                    await self._wait_out(error)
                except Exception as error:
                    await self._wait_out(TransientStoreError(f"a fault in the writer itself ({describe(error)})"))
            await self._delivery.close()
        finally:
            self.has_ended = True
            self._woken.remove()
            self._nudged.remove()
            self._delivery.abandon()
            for orphan in self._orphans:
                orphan.close(is_done=False)
            self._orphans.clear()

    @property
    def _may_end(self) -> bool:
        return self._is_stopping or (self._parts.ends_when_idle and not self._parking)

    async def _turn(self) -> None:
        """Bring one batch in, or wait until there is one."""
        if self._current is None:
            await self._give_way()
        # Before it is looked for work: what comes after that look wakes it.
        self._is_asleep = True
        self._woken.clear()
        if self._parking.seconds_to_retry == 0.0:
            await self._retry_parked()
        if self._current is None:
            self._current, self._was_tried = self._next_batch(), self._parts.was_cut_off
            self._parts.was_cut_off = False
        if self._current is None:
            self.is_idle = True
            if not self._may_end:
                await self._woken.wait(min(self._parking.seconds_to_retry, self._seconds_to_look))
                # What came while it slept has not been looked at.
                self.is_idle = False
            return
        self.is_idle = self._is_asleep = False
        await self._bring_in(*self._current)
        await self._linger()

    async def _retry_parked(self) -> None:
        try:
            await self._parking.retry(self._delivery)
        except TableDoubtError as doubt:
            # They are tried again at their own pace. What comes meanwhile may prove that they are at fault.
            self._note(doubt)
        except StoreError as error:
            await self._wait_out(error)
        else:
            self._tell_end(self._end_outage())

    def _next_batch(self) -> tuple[Source, Batch] | None:
        """Take turns between this process's entries and those left by others, so that neither starves."""
        parts = self._parts
        if parts.losses.is_untold and not self.is_out:
            parts.tell_losses()
        self._look_for_orphans()
        if self._doubted and self._trusts_table and not self._is_stopping:
            return self._doubted.popleft()
        self._trusts_table = False
        if not (self._is_orphans_turn and self._orphans):
            batch = self._read(parts.journal)
            if batch is not None:
                self._is_orphans_turn = True
                return parts.journal, batch
        self._is_orphans_turn = False
        found = None if self._is_stopping else self._next_of_orphans()
        while found is None and self._has_more_orphans and self._look_for_orphans():
            found = self._next_of_orphans()
        if found is not None:
            return found
        batch = self._read(parts.journal)
        if batch is not None:
            return parts.journal, batch
        return self._doubted.popleft() if self._doubted and not self._is_stopping else None

    def _read(self, source: Source) -> Batch | None:
        if self._parts.may_sleep:
            return read_in_turns(source, BATCH_ENTRIES, BATCH_BYTES)
        return source.read(BATCH_ENTRIES, BATCH_BYTES)

    def _next_of_orphans(self) -> tuple[Source, Batch] | None:
        for _ in range(len(self._orphans)):
            orphan = self._orphans.popleft()
            if any(orphan is source for source, _ in self._doubted):
                self._orphans.append(orphan)
                continue
            batch = self._read(orphan)
            if batch is not None or orphan.is_living or orphan.has_open:
                self._orphans.append(orphan)
            else:
                orphan.close(is_done=True)
            if batch is not None:
                return orphan, batch
        return None

    def _look_for_orphans(self) -> bool:
        """Take over what others have left, now and then, and where there is much of it some after some. Return whether
        it was time for that."""
        if self._is_stopping or not (self._has_more_orphans or self._seconds_to_look == 0):
            return False
        wanted = MAX_ORPHANS - sum(not orphan.is_living for orphan in self._orphans)
        if wanted <= 0:
            return False
        if not self._has_more_orphans:
            self._looked_at.clear()
        known = {self._parts.journal.writer_id, *(orphan.writer_id for orphan in self._orphans), *self._looked_at}
        found = self._parts.find_orphans(frozenset(known), wanted)
        self._orphans += found.orphans
        self._looked_at.update(orphan.writer_id for orphan in found.orphans)
        self._has_more_orphans = found.is_cut
        self._adopt_at = time.monotonic() + self._parts.timing.adopt_interval_seconds
        return True

    @property
    def _seconds_to_look(self) -> float:
        return max(0.0, self._adopt_at - time.monotonic())

    async def _linger(self) -> None:
        journal = self._parts.journal
        self._is_asleep = True
        self._woken.clear()
        if self._is_stopping or self._orphans or journal.settled.is_awaited:
            self._is_asleep = False
            return
        if 0 < self._pending < BATCH_ENTRIES:
            await self._woken.wait(LINGER_SECONDS)

    async def _give_way(self) -> None:
        """Let callers that were told of their rows, all at once, go on and log what comes next, before it is read.

        Without that the first of them starts a batch of one, for which all others wait.
        """
        for _ in range(GIVE_WAY_TURNS):
            if self._company < 2 or self._pending * 2 >= self._company or self._is_stopping:
                return
            if self._parts.may_sleep:
                time.sleep(GIVE_UP_SECONDS)  # noqa: ASYNC251 -- nothing else is to be done in this loop
            else:
                await asyncio.sleep(0)

    @property
    def _pending(self) -> int:
        """How many of this process's entries are to be brought in."""
        return self._parts.journal.last_seq - self._parts.journal.totals.last_seq

    # --- one batch -------------------------------------------------------------------------------------

    async def _bring_in(self, source: Source, batch: Batch) -> None:
        """Try until every entry of *batch* is in the table, refused for good, or parked; then settle it."""
        entries, unreadable = self._decode(batch)
        # The first that is adopted may have been sent already, by a session that is still there. What of it is in later
        # batches shows by its keys.
        is_replay = self._was_tried or (isinstance(source, Orphan) and source.adopted_at == batch.first_seq - 1)
        refused: list[Refusal] = []
        while entries:
            self._was_tried = True
            try:
                refused = await self._delivery.insert(entries, is_replay=is_replay, trusts_table=self._trusts_table)
                self._doubt_the_table(entries, refused)
                break
            except TableDoubtError as doubt:
                # An entry that the table takes would prove that it is the others' fault: look for one behind them.
                longer = self._longer(source, batch)
                if longer is not None:
                    self._current = (source, longer)
                    return
                if isinstance(source, Orphan):
                    # What others have logged may prove the same, and must not wait behind it.
                    self._doubted.append((source, batch))
                    self._current = None
                    await self._wait_out(doubt)
                    return
                await self._wait_out(doubt)
            except StoreError as error:
                await self._wait_out(error)
            is_replay = True
        # In this order: who is told that his event is stored finds no outage any more, and waits for no log sink.
        was_out = self._end_outage()
        self._settle(source, batch, refused, unreadable)
        self._tell_end(was_out)
        if self._parts.may_sleep and len(entries) >= GIVE_UP_ENTRIES:
            # To free them, and to read the first of the next ones, takes as long again as to settle them.
            time.sleep(GIVE_UP_SECONDS)  # noqa: ASYNC251 -- nothing else is to be done in this loop

    def _longer(self, source: Source, batch: Batch) -> Batch | None:
        """Return *batch* with what comes behind it, or None when nothing does, or it is long enough."""
        if len(batch.records) >= MAX_DOUBTED_ENTRIES:
            return None
        behind = self._read(source)
        return None if behind is None else batch.joined_with(behind)

    def _decode(self, batch: Batch) -> tuple[list[Entry], list[int]]:
        entries: list[Entry] = []
        unreadable: list[int] = []
        size = GIVE_UP_ENTRIES if self._parts.may_sleep else max(1, len(batch.records))
        for record in chain.from_iterable(slices_giving_up(batch.records, size)):
            try:
                entries.append(decode(record.payload, batch.writer_id, record.seq))
            except (msgspec.MsgspecError, ValueError) as error:
                if not self._parts.quarantine.add(batch.writer_id, record.seq, record.payload, describe(error), None):
                    raise ConfigStoreError(
                        "an entry that cannot be read cannot be put into quarantine either"
                    ) from error
                unreadable.append(record.seq)
        return entries, unreadable

    def _settle(self, source: Source, batch: Batch, refused: list[Refusal], unreadable: list[int]) -> None:
        parts = self._parts
        payloads = {record.seq: record.payload for record in batch.records} if refused else {}
        parked: list[Refusal] = []
        for_good: list[Refusal] = []
        for refusal in refused:
            is_kept = not self._parking.takes(refusal, len(parked)) and parts.quarantine.add(
                batch.writer_id, refusal.seq, payloads[refusal.seq], refusal.error.message, refusal.error.sqlstate
            )
            (for_good if is_kept else parked).append(refusal)
        quarantined = len(for_good) + len(unreadable)
        stored = len(batch.records) - quarantined - len(parked)
        # Booked once: whatever fails from here on must not book it a second time.
        self._current = None
        self._trusts_table = bool(self._doubted) and stored > 0
        if stored > 0:
            self._parking.trust()
        for refusal in parked:
            self._parking.add(source, refusal, payloads[refusal.seq])
        self._company = parts.journal.settled.waiting
        if not (quarantined or parked or batch.missing):
            # As a rule all are in the table.
            source.settle(batch.last_seq, stored=stored)
        else:
            source.settle(
                batch.last_seq,
                stored=stored,
                quarantined=quarantined,
                dropped={"journal_damaged": len(batch.missing)} if batch.missing else {},
                failed=sorted([*(refusal.seq for refusal in for_good), *unreadable, *batch.missing]),
                left_open=[refusal.seq for refusal in parked],
            )
        if batch.missing:
            parts.losses.lose(len(batch.missing), "journal_damaged")
        if source is not parts.journal:
            parts.adopted.stored += stored
            parts.adopted.quarantined += quarantined
            parts.adopted.dropped += len(batch.missing)

    def _doubt_the_table(self, sent: list[Entry], refused: list[Refusal]) -> None:
        """Doubt the table when it takes nothing, and refuses more than one for the same column or constraint.

        One that is refused for another cause proves nothing: it may have a fault of its own.

        Raises:
            TableDoubtError: none was taken, and another one, of these or before, was refused for the same.
        """
        if len(refused) < len(sent):
            self._refused_for.clear()
        elif not self._trusts_table:
            errors = [refusal.error for refusal in refused]
            usual, count = usual_cause(errors)
            again = [error for error in errors if error.cause in self._refused_for]
            self._refused_for.update(error.cause for error in errors if error.cause is not None)
            if usual is not None and (count > 1 or again):
                raise TableDoubtError(usual if count > 1 else again[0])

    # --- outages ---------------------------------------------------------------------------------------

    def _begin_outage(self) -> None:
        self.is_out = True
        self._parts.journal.settled.release(impatient_only=True)

    def _end_outage(self) -> bool:
        """Note that an attempt has succeeded, and return whether the one before had not."""
        was_out = self.last_error is not None
        self.is_out = False
        self.last_error = None
        self.needs_mending = False
        self._failures = 0
        return was_out

    def _tell_end(self, was_out: bool) -> None:
        if was_out:
            report("store_back", "the database takes events again", level="INFO", every_seconds=0)
            settle_down("store_config")
            settle_down("store_away")

    async def _wait_out(self, error: StoreError) -> None:
        self._failures += 1
        self._note(error)
        self._begin_outage()
        await self._back_off()

    def _note(self, error: StoreError) -> None:
        self.last_error = f"{error.message} ({error.hint})" if error.hint else error.message
        is_config = self.needs_mending = isinstance(error, ConfigStoreError)
        advice = f" {error.hint[:1].upper()}{error.hint[1:]}." if error.hint else ""
        where = (
            "Events wait in the journal; nothing is lost"
            if self._parts.journal.is_on_disk
            else "Events wait in memory only, and end with this process"
        )
        report(
            "store_config" if is_config else "store_away",
            f"{error.message}.{advice} {where}",
            level="ERROR" if is_config else "WARNING",
        )

    async def _back_off(self) -> None:
        """Sleep with full jitter; a nudge ends it, though not before `backoff_first_seconds`."""
        timing = self._parts.timing
        first = min(timing.backoff_first_seconds, timing.backoff_max_seconds)
        longest = min(timing.backoff_max_seconds, first * 2 ** min(self._failures, 16))
        self._nudged.clear()
        await asyncio.sleep(first)
        await self._nudged.wait(random.uniform(0, longest))

    def abandon(self) -> None:
        """Let go of everything where the loop does not run any more: in a forked child, or after it was closed."""
        self._loop = None
        self.has_ended = True
        self._parts.was_cut_off = True
        self._delivery.abandon()
        while self._orphans:
            self._orphans.pop().abandon()
