"""Log numbered events from event loops that come, go and are cut off.

python -m tests.programs.looping_child LOOPS TASK      # one of `KINDS`, and a `Task`
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable
from functools import partial

import anyio
import anyio.lowlevel

from tests.programs.teller import Teller, say, told_task

MODES = ("on_disk", "write", "require")
THREADS = 4  # main, two of ours, and one of the driver
STEPS = 50  # of an event loop; none of the modes takes that many


def a_loop_for_each_job(teller: Teller) -> None:
    """Run each job in a loop of its own, and log before, between and behind them without any."""
    teller.log()
    asyncio.run(_one(teller, "write"))
    for turn in range(teller.task.count - 2):
        asyncio.run(_one(teller, "on_disk" if turn % 10 else "write") if turn % 5 else _log(teller))
        assert threading.active_count() <= THREADS, threading.enumerate()


async def _one(teller: Teller, mode: str) -> None:
    await teller.ask(mode)


async def _log(teller: Teller) -> None:
    teller.log()


def loops_and_threads(teller: Teller) -> None:
    """Share the logger between two loops in two threads, one of uvloop, one of trio, and two threads without any."""

    async def ask_on() -> None:
        async with anyio.create_task_group() as group:
            for mode in MODES * 2:
                group.start_soon(_until_all, teller, mode)

    def log_on() -> None:
        while teller.log():
            pass

    backends: list[dict[str, object]] = [
        {"backend": "asyncio"},
        {"backend": "asyncio"},
        {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
        {"backend": "trio"},
    ]
    threads = [threading.Thread(target=partial(anyio.run, ask_on, **each)) for each in backends]  # type: ignore[arg-type]
    threads += [threading.Thread(target=log_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def _until_all(teller: Teller, mode: str) -> None:
    while await teller.ask(mode):
        await anyio.lowlevel.checkpoint()


def closed_loops(teller: Teller) -> None:
    """Stop and close loops in which somebody waits for a row or for the disk, and collect who waited."""
    for turn in range(teller.task.count // 4):
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(_one(teller, mode)) for mode in MODES]
        for _ in range(1 + turn % 3):
            loop.call_soon(loop.stop)
            loop.run_forever()
        for task in tasks:
            task.cancel()
        if turn % 4 < 2:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        else:
            # Told to end, but never given the time to.
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        teller.log()
        # Whoever still waits in the closed loop is told now that its row is there.
        assert teller.audit.flush_sync(30)
        del tasks, loop
        gc.collect()


def cancelled_tasks(teller: Teller) -> None:
    """Cancel a task of asyncio after each number of steps of its loop, in each mode."""

    async def main() -> None:
        for steps in range(STEPS + 1):
            for mode in MODES:
                task = asyncio.create_task(_one(teller, mode))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def cancelled_scopes(teller: Teller, **backend: object) -> None:
    """Cancel a scope of anyio after each number of steps, and by a deadline that has passed, or that passes soon."""

    async def cancelled_after(steps: int, mode: str) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_one, teller, mode)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

    async def main() -> None:
        for steps in range(STEPS + 1):
            for mode in MODES:
                await cancelled_after(steps, mode)
        for late in range(STEPS + 1):
            for mode in MODES:
                with anyio.move_on_after(late / 10_000):
                    await teller.ask(mode)

    anyio.run(main, **backend)  # type: ignore[arg-type]


def all_at_once(teller: Teller) -> None:
    """Await the disk in as many tasks as there are events."""
    say("ready")
    sys.stdin.readline()

    async def main() -> None:
        await asyncio.gather(*(_one(teller, "on_disk") for _ in range(teller.task.count)))

    asyncio.run(main())


def collected_anywhere(teller: Teller) -> None:
    """Await in every mode while the collector runs at almost every allocation."""
    gc.set_threshold(5)

    async def main() -> None:
        await asyncio.gather(*(_until_all(teller, mode) for mode in MODES))

    asyncio.run(main())


KINDS: dict[str, Callable[[Teller], None]] = {
    "jobs": a_loop_for_each_job,
    "threads": loops_and_threads,
    "closed": closed_loops,
    "cancelled-tasks": cancelled_tasks,
    "cancelled-asyncio": cancelled_scopes,
    "cancelled-uvloop": partial(cancelled_scopes, backend_options={"use_uvloop": True}),
    "cancelled-trio": partial(cancelled_scopes, backend="trio"),
    "at-once": all_at_once,
    "collected": collected_anywhere,
}

if __name__ == "__main__":
    with Teller(told_task()) as teller:
        KINDS[sys.argv[1]](teller)
