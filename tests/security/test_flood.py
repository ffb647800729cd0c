"""A flood of one actor's events hides nobody else's."""

from __future__ import annotations

import threading
from pathlib import Path

from audit_async import AuditLogger, events
from tests.tables import run_sql

FLOOD, THREADS, OTHERS = 5_000, 4, 40


async def test_a_flood_hides_nobody(sqlite_url: str, tmp_path: Path) -> None:
    """While four threads log failed log-ins as fast as they can, each event of the others is stored, in the order of
    its call, and none of the flood is left out in silence."""
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:

        def flood(number: int) -> None:
            for _ in range(FLOOD):
                audit.log(events.custom("auth.login", user_id=f"attacker{number}", success=False))

        threads = [threading.Thread(target=flood, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        receipts = [audit.log(events.custom("a", user_id="other", resource_id=str(n))) for n in range(OTHERS)]
        for thread in threads:
            thread.join()
        assert all([await receipt.stored(50) for receipt in receipts])
        assert await audit.flush(50)
        stats = audit.stats()
    assert (FLOOD * THREADS + OTHERS, 0, 0) == (stats.stored, stats.refused, stats.dropped)
    rows = await run_sql(sqlite_url, "SELECT user_id, count(*) AS n FROM audit_logs GROUP BY user_id ORDER BY user_id")
    wanted = {**{f"attacker{number}": FLOOD for number in range(THREADS)}, "other": OTHERS}
    assert wanted == {row["user_id"]: row["n"] for row in rows}
    order = await run_sql(sqlite_url, "SELECT resource_id FROM audit_logs WHERE user_id = 'other' ORDER BY writer_seq")
    assert [str(number) for number in range(OTHERS)] == [row["resource_id"] for row in order]
