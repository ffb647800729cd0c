"""How a child stands, by its own word: what it writes down all the time, and the parent that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from audit_async.health import Health
from audit_async.stats import Stats
from tests.children import Child
from tests.faults.lab import Lab
from tests.polling import eventually_sync


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """One look at a child's logger.

    Attributes:
        said: all warnings so far.
        longest_seconds: of the calls of each kind.
        median_lag_seconds: of its event loop.
        closed_in_seconds: None until it has been closed.
        is_all_in: nothing remained then.
    """

    stats: Stats
    health: Health
    said: list[str]
    longest_seconds: dict[str, float]
    median_lag_seconds: float = 0.0
    closed_in_seconds: float | None = None
    is_all_in: bool = False

    def says(self, text: str) -> bool:
        """Return whether a reason that health gives has *text* in it."""
        return any(text in reason for reason in self.health.reasons)


_decode = msgspec.json.Decoder(Report).decode


class Watched:
    """A `watched_child`, and the reports it writes."""

    def __init__(self, lab: Lab, count: int, *, under: Sequence[str] = (), made: dict[str, Any], **task: Any) -> None:
        first = lab.numbers(0).start
        self._reports = lab.folder / f"{first}.reports"
        circumstances = msgspec.json.encode({"reports": str(self._reports), **made}).decode()
        self.child: Child = lab.child(count, program=("watched_child", circumstances), life={"under": under}, **task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.kill()

    @property
    def latest(self) -> Report | None:
        """What it wrote last."""
        lines = self._reports.read_bytes().split(b"\n")[:-1] if self._reports.exists() else []
        return _decode(lines[-1]) if lines else None

    def wait_for(self, condition: Callable[[Report], bool], timeout_seconds: float = 30) -> Report:
        """Wait until it reports what *condition* asks for, and return that report."""

        def look() -> list[Report]:
            report = self.latest
            return [report] if report is not None and condition(report) else []

        try:
            return eventually_sync(look, timeout_seconds)[0]
        except TimeoutError:
            raise AssertionError(f"it never came to that: {self.latest}") from None

    def ever(self, condition: Callable[[Report], bool]) -> bool:
        """Return whether any of its reports is as *condition* asks for."""
        return any(condition(_decode(line)) for line in self._reports.read_bytes().split(b"\n")[:-1])

    def stop(self) -> Report:
        """Have it log no more, and do as `end`."""
        self._reports.with_suffix(".stop").touch()
        return self.end()

    def end(self) -> Report:
        """Wait for its end in order, and return its last report.

        Raises:
            AssertionError: it ended in another way.
        """
        self.child.rest()
        report = self.latest
        assert self.child.returncode == 0, (self.child.returncode, report)
        assert report is not None
        stats = report.stats
        assert stats.accepted == stats.stored + stats.pending + stats.quarantined + stats.dropped, stats
        assert stats.quarantined == 0, stats
        return report
