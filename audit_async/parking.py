"""Entries that cannot be settled yet, tried again beside everything else, which goes on.

Their row points to one that is not there: the caller logs before it commits its own transaction. After a while they are
refused for good. Or they are refused for good already, but no disk takes them into quarantine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from audit_async.config import FOREIGN_KEY_RETRY_SECONDS, MAX_PARKED
from audit_async.delivery import Delivery, Refusal, usual_cause
from audit_async.errors import TableDoubtError
from audit_async.journal.batch import Source
from audit_async.store.quarantine import Quarantine
from audit_async.timing import USUAL, Timing


@dataclass(frozen=True, slots=True)
class _Parked:
    source: Source
    refusal: Refusal
    payload: bytes
    give_up_at: float


class Parking:
    """The entries that wait, for a foreign key or for a place in quarantine.

    Args:
        on_decided: called with the source of an entry and whether it is stored now, once that is decided.
    """

    def __init__(
        self, quarantine: Quarantine, *, on_decided: Callable[[Source, bool], None], timing: Timing = USUAL
    ) -> None:
        self._give_up_seconds = timing.foreign_key_seconds
        # Who waits for less than the usual retry means to be tried in it.
        self._retry_seconds = min(FOREIGN_KEY_RETRY_SECONDS, timing.foreign_key_seconds)
        self._quarantine = quarantine
        self._on_decided = on_decided
        self._parked: list[_Parked] = []
        self._retry_at = 0.0
        # Of the last retry: whether it doubted the table, and whether that has taken another one since.
        self._is_in_doubt = self._is_trusted = False

    def __len__(self) -> int:
        return len(self._parked)

    @property
    def waits_for_rows(self) -> int:
        """How many of them point to a row that is not there yet."""
        return sum(parked.refusal.error.may_heal for parked in self._parked)

    @property
    def seconds_to_retry(self) -> float:
        """Until `retry` is due; infinite when nothing is parked."""
        return max(0.0, self._retry_at - time.monotonic()) if self._parked else float("inf")

    def takes(self, refusal: Refusal, others: int) -> bool:
        """Return whether *refusal* is one that may heal, and there is room for it beside *others*."""
        return refusal.error.may_heal and len(self._parked) + others < MAX_PARKED

    def add(self, source: Source, refusal: Refusal, payload: bytes) -> None:
        """Keep an entry that *source* has left open."""
        now = time.monotonic()
        if not self._parked:
            self._retry_at = now + self._retry_seconds
        self._parked.append(_Parked(source, refusal, payload, now + self._give_up_seconds))

    def trust(self) -> None:
        """Note that the table has taken an event: those that it was doubted for are at fault themselves."""
        self._is_trusted = self._is_in_doubt

    async def retry(self, delivery: Delivery) -> None:
        """Try all of them once more, and resolve those that are in the table or refused for good.

        Raises:
            TransientStoreError, ConfigStoreError: not now.
            TableDoubtError: several that waited for a row are all refused for something else by now. They wait until
                the table has taken another one.
        """
        groups: dict[tuple[str, bool], list[_Parked]] = {}
        for parked in self._parked:
            groups.setdefault((parked.source.writer_id, parked.refusal.error.may_heal), []).append(parked)
        doubt: TableDoubtError | None = None
        try:
            for (_, may_heal), group in groups.items():
                # Of those that were refused for good it is known already that it is they who are at fault.
                trusts = self._is_trusted or not may_heal
                try:
                    await self._retry_group(delivery, group, trusts_table=trusts)
                except TableDoubtError as error:
                    doubt = error
        finally:
            # From the end of the work on: it may be long when many are refused again. What comes in between is not to
            # wait for them.
            self._retry_at = time.monotonic() + self._retry_seconds
        self._is_in_doubt, self._is_trusted = doubt is not None, False
        if doubt is not None:
            raise doubt

    async def _retry_group(self, delivery: Delivery, group: list[_Parked], *, trusts_table: bool) -> None:
        entries = [parked.refusal.entry for parked in group]
        refused = await delivery.insert(entries, is_replay=True, trusts_table=trusts_table)
        usual, count = usual_cause(refusal.error for refusal in refused)
        if usual is not None and count > 1 and len(refused) == len(group) and not trusts_table:
            raise TableDoubtError(usual)
        still = {refusal.seq: refusal for refusal in refused}
        for parked in group:
            self._decide(parked, still.get(parked.refusal.seq))

    def _decide(self, parked: _Parked, refusal: Refusal | None) -> None:
        if refusal is not None and refusal.error.may_heal and time.monotonic() < parked.give_up_at:
            return
        seq = parked.refusal.seq
        if refusal is not None:
            error = refusal.error
            if not self._quarantine.add(parked.source.writer_id, seq, parked.payload, error.message, error.sqlstate):
                self._parked[self._parked.index(parked)] = replace(parked, refusal=refusal)
                return
        self._parked.remove(parked)
        parked.source.resolve(seq, is_stored=refusal is None)
        self._on_decided(parked.source, refusal is None)
