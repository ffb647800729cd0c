"""Whose context it is: tasks, threads and blocks that overlap never see each other's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

from audit_async import AuditLogger, audit_context, events
from audit_async.context import fill, job_actor
from tests.tables import all_rows


async def test_a_thousand_tasks_of_two_users_store_their_own(sqlite_url: str, tmp_path: Path) -> None:
    """Of 1,000 interleaved tasks each event is stored with the user and the request of its own task."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:

        async def request(number: int) -> None:
            with audit_context(user_id=f"u{number % 2}", request_id=f"{number % 2}-{number}"):
                await asyncio.sleep(0)
                audit.log(events.custom("a"))
                await asyncio.sleep(0)
                with job_actor("export"):
                    await asyncio.sleep(0)
                    audit.log(events.custom("b"))

        await asyncio.gather(*(request(number) for number in range(1000)))
        assert await audit.flush(20)
    rows = await all_rows(sqlite_url)
    assert 2000 == len({(row["request_id"], row["action"]) for row in rows})
    assert all(row["user_id"] == f"u{row['request_id'][0]}" for row in rows)
    assert all((row["actor_id"] == "export") == (row["action"] == "b") for row in rows)


def test_a_thread_begins_with_nothing() -> None:
    """A plain thread that was started inside a block does not act as whoever started it."""
    seen: list[str | None] = []
    with audit_context(user_id="u1"):
        thread = threading.Thread(target=lambda: seen.append(fill(events.custom("a")).user_id))
        thread.start()
        thread.join()
    assert [None] == seen


def test_one_context_serves_many_threads_at_once() -> None:
    """A context that is kept in a constant may be entered by several threads, whatever the order of their ends."""
    nightly, together = job_actor("nightly"), threading.Barrier(2)
    seen: list[tuple[str | None, str | None]] = []

    def run() -> None:
        with nightly:
            together.wait(10)
            inside = fill(events.custom("a")).actor_id
            together.wait(10)
        seen.append((inside, fill(events.custom("a")).actor_id))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [("nightly", None)] * 2 == seen


async def test_one_context_serves_many_tasks_at_once() -> None:
    """A context that is kept in a constant may be entered by tasks that overlap."""
    nightly = job_actor("nightly")

    async def run(rounds: int) -> str | None:
        async with nightly:
            for _ in range(rounds):
                await asyncio.sleep(0)
            return fill(events.custom("a")).actor_id

    assert ["nightly"] * 4 == list(await asyncio.gather(*(run(rounds) for rounds in (3, 1, 4, 2))))
    assert fill(events.custom("a")).actor_id is None


async def test_a_block_that_is_left_in_another_task_breaks_nobody() -> None:
    """Leaving a block where it was not entered, as a generator that is closed late does, raises nothing and changes
    nothing there."""
    context = audit_context(user_id="u1")

    async def enter() -> None:
        context.__enter__()

    await asyncio.create_task(enter())
    with audit_context(user_id="u2"):
        context.__exit__(None, None, None)
        assert "u2" == fill(events.custom("a")).user_id


def test_blocks_that_overlap_leave_nothing_behind() -> None:
    """Two blocks that end in the wrong order, as in two generators, leave no context behind."""

    def work(user_id: str) -> Iterator[None]:
        with audit_context(user_id=user_id):
            yield

    first, second = work("u1"), work("u2")
    next(first), next(second)
    assert [None, None] == [next(first, None), next(second, None)]
    assert fill(events.custom("a")).user_id is None
