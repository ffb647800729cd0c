"""Inside the caller's own transaction: `add()` against the caller's plain INSERT of the same row in a savepoint."""

from __future__ import annotations

import time
from statistics import median

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal

_INSERT = f"INSERT INTO audit_logs ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"


async def added(bench: Bench) -> list[Comparison]:
    """add: `add()` against a plain INSERT in a savepoint, both through one session of the caller's, p50."""
    count, engine = bench.count(200), create_async_engine(await bench.url())

    async def ours() -> float:
        taken = []
        async with AsyncSession(engine) as session, session.begin():
            for event in [samples.event(number) for number in range(count)]:
                started = time.perf_counter()
                await audit.add(session, event, strict=True)
                taken.append(time.perf_counter() - started)
        return median(taken) * 1e6

    async def plain() -> float:
        taken, insert = [], text(_INSERT)
        async with AsyncSession(engine) as session, session.begin():
            for row in [dict(zip(COLUMNS, own_row(entry), strict=True)) for entry in samples.entries(count)]:
                started = time.perf_counter()
                async with (await session.connection()).begin_nested():
                    await session.execute(insert, row)
                taken.append(time.perf_counter() - started)
        return median(taken) * 1e6

    async with bench.logger("none") as audit:
        for side in (ours, plain):
            await side()
        figures, theirs = await bench.interleaved(ours, plain)
    await engine.dispose()
    return [
        Comparison(
            number="add",
            what="add(), p50 / text INSERT in a savepoint",
            unit="µs",
            ours=figures,
            theirs=theirs,
            goal=Goal(least=1.3, aim=1.0, better="less"),
            is_inverted=True,
        )
    ]
