"""Inside the caller's own transaction: `add()` against the caller's plain INSERT of the same row in a savepoint."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from statistics import median
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal

_INSERT = f"INSERT INTO audit_logs ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"


async def added(bench: Bench) -> list[Comparison]:
    """add: `add()` against a plain INSERT in a savepoint, call by call in one transaction of the caller's, p50."""
    count, engine = bench.count(200), create_async_engine(await bench.url())
    insert = text(_INSERT)

    async def plain(session: AsyncSession, row: dict[str, Any]) -> None:
        async with (await session.connection()).begin_nested():
            await session.execute(insert, row)

    async def one_transaction() -> tuple[float, float]:
        ours, theirs = [], []
        rows = [dict(zip(COLUMNS, own_row(entry), strict=True)) for entry in samples.entries(count)]
        async with AsyncSession(engine) as session, session.begin():
            for number, row in enumerate(rows):
                event = samples.event(number)
                ours.append(await _seconds(audit.add(session, event, strict=True)))
                theirs.append(await _seconds(plain(session, row)))
        return median(ours) * 1e6, median(theirs) * 1e6

    async with bench.logger("none") as audit:
        await one_transaction()
        (rounds,) = await bench.interleaved(one_transaction)
    await engine.dispose()
    return [
        Comparison(
            number="add",
            what="add(), p50 / text INSERT in a savepoint",
            unit="µs",
            ours=[ours for ours, _ in rounds],
            theirs=[theirs for _, theirs in rounds],
            goal=Goal(least=1.3, aim=1.0, better="less"),
            is_inverted=True,
            about=(
                "`await audit.add(session, event)` in the application's own transaction, beside a text INSERT of the"
                " same row in a savepoint of the same transaction, as one writes it who wants neither to lose it."
            ),
        )
    ]


async def _seconds(call: Awaitable[object]) -> float:
    started = time.perf_counter()
    await call
    return time.perf_counter() - started
