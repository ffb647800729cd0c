"""Each event is in the table exactly once: counted from the demo's own books, with nothing of the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scripts.demo_parts.records import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of comparing three lists of ids and times: planned, returned and stored.

    Attributes:
        planned: different events that the records give.
        rows: in the table.
        unlogged: planned, but no process said that `log()` returned for them.
        missing: planned, but not in the table.
        doubled: rows too many, of planned events.
        foreign: rows of events that nobody planned.
    """

    planned: int
    rows: int
    unlogged: int
    missing: int
    doubled: int
    foreign: int

    @property
    def holds(self) -> bool:
        return self.rows == self.planned and not (self.unlogged or self.missing or self.doubled or self.foreign)


def prove(planned: Iterable[Key], returned: Iterable[Key], stored: Iterable[Key]) -> Proof:
    """Compare what was *planned*, what was said to be *returned* from `log()`, and the rows that are *stored*."""
    wanted, rows = set(planned), list(stored)
    wanted_by_id = Counter(event_id for event_id, _ in wanted)
    found_by_id = Counter(event_id for event_id, _ in rows)
    return Proof(
        planned=len(wanted),
        rows=len(rows),
        unlogged=len(wanted - set(returned)),
        missing=len(wanted - set(rows)),
        # A second row of an event has another time, or the table's key would have refused it: count by id alone.
        doubled=sum(max(0, found_by_id[event_id] - count) for event_id, count in wanted_by_id.items()),
        foreign=sum(count for event_id, count in found_by_id.items() if event_id not in wanted_by_id),
    )
