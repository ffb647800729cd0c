"""How the cost of storing grows with the rows that a table has already."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from statistics import median

import asyncpg

from audit_async import create_table
from audit_async.config import GIB
from audit_async.entry import Entry
from audit_async.store import StoreOptions
from audit_async.store.postgres import PostgresStore
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.indexes import fill_ours, spread_out
from scripts.benchmark.series import Series

_ROWS = (0, 100_000, 1_000_000, 5_000_000)
_BYTES_A_ROW = 1800  # with indexes, and the log of the transaction that fills
_FILL_ROWS = 50_000  # in one statement
_FILL_SECONDS = 180  # from one figure to the next, at most
_FILLERS = 2
_BATCH = 5000
_BATCHES = 4
_SINGLE_ROWS = 50


async def by_rows(bench: Bench) -> list[Series]:
    """growth-rows: storing into a table by the rows that it has, beside the same into an empty one.

    The table grows from one figure to the next, so that they are not of one minute. The empty table is measured each
    time as well: what it shows is the machine.
    """
    points = [0, *(bench.count(rows) for rows in _ROWS[1:])]
    batches, singles = max(1, bench.count(_BATCHES * _BATCH) // _BATCH), bench.count(_SINGLE_ROWS)
    lines: dict[str, list[tuple[float, list[float]]]] = {}
    url, empty_url = await bench.other_url(create_table), await bench.other_url(create_table)
    connection, other = [await asyncpg.connect(each.replace("+asyncpg", "")) for each in (url, empty_url)]
    filled, empty = PostgresStore(StoreOptions(url=url)), PostgresStore(StoreOptions(url=empty_url))
    filling = _Filling(url, points[-1], bench.count(_FILL_SECONDS))
    try:
        for store in (filled, empty):
            await store.insert(samples.entries(_BATCH))
        for rows in points:
            if why := filling.is_too_much(rows):
                bench.leave_out(f"growth-rows from {rows:,} rows on: {why}")
                break
            await filling.fill(rows)
            await connection.execute("VACUUM (ANALYZE, INDEX_CLEANUP OFF) audit_logs")

            async def into_filled() -> tuple[float, float]:
                await connection.execute("CHECKPOINT")
                return await _cost(filled, batches, singles)

            async def into_empty() -> tuple[float, float]:
                await other.execute("TRUNCATE audit_logs")
                await other.execute("CHECKPOINT")
                return await _cost(empty, batches, singles)

            for name, figures in zip(
                ("this table", "an empty one"), await bench.interleaved(into_filled, into_empty), strict=True
            ):
                lines.setdefault(name, []).append((rows, [batch for batch, _ in figures]))
                lines.setdefault(f"{name}, one row", []).append((rows, [single for _, single in figures]))
    finally:
        for store in (filled, empty):
            await store.close()
        await connection.close()
        await other.close()
    return [
        Series(
            number="growth-rows",
            what=what,
            x="rows",
            unit="µs",
            lines={name: lines[f"{name}{kind}"] for name in ("this table", "an empty one")},
            about=about,
        )
        for what, kind, about in (
            (
                f"an event in batches of {_BATCH:,} by the rows of the table",
                "",
                "The store's COPY into our table with its indexes, of 10,000 users and 100 tenants in no order; the "
                "same into a table that has just been emptied shows what of it is the machine.",
            ),
            ("one row by the rows of the table, p50", ", one row", "As above, a transaction for each row."),
        )
    ]


class _Filling:
    """Brings a table from one number of rows to the next, and knows what that takes.

    Args:
        most: rows in the end; the last of these is of now, each other one a millisecond before the next.
        seconds: that one step may take.
    """

    def __init__(self, url: str, most: int, seconds: float) -> None:
        self._url = url.replace("+asyncpg", "")
        self._most = most
        self._seconds = seconds
        self._there = 0
        self._seconds_a_row = 0.0

    def is_too_much(self, rows: int) -> str | None:
        """Return why the table cannot be brought to *rows*, if so."""
        more = rows - self._there
        if shutil.disk_usage(tempfile.gettempdir()).free < more * _BYTES_A_ROW + GIB:
            return "TMPDIR has too little room"
        if more * self._seconds_a_row > self._seconds:
            return f"filling the table would take {more * self._seconds_a_row:.0f} s"
        return None

    async def fill(self, rows: int) -> None:
        """Bring the table to *rows*."""
        started = time.perf_counter()
        parts = iter(range(self._there, rows, _FILL_ROWS))
        await asyncio.gather(*(self._take(parts, rows) for _ in range(_FILLERS)))
        if rows > self._there:
            self._seconds_a_row = (time.perf_counter() - started) / (rows - self._there)
        self._there = rows

    async def _take(self, parts: Iterator[int], rows: int) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            for first in parts:
                await connection.execute(fill_ours(first + 1, min(rows, first + _FILL_ROWS), of=self._most))
        finally:
            await connection.close()


async def _cost(store: PostgresStore, batches: int, singles: int) -> tuple[float, float]:
    """Return the microseconds of an event in large batches, and the median of a row that comes alone."""
    made = spread_out(samples.entries(batches * _BATCH + singles))
    started = time.perf_counter()
    for first in range(0, batches * _BATCH, _BATCH):
        await store.insert(made[first : first + _BATCH])
    in_batches = (time.perf_counter() - started) / (batches * _BATCH) * 1e6
    return in_batches, median([await _seconds(store, [entry]) for entry in made[-singles:]]) * 1e6


async def _seconds(store: PostgresStore, entries: Sequence[Entry]) -> float:
    started = time.perf_counter()
    await store.insert(entries)
    return time.perf_counter() - started
