"""How the cost of storing grows with the rows that a table has already."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
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
_FILL_ROWS = 500_000  # in one statement
_BATCH = 5000
_BATCHES = 4
_SINGLE_ROWS = 100


async def by_rows(bench: Bench) -> list[Series]:
    """growth-rows: storing into a table by the rows that it has, beside the same into an empty one.

    The table grows from one figure to the next, so that they are not of one minute. The empty table is measured each
    time as well: what it shows is the machine.
    """
    wanted = [0, *(bench.count(rows) for rows in _ROWS[1:])]
    points = [rows for rows in wanted if rows == 0 or _fits(rows)]
    lines: dict[str, list[tuple[float, list[float]]]] = {}
    url, empty_url = await bench.other_url(create_table), await bench.other_url(create_table)
    connection, other = [await asyncpg.connect(each.replace("+asyncpg", "")) for each in (url, empty_url)]
    filled, empty = PostgresStore(StoreOptions(url=url)), PostgresStore(StoreOptions(url=empty_url))
    there = 0
    try:
        for store in (filled, empty):
            await store.insert(samples.entries(_BATCH))
        for rows in points:
            await _fill(connection, there, rows, points[-1])
            there = rows

            async def into_filled() -> tuple[float, float]:
                await connection.execute("CHECKPOINT")
                return await _cost(filled)

            async def into_empty() -> tuple[float, float]:
                await other.execute("TRUNCATE audit_logs")
                await other.execute("CHECKPOINT")
                return await _cost(empty)

            for name, figures in zip(
                ("there", "an empty table"), await bench.interleaved(into_filled, into_empty), strict=True
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
            lines={name: lines[f"{name}{kind}"] for name in ("there", "an empty table")},
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


def _fits(rows: int) -> bool:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < rows * _BYTES_A_ROW + GIB:
        print(f"growth-rows: left out {rows:,} rows, for which TMPDIR has too little room", file=sys.stderr)
        return False
    return True


async def _fill(connection: asyncpg.Connection[asyncpg.Record], there: int, rows: int, most: int) -> None:
    """Bring the table from *there* to *rows*, each a millisecond after the one before; the last of *most* is of now."""
    for first in range(there, rows, _FILL_ROWS):
        last = min(rows, first + _FILL_ROWS)
        await connection.execute(fill_ours(first + 1, last, of=most))
    await connection.execute("VACUUM (ANALYZE, INDEX_CLEANUP OFF) audit_logs")


async def _cost(store: PostgresStore) -> tuple[float, float]:
    """Return the microseconds of an event in large batches, and the median of a row that comes alone."""
    made = spread_out(samples.entries(_BATCHES * _BATCH + _SINGLE_ROWS))
    started = time.perf_counter()
    for first in range(0, _BATCHES * _BATCH, _BATCH):
        await store.insert(made[first : first + _BATCH])
    batches = (time.perf_counter() - started) / (_BATCHES * _BATCH) * 1e6
    return batches, median([await _seconds(store, [entry]) for entry in made[-_SINGLE_ROWS:]]) * 1e6


async def _seconds(store: PostgresStore, entries: Sequence[Entry]) -> float:
    started = time.perf_counter()
    await store.insert(entries)
    return time.perf_counter() - started
