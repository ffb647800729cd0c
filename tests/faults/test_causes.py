"""What an error is made of: the driver's own word counts, and a cancelled task is nobody's."""

from __future__ import annotations

import asyncio

from audit_async.errors import TransientStoreError
from audit_async.faults import translate


async def test_a_time_out_is_an_outage() -> None:
    """asyncio makes it of a cancelled task, which says nothing about a table."""
    try:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError as error:
        verdict = translate(error)
    assert isinstance(verdict, TransientStoreError)
    assert "in time" in verdict.message
