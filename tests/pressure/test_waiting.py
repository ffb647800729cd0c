"""A journal that is full: who waits for room, and for how long."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import trio

from audit_async import AuditLogger, AuditUnavailableError, Receipt
from tests.polling import eventually, eventually_sync
from tests.pressure.full_journals import (
    LONG_SECONDS,
    QUICK_SECONDS,
    HeldTable,
    Opened,
    event,
    fill_to_wait,
    quickly,
    rows_and_gaps,
    waiters,
)


def log_in_threads(audit: AuditLogger, count: int) -> tuple[list[threading.Thread], list[Receipt]]:
    """Start *count* threads that log one event each, and return them, with the receipts that they will have got."""
    receipts: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda number=number: receipts.append(audit.log(event(number))))
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, receipts


def join_all(threads: list[threading.Thread]) -> None:
    deadline = time.monotonic() + QUICK_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)


async def test_threads_that_wait_go_on_when_room_comes(opened: Opened, held: HeldTable) -> None:
    """Two hundred callers that stand still together are all served once the database takes events, and none is lost."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 200)
    eventually_sync(lambda: waiters(audit) == 200)
    held.release()
    join_all(threads)
    ids, gaps = await rows_and_gaps(audit)
    assert sorted(taken + [receipt.id for receipt in receipts]) == sorted(ids)
    assert (1, 200) == (gaps.total(), audit.stats().waits)


async def test_threads_that_wait_in_vain_all_return(opened: Opened, held: HeldTable) -> None:
    """Where no room comes each of two hundred callers is refused after the time agreed, and counted once."""
    audit = opened(when_full="block", max_wait_seconds=0.2)
    fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 200)
    join_all(threads)
    assert {"journal_full"} == {receipt.refused for receipt in receipts}
    assert (201, 200, 0) == (audit.stats().refused, audit.stats().waits, waiters(audit))
    held.release()
    _, gaps = await rows_and_gaps(audit)
    assert gaps == {"journal_full": 201}


async def test_write_waits_without_blocking_the_loop(opened: Opened, held: HeldTable) -> None:
    """In asyncio other tasks run while `write` and `require` wait for room, and both go on when it comes."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    calls = [asyncio.create_task(audit.write(event(1))), asyncio.create_task(audit.require(event(2)))]
    await eventually(lambda: waiters(audit) == 2)
    held.release()
    receipts = await asyncio.wait_for(asyncio.gather(*calls), QUICK_SECONDS)
    assert all(receipt.is_stored or receipt.is_on_disk for receipt in receipts)
    ids, _ = await rows_and_gaps(audit)
    assert sorted(taken + [receipt.id for receipt in receipts]) == sorted(ids)


def test_write_waits_in_trio_as_well(opened: Opened, held: HeldTable) -> None:
    """In trio the same holds, and a wait that is cancelled leaves nothing behind."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    receipts: list[Receipt] = []

    async def write() -> None:
        receipts.append(await audit.write(event()))

    async def main() -> None:
        with trio.move_on_after(0.05) as scope:
            await audit.write(event())
        assert (True, 0) == (scope.cancelled_caught, waiters(audit))
        with trio.fail_after(QUICK_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                await eventually(lambda: waiters(audit) == 1)
                held.release()

    trio.run(main)
    assert [True] == [receipt.is_accepted for receipt in receipts]
    assert {"journal_full": 1, "cancelled": 1} == audit.stats().refused_by_reason


async def test_a_wait_that_is_cancelled_takes_nothing_and_leaks_nothing(opened: Opened, held: HeldTable) -> None:
    """An event whose caller is cancelled while it waits is not logged, is counted, and told of."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    call = asyncio.create_task(audit.require(event()))
    await eventually(lambda: waiters(audit) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert waiters(audit) == 0
    held.release()
    ids, gaps = await rows_and_gaps(audit)
    assert (sorted(taken), {"journal_full": 1, "cancelled": 1}) == (sorted(ids), gaps)


async def test_all_waits_of_one_call_stay_within_the_time_agreed(opened: Opened) -> None:
    """`require` that finds no room and `write` that finds it but no database end when `max_wait_seconds` are over."""
    audit = opened(when_full="block", max_wait_seconds=0.3)
    with quickly():
        await audit.write(event())
    fill_to_wait(audit)
    with quickly(), pytest.raises(AuditUnavailableError, match="journal_full"):
        await audit.require(event())
    with quickly():
        assert not audit.log(event()).is_accepted


async def test_who_is_urgent_does_not_wait_where_others_do(opened: Opened) -> None:
    """An event of high severity is taken at once while others wait for room."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    call = asyncio.create_task(audit.write(event()))
    await eventually(lambda: waiters(audit) == 1)
    with quickly():
        assert audit.log(event(severity="high")).is_accepted
        assert (await audit.require(event(severity="critical"))).is_on_disk
    call.cancel()


async def test_closing_ends_every_wait(opened: Opened) -> None:
    """Callers that wait when the logger is closed are refused as closed, at once."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS, writer="none")
    fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 20)
    eventually_sync(lambda: waiters(audit) == 20)
    with quickly():
        audit.close_sync(0)
    join_all(threads)
    assert {"closed"} == {receipt.refused for receipt in receipts}
