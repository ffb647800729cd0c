"""Whether events are safe and arrive, and what to do where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_async.config import LATE_SECONDS, NEARLY_FULL
from audit_async.stats import Stats

_FOR_ROOM = frozenset({"journal_full", "memory_full", "cancelled"})
"""Reasons of a refusal that are over as soon as there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether events are safe and arrive.

    Attributes:
        status: `ok`, `degraded` (safe, but late or incomplete) or `failing` (not safe).
        reasons: one sentence for each thing that is wrong, with what to do.
    """

    status: str
    reasons: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return self.status == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What bears on health beside the numbers.

    Attributes:
        journal_fault: why the journal's last write or sync failed, or None.
        quarantine_fault: why the last event could not be put into quarantine, or None.
        way_out: what to do about a journal that refuses events at this moment, or None where it takes them.
    """

    journal_dir: Path
    quarantine_dir: Path
    journal_fault: str | None = None
    quarantine_fault: str | None = None
    way_out: str | None = None


def judge(stats: Stats, circumstances: Circumstances) -> Health:
    """Return how a logger with these numbers stands, what is worst first."""
    unsafe = tuple(_unsafe(stats, circumstances))
    late = tuple(_late(stats, circumstances))
    return Health(status="failing" if unsafe else "degraded" if late else "ok", reasons=(*unsafe, *late))


def _unsafe(stats: Stats, at: Circumstances) -> Iterator[str]:
    """Yield what may lose events."""
    if not stats.is_on_disk:
        yield f"no disk takes events, they wait in memory ({at.journal_fault}): see to {at.journal_dir}"
    elif at.journal_fault:
        yield f"the journal cannot be synced: {at.journal_fault}"
    if at.way_out:
        yield f"events are refused, or wait for room: {at.way_out}"
    refused = {reason: count for reason, count in stats.refused_by_reason.items() if reason not in _FOR_ROOM}
    if refused:
        yield f"{sum(refused.values())} events were refused: {refused}"


def _late(stats: Stats, at: Circumstances) -> Iterator[str]:
    """Yield what keeps events from the table, or has taken something from them."""
    if not at.way_out and stats.journal_fullness >= NEARLY_FULL:
        yield (
            f"the journal is {stats.journal_fullness:.0%} full, and will refuse events: mend what keeps the database "
            "from taking them, or raise journal_max_bytes"
        )
    if any(reason in _FOR_ROOM for reason in stats.refused_by_reason):
        yield f"{stats.refused} events were refused for want of room: {stats.refused_by_reason}"
    if at.quarantine_fault:
        yield f"the quarantine cannot be written: {at.quarantine_fault}"
    if stats.last_error:
        yield f"the database takes no events: {stats.last_error}"
    elif stats.oldest_pending_seconds > LATE_SECONDS:
        yield (
            f"the oldest of {stats.pending} pending events has waited {stats.oldest_pending_seconds:.0f} s: see that "
            "a writer, or `audit-async drain`, is running"
        )
    if stats.quarantined:
        yield f"{stats.quarantined} events are in quarantine in {at.quarantine_dir}"
    if stats.redaction_failed:
        yield f"{stats.redaction_failed} values were removed because redaction failed on them: see the log"
    if stats.dropped:
        yield f"{stats.dropped} events were lost: {stats.dropped_by_reason}"
