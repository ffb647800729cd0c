"""One audit logger in a process of its own, in the environment of the other ones. Called by `against_peers`.

    python -m scripts.benchmark.peer_alone WAY PART URL FOLDER COUNT

PART is `measure` (what calls cost, then a burst), `burst` (without an end, to be killed) or `again` (what the next
process of the same application does). It prints what it found as JSON, and ends by itself in any case.
"""

from __future__ import annotations

import asyncio
import json
import logging
import mmap
import signal
import struct
import sys
import time
from pathlib import Path

import asyncpg
import loguru

from scripts.benchmark import samples
from scripts.benchmark.comparison import percentile
from scripts.benchmark.peer_packages import Way, find

_ACCEPTED = "accepted"
"""The file in which a burst counts the calls that have returned; it survives whatever happens to the process."""

_LIMIT_SECONDS = 300  # of a process; the slowest burst takes a fifth of it
_STANDS_SECONDS = 8.0  # a table that grows no more: longer than any way waits between two flushes
_CALLS = 1000


async def measure(way: Way, url: str, count: int) -> dict[str, float]:
    """Return µs of a call, and how *count* of them arrive from the first call to the last row."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    calls = min(_CALLS, count)
    await way.create()
    async with way:
        for number in range(calls // 10):
            await _call(way, number)
        taken = []
        for number in range(calls // 10, calls):
            taken.append(await _call(way, number))
            await asyncio.sleep(0)  # what a way has put off to the loop is not the call's
        await way.flush()
        before = await _arrived(connection, way, calls)
        many = [samples.details(number) for number in range(calls, calls + count)]
        started = time.perf_counter()
        await way.log_all(many)
        called = time.perf_counter()
        await way.flush()
        seconds = max(time.perf_counter(), called) - started
        if await connection.fetchval(f"SELECT count(*) FROM {way.table}") < before + count:
            await _arrived(connection, way, before + count)
            seconds = time.perf_counter() - started
    await connection.close()
    return {
        "p50": percentile(taken, 0.5) * 1e6,
        "p99": percentile(taken, 0.99) * 1e6,
        "rate": count / seconds,
        "logged": calls + count,
    }


async def burst(way: Way, folder: Path, count: int) -> None:
    """Log until killed, and count each call that has returned."""
    with (folder / _ACCEPTED).open("w+b") as file:
        file.truncate(8)
        accepted = mmap.mmap(file.fileno(), 8)
    await way.create()
    async with way:
        for number in range(count):
            await _call(way, number)
            struct.pack_into("<q", accepted, 0, number + 1)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(_LIMIT_SECONDS)  # it is killed before


async def again(way: Way) -> None:
    """Start as the next process does, and end as its documentation says."""
    async with way:
        await way.flush()


async def _call(way: Way, number: int) -> float:
    details = samples.details(number)
    started = time.perf_counter()
    waits = way.log(details)
    if waits is not None:
        await waits
    return time.perf_counter() - started


async def _arrived(connection: asyncpg.Connection[asyncpg.Record], way: Way, count: int) -> int:
    """Wait until *count* rows are there, or no more come; return how many there are."""
    rows, since = -1, time.monotonic()
    while True:
        there = await connection.fetchval(f"SELECT count(*) FROM {way.table}")
        if there != rows:
            rows, since = there, time.monotonic()
        if rows >= count or time.monotonic() - since > _STANDS_SECONDS:
            return rows
        await asyncio.sleep(0.005)


def _main(name: str, part: str, url: str, folder: str, count: str) -> None:
    signal.alarm(_LIMIT_SECONDS)
    loguru.logger.remove()
    logging.disable()  # a line for each lost event would be a cost of its own
    way = find(name)(url, Path(folder))
    if part == "measure":
        print(json.dumps(asyncio.run(measure(way, url, int(count)))))
    elif part == "burst":
        asyncio.run(burst(way, Path(folder), int(count)))
    else:
        asyncio.run(again(way))


if __name__ == "__main__":
    _main(*sys.argv[1:])
