"""A journal that is full: who is refused, and that all of it is accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditLogger, AuditUnavailableError, create_table
from tests.polling import eventually
from tests.pressure.full_journals import (
    BUDGET,
    TIMING,
    HeldTable,
    Opened,
    event,
    fill,
    rows_and_gaps,
)
from tests.slow_disk import Disk


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


async def test_what_was_refused_is_told_once_there_is_room(opened: Opened, held: HeldTable, disk: Disk) -> None:
    """Where a slow disk frees the room of what is stored only later, the gap is told then, and waits for no event."""
    audit = opened()
    taken = fill(audit, severity="high")
    await eventually(lambda: audit._process._tell_at)  # it was tried once: the next time would be in a minute
    disk.is_free.clear()
    held.release()
    await eventually(lambda: audit.stats().pending == 0)
    assert audit.stats().refused == 1
    disk.is_free.set()
    ids, gaps = await rows_and_gaps(audit)
    assert (sorted(taken), {"journal_full": 1}) == (sorted(ids), gaps)


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
