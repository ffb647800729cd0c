"""The loop of the writer's thread looks seldom, and misses nothing."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit_async.config import PASSES_WITHOUT_LOOK
from audit_async.event_loop import Alarm, Bell, Selector, new_event_loop

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_a_look_that_has_no_time_is_left_out_some_times(pair: Pair) -> None:
    """What has come in is seen at the latest after `PASSES_WITHOUT_LOOK` turns that had something to do."""
    here, there = pair
    with Selector() as selector:
        selector.register(here, 1)
        there.send(b"x")
        looks = [len(selector.select(0)) for _ in range(2 * PASSES_WITHOUT_LOOK + 2)]
    assert ([0] * PASSES_WITHOUT_LOOK + [1]) * 2 == looks


def test_a_look_that_has_time_is_never_left_out(pair: Pair) -> None:
    """A loop that has nothing to do sees what has come in at once, whatever it has passed over before."""
    here, there = pair
    with Selector() as selector:
        selector.register(here, 1)
        there.send(b"x")
        assert [] == selector.select(0)
        assert [1, 1] == [len(selector.select(1)), len(selector.select(None))]


def test_a_busy_loop_sees_what_comes_in(pair: Pair) -> None:
    """A loop that is never without work still serves its connections."""
    here, there = pair
    here.setblocking(False)

    async def read_beside_work() -> bytes:
        loop = asyncio.get_running_loop()

        async def work() -> None:
            while True:  # noqa: ASYNC110 -- it is never without work
                await asyncio.sleep(0)

        working = loop.create_task(work())
        reading = loop.create_task(loop.sock_recv(here, 1))
        await asyncio.sleep(0)
        there.send(b"x")
        try:
            return await asyncio.wait_for(reading, 10)
        finally:
            working.cancel()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(read_beside_work()) == b"x"


async def test_a_bell_that_rings_ends_the_wait() -> None:
    """Who waits is woken by the ring, and not by the end of its time."""
    bell = Bell()
    asyncio.get_running_loop().call_soon(bell.ring)
    await asyncio.wait_for(bell.wait(3600), 10)


async def test_a_bell_that_has_rung_is_not_waited_for() -> None:
    """A ring is kept for who waits later, until it is cleared."""
    bell = Bell()
    bell.ring()
    await asyncio.wait_for(bell.wait(3600), 10)
    bell.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bell.wait(3600), 0.01)


async def test_a_bell_that_does_not_ring_lets_go() -> None:
    """The wait ends with its time, and a ring that comes after it does no harm."""
    bell = Bell()
    await asyncio.wait_for(bell.wait(0.01), 10)
    bell.ring()
    await asyncio.wait_for(bell.wait(3600), 10)


async def test_an_alarm_calls_at_its_last_time_alone() -> None:
    """One that is set anew calls once, at the time that was said last, be it later or earlier; one that is unset never
    calls."""
    loop, called = asyncio.get_running_loop(), dict[str, list[float]]()
    over = loop.create_future()
    earlier, later, unset = (
        Alarm(functools.partial(lambda name: called.setdefault(name, []).append(loop.time()), name))
        for name in ("earlier", "later", "unset")
    )
    last = Alarm(lambda: over.set_result(None))
    begun = loop.time()
    for alarm, first, then in ((earlier, 3600, 0.02), (later, 0.01, 0.04), (unset, 0.01, 0.01), (last, 0.01, 0.06)):
        alarm.set(first)
        alarm.set(then)
    unset.unset()
    await asyncio.wait_for(over, 10)
    assert called.keys() == {"earlier", "later"}
    (at_earlier,), (at_later,) = called["earlier"], called["later"]
    assert at_earlier - begun >= 0.02
    assert at_later - begun >= 0.04


@pytest.mark.parametrize("milliseconds", [0, 0.1, 0.9, 1.4, 10.4])
def test_a_bell_lets_go_in_a_loop_that_counts_milliseconds(milliseconds: float) -> None:
    """A wait ends with its time also in the loop of an application that is uvloop's, whose timers come a part of a
    millisecond early and, where less than that is left, are none."""
    uvloop = pytest.importorskip("uvloop", reason="a test of uvloop needs it")

    async def wait_in_vain() -> None:
        await asyncio.wait_for(Bell().wait(milliseconds / 1000), 10)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(10):
            runner.run(wait_in_vain())


async def test_waits_that_are_rung_for_cost_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits again and again, as long each time, sets a timer once; when nobody waits any more, none is left."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    real = loop.call_at

    def noted(when: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        timers.append(real(when, callback, *arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", noted)
    bell = Bell()
    for _ in range(10):
        bell.clear()
        loop.call_soon(bell.ring)
        await bell.wait(3600)
    bell.remove()
    assert [timer.cancelled() for timer in timers] == [True]
