"""Many at once, and more than the database takes: the ledger is exact."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from audit_async import AuditLogger, Receipt, create_table, events, settings, writer
from audit_async.config import KIB, MIB
from tests.journal.journals import use_small_segments
from tests.pressure.full_journals import rows_and_gaps
from tests.tables import all_rows, run_sql

THREADS, EACH = 200, 50
SLOW_ROWS = "BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END"  # 200 rows/s at most
QUICK_ROWS = "BEGIN RETURN NEW; END"


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, sqlite_url: str, postgres_url: str) -> str:
    """A database with our table, of either kind."""
    url = sqlite_url if request.param == "sqlite" else postgres_url
    await create_table(url)
    return url


async def test_two_hundred_threads_lose_and_double_nothing(url: str, tmp_path: Path) -> None:
    """Each event of threads that all log at once is one row, under a number of its own and in its thread's order."""
    gate = threading.Barrier(THREADS)
    receipts: list[list[Receipt]] = [[] for _ in range(THREADS)]

    def work(audit: AuditLogger, place: int) -> None:
        gate.wait(30)
        for number in range(EACH):
            receipts[place].append(audit.log(events.custom("load.step", details={"of": place, "number": number})))

    async with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
        threads = [threading.Thread(target=work, args=(audit, place)) for place in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert await audit.flush(30)
        found = audit.stats()
    total = THREADS * EACH
    assert (total, total, 0) == (found.accepted, found.stored, found.pending + found.quarantined + found.dropped)
    rows = sorted(await all_rows(url), key=lambda row: row["writer_seq"])
    assert [row["writer_seq"] for row in rows] == list(range(1, total + 1))
    for place, of_one in enumerate(receipts):
        its_rows = [row for row in rows if row["details"]["of"] == place]
        assert [row["details"]["number"] for row in its_rows] == list(range(EACH))
        assert [row["writer_seq"] for row in its_rows] == [receipt.writer_seq for receipt in of_one]


@pytest.mark.parametrize("budget", [256 * MIB, 384 * KIB], ids=["within the budget", "beyond the budget"])
async def test_a_producer_far_faster_than_the_database_is_accounted_for(
    budget: int, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call is either a row in the end, or counted as refused and told of by `audit.gap` events."""
    use_small_segments(monkeypatch)
    monkeypatch.setattr(settings, "JOURNAL_MIN_BYTES", budget)
    monkeypatch.setattr(writer, "BATCH_ENTRIES", 100)
    await create_table(postgres_url)
    await run_sql(
        postgres_url,
        f"CREATE FUNCTION dawdle() RETURNS trigger AS $$ {SLOW_ROWS} $$ LANGUAGE plpgsql",
        "CREATE TRIGGER dawdles BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal", journal_max_bytes=budget) as audit:
        receipts = [audit.log(events.custom("load.step", details={"number": n, "x": "x" * 400})) for n in range(2000)]
        behind = audit.stats()
        # The trigger itself could only be dropped behind a lock.
        await run_sql(
            postgres_url, f"CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger AS $$ {QUICK_ROWS} $$ LANGUAGE plpgsql"
        )
        assert await audit.flush(30)
        # What was refused is told of by then, or once there is room: a disk may be slow.
        _, told = await rows_and_gaps(audit)
        found = audit.stats()
    taken = [receipt.writer_seq for receipt in receipts if receipt.is_accepted]
    rows = await all_rows(postgres_url)
    gaps = [row for row in rows if row["action"] == "audit.gap"]
    assert behind.pending > 0
    assert (budget >= MIB) is (found.refused == 0)
    assert found.refused == len(receipts) - len(taken) == told.total()
    assert found.accepted == found.stored == len(taken) + len(gaps) == len(rows)
    assert sorted(row["writer_seq"] for row in rows) == list(range(1, found.accepted + 1))
