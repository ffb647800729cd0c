"""What a job scope costs its caller, beside the `log()` of its two events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from audit_async import AuditEvent, AuditLogger, events
from audit_async.jobs.job import Job
from audit_async.receipt import Receipt
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal

_JOBS = 2000
_SAID: dict[str, Any] = {"provider": "feishu", "tenant_id": "t-1"}


class _Timed:
    """Logs by *audit*, and adds up how long that takes: what stands before and behind it in the caches is the scope."""

    def __init__(self, audit: AuditLogger) -> None:
        self._log = audit.log
        self.seconds = 0.0

    def log(self, event: AuditEvent, /) -> Receipt:
        started = time.thread_time()
        receipt = self._log(event)
        self.seconds += time.thread_time() - started
        return receipt


async def job_scope(bench: Bench) -> list[Comparison]:
    """job: a scope with a counter, less `log()` of its two events; and against two events by hand."""
    count = bench.count(_JOBS)

    def scope(audit: AuditLogger) -> None:
        with audit.job("org.sync", **_SAID) as job:
            job.count("created")

    def by_hand(audit: AuditLogger) -> None:
        for action in ("org.sync_start", "org.sync"):
            fields: dict[str, Any] = {
                "tenant_id": "t-1",
                "resource_type": "job",
                "trace_id": "a" * 32,
                "span_id": "b" * 16,
            }
            audit.log(events.org_sync(action, duration_ms=1.5, created=1, details={"provider": "feishu"}, **fields))

    def timed(audit: _Timed) -> None:
        with Job(audit, "org.sync", _SAID) as job:
            job.count("created")

    async with bench.logger("none") as audit:

        async def measured() -> tuple[float, float, float]:
            whole = _microseconds(count, lambda: scope(audit))
            hand = _microseconds(count, lambda: by_hand(audit))
            logging = _Timed(audit)
            own = _microseconds(count, lambda: timed(logging)) - logging.seconds / count * 1e6
            return whole, hand, own

        (rounds,) = await bench.interleaved(measured)
    return [
        Comparison(
            number="job",
            what="job scope, less log() of its two events",
            unit="µs",
            ours=[own for _, _, own in rounds],
            goal=Goal(least=15, aim=10, better="less"),
            about=(
                "`with audit.job(...)` logs that work has begun and how it ended. Its own cost is all that is not"
                " `log()`: the context, the counters, and building both events; beside it the same two events by hand."
            ),
        ),
        Comparison(
            number="job",
            what="job scope, whole / two events by hand",
            unit="µs",
            ours=[whole for whole, _, _ in rounds],
            theirs=[hand for _, hand, _ in rounds],
            is_inverted=True,
        ),
    ]


def _microseconds(count: int, call: Callable[[], object]) -> float:
    """Return what one *call* takes of this thread's own time: nothing in it waits, and neighbours do not count."""
    started = time.thread_time()
    for _ in range(count):
        call()
    return (time.thread_time() - started) / count * 1e6
