"""The index by which the log is followed knows new rows after each run of maintenance."""

from __future__ import annotations

from datetime import UTC, datetime

from audit_async import maintain
from audit_async.maintenance.maintained import Maintained
from audit_async.reading.follow_snapshots import Seen, Snapshot, Snapshots
from tests.reading.log import everything
from tests.reading.planned import Asked, nodes, plan_of
from tests.store.conftest import Place
from tests.store.conftest import postgres_empty as postgres_empty
from tests.store.conftest import postgres_place as postgres_place


def this_month() -> str:
    """Return the partition of now: the tests may have been collected in another month."""
    return f"audit_logs_{datetime.now(UTC):%Y_%m}"


def fill(partition: str) -> str:
    """Return what fills *partition*."""
    return f"""
INSERT INTO {partition} (id, created_at, action, category, severity, outcome, description, details, metadata, tags,
                         xact_id)
SELECT 'x' || number, '{datetime.now(UTC).isoformat()}', 'app.done', 'system', 'low', 'success', repeat('x', 900),
       '{{}}', '{{}}', '[]', number
  FROM generate_series(1, 5000) AS number
"""


async def _pages_read(place: Place) -> int:
    """Return how many pages a look of a follower reads that knows all but the last rows."""
    async with everything(place) as reader:
        view = await reader._look()
        assert view.commit is not None
        way = Snapshots(view, [], view.commit, reader.scope)
        statement = way.statement(Seen(Snapshot(4990), Snapshot(5001)))
    async with place.admin.connect() as connection:
        await connection.exec_driver_sql("SET enable_seqscan = off")
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = await plan_of(connection, Asked(str(compiled), ()), "ANALYZE, ")
    steps = [node for node in nodes(plan) if node["Node Type"] == "Bitmap Heap Scan"]
    assert steps
    return sum(node.get("Lossy Heap Blocks", 0) for node in steps)


async def test_a_follower_reads_a_few_pages_after_it(postgres_place: Place) -> None:
    """Rows that no VACUUM has seen are looked for in the pages that may have them, and not in all that are new."""
    partition = this_month()
    await postgres_place.execute(f"ALTER TABLE {partition} SET (autovacuum_enabled = off)", fill(partition))
    await maintain(postgres_place.url, dry_run=True)
    before = await _pages_read(postgres_place)
    done = await maintain(postgres_place.url)
    assert ((), ()) == (done.notes, done.failures)
    assert await _pages_read(postgres_place) < before / 2


async def test_whoever_is_in_the_way_is_noted(postgres_place: Place) -> None:
    """A partition that is being vacuumed, or locked by others, costs the run nothing but a note."""
    partition = this_month()
    async with postgres_place.admin.connect() as other:
        await other.exec_driver_sql(f"LOCK TABLE ONLY {partition} IN SHARE UPDATE EXCLUSIVE MODE")
        done = await maintain(postgres_place.url)
        [note] = done.notes
    assert done.is_complete
    assert partition in note
    assert f"note: {note}" in str(done)
    assert () == (await maintain(postgres_place.url)).notes


def test_a_note_is_no_failure() -> None:
    """What makes reading slower and nothing else is said, and all was done."""
    assert Maintained(table="audit_logs", notes=("slow",)).is_complete
