"""What a writer works with. It outlives a writer that is cut off: the next one goes on with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from audit_async.journal.adoption import Search
from audit_async.journal.batch import Source
from audit_async.journal.journal import Journal
from audit_async.parking import Parking
from audit_async.stats import Losses
from audit_async.store import Store
from audit_async.store.quarantine import Quarantine
from audit_async.timing import USUAL, Timing


@dataclass(slots=True)
class Adopted:
    """What became of the entries of other processes."""

    stored: int = 0
    quarantined: int = 0
    dropped: int = 0


@dataclass(slots=True, kw_only=True)
class WriterParts:
    """What a writer works with.

    Attributes:
        journal: this process's own.
        open_store: makes a store.
        find_orphans: takes over file sets, passing over the writers that it is given, and as many as that at most.
        tell_losses: logs an `audit.gap` event for what `losses` holds.
        timing: how long it waits for what.
        may_sleep: the loop is its own, and nobody minds if it stands still for some microseconds.
        ends_when_idle: `run` returns as soon as nothing is left to upload.
        parking: entries that wait for a foreign key.
        was_cut_off: an earlier writer with these parts was ended in the middle, perhaps of a batch.
    """

    journal: Journal
    open_store: Callable[[], Store]
    quarantine: Quarantine
    losses: Losses
    find_orphans: Callable[[frozenset[str], int], Search]
    tell_losses: Callable[[], None]
    timing: Timing = USUAL
    may_sleep: bool = True
    ends_when_idle: bool = False
    adopted: Adopted = field(default_factory=Adopted)
    parking: Parking = field(init=False)
    was_cut_off: bool = False

    def __post_init__(self) -> None:
        self.parking = Parking(self.quarantine, on_decided=self._count_adopted, timing=self.timing)

    def _count_adopted(self, source: Source, is_stored: bool) -> None:
        if source is not self.journal:
            self.adopted.stored += is_stored
            self.adopted.quarantined += not is_stored
