"""This machine's disk: waiting for a group commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scripts.benchmark import samples
from scripts.benchmark.bench import Bench, tasks_each
from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.peers import FsyncPerLine

_ABOUT = (
    "Tasks that await each event on the disk, not yet in the table: `await log().on_disk()`, beside a file of JSON"
    " lines that is opened, written, flushed and fsynced for each event under a lock, as the replaced fallback does."
)


async def group_commit(bench: Bench) -> list[Comparison]:
    """P11: tasks that await the disk, against a file that is opened and fsynced for each line."""
    rows: list[Comparison] = []
    peer, record = FsyncPerLine(bench.folder() / "queue.ndjson"), samples.record()

    async def append() -> None:
        peer.append(record)

    async with bench.logger("none") as audit:
        for tasks, calls, least, aim in ((1, 500, None, None), (10, 5000, 6, 10), (100, 20_000, 25, 50)):

            async def logged(tasks: int = tasks, calls: int = calls) -> float:
                return (await tasks_each(tasks, bench.count(calls), lambda: audit.log(samples.event()).on_disk()))[0]

            async def synced(tasks: int = tasks, one: Callable[[], Awaitable[None]] = append) -> float:
                return (await tasks_each(tasks, max(tasks, bench.count(600)), one))[0]

            ours, theirs = await bench.interleaved(logged, synced)
            what = f"log().on_disk(), {tasks} task{'s' if tasks > 1 else ''} / fsync per line"
            goal = Goal(least=least, aim=aim) if least and aim else None
            about = "" if rows else _ABOUT
            rows.append(
                Comparison(number="P11", what=what, unit="/s", ours=ours, theirs=theirs, goal=goal, about=about)
            )
    return rows
