"""A transaction of somebody else's, which stands open for as long as it is wanted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


@contextmanager
def holding(url: str, *statements: str) -> Iterator[None]:
    """Run *statements* in a transaction past the library that is open until the block ends, then rolled back."""
    holds, over = threading.Event(), threading.Event()

    async def hold() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
            holds.set()
            await asyncio.to_thread(over.wait)
        await engine.dispose()

    thread = threading.Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    try:
        assert holds.wait(30), "the statements did not come through"
        yield
    finally:
        over.set()
        thread.join()
