"""Times as settings: what can be given, and that those who wait keep to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import text

from audit_async import AuditLogger, Timing, configure, events, shutdown
from audit_async.config import ATTEMPT_SECONDS
from audit_async.errors import ConfigurationError, TransientStoreError
from audit_async.timing import read_timing
from tests.polling import eventually
from tests.servers.postgres import PostgresServer
from tests.store.conftest import Place, mariadb_empty, mariadb_place, postgres_empty, postgres_place  # noqa: F401 -- fixtures
from tests.store.entries import entries

UNLIKE = Timing(
    statement_seconds=7.5,
    lock_seconds=2.25,
    idle_in_transaction_seconds=11,
    keepalive_idle_seconds=21,
    keepalive_interval_seconds=4,
    keepalive_count=6,
)


def test_a_mapping_says_the_same_as_a_timing(sqlite_url: str) -> None:
    """Both ways of giving times make equal settings; what is not said is the usual time."""
    by_value = AuditLogger(sqlite_url, timing=Timing(attempt_seconds=5))
    by_mapping = AuditLogger(sqlite_url, timing={"attempt_seconds": 5})
    assert by_value.settings == by_mapping.settings
    assert (5, ATTEMPT_SECONDS) == (by_mapping.settings.timing.attempt_seconds, Timing().attempt_seconds)


def test_other_times_make_another_default_logger(sqlite_url: str) -> None:
    """`configure` with equal times keeps the logger, with others it makes one."""
    try:
        first = configure(sqlite_url, timing={"connect_seconds": 1})
        assert first is configure(sqlite_url, timing=Timing(connect_seconds=1))
        assert first is not configure(sqlite_url)
    finally:
        shutdown()


@pytest.mark.parametrize("name", [each.name for each in fields(Timing)])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", True, None, 10**9])
def test_what_is_no_time_is_answered(name: str, value: object) -> None:
    """A time that cannot be meant is an error that names it and says what to give."""
    with pytest.raises(ConfigurationError, match=f"{name}=.*\nHINT: give "):
        read_timing({name: value})


def test_half_a_second_of_keepalive_is_none() -> None:
    """A server counts its keepalives in whole seconds, and is told nothing else."""
    with pytest.raises(ConfigurationError, match="whole number"):
        Timing(keepalive_idle_seconds=0.5)  # type: ignore[arg-type]


def test_a_slip_of_a_name_is_answered_with_the_right_one() -> None:
    """An unknown time, or something that is no timing at all, is an error that says what there is."""
    with pytest.raises(ConfigurationError, match="did you mean 'attempt_seconds'"):
        read_timing({"attempts_seconds": 5})
    with pytest.raises(ConfigurationError, match="as a mapping"):
        read_timing(5)


async def test_postgres_sessions_have_the_times(postgres_place: Place) -> None:  # noqa: F811
    """Every time that a PostgreSQL server keeps is the one that was given."""
    store = postgres_place.open(timing=UNLIKE)
    await store.insert(entries(1))
    raw = store._engine.raw  # type: ignore[attr-defined]
    wanted = {
        "statement_timeout": "7500ms",
        "lock_timeout": "2250ms",
        "idle_in_transaction_session_timeout": "11s",
        "tcp_keepalives_idle": "21",
        "tcp_keepalives_interval": "4",
        "tcp_keepalives_count": "6",
    }
    assert wanted == {name: await raw.fetchval(f"SHOW {name}") for name in wanted}


async def test_mariadb_sessions_have_the_times(mariadb_place: Place) -> None:  # noqa: F811
    """Every time that a MariaDB server keeps is the one that was given, where it counts whole seconds the next one."""
    store = mariadb_place.open(timing=UNLIKE)
    await store.insert(entries(1))
    names = "@@max_statement_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@idle_transaction_timeout"
    async with store._engine.raw.cursor() as cursor:  # type: ignore[attr-defined]
        await cursor.execute(f"SELECT {names}")
        assert (7.5, 3, 3, 11) == tuple(map(float, await cursor.fetchone()))


async def test_a_table_that_is_locked_is_given_up_in_the_time_that_was_agreed(postgres_place: Place) -> None:  # noqa: F811
    """The server itself ends the wait for a lock after `lock_seconds`, far below the usual time."""
    store = postgres_place.open(timing=Timing(lock_seconds=0.05))
    await store.insert(entries(1))
    async with postgres_place.admin.begin() as other:
        await other.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(TransientStoreError, match="lock timeout"):
            async with asyncio.timeout(4):
                await store.insert(entries(2))


async def test_a_frozen_server_is_given_up_in_the_time_that_was_agreed(postgres_binaries: Path, tmp_path: Path) -> None:
    """An attempt at a server that stands still ends after `attempt_seconds`, and says so."""
    with PostgresServer(postgres_binaries) as server:
        url = server.url(await server.create_database())
        server.freeze()
        times = Timing(attempt_seconds=0.3, cancel_seconds=0.1)
        audit = AuditLogger(url, journal_dir=tmp_path / "journal", timing=times)
        audit.log(events.custom("report.print"))
        await eventually(lambda: "within 0.3 s" in (audit.stats().last_error or ""))
        started = time.monotonic()
        assert await audit.close(0.1) is False
        assert time.monotonic() - started < 10
        server.thaw()
