"""What a run of maintenance did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Rows of the default partition that got a partition of their own month."""

    partition: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} rows from the default partition to {self.partition}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """Rows that went in one way.

    Attributes:
        way: `dropped` or `detached` with their partition, or `deleted`.
        rule: the rule, or the rules, by which they went.
        partition: None on a database that has none.
        since, until: times of the first row and the last one; None if there was none.
    """

    way: str
    rule: str
    partition: str | None
    rows: int
    since: datetime | None
    until: datetime | None

    def is_continued_by(self, more: Purged) -> bool:
        """Say whether *more* went in the same way, by the same rule, from the same place."""
        return (self.way, self.rule, self.partition) == (more.way, more.rule, more.partition) and self.way == "deleted"

    def with_more(self, more: Purged) -> Purged:
        """Return both as one; *more* is later."""
        return replace(self, rows=self.rows + more.rows, until=more.until)

    def __str__(self) -> str:
        times = f", {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}" if self.since and self.until else ""
        about = f"{self.rows:,} rows" + (f" of {self.partition}" if self.partition else "")
        if self.way != "deleted":
            about = f"{self.partition} with {self.rows:,} rows"
        return f"{about}{times}, by the rule: {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """Everything that was done, or, with `is_dry_run`, would be.

    Attributes:
        partitions: names of the months that were made, in the order of time.
        moved: by month.
        purged: what went, in its order.
        held: rows that are old enough to go, and that a legal hold keeps.
        left_in_default: rows of months that have no partition.
        failures: what could not be done, one sentence each; the next run tries again.
        notes: what could not be done either, and makes reading slower and nothing else.
    """

    table: str
    is_dry_run: bool = False
    partitions: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    purged: tuple[Purged, ...] = ()
    held: int = 0
    left_in_default: int = 0
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all of it could be done."""
        return not self.failures

    @property
    def rows_purged(self) -> int:
        """How many rows went."""
        return sum(each.rows for each in self.purged)

    def __str__(self) -> str:
        would = "would be " if self.is_dry_run else ""
        lines = []
        if self.partitions:
            first, *_, last = [*self.partitions, self.partitions[-1]]
            span = f"s, {first} to {last}" if first != last else f", {first}"
            lines.append(f"made: {len(self.partitions)} monthly partition{span}")
        lines += [f"moved: {each}" for each in self.moved]
        lines += [f"{each.way}: {each}" for each in self.purged]
        lines = [f"{would}{line}" for line in lines]
        if self.held:
            lines.append(f"kept: {self.held:,} rows that would go, but for a legal hold")
        if self.left_in_default:
            lines.append(f"left: {self.left_in_default:,} rows in the default partition, of months far away")
        lines += [f"not done: {failure}" for failure in self.failures]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([f"Table {self.table}{':' if lines else ' needs nothing'}", *lines])
