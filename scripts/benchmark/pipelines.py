"""From the caller to the committed row: a busy application that does not wait, and tasks that do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from audit_async import AuditLogger
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

_WAITING = (
    "Tasks that await each of their rows: `await write()`, beside a session for each event with a text INSERT and a"
    " commit, awaited in as many tasks. Both have the row committed when the call returns."
)


async def busy_application(bench: Bench) -> list[Comparison]:
    """P5 and P6: 20 µs of work an event, until the last row is in the table; and the CPU outside `log()`.

    The loop gets a turn after every `_BURST` events. The other side does its work in ten tasks: its best way.
    """
    count, few, work = bench.count(20_000), bench.count(1000), _calibrated_work()
    ours_cpu: list[float] = []
    theirs_cpu: list[float] = []
    async with (
        bench.logger() as audit,
        bench.logger("task") as audit_in_task,
        bench.logger_with_process() as audit_with_process,
        SessionPerEvent(await bench.url()) as peer,
    ):

        async def logged() -> float:
            cpu, own = time.process_time(), time.thread_time()
            rate = await _work_and_log(audit, count, work)
            # This thread works and logs; all the others carry the events on.
            others = (time.process_time() - cpu) - (time.thread_time() - own)
            ours_cpu.append(others / count * 1e6)
            return rate

        async def logged_in_task() -> float:
            return await _work_and_log(audit_in_task, count, work)

        async def logged_with_process() -> float:
            return await _work_and_log(audit_with_process, count, work)

        async def awaited() -> float:
            async def one() -> None:
                work()
                await _write(peer)

            cpu = time.process_time()
            rate, taken = await tasks_each(_PEER_TASKS, few, one)
            theirs_cpu.append(((time.process_time() - cpu) / len(taken) - _WORK_SECONDS) * 1e6)
            return rate

        ours, in_task, with_process, theirs = await bench.interleaved(
            logged, logged_in_task, logged_with_process, awaited
        )
    return [
        Comparison(
            number="P5",
            about=(
                "A busy application, 20 µs of its own work for each event, from the first event to the last committed"
                " row. The other side awaits a session for each event, as the replaced `_write_log` does; its work"
                " runs in ten tasks, in which it is quickest."
            ),
            what="pipeline, 20 µs of work an event / session per event",
            unit="/s",
            ours=ours,
            theirs=theirs,
            goal=Goal(least=15, aim=24),
        ),
        Comparison(number="P5", what='... writer="task"', unit="/s", ours=in_task, theirs=theirs),
        Comparison(
            number="P5",
            what='... writer="none", and a process that delivers',
            unit="/s",
            ours=with_process,
            theirs=theirs,
        ),
        Comparison(
            number="P6",
            about=(
                "The processor time of the same two programs for each event: ours of all threads but the"
                " application's, which is what `log()` leaves to be done; theirs without the 20 µs of work."
            ),
            what="CPU an event outside log() / session per event",
            unit="µs",
            ours=ours_cpu,
            theirs=theirs_cpu,
            goal=Goal(least=60, aim=80),
        ),
    ]


async def _work_and_log(audit: AuditLogger, count: int, work: Callable[[], None]) -> float:
    """Return the events a second from the first to the last one's row."""
    started = time.perf_counter()
    for number in range(count):
        work()
        audit.log(samples.event(number))
        if number % _BURST == 0:
            await asyncio.sleep(0)
    if not await audit.flush(60):
        raise RuntimeError(f"not everything arrived: {audit.stats()}")
    return count / (time.perf_counter() - started)


async def waiting_tasks(bench: Bench) -> list[Comparison]:
    """P7 and P8: tasks that await every row."""
    rows: list[Comparison] = []
    late: list[Comparison] = []
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
                    about="" if rows else _WAITING,
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
                    about="" if late else "How long the slowest hundredth of the same calls took.",
                )
            )
    return rows + late


def _calibrated_work() -> Callable[[], None]:
    """Return what computes for `_WORK_SECONDS`, as an application's own code does, however long it has to wait."""
    turns = 10_000
    least = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        _compute(turns)
        least = min(least, time.perf_counter() - started)
    wanted = round(turns * _WORK_SECONDS / least)
    return lambda: _compute(wanted)


def _compute(turns: int) -> None:
    number = 1
    for _ in range(turns):
        number = number * 31 % 1_000_003


async def _write(peer: SessionPerEvent) -> None:
    await peer.write("sso_login", samples.details(0), samples.USER_ID, "7b0c7c1e-5d0e-4d5c-9a55-2f6d1f0a7c11")
