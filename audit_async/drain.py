"""Upload what other processes of this host journalled: dead ones, and living ones with `writer="none"`."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from audit_async.config import CLOSE_SECONDS, DRAIN_INTERVAL_SECONDS, FOREIGN_KEY_SECONDS, MAX_TIMING_SECONDS
from audit_async.journal.survey import Surveyed, survey
from audit_async.logger import AuditLogger
from audit_async.settings import Settings
from audit_async.stats import Stats


@dataclass(frozen=True, slots=True)
class Drained:
    """What `drain` has done.

    Attributes:
        stats: the numbers; `adopted_*` are those of the others' events.
        is_complete: nothing is left that could be taken.
        waits_for_rows: of what is left, the events whose foreign key points to no row yet.
        others: file sets of dead processes beside them that were not taken: of another destination, another host or
            another version.
    """

    stats: Stats
    is_complete: bool
    waits_for_rows: int = 0
    others: tuple[Surveyed, ...] = ()


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
        timeout_seconds: how long to try without *follow*; the rest stays where it is. An event whose foreign key
            points to no row yet is given all of it, and goes into quarantine at the end if that is
            `FOREIGN_KEY_SECONDS` or more.
        on_progress: called now and then with the numbers so far.
    """
    logger = AuditLogger.of(
        dataclasses.replace(
            settings,
            service=f"{settings.service}_drain",
            writer="task",
            adopts_living=True,
            adopts_any=adopt_any,
            timing=dataclasses.replace(
                settings.timing,
                adopt_interval_seconds=DRAIN_INTERVAL_SECONDS,
                foreign_key_seconds=_patience(settings, None if follow else timeout_seconds),
            ),
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
        drained = Drained(
            logger.stats(),
            logger.has_stopped_writing,
            waits_for_rows=logger.waits_for_rows,
            others=() if follow else _others(settings),
        )
        await logger.close(CLOSE_SECONDS if drained.is_complete else 0.0)
    return drained


def _patience(settings: Settings, timeout_seconds: float | None) -> float:
    """Return how long an event waits for the row that it points to.

    One that never gets into quarantine would hold up its file set in every run to come.
    """
    if timeout_seconds is None or timeout_seconds < FOREIGN_KEY_SECONDS:
        return settings.timing.foreign_key_seconds
    return min(timeout_seconds - CLOSE_SECONDS, MAX_TIMING_SECONDS)


def _others(settings: Settings) -> tuple[Surveyed, ...]:
    """Return what waits beside, and will not be delivered by this destination's processes."""
    try:
        found = survey(settings.journal_dir)
    except OSError:
        return ()
    return tuple(each for each in found if not each.is_living and _is_left(each, settings))


def _is_left(each: Surveyed, settings: Settings) -> bool:
    is_foreign = each.is_elsewhere or each.destination not in (None, settings.destination)
    return each.is_of_other_format or (is_foreign and each.is_begun)
