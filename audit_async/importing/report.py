"""What came of an import, as frozen values: what was mapped, what folded, what refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from audit_async.config import MAX_OPERATIONS, SHOWN_FOLDED, SHOWN_REJECTS
from audit_async.events.vocabulary import TERMS
from audit_async.importing.formats.format import Mapped
from audit_async.importing.records import Record

OTHERS = "(others)"
"""What is counted together, where there are too many to be counted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCount:
    """Records of one operation, and what they became.

    Attributes:
        is_known: whether the vocabulary has the action; a free-form one is as legal.
    """

    operation: str
    action: str
    count: int
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A record that did not become an event.

    Attributes:
        line: where it begins in the file, from 1; in a JSON array its number.
    """

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How far an import is.

    Attributes:
        records: read so far.
        bytes_read, bytes_total: of the file as it lies there.
    """

    records: int
    bytes_read: int
    bytes_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of an import.

    Attributes:
        records: in the file: `mapped + refused`.
        mapped: that became events.
        repeated: of these, the same as one before in the file, to the last field: the table has a row for all of them.
        confirmed: of these, in the table, or kept in quarantine, when the report was made.
        earlier: of these, already confirmed by an earlier run that was interrupted.
        quarantined: of this run's, refused by the database for what is in them; they are kept on disk.
        refused: that did not become events; `rejected` names the first of them.
        mappings: by operation and action, the most frequent first.
        folded: how often which name was put into `details` or `metadata`, the most frequent first.
        sha256: of the file as it lies there; None where it was not read to its end.
        is_dry_run: nothing was logged.
        stopped: why not all of the file was imported, or None.
    """

    file: str
    format: str
    records: int = 0
    mapped: int = 0
    repeated: int = 0
    confirmed: int = 0
    earlier: int = 0
    quarantined: int = 0
    refused: int = 0
    mappings: tuple[OperationCount, ...] = ()
    folded: tuple[tuple[str, int], ...] = ()
    rejected: tuple[Rejected, ...] = ()
    sha256: str | None = None
    is_dry_run: bool = False
    stopped: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every record of the file became an event that is where it belongs."""
        return self.stopped is None and not self.refused and not self.quarantined

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {**asdict(self), "folded": dict(self.folded), "is_complete": self.is_complete}


class Tally:
    """Counts for a report, in bounded memory."""

    def __init__(self) -> None:
        self.records = 0
        self.mapped = 0
        self.repeated = 0
        self.refused = 0
        self._mappings: Counter[tuple[str, str]] = Counter()
        self._folded: Counter[str] = Counter()
        self._rejected: list[Rejected] = []

    def count(self, mapped: Mapped, *, is_repeated: bool) -> None:
        """Count a record that became an event."""
        self.mapped += 1
        self.repeated += is_repeated
        key = (mapped.operation, mapped.event.action)
        is_counted = key in self._mappings or len(self._mappings) < MAX_OPERATIONS
        self._mappings[key if is_counted else (OTHERS, OTHERS)] += 1
        for name in mapped.folded:
            is_counted = name in self._folded or len(self._folded) < SHOWN_FOLDED
            self._folded[name if is_counted else OTHERS] += 1

    def reject(self, record: Record, reason: str) -> None:
        """Count a record that did not."""
        self.refused += 1
        if len(self._rejected) < SHOWN_REJECTS:
            self._rejected.append(Rejected(line=record.line, reason=reason))

    def report(self, **said: Any) -> Report:
        """Return what was counted, with what else is *said*."""
        return Report(
            records=self.records,
            mapped=self.mapped,
            repeated=self.repeated,
            refused=self.refused,
            mappings=tuple(
                OperationCount(operation=operation, action=action, count=count, is_known=action in TERMS)
                for (operation, action), count in self._mappings.most_common()
            ),
            folded=tuple(self._folded.most_common()),
            rejected=tuple(self._rejected),
            **said,
        )
