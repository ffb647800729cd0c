"""Whether events are safe and arrive, and what to do where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        writer_fault: why nobody runs the writer, or None.
        needs_mending: the last error is the database's answer, which waiting does not change.
        remark: what will keep rows from their place before long, or None.
    """

    journal_dir: Path
    quarantine_dir: Path
    journal_fault: str | None = None
    quarantine_fault: str | None = None
    way_out: str | None = None
    writer_fault: str | None = None
    needs_mending: bool = False
    remark: str | None = None


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
        yield (
            f"the journal cannot be synced ({at.journal_fault}): a power cut would take the newest events; see to the "
            f"disk of {at.journal_dir}"
        )
    if at.way_out:
        yield f"events are refused, or wait for room: {at.way_out}"
    refused = _refused(stats, for_room=False)
    if refused:
        yield f"{sum(refused.values())} events were refused: {_told(refused)}"


def _late(stats: Stats, at: Circumstances) -> Iterator[str]:
    """Yield what keeps events from the table, or has taken something from them."""
    if not at.way_out and stats.journal_fullness >= NEARLY_FULL:
        yield (
            f"the journal is {stats.journal_fullness:.0%} full, and will refuse events: mend what keeps the database "
            "from taking them, or raise journal_max_bytes"
        )
    refused = _refused(stats, for_room=True)
    if refused:
        yield f"{sum(refused.values())} events were refused for want of room: {_told(refused)}"
    if at.writer_fault:
        yield f"nobody writes to the database ({at.writer_fault}): it is tried again; see to what the process may have"
    if at.quarantine_fault:
        yield (
            f"the quarantine cannot be written ({at.quarantine_fault}): what the database refuses waits in the "
            f"journal; see to {at.quarantine_dir}"
        )
    is_late = stats.oldest_pending_seconds > LATE_SECONDS
    waits = f"; the oldest of {stats.pending} pending events has waited {stats.oldest_pending_seconds:.0f} s"
    if stats.last_error:
        until = " until somebody mends it" if at.needs_mending else ""
        yield f"the database takes no events{until}: {stats.last_error}{waits if is_late else ''}"
    elif is_late:
        yield f"{waits.removeprefix('; ')}: see that a writer, or `audit-async drain`, is running, and keeps up"
    if at.remark:
        yield at.remark
    yield from _taken(stats, at)


def _taken(stats: Stats, at: Circumstances) -> Iterator[str]:
    """Yield what events have lost, or was lost of them."""
    quarantined = stats.quarantined + stats.adopted_quarantined
    if quarantined:
        yield (
            f"{quarantined} events are in quarantine in {at.quarantine_dir}: each file there says what the database "
            "refused"
        )
    if stats.redaction_failed:
        yield (
            f"{stats.redaction_failed} values were removed because redaction failed on them: see the log, and mend "
            "redact="
        )
    dropped = stats.dropped + stats.adopted_dropped
    if dropped:
        said = f" ({_told(stats.dropped_by_reason)})" if stats.dropped_by_reason else ""
        yield f"{dropped} events were lost{said}: see the log, and the audit.gap event in the table"


def _refused(stats: Stats, *, for_room: bool) -> dict[str, int]:
    """Return how many were refused, by those reasons that are over with more room, or by the others."""
    return {reason: n for reason, n in stats.refused_by_reason.items() if (reason in _FOR_ROOM) is for_room}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items())
