"""A journal that is full: who is refused, who waits, for how long, and that all of it is accounted for."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trio
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from audit_async import AuditEvent, AuditLogger, AuditUnavailableError, Receipt, Timing, create_table, events
from tests.journal.journals import SMALL_SEGMENT, use_small_segments
from tests.polling import eventually, eventually_sync
from tests.tables import all_rows

BUDGET = 8 * SMALL_SEGMENT
FILLER = "x" * 1000
QUICK_SECONDS = 10.0  # far above what a call takes that does not wait, far below LONG_SECONDS
LONG_SECONDS = 50.0
TIMING = Timing(lock_seconds=0.02, backoff_first_seconds=0.01, backoff_max_seconds=0.02, cancel_seconds=QUICK_SECONDS)


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that some hundred events use up."""
    use_small_segments(monkeypatch)
    monkeypatch.setattr("audit_async.settings.JOURNAL_MIN_BYTES", SMALL_SEGMENT)


class HeldTable:
    """A table in a SQLite file in which another process's transaction lets nobody write, until it is released."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._other = sqlite3.connect(str(make_url(url).database), isolation_level=None, check_same_thread=False)
        self._other.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        if self._other.in_transaction:
            self._other.execute("COMMIT")

    def close(self) -> None:
        self.release()
        self._other.close()


@pytest.fixture
async def held(sqlite_url: str) -> AsyncIterator[HeldTable]:
    await create_table(sqlite_url)
    table = HeldTable(sqlite_url)
    yield table
    table.close()


Opened = Callable[..., AuditLogger]


@pytest.fixture
def opened(held: HeldTable, tmp_path: Path) -> Iterator[Opened]:
    """Open loggers to the held table, which are closed when the test is over."""
    loggers: list[AuditLogger] = []

    def open_one(**options: Any) -> AuditLogger:
        loggers.append(
            AuditLogger(
                held.url,
                **{"journal_dir": tmp_path / "journal", "journal_max_bytes": BUDGET, "timing": TIMING, **options},
            )
        )
        return loggers[-1]

    yield open_one
    held.release()
    for audit in loggers:
        audit.close_sync(QUICK_SECONDS)


def event(number: int = 0, **fields: Any) -> AuditEvent:
    return events.custom("report.print", details={"number": number, "filler": FILLER}, **fields)


def fill(audit: AuditLogger, **fields: Any) -> list[str]:
    """Log until an event is refused, and return the ids of those that were taken. The journal has to refuse at once."""
    taken: list[str] = []
    while (receipt := audit.log(event(len(taken), **fields))).is_accepted:
        taken.append(receipt.id)
    return taken


def fill_to_wait(audit: AuditLogger) -> list[str]:
    """Fill the journal of a logger that would wait: by events of a thread in which it never does."""
    taken: list[str] = []
    thread = threading.Thread(target=lambda: taken.extend(fill(audit)), name="audit-writer")
    thread.start()
    thread.join()
    return taken


def waiters(audit: AuditLogger) -> int:
    journal = audit._process.journal
    return len(journal.room._waiters) if journal is not None else 0


@contextmanager
def quickly() -> Iterator[None]:
    """See that nothing inside has waited."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < QUICK_SECONDS


async def rows_and_gaps(audit: AuditLogger) -> tuple[list[str], Counter[str]]:
    """Return the ids of all rows once everything is in, and what those that tell of a gap say together, by reason."""
    url = str(audit.settings.address.url)

    async def all_is_told() -> bool:
        told = [row["details"]["count"] for row in await all_rows(url) if row["action"] == "audit.gap"]
        return sum(told) >= audit.stats().refused and audit.stats().pending == 0

    await eventually(all_is_told, 30)
    rows = await all_rows(url)
    gaps = [row["details"] for row in rows if row["action"] == "audit.gap"]
    assert [gap["count"] for gap in gaps] == [sum(gap["reasons"].values()) for gap in gaps]
    told = sum((Counter(gap["reasons"]) for gap in gaps), Counter[str]())
    return [row["id"] for row in rows if row["action"] != "audit.gap"], told


# --- refused -----------------------------------------------------------------------------------------


async def test_what_is_refused_is_told_exactly_and_what_was_taken_arrives(opened: Opened, held: HeldTable) -> None:
    """Every accepted event is in the table once, no refused one is, and it is told how many those were."""
    audit = opened()
    taken = fill(audit)
    for number in range(24):
        assert not audit.log(event(number)).is_accepted
    held.release()
    ids, gaps = await rows_and_gaps(audit)
    assert (sorted(taken), {"journal_full": 25}) == (sorted(ids), gaps)
    stats = audit.stats()
    assert (stats.accepted, 25) == (stats.stored, stats.refused)


async def test_a_locked_table_on_a_server_is_no_different(postgres_url: str, tmp_path: Path) -> None:
    """While PostgreSQL does not take events the journal fills up to its budget; then all of it, and the gap, arrive."""
    await create_table(postgres_url)
    engine = create_async_engine(postgres_url)
    audit = AuditLogger(postgres_url, journal_dir=tmp_path / "journal", journal_max_bytes=BUDGET, timing=TIMING)
    async with audit, engine.begin() as other:
        await other.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))
        taken = fill(audit)
        await other.rollback()
        ids, gaps = await rows_and_gaps(audit)
    await engine.dispose()
    assert (sorted(taken), 1) == (sorted(ids), gaps.total())


@pytest.mark.parametrize("severity", ["high", "critical"])
async def test_events_of_high_severity_get_in_when_others_do_not(
    severity: str, opened: Opened, held: HeldTable
) -> None:
    """The last of the budget takes events of high severity only; all that was taken arrives."""
    audit = opened()
    taken = fill(audit)
    urgent = fill(audit, severity=severity)
    assert len(urgent) > 5
    assert not audit.log(event(severity="medium")).is_accepted
    held.release()
    ids, _ = await rows_and_gaps(audit)
    assert sorted(taken + urgent) == sorted(ids)


async def test_memory_has_a_reserve_as_well(opened: Opened, held: HeldTable, tmp_path: Path) -> None:
    """Without a disk events of high severity are refused last, too, also through `write`."""
    (tmp_path / "journal").touch()
    audit = opened(memory_max_bytes=BUDGET, max_wait_seconds=0.1)
    taken = fill(audit)
    receipt = await audit.write(event(severity="critical"))
    assert {"memory_full": 1} == audit.stats().refused_by_reason
    held.release()
    ids, _ = await rows_and_gaps(audit)
    assert sorted([*taken, receipt.id]) == sorted(ids)


async def test_require_says_that_it_is_the_budget(opened: Opened, tmp_path: Path) -> None:
    """Where the budget is used up `require` raises, with what to do about it: on disk and in memory."""
    (tmp_path / "file").touch()
    on_disk = opened(max_wait_seconds=0.1)
    in_memory = opened(journal_dir=tmp_path / "file", memory_max_bytes=BUDGET, max_wait_seconds=0.1)
    for audit, said in ((on_disk, "raise journal_max_bytes"), (in_memory, "free space on its disk")):
        fill(audit)
        with pytest.raises(AuditUnavailableError, match="budget") as caught:
            await audit.require(event())
        assert said in str(caught.value.hint)


async def test_health_says_it_before_during_and_after(opened: Opened, held: HeldTable) -> None:
    """From four fifths of the budget on it is degraded, while events are refused failing, and then no more than that
    some were."""
    audit = opened()
    while audit.stats().journal_fullness < 0.8:
        assert not any("full" in reason for reason in audit.health().reasons)
        audit.log(event())
    assert ("degraded", True) == (audit.health().status, any("% full" in reason for reason in audit.health().reasons))
    fill(audit)
    health, stats = audit.health(), audit.stats()
    assert ("failing", True) == (health.status, any("raise journal_max_bytes" in why for why in health.reasons))
    assert (BUDGET, True) == (stats.journal_max_bytes, stats.journal_bytes > 0.8 * BUDGET)
    held.release()
    await rows_and_gaps(audit)
    [reason] = await eventually(lambda: audit.health().status == "degraded" and audit.health().reasons)
    assert "1 events were refused for want of room" in reason


# --- waiting -----------------------------------------------------------------------------------------


def log_in_threads(audit: AuditLogger, count: int) -> tuple[list[threading.Thread], list[Receipt]]:
    """Start *count* threads that log one event each, and return them, with the receipts that they will have got."""
    receipts: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda number=number: receipts.append(audit.log(event(number))))
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, receipts


def join_all(threads: list[threading.Thread]) -> None:
    deadline = time.monotonic() + QUICK_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)


async def test_threads_that_wait_go_on_when_room_comes(opened: Opened, held: HeldTable) -> None:
    """Two hundred callers that stand still together are all served once the database takes events, and none is lost."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 200)
    eventually_sync(lambda: waiters(audit) == 200)
    held.release()
    join_all(threads)
    ids, gaps = await rows_and_gaps(audit)
    assert sorted(taken + [receipt.id for receipt in receipts]) == sorted(ids)
    assert (1, 200) == (gaps.total(), audit.stats().waits)


async def test_threads_that_wait_in_vain_all_return(opened: Opened, held: HeldTable) -> None:
    """Where no room comes each of two hundred callers is refused after the time agreed, and counted once."""
    audit = opened(when_full="block", max_wait_seconds=0.2)
    fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 200)
    join_all(threads)
    assert {"journal_full"} == {receipt.refused for receipt in receipts}
    assert (201, 200, 0) == (audit.stats().refused, audit.stats().waits, waiters(audit))
    held.release()
    _, gaps = await rows_and_gaps(audit)
    assert gaps == {"journal_full": 201}


async def test_write_waits_without_blocking_the_loop(opened: Opened, held: HeldTable) -> None:
    """In asyncio other tasks run while `write` and `require` wait for room, and both go on when it comes."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    calls = [asyncio.create_task(audit.write(event(1))), asyncio.create_task(audit.require(event(2)))]
    await eventually(lambda: waiters(audit) == 2)
    held.release()
    receipts = await asyncio.wait_for(asyncio.gather(*calls), QUICK_SECONDS)
    assert all(receipt.is_stored or receipt.is_on_disk for receipt in receipts)
    ids, _ = await rows_and_gaps(audit)
    assert sorted(taken + [receipt.id for receipt in receipts]) == sorted(ids)


def test_write_waits_in_trio_as_well(opened: Opened, held: HeldTable) -> None:
    """In trio the same holds, and a wait that is cancelled leaves nothing behind."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    receipts: list[Receipt] = []

    async def write() -> None:
        receipts.append(await audit.write(event()))

    async def main() -> None:
        with trio.move_on_after(0.05) as scope:
            await audit.write(event())
        assert (True, 0) == (scope.cancelled_caught, waiters(audit))
        with trio.fail_after(QUICK_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                await eventually(lambda: waiters(audit) == 1)
                held.release()

    trio.run(main)
    assert [True] == [receipt.is_accepted for receipt in receipts]
    assert {"journal_full": 1, "cancelled": 1} == audit.stats().refused_by_reason


async def test_a_wait_that_is_cancelled_takes_nothing_and_leaks_nothing(opened: Opened, held: HeldTable) -> None:
    """An event whose caller is cancelled while it waits is not logged, is counted, and told of."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    taken = fill_to_wait(audit)
    call = asyncio.create_task(audit.require(event()))
    await eventually(lambda: waiters(audit) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert waiters(audit) == 0
    held.release()
    ids, gaps = await rows_and_gaps(audit)
    assert (sorted(taken), {"journal_full": 1, "cancelled": 1}) == (sorted(ids), gaps)


async def test_all_waits_of_one_call_stay_within_the_time_agreed(opened: Opened) -> None:
    """`require` that finds no room and `write` that finds it but no database end when `max_wait_seconds` are over."""
    audit = opened(when_full="block", max_wait_seconds=0.3)
    with quickly():
        await audit.write(event())
    fill_to_wait(audit)
    with quickly(), pytest.raises(AuditUnavailableError, match="journal_full"):
        await audit.require(event())
    with quickly():
        assert not audit.log(event()).is_accepted


async def test_who_is_urgent_does_not_wait_where_others_do(opened: Opened) -> None:
    """An event of high severity is taken at once while others wait for room."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    call = asyncio.create_task(audit.write(event()))
    await eventually(lambda: waiters(audit) == 1)
    with quickly():
        assert audit.log(event(severity="high")).is_accepted
        assert (await audit.require(event(severity="critical"))).is_on_disk
    call.cancel()


async def test_closing_ends_every_wait(opened: Opened) -> None:
    """Callers that wait when the logger is closed are refused as closed, at once."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS, writer="none")
    fill_to_wait(audit)
    threads, receipts = log_in_threads(audit, 20)
    eventually_sync(lambda: waiters(audit) == 20)
    with quickly():
        audit.close_sync(0)
    join_all(threads)
    assert {"closed"} == {receipt.refused for receipt in receipts}


# --- where nobody waits ------------------------------------------------------------------------------


@pytest.fixture
def full(opened: Opened) -> AuditLogger:
    """A logger whose callers wait far longer than any of these tests may take, and whose journal is full."""
    audit = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(audit)
    return audit


class Handler:
    """A handler of signals that logs: as a method, and as an object that can be called."""

    def __init__(self, audit: AuditLogger) -> None:
        self.audit = audit
        self.receipts: list[Receipt] = []

    def handle(self, *_: object) -> None:
        self.receipts.append(self.audit.log(event()))

    def __call__(self, *_: object) -> None:
        self.handle()


@pytest.mark.parametrize("kind", ["function", "method", "object"])
def test_a_signal_handler_never_waits(kind: str, full: AuditLogger) -> None:
    """An event that is logged in a signal handler is refused at once."""
    handler = Handler(full)

    def handle(number: int, frame: FrameType | None) -> None:
        handler.handle()

    kinds: dict[str, Callable[[int, FrameType | None], None]] = {
        "function": handle,
        "method": handler.handle,
        "object": handler,
    }
    before = signal.signal(signal.SIGUSR1, kinds[kind])
    try:
        with quickly():
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ["journal_full"] == [receipt.refused for receipt in handler.receipts]


class Collected:
    """Logs an event when it is collected."""

    def __init__(self, audit: AuditLogger) -> None:
        self.audit = audit

    def __del__(self) -> None:
        self.audit.log(event())


def test_a_finaliser_never_waits(full: AuditLogger) -> None:
    """An event that is logged by a `__del__` is refused at once: it has interrupted who knows what."""
    doomed = Collected(full)
    with quickly():
        del doomed
        gc.collect()
    assert {"journal_full": 2} == full.stats().refused_by_reason


def test_a_rule_that_logs_does_not_wait_twice(opened: Opened) -> None:
    """Inside another call of ours nobody waits: the outer call alone takes the time agreed."""
    inner: list[Receipt] = []

    def rule(key: str, value: Any) -> Any:
        if key == "asks":
            inner.append(other.log(event()))
        return value

    other = opened(when_full="block", max_wait_seconds=LONG_SECONDS)
    fill_to_wait(other)
    audit = opened(redact=rule)
    with quickly():
        audit.log(events.custom("report.print", details={"asks": 1}))
    assert {"journal_full"} == {receipt.refused for receipt in inner}


async def test_the_loop_of_a_writer_that_is_a_task_is_not_stopped(opened: Opened, held: HeldTable) -> None:
    """With `writer="task"` a `log` in the writer's own loop is refused at once, since nobody else could make room."""
    audit = opened(writer="task", when_full="block", max_wait_seconds=LONG_SECONDS)
    await audit.__aenter__()
    with quickly():
        fill(audit)
    assert {"journal_full": 1} == audit.stats().refused_by_reason
    held.release()
    assert await audit.close(QUICK_SECONDS)


def test_the_end_of_a_transaction_never_waits(full: AuditLogger, tmp_path: Path) -> None:
    """What a transaction held back is refused when it has committed, and does not hold its commit up."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with quickly(), Session(engine) as session:
        receipts = [full.within(session).log(event(number)) for number in range(20)]
        session.execute(text("SELECT 1"))
        session.commit()
    engine.dispose()
    assert {"journal_full"} == {receipt.refused for receipt in receipts}
