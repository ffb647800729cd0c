"""Following the log: how long after its commit an event is given."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import asyncpg

from audit_async import AuditReader, Scope
from audit_async.config import FOLLOW_IDLE_SECONDS, FOLLOW_LEAST_SECONDS, GIB, KIB
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal, percentile
from scripts.benchmark.upkeep import FILL, ROW

_ROWS = 1_000_000
_FILLED_AT_ONCE = 10_000
_BUSY_SECONDS = 0.02
_IDLE_SECONDS = 3 * FOLLOW_IDLE_SECONDS


async def follow(bench: Bench) -> list[Comparison]:
    """follow: from a commit to the event, behind a million rows: with fifty events a second, and after idleness."""
    url, rows = await bench.url(), bench.count(_ROWS)
    bench.needs_disk(rows * KIB + GIB)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    now = datetime.now(UTC).isoformat()
    for _ in range(max(1, rows // _FILLED_AT_ONCE)):
        await connection.execute(FILL.format(rows=_FILLED_AT_ONCE, old=now, stray=now, now=now))
    await connection.execute("VACUUM ANALYZE audit_logs")

    busy, slowest, idle = [], [], []
    async with AuditReader(url, tenant=Scope.all()) as reader:
        for _ in range(bench.rounds):
            taken = await _latencies(reader, connection, bench.count(200), _BUSY_SECONDS)
            busy.append(percentile(taken, 0.5) * 1e3)
            slowest.append(percentile(taken, 0.99) * 1e3)
            idle.append(percentile(await _latencies(reader, connection, 3, _IDLE_SECONDS), 0.5) * 1e3)
    await connection.close()
    least, most = FOLLOW_LEAST_SECONDS * 1e3, FOLLOW_IDLE_SECONDS * 1e3
    what = f"follow behind {rows:,} rows"
    return [
        Comparison(
            number="follow", what=f"{what}, p50 after commit", unit="ms", ours=busy, goal=_less(3 * least, least)
        ),
        Comparison(number="follow", what="the same, p99", unit="ms", ours=slowest, goal=_less(10 * least, 4 * least)),
        Comparison(
            number="follow", what="after 3 s without events", unit="ms", ours=idle, goal=_less(1.5 * most, most)
        ),
    ]


def _less(least: float, aim: float) -> Goal:
    return Goal(least=least, aim=aim, better="less")


async def _latencies(reader: AuditReader, connection: asyncpg.Connection, count: int, apart: float) -> list[float]:
    """Return the seconds between the commits of *count* rows, *apart* seconds from each other, and their events."""
    given: list[float] = []
    committed: list[float] = []
    async with reader.follow() as follower:

        async def take() -> None:
            for _ in range(count):
                await anext(follower)
                given.append(time.perf_counter())

        taking = asyncio.create_task(take())
        insert = await connection.prepare(ROW)
        for _ in range(count):
            await asyncio.sleep(apart)
            await insert.fetch(datetime.now(UTC))
            committed.append(time.perf_counter())
        await taking
    return [there - since for there, since in zip(given, committed, strict=True)]
