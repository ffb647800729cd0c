"""`audit-async maintain` and `audit-async upgrade`, run as a person runs them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from audit_async.table.creation import create_table
from tests.maintenance.test_maintain import named
from tests.store.conftest import Place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries
from tests.test_cli import audit_async

OLD = datetime.now(UTC) - timedelta(days=500)


async def test_it_tells_what_it_did(postgres_place: Place) -> None:  # noqa: F811
    """A line for each thing that was done, or would be; with nothing to do it says so."""
    await postgres_place.execute(f"DROP TABLE {named(datetime.now(UTC) + timedelta(days=93))}")
    await postgres_place.open().insert(entries(12, created_at=OLD, category="access"))
    arguments = ("maintain", postgres_place.url, "--keep", "900", "--keep", "90:category=access")
    for extra in (("--dry-run",), ()):
        done = await asyncio.to_thread(audit_async, *arguments, *extra)
        assert (0, "") == (done.returncode, done.stderr)
        assert ("12 rows" in done.stdout, "1 monthly partition" in done.stdout) == (True, True)
        assert ("would be" in done.stdout) == bool(extra)
    done = await asyncio.to_thread(audit_async, *arguments)
    assert (0, True) == (done.returncode, "needs nothing" in done.stdout)


def test_a_hold_is_placed_listed_and_released(sqlite_url: str) -> None:
    """Each is one line; what is held is told in the words in which it was placed."""
    asyncio.run(create_table(sqlite_url))
    what = "tenant=acme,category=data,user=u-1,since=2026-01-01,until=2026-02-01"
    placed = audit_async("maintain", sqlite_url, "--hold", what, "--reason", "suit [4711]", "--by", "jane")
    listed = audit_async("maintain", sqlite_url, "--holds")
    assert (0, 0) == (placed.returncode, listed.returncode)
    assert all(word in listed.stdout for word in (what, "suit [4711]", "jane"))
    hold_id = listed.stdout.split()[0]
    assert 0 == audit_async("maintain", sqlite_url, "--release", hold_id).returncode
    assert "No legal hold" in audit_async("maintain", sqlite_url, "--holds").stdout
    assert 2 == audit_async("maintain", sqlite_url, "--release", hold_id).returncode
    assert 0 == audit_async("maintain", sqlite_url, "--hold", "all", "--reason", "x").returncode


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--keep", "forever"), "no whole number of days"),
        (("--keep", "0"), "0 days"),
        (("--keep", "90:categry=access"), "did you mean 'category'"),
        (("--keep", "90:category=acess"), "did you mean 'access'"),
        (("--keep", "90", "--keep", "30"), "same rows"),
        (("--keep", "9:user=u"), "cannot be meant"),
        (("--hold", "tenant=acme"), "go together"),
        (("--reason", "suit"), "go together"),
        (("--hold", "", "--reason", "suit"), "names nothing"),
        (("--hold", "since=yesterday", "--reason", "suit"), "is no time"),
        (("--holds", "--keep", "30"), "exclude each other"),
        (("--months-ahead", "9999"), "months_ahead"),
    ],
)
def test_what_cannot_be_meant_is_two_lines(arguments: tuple[str, ...], said: str, sqlite_url: str) -> None:
    """Exit code 2, what is wrong and what to write; nothing is done."""
    asyncio.run(create_table(sqlite_url))
    refused = audit_async("maintain", sqlite_url, *arguments)
    assert (2, True, True) == (refused.returncode, said in refused.stderr, "HINT" in refused.stderr)
    assert "Traceback" not in refused.stderr


async def test_what_could_not_be_done_is_exit_code_1(postgres_place: Place) -> None:  # noqa: F811
    """A month whose name another table has is told, and the exit code says that somebody has to look."""
    month = named(datetime.now(UTC) + timedelta(days=93))
    await postgres_place.execute(f"ALTER TABLE audit_logs DETACH PARTITION {month}")
    done = await asyncio.to_thread(audit_async, "maintain", postgres_place.url)
    assert (1, True) == (done.returncode, f"not done: partition {month}" in done.stdout)


async def test_upgrade_tells_what_it_did(postgres_place: Place) -> None:  # noqa: F811
    """An old table is upgraded, a present one needs nothing, a newer one is left alone with exit code 1; `init` says
    what is to be done."""
    await postgres_place.execute("DROP TABLE audit_schema", "DROP TABLE audit_logs_holds")
    begun = await asyncio.to_thread(audit_async, "init", postgres_place.url)
    assert (0, True) == (begun.returncode, "audit-async upgrade" in begun.stdout)
    first, second = [await asyncio.to_thread(audit_async, "upgrade", postgres_place.url) for _ in range(2)]
    assert (0, 0) == (first.returncode, second.returncode)
    assert ("version 2 of the schema from 1" in first.stdout, "nothing to do" in second.stdout) == (True, True)
    await postgres_place.execute("UPDATE audit_schema SET version = 99")
    newer = await asyncio.to_thread(audit_async, "upgrade", postgres_place.url)
    assert (1, True) == (newer.returncode, "newer" in newer.stdout)


def test_a_file_that_is_not_there_is_not_made(sqlite_url: str) -> None:
    """A mistyped path is an error of both commands."""
    for name in ("maintain", "upgrade"):
        failed = audit_async(name, sqlite_url)
        assert (1, True) == (failed.returncode, "there is no SQLite file" in failed.stderr)
