"""The application's event loop while the writer's thread drains a backlog: how late it comes to its own work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any
from unittest.mock import patch

import asyncpg

from audit_async import AuditLogger
from audit_async.entry import Entry
from audit_async.store.postgres import PostgresStore
from audit_async.table_map.layout import Layout
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal, percentile

_EVENTS = 10_000
_LEAST_EVENTS = 5_000
_BEAT_SECONDS = 0.001
_LATE_MS = 1.0
_DRAIN_SECONDS = 30
_NULL_SECONDS = 0.3


async def heartbeat(bench: Bench) -> list[Comparison]:
    """P10: lateness of a 1 ms heartbeat while 10,000 events drain, against one plain list a COPY; and its p99."""
    count, url = max(_LEAST_EVENTS, bench.count(_EVENTS)), await bench.url()
    above_null: list[float] = []
    last_null = 0.0

    async with bench.logger() as audit:

        async def null() -> float:
            nonlocal last_null
            beats = await _beats_until(asyncio.sleep(_NULL_SECONDS))
            last_null = percentile(beats, 0.99)
            return _summed(beats)

        async def giving_up() -> float:
            beats = await _drain(audit, url, count)
            above_null.append(percentile(beats, 0.99) - last_null)
            return _summed(beats)

        async def plain() -> float:
            with patch.object(PostgresStore, "_copy_rows", autospec=True, side_effect=_copy_list) as copied:
                beats = await _drain(audit, url, count)
            if not copied.called:
                raise RuntimeError("the store does not bring its rows in by _copy_rows: nothing was compared")
            return _summed(beats)

        await _drain(audit, url, count)
        await null()
        nulls, ours, theirs = await bench.interleaved(null, giving_up, plain)
    return [
        Comparison(
            number="P10",
            what=f"lateness over 1 ms, {count:,} events drain / one list a COPY",
            unit="ms",
            ours=ours,
            theirs=theirs,
            goal=Goal(least=3, aim=6),
            about=(
                "A task of the application wants to run every millisecond while a backlog is written by the thread in"
                " the same interpreter; what it came late, summed over the beats that came over 1 ms late. The other"
                " side is the same writer, which hands each batch to the driver's COPY as one list, as the driver's"
                " documentation shows it."
            ),
        ),
        Comparison(
            number="P10",
            what="... p99 of its lateness, above that of a run with nothing to do",
            unit="ms",
            ours=above_null,
            goal=Goal(least=3, aim=1, better="less"),
        ),
        Comparison(number="P10", what="... lateness over 1 ms with nothing to do", unit="ms", ours=nulls),
    ]


async def _drain(audit: AuditLogger, url: str, count: int) -> list[float]:
    """Have *count* events wait for the table, let them go, and return how late each beat came until all were there."""
    stored = audit.stats().stored
    lock = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        async with lock.transaction():
            await lock.execute("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
            for number in range(count):
                audit.log(samples.event(number))
        beats = await _beats_until(audit.flush(_DRAIN_SECONDS))
    finally:
        await lock.close()
    if audit.stats().stored != stored + count:
        raise RuntimeError(f"{count} events do not arrive: {audit.stats()}")
    return beats


async def _beats_until(awaited: Awaitable[object]) -> list[float]:
    """Return how many milliseconds late each beat came while *awaited* was under way."""
    waiting = asyncio.ensure_future(awaited)
    late = []
    while not waiting.done():
        before = time.perf_counter()
        await asyncio.sleep(_BEAT_SECONDS)
        late.append((time.perf_counter() - before - _BEAT_SECONDS) * 1e3)
    await waiting
    return late


def _summed(beats: Sequence[float]) -> float:
    """Return the lateness of those that count as late; at least what makes one late: it is divided by."""
    return max(_LATE_MS, sum(late for late in beats if late > _LATE_MS))


async def _copy_list(_: PostgresStore, raw: Any, layout: Layout, entries: Sequence[Entry]) -> None:
    rows = list(layout.rows(entries))
    await raw.copy_records_to_table(
        layout.table.name, schema_name=layout.table.schema, columns=layout.columns, records=rows
    )
