"""From the caller to the committed row: a busy application that does not wait, and tasks that do."""

from __future__ import annotations

import asyncio
import time

from scripts.benchmark import samples
from scripts.benchmark.bench import Bench, tasks_each
from scripts.benchmark.comparison import Comparison, Goal, percentile
from scripts.benchmark.peers import SessionPerEvent

_WORK_SECONDS = 20e-6
_BURST = 50
_PEER_TASKS = 10

# tasks: calls of ours and of the other side in a round, target and aim
_TASKS = {
    1: (300, 200, 2.2, 2.8),
    10: (2000, 500, 8, 10),
    100: (6000, 600, 20, 27),
    1000: (8000, 1000, 20, 27),
}


async def busy_application(bench: Bench) -> list[Comparison]:
    """P5 and P6: 20 µs of work an event, until the last row is in the table; and the CPU outside `log()`.

    The loop gets a turn after every `_BURST` events. The other side does its work in ten tasks: its best way.
    """
    count, few = bench.count(20_000), bench.count(1000)
    async with bench.logger() as audit, SessionPerEvent(await bench.url()) as peer:
        ours_cpu, theirs_cpu = [], []

        async def logged() -> float:
            in_log, started, cpu = 0.0, time.perf_counter(), time.process_time()
            for number in range(count):
                _work()
                before = time.perf_counter()
                audit.log(samples.event(number))
                in_log += time.perf_counter() - before
                if number % _BURST == 0:
                    await asyncio.sleep(0)
            if not await audit.flush(60):
                raise SystemExit(f"not everything arrived: {audit.stats()}")
            elapsed = time.perf_counter() - started
            outside = time.process_time() - cpu - in_log - count * _WORK_SECONDS
            ours_cpu.append(outside / count * 1e6)
            return count / elapsed

        async def awaited() -> float:
            async def one() -> None:
                _work()
                await _write(peer)

            cpu = time.process_time()
            rate, taken = await tasks_each(_PEER_TASKS, few, one)
            theirs_cpu.append(((time.process_time() - cpu) / len(taken) - _WORK_SECONDS) * 1e6)
            return rate

        ours, theirs = await bench.interleaved(logged, awaited)
    return [
        Comparison(
            number="P5",
            what="pipeline, 20 µs of work an event / session per event",
            unit="/s",
            ours=ours,
            theirs=theirs,
            goal=Goal(least=15, aim=24),
        ),
        Comparison(
            number="P6",
            what="CPU an event outside log() / session per event",
            unit="µs",
            ours=ours_cpu,
            theirs=theirs_cpu,
            goal=Goal(least=60, aim=80),
        ),
    ]


async def waiting_tasks(bench: Bench) -> list[Comparison]:
    """P7 and P8: tasks that await every row."""
    rows, late = [], []
    async with bench.logger() as audit, SessionPerEvent(await bench.url()) as peer:
        for tasks, (calls, few, least, aim) in _TASKS.items():
            ours_p99: list[float] = []
            theirs_p99: list[float] = []

            async def written(tasks: int = tasks, calls: int = calls, p99: list[float] = ours_p99) -> float:
                rate, taken = await tasks_each(
                    tasks, max(tasks, bench.count(calls)), lambda: audit.write(samples.event())
                )
                p99.append(percentile(taken, 0.99) * 1e3)
                return rate

            async def awaited(tasks: int = tasks, calls: int = few, p99: list[float] = theirs_p99) -> float:
                rate, taken = await tasks_each(tasks, max(tasks, bench.count(calls)), lambda: _write(peer))
                p99.append(percentile(taken, 0.99) * 1e3)
                return rate

            ours, theirs = await bench.interleaved(written, awaited)
            what = f"write(), {tasks:,} task{'s' if tasks > 1 else ''} / session per event"
            rows.append(
                Comparison(
                    number="P7",
                    what=what,
                    unit="/s",
                    ours=ours,
                    theirs=theirs,
                    goal=Goal(least=least, aim=aim),
                )
            )
            goal = Goal(least=40, aim=60) if tasks == 100 else None
            late.append(
                Comparison(
                    number="P8",
                    what=f"... p99, {tasks:,}",
                    unit="ms",
                    ours=ours_p99,
                    theirs=theirs_p99,
                    goal=goal,
                )
            )
    return rows + late


def _work() -> None:
    """Use the processor for `_WORK_SECONDS`, as an application's own code does."""
    until = time.perf_counter() + _WORK_SECONDS
    while time.perf_counter() < until:
        pass


async def _write(peer: SessionPerEvent) -> None:
    await peer.write("sso_login", samples.details(0), samples.USER_ID, "7b0c7c1e-5d0e-4d5c-9a55-2f6d1f0a7c11")
