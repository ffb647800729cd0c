"""Upload what other processes of this host journalled: dead ones, and living ones with `writer="none"`."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from audit_async.config import CLOSE_SECONDS, DRAIN_INTERVAL_SECONDS
from audit_async.logger import AuditLogger
from audit_async.settings import Settings
from audit_async.stats import Stats


@dataclass(frozen=True, slots=True)
class Drained:
    """What `drain` has done.

    Attributes:
        stats: the numbers; `adopted_*` are those of the others' events.
        is_complete: nothing is left that could be taken.
    """

    stats: Stats
    is_complete: bool


async def drain(
    settings: Settings,
    *,
    follow: bool = False,
    adopt_any: bool = False,
    timeout_seconds: float | None = None,
    on_progress: Callable[[Stats], None] | None = None,
) -> Drained:
    """Upload until nothing is left, and say what was done; with *follow* until cancelled.

    Args:
        adopt_any: also journals that were meant for another database, or left by another host.
        timeout_seconds: how long to try without *follow*; the rest stays where it is.
        on_progress: called now and then with the numbers so far.
    """
    logger = AuditLogger.of(
        dataclasses.replace(
            settings,
            service=f"{settings.service}_drain",
            writer="task",
            adopts_living=True,
            adopts_any=adopt_any,
            timing=dataclasses.replace(settings.timing, adopt_interval_seconds=DRAIN_INTERVAL_SECONDS),
            ends_when_idle=not follow,
        )
    )
    started = time.monotonic()
    async with logger:
        while not logger.has_stopped_writing:
            await asyncio.sleep(DRAIN_INTERVAL_SECONDS)
            if on_progress is not None:
                on_progress(logger.stats())
            if not follow and timeout_seconds is not None and time.monotonic() - started > timeout_seconds:
                break
        drained = Drained(logger.stats(), logger.has_stopped_writing)
        await logger.close(CLOSE_SECONDS if drained.is_complete else 0.0)
    return drained
