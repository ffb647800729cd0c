"""A batch that is brought in by parts, into a store that changes its mind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from audit_async.delivery import Delivery
from audit_async.entry import Entry
from audit_async.errors import DataStoreError
from tests.store.entries import entries


class MendedStore:
    """Refuses everything for the first attempts, and takes all that comes later but for the entry `bad`."""

    def __init__(self, attempts: int, bad: int | None = None) -> None:
        self.left = attempts
        self.bad = bad
        self.taken: list[int] = []

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        self.left -= 1
        numbers = [entry.writer_seq or 0 for entry in entries]
        if self.left >= 0:
            raise DataStoreError("no", culprit="shift")
        if self.bad in numbers:
            raise DataStoreError("no", culprit="poison")
        self.taken += numbers

    async def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


@pytest.mark.parametrize("attempts", range(12))
@pytest.mark.parametrize("bad", [None, 1, 5, 8])
async def test_a_table_that_is_mended_while_its_rows_are_tried_has_refused_none_of_them(
    attempts: int, bad: int | None
) -> None:
    """That one was taken later is no proof against those that were tried before."""
    store = MendedStore(attempts, bad)
    delivery = Delivery(lambda: store, on_slow=lambda: None)
    refused = [refusal.seq for refusal in await delivery.insert(entries(8), is_replay=False)]
    await delivery.close()
    assert refused == [number for number in range(1, 9) if number == bad]
    assert sorted(store.taken) == [number for number in range(1, 9) if number != bad]
