"""One batch into the store: an attempt with a deadline of our own, and finding the event that spoils a batch."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from audit_async.config import DOUBT_SAMPLE
from audit_async.diagnostics import describe
from audit_async.entry import Entry
from audit_async.errors import (
    AuditError,
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TableDoubtError,
    TransientStoreError,
)
from audit_async.event_loop import Alarm
from audit_async.store import Store
from audit_async.timing import USUAL, Timing


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that the database refuses, and why.

    Attributes:
        is_early: of its batch none had been taken yet.
    """

    entry: Entry
    error: DataStoreError
    is_early: bool = False

    @property
    def seq(self) -> int:
        """The entry's number in its process."""
        return self.entry.writer_seq or 0


def usual_cause(refusals: Iterable[DataStoreError]) -> tuple[DataStoreError | None, int]:
    """Return the first of those *refusals* of which most have its cause, and how many have; None where none has any."""
    caused = [error for error in refusals if error.cause is not None]
    if not caused:
        return None, 0
    [(cause, count)] = Counter(error.cause for error in caused).most_common(1)
    return next(error for error in caused if error.cause == cause), count


class Delivery:
    """Inserts batches into a store, which is replaced when it hangs.

    Args:
        open_store: makes a store; it connects on its first insert.
        on_slow: called when an attempt has been under way for `slow_attempt_seconds`.
    """

    def __init__(self, open_store: Callable[[], Store], *, on_slow: Callable[[], None], timing: Timing = USUAL) -> None:
        self._open_store = open_store
        self._timing = timing
        self._on_slow = on_slow
        self._store: Store | None = None
        # Of the attempt under way: resolved when it has ended, or nobody waits for it any longer.
        self._ended: asyncio.Future[None] | None = None
        self._is_slow = False
        # Of the batch under way, whether some of it is in the table.
        self._has_taken = False
        self._watch = Alarm(self._lose_patience)
        # Attempts that could not even be cancelled; held so that their end is noticed quietly.
        self._abandoned: set[asyncio.Task[None]] = set()

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool, trusts_table: bool = False) -> list[Refusal]:
        """Put *entries* into the table and return those that the database refuses for what is in them.

        Args:
            trusts_table: others are taken, so that it is never the table's fault.

        Raises:
            TransientStoreError, ConfigStoreError: the rest of the batch is not, or perhaps not, in the table.
            TableDoubtError: of many entries a sample was refused whole, for the same column or constraint.
        """
        try:
            await self._attempt(entries, is_replay=is_replay)
            return []
        except (DuplicateStoreError, DataStoreError) as error:
            left = entries
            is_sampled = len(entries) > DOUBT_SAMPLE and not trusts_table
            if isinstance(error, DataStoreError) and error.culprit is not None and is_sampled:
                left = await self._left_by_sample(entries, error)
        self._has_taken = len(left) < len(entries)
        refused = await self._insert_parts(left, is_replay=is_replay)
        early = [refusal.entry for refusal in refused if refusal.is_early]
        if not (early and self._has_taken):
            return refused
        # Nothing had been taken before them: the table may have been mended in between.
        again = {refusal.seq: refusal for refusal in await self._insert_parts(early, is_replay=True)}
        kept = [again.get(refusal.seq) if refusal.is_early else refusal for refusal in refused]
        return [refusal for refusal in kept if refusal is not None]

    async def _left_by_sample(self, entries: Sequence[Entry], refusal: DataStoreError) -> Sequence[Entry]:
        """Try some of *entries*, for which there was *refusal*, taken at random, until one is in the table or may yet
        come there, and return those that are still to be brought in: one that is in must not come twice into a table
        that has no key.

        Raises:
            TableDoubtError: none is, and but for one each is refused for the same; then so are, most likely, all, and
                looking for the good ones among thousands is not worth it. One may have a fault of its own, which
                proves nothing of the others.
        """
        refusals = [refusal]
        for entry in random.sample(entries, DOUBT_SAMPLE):
            try:
                await self._attempt([entry], is_replay=True)
            except DuplicateStoreError:
                return entries
            except DataStoreError as error:
                if error.may_heal:
                    return entries
                refusals.append(error)
            else:
                return [other for other in entries if other is not entry]
        usual, count = usual_cause(refusals)
        if usual is None or count < len(refusals) - 1:
            return entries
        raise TableDoubtError(usual) from usual

    async def _insert_parts(self, entries: Sequence[Entry], *, is_replay: bool) -> list[Refusal]:
        try:
            await self._attempt(entries, is_replay=is_replay)
        except DuplicateStoreError as error:
            if not is_replay:
                return await self._insert_parts(entries, is_replay=True)
            # Not our key then, but another unique one of this table: a matter of the row.
            return await self._halve(entries, DataStoreError(error.message, sqlstate=error.sqlstate))
        except DataStoreError as error:
            return await self._halve(entries, error, is_replay=is_replay)
        self._has_taken = True
        return []

    async def _halve(self, entries: Sequence[Entry], error: DataStoreError, *, is_replay: bool = True) -> list[Refusal]:
        if len(entries) == 1:
            return [Refusal(entries[0], error, is_early=not self._has_taken)]
        middle = len(entries) // 2
        first = await self._insert_parts(entries[:middle], is_replay=is_replay)
        return first + await self._insert_parts(entries[middle:], is_replay=is_replay)

    async def _attempt(self, entries: Sequence[Entry], *, is_replay: bool) -> None:
        """Insert within `attempt_seconds`, whatever the driver does.

        Source: asyncpg can hang in its own clean-up when the server is frozen; a second cancel ends most of that, and
        a connection that even then does not return is left behind with its engine.
        """
        store, timing, loop = self._opened(), self._timing, asyncio.get_running_loop()
        ended = self._ended = loop.create_future()
        task = loop.create_task(self._carry_out(store, entries, is_replay, ended), context=contextvars.Context())
        self._is_slow = False
        self._watch.set(min(timing.slow_attempt_seconds, timing.attempt_seconds))
        try:
            await ended
            is_overdue = not task.done()
            for _ in range(2):
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task}, timeout=timing.cancel_seconds)
        except asyncio.CancelledError:
            task.cancel()
            self._leave(task)
            raise
        finally:
            self._watch.unset()
        done = task.done()
        if not done:
            self._leave(task)
        if is_overdue and (not done or task.cancelled() or task.exception() is not None):
            self._forget_store()
            raise TransientStoreError(
                f"the database did not answer within {timing.attempt_seconds:g} s",
                hint="it may be frozen, or a firewall may drop what is sent; it is asked again over a new connection",
            )
        if task.cancelled():
            self._forget_store()
            raise TransientStoreError("the attempt was cancelled")
        task.result()

    def _lose_patience(self) -> None:
        """Say that the attempt is slow; the second time, have nobody wait for it any longer."""
        rest = self._timing.attempt_seconds - self._timing.slow_attempt_seconds
        was_slow, self._is_slow = self._is_slow, True
        if not was_slow and rest > 0:
            self._watch.set(rest)
        elif self._ended is not None:
            _resolve(self._ended)
        if not was_slow:
            self._on_slow()

    @staticmethod
    async def _carry_out(store: Store, entries: Sequence[Entry], is_replay: bool, ended: asyncio.Future[None]) -> None:
        """Insert, and let nothing out but store errors: an unknown fault is waited out, never taken for the row's.

        It says itself that it has *ended*: whoever waits for the task would be told two turns of the loop later.
        """
        try:
            await store.insert(entries, is_replay=is_replay)
        except StoreError:
            raise
        except AuditError as error:
            raise ConfigStoreError(error.message, hint=error.hint) from error
        except Exception as error:
            raise TransientStoreError(f"an unexpected fault in the store ({describe(error)})") from error
        finally:
            _resolve(ended)

    def _opened(self) -> Store:
        if self._store is None:
            try:
                self._store = self._open_store()
            except AuditError as error:
                raise ConfigStoreError(error.message, hint=error.hint) from error
            except Exception as error:
                raise ConfigStoreError(f"the store cannot be opened ({describe(error)})") from error
        return self._store

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._end_quietly)
        self._forget_store()

    def _end_quietly(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()

    def _forget_store(self) -> None:
        if self._store is not None:
            self._store.abandon()
            self._store = None

    async def close(self) -> None:
        """Close the store within `cancel_seconds`."""
        self._watch.remove()
        if self._store is not None:
            store, self._store = self._store, None
            task = asyncio.get_running_loop().create_task(store.close())
            done, _ = await asyncio.wait({task}, timeout=self._timing.cancel_seconds)
            if not done:
                store.abandon()
                task.cancel()
                self._leave(task)

    def abandon(self) -> None:
        """Let go of the connection in a forked child."""
        self._forget_store()


def _resolve(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
