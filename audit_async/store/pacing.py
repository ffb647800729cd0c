"""Rows in slices, so that whoever shares the interpreter with the writer gets a turn in between.

A driver that encodes a list of rows holds the interpreter for all of it: 30 ms at 5,000 rows, in which an
event loop in another thread stands still.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from audit_async.config import (
    GIVE_UP_HOGGED_ROWS,
    GIVE_UP_HOGGED_SECONDS,
    GIVE_UP_ROWS,
    GIVE_UP_SECONDS,
)
from audit_async.entry import Entry

if TYPE_CHECKING:  # a logger loads this module, and SQLAlchemy only where it connects
    from audit_async.table_map.layout import MakeRows, Row

_Item = TypeVar("_Item")


def slices(entries: Sequence[Entry], size: int = GIVE_UP_ROWS) -> Iterator[Sequence[Entry]]:
    """Yield *entries* in slices of *size*."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def rows_giving_up(entries: Sequence[Entry], rows: MakeRows) -> Iterator[Row]:
    """Yield the rows of *entries*; sleep for a moment between slices. For a thread of our own."""
    return chain.from_iterable(map(rows, slices_giving_up(entries)))


def slices_giving_up(items: Sequence[_Item], size: int = GIVE_UP_ROWS) -> Iterator[Sequence[_Item]]:
    """Yield *items* in slices of *size*, or larger ones; sleep for a moment between them."""
    start, was_hogged = 0, False
    while True:
        yield items[start : start + size]
        start += size
        if start >= len(items):
            return
        before = time.perf_counter()
        time.sleep(GIVE_UP_SECONDS)
        is_hogged = time.perf_counter() - before > GIVE_UP_HOGGED_SECONDS
        if is_hogged and was_hogged:
            size = max(size, GIVE_UP_HOGGED_ROWS)
        was_hogged = is_hogged


async def rows_letting_loop_run(entries: Sequence[Entry], rows: MakeRows) -> AsyncIterator[Row]:
    """Yield the rows of *entries*; let the event loop run between slices. For a task in somebody's loop."""
    async for part in slices_in_turns(entries, gives_up_interpreter=False):
        for row in rows(part):
            yield row


async def slices_in_turns(entries: Sequence[Entry], *, gives_up_interpreter: bool) -> AsyncIterator[Sequence[Entry]]:
    """Yield *entries* in slices; between them sleep as `slices_giving_up`, or let the event loop run."""
    if gives_up_interpreter:
        for part in slices_giving_up(entries):
            yield part
        return
    for part in slices(entries):
        yield part
        await asyncio.sleep(0)
