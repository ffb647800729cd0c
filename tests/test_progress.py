"""Waiting for a number: in asyncio, in trio and in threads."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest
import trio

from audit_async.progress import Progress
from tests.polling import eventually, eventually_sync


@pytest.fixture
def progress() -> Progress:
    return Progress(lambda: None)


def advance_when_awaited(progress: Progress, value: int, failed: tuple[int, ...] = (), waiters: int = 1) -> None:
    """Advance from another thread, as soon as there are *waiters*."""

    def work() -> None:
        eventually_sync(lambda: len(progress._waiters) == waiters)
        progress.advance(value, failed)

    threading.Thread(target=work).start()


async def test_who_waits_in_asyncio_is_told(progress: Progress) -> None:
    """A wait ends when its number is reached by another thread."""
    advance_when_awaited(progress, 5)
    assert await progress.wait(5) is True


def test_who_waits_in_trio_is_told(progress: Progress) -> None:
    """A wait ends when its number is reached by another thread."""
    advance_when_awaited(progress, 5)
    assert trio.run(progress.wait, 5) is True


def test_who_waits_in_a_thread_is_told(progress: Progress) -> None:
    """A wait ends when its number is reached by another thread."""
    advance_when_awaited(progress, 5)
    assert progress.wait_sync(5) is True


async def test_what_is_reached_is_not_waited_for(progress: Progress) -> None:
    """The past needs no waiter."""
    progress.advance(5)
    assert (await progress.wait(5), progress.wait_sync(4)) == (True, True)


async def test_a_failed_number_is_told_no(progress: Progress) -> None:
    """A number that is passed by as failed is not reached, now or later; those beside it are."""
    advance_when_awaited(progress, 9, failed=(3, 4, 7))
    assert await progress.wait(4) is False
    assert [progress.outcome(number) for number in range(1, 11)] == [
        True, True, False, False, True, True, False, True, True, None,
    ]  # fmt: skip


async def test_time_runs_out_in_asyncio(progress: Progress) -> None:
    """A wait with a limit ends at it, and leaves no waiter."""
    assert await progress.wait(5, 0.01) is False
    assert not progress.is_awaited


def test_time_runs_out_in_trio(progress: Progress) -> None:
    """A wait with a limit ends at it, and leaves no waiter."""
    assert trio.run(progress.wait, 5, 0.01) is False
    assert not progress.is_awaited


def test_time_runs_out_in_a_thread(progress: Progress) -> None:
    """A wait with a limit ends at it, and leaves no waiter."""
    assert progress.wait_sync(5, 0.01) is False
    assert not progress.is_awaited


async def test_a_cancelled_wait_leaves_no_waiter(progress: Progress) -> None:
    """Cancellation goes through, and nothing stays behind."""
    task = asyncio.create_task(progress.wait(5))
    await eventually(lambda: progress.is_awaited)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not progress.is_awaited


def test_a_cancelled_wait_in_trio_leaves_no_waiter(progress: Progress) -> None:
    """Cancellation goes through, and nothing stays behind."""

    async def main() -> bool:
        with trio.move_on_after(0.01) as scope:
            await progress.wait(5)
        return scope.cancelled_caught

    assert trio.run(main)
    assert not progress.is_awaited


def test_an_interrupted_wait_in_a_thread_leaves_no_waiter() -> None:
    """An exception out of the wait goes through, and nothing stays behind."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    interrupted = Progress(interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted.wait_sync(5)
    assert not interrupted.is_awaited


def test_a_closed_loop_hurts_nobody(progress: Progress) -> None:
    """A loop that was closed with a waiter in it does not keep the others from being told."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(progress.wait(5))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(progress.wait_sync(5, 10)))
    thread.start()
    eventually_sync(lambda: len(progress._waiters) == 2)
    progress.advance(5)
    thread.join()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    assert told == [True]


async def test_a_step_costs_one_call_for_each_loop(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait in a loop, it is called once."""
    tasks = [asyncio.create_task(progress.wait(number)) for number in range(1, 101)]
    await eventually(lambda: len(progress._waiters) == 100)
    loop, calls = asyncio.get_running_loop(), 0
    real = loop.call_soon_threadsafe

    def counted(callback: Callable[..., object], *arguments: Any) -> asyncio.Handle:
        nonlocal calls
        calls += 1
        return real(callback, *arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    progress.advance(100)
    assert (await asyncio.gather(*tasks), calls) == ([True] * 100, 1)


async def test_only_who_is_reached_is_told(progress: Progress) -> None:
    """Later numbers go on waiting."""
    later = asyncio.create_task(progress.wait(6))
    advance_when_awaited(progress, 5, waiters=2)
    assert await progress.wait(5) is True
    assert not later.done()
    progress.advance(6)
    assert await later is True


async def test_an_outage_releases_the_impatient_alone(progress: Progress) -> None:
    """Who asked for it is told at once, the patient wait on."""
    patient = asyncio.create_task(progress.wait(5))
    impatient = asyncio.create_task(progress.wait(5, is_patient=False))
    await eventually(lambda: len(progress._waiters) == 2)
    progress.release(impatient_only=True)
    assert await impatient is False
    progress.advance(5)
    assert await patient is True


async def test_after_the_end_nobody_waits(progress: Progress) -> None:
    """What is not reached at the end never will be."""
    waiting = asyncio.create_task(progress.wait(6))
    progress.advance(5)
    await eventually(lambda: progress.is_awaited)
    progress.end()
    assert (await waiting, await progress.wait(6), await progress.wait(5)) == (False, False, True)


def test_who_begins_to_wait_makes_the_other_side_hurry() -> None:
    """Each new wait is announced, once it can be told."""
    seen: list[bool] = []
    announced = Progress(lambda: seen.append(announced.is_awaited))
    announced.wait_sync(1, 0.0)
    assert seen == [True]


def test_no_step_is_missed_between_the_look_and_the_wait() -> None:
    """A number that is reached while its waiter is being entered is told."""
    early = Progress(lambda: early.advance(1))
    assert early.wait_sync(1, 10) is True


@pytest.mark.parametrize("_", range(20))
def test_steps_and_waits_from_many_threads_all_meet(_: int, progress: Progress) -> None:
    """No wake-up is lost, however they fall together."""
    told: list[bool] = []

    def wait(start: int) -> None:
        told.extend([progress.wait_sync(number, 10) for number in range(start, 401, 8)])

    threads = [threading.Thread(target=wait, args=(start,)) for start in range(1, 9)]
    for thread in threads:
        thread.start()
    for value in range(1, 401):
        progress.advance(value)
    for thread in threads:
        thread.join()
    assert told == [True] * 400


def test_an_open_number_is_neither_reached_nor_in_the_way(progress: Progress) -> None:
    """Numbers behind one that was left open are reached; it is not, until it is decided on."""
    progress.advance(10, left_open=[4])
    assert (True, None, True) == (progress.outcome(3), progress.outcome(4), progress.outcome(10))
    progress.resolve(4, is_well=True)
    assert progress.outcome(4) is True


def test_all_of_it_waits_for_what_is_open(progress: Progress) -> None:
    """Who wants everything up to a number is told when the last open one before it is decided on."""
    progress.advance(10, left_open=[4])
    assert (True, None) == (progress.outcome_of_all(3), progress.outcome_of_all(10))
    progress.resolve(4, is_well=False)
    assert (True, False, False) == (progress.outcome_of_all(3), progress.outcome_of_all(10), progress.outcome(4))


async def test_who_waits_for_an_open_number_is_woken_by_the_decision(progress: Progress) -> None:
    """A task that waits for an open number goes on when it is decided on, in the same step as who waits for all."""
    progress.advance(10, left_open=[4])
    one = asyncio.create_task(progress.wait(4, 5))
    everything = asyncio.create_task(progress.wait(10, 5, wants_all=True))
    await asyncio.sleep(0)
    progress.resolve(4, is_well=True)
    assert all(await asyncio.gather(one, everything))


async def test_everybody_waits_as_long_as_agreed(progress: Progress) -> None:
    """Waits with limits end in the order of these, whatever the order they began in, and one without goes on."""
    ended: list[float] = []

    async def wait(seconds: float | None) -> None:
        until = math.inf if seconds is None else time.monotonic() + seconds
        assert await progress.wait(5, seconds) is (seconds is None)
        ended.append(until)

    tasks = [asyncio.create_task(wait(seconds)) for seconds in (0.04, None, 0.0, 0.06, 0.02)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await eventually(lambda: progress.waiting == 1)
    progress.advance(5)
    await asyncio.gather(*tasks)
    assert ended == sorted(ended)
    assert len(ended) == len(tasks)


async def test_one_timer_is_enough_for_a_loop(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that begin one after the other with the same limit have one timer, which stays when they are over."""
    loop, timers = asyncio.get_running_loop(), 0
    real = loop.call_at

    def counted(
        when: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        nonlocal timers
        timers += 1
        return real(when, callback, *arguments, context=context)

    monkeypatch.setattr(loop, "call_at", counted)
    for value in range(1, 11):
        waiting = [asyncio.create_task(progress.wait(value, 60)) for _ in range(10)]
        await asyncio.sleep(0)
        progress.advance(value)
        assert all(await asyncio.gather(*waiting))
    assert timers == 1


def test_loops_that_come_and_go_leave_nothing_behind(progress: Progress) -> None:
    """A program that runs one loop after the other keeps none of them alive, be it closed or only dropped."""
    dropped = []
    for value in range(1, 6):
        asyncio.run(wait_and_advance(progress, 2 * value - 1))
        loop = asyncio.new_event_loop()
        loop.run_until_complete(wait_and_advance(progress, 2 * value))
        dropped.append(weakref.ref(loop))
        del loop
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()
    assert ([None] * 5, 0) == ([loop() for loop in dropped], len(progress._alarms))


class _Interrupted(int):
    """A number; the first time that it is looked for, another thread comes between."""

    meanwhile: Callable[[], None] | None = None

    def __eq__(self, other: object) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return int(self) == other

    __hash__ = int.__hash__


def test_a_failure_is_seen_while_an_earlier_one_comes_in(progress: Progress) -> None:
    """A number that failed is never told as reached well, also when one before it is decided on in that moment."""
    progress.advance(10, failed=[10], left_open=[5])
    number = _Interrupted(10)
    number.meanwhile = lambda: progress.resolve(5, is_well=False)
    assert progress.outcome(number) is False
    assert progress.outcome(5) is False


async def wait_and_advance(progress: Progress, value: int) -> None:
    waiting = asyncio.create_task(progress.wait(value, 60))
    await asyncio.sleep(0)
    progress.advance(value)
    assert await waiting


async def test_who_waited_in_a_forked_process_waits_no_longer_than_agreed(progress: Progress) -> None:
    """A loop that a child goes on with lets its waiters go when their time is up, as in the parent."""
    waiting = asyncio.create_task(progress.wait(5, 0.05))
    await asyncio.sleep(0)  # no longer: its time may be up before anybody looks
    assert progress.is_awaited
    progress.abandon()
    assert await asyncio.wait_for(waiting, 10) is False
    assert await progress.wait(5, 3600) is False


async def test_a_timer_keeps_nothing_alive() -> None:
    """What nobody waits for any more is freed, although the time that somebody had agreed to is not up."""
    passing = Progress(lambda: None)
    await wait_and_advance(passing, 1)
    there = weakref.ref(passing)
    del passing
    gc.collect()
    assert there() is None
