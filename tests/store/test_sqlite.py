"""What is true of SQLite alone: the file and its rights, other processes' locks."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit_async import create_table
from audit_async.errors import ConfigStoreError, DataStoreError, TransientStoreError
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from audit_async.store.sqlite import SqliteStore
from audit_async.table_map.mapping import TableMap
from audit_async.timing import Timing
from tests.polling import eventually_sync
from tests.store.entries import entries, entry


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


async def test_the_embedded_database_is_made_for_us_alone(sqlite_url: str) -> None:
    """The first batch makes file and table; nobody else may read what is in it."""
    store = open_store(StoreOptions(url=sqlite_url, may_create=True))
    await store.insert(entries(3))
    modes = {path.stat().st_mode & 0o777 for path in file_of(sqlite_url).parent.glob("audit.db*")}
    assert modes == {0o600}
    with sqlite3.connect(file_of(sqlite_url)) as connection:
        assert connection.execute("SELECT count(*) FROM audit_logs").fetchone() == (3,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        times = connection.execute("SELECT created_at, recorded_at FROM audit_logs").fetchone()
        assert [(len(time), time[-1]) for time in times] == [(27, "Z"), (27, "Z")]
    connection.close()
    await store.close()


async def test_without_leave_nothing_is_made(sqlite_url: str) -> None:
    """A path with a slip in it is an error, not a new empty database."""
    store = open_store(StoreOptions(url=sqlite_url))
    with pytest.raises(ConfigStoreError, match="audit-async init"):
        await store.insert(entries(1))
    assert not file_of(sqlite_url).exists()


async def test_a_file_that_vanished_is_said(sqlite_url: str) -> None:
    """Rows that were there and are gone are not replaced by an empty table in silence."""
    store = open_store(StoreOptions(url=sqlite_url, may_create=True))
    await store.insert(entries(1))
    for path in file_of(sqlite_url).parent.glob("audit.db*"):
        path.unlink()
    with pytest.raises(ConfigStoreError, match="no SQLite file"):
        await store.insert(entries(1))
    await store.close()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message has the whole path."""
    store = open_store(StoreOptions(url=f"sqlite+aiosqlite:///{tmp_path}/none/audit.db", may_create=True))
    with pytest.raises(ConfigStoreError, match=f"{tmp_path}/none"):
        await store.insert(entries(1))


async def test_a_database_in_memory_lasts_as_long_as_its_store() -> None:
    """An error in between does not empty it."""
    store = open_store(StoreOptions(url="sqlite+aiosqlite:///:memory:", may_create=True))
    assert isinstance(store, SqliteStore)
    await store.insert(entries(5))
    await store._engine.raw.execute("ALTER TABLE audit_logs RENAME TO away")
    with pytest.raises(ConfigStoreError, match="audit_logs"):
        await store.insert(entries(5))
    await store._engine.raw.execute("ALTER TABLE away RENAME TO audit_logs")
    await store.insert(entries(5))
    cursor = await store._engine.raw.execute("SELECT count(*) FROM audit_logs")
    assert await cursor.fetchone() == (10,)
    await store.close()


async def test_another_processes_lock_is_waited_for(sqlite_url: str) -> None:
    """A lock held for longer than agreed makes the attempt a transient one; after it all goes on."""
    store = open_store(StoreOptions(url=sqlite_url, may_create=True, timing=Timing(lock_seconds=0.05)))
    await store.insert(entries(1))
    other = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientStoreError, match="SQLITE_BUSY"):
        await store.insert(entries(20))
    other.execute("COMMIT")
    other.close()
    await store.insert(entries(20))
    await store.close()


async def test_a_file_that_is_no_database_is_said(sqlite_url: str) -> None:
    """Somebody else's file is not touched."""
    file_of(sqlite_url).write_text("no database at all, " * 100)
    store = open_store(StoreOptions(url=sqlite_url, may_create=True))
    with pytest.raises(ConfigStoreError, match="no SQLite file"):
        await store.insert(entries(1))
    assert file_of(sqlite_url).read_text().startswith("no database at all")
    await store.close()


async def test_another_unique_key_refuses_its_row(sqlite_url: str) -> None:
    """A key that is not ours is a fault of the row; it is not passed over as if the row were there."""
    with sqlite3.connect(file_of(sqlite_url)) as connection:
        connection.execute(
            "CREATE TABLE audit_logs (id char(32) PRIMARY KEY, action text, details text, agent_id text,"
            " user_id text UNIQUE, created_at datetime)"
        )
    connection.close()
    store = open_store(StoreOptions(url=sqlite_url))
    await store.insert([entry(1)])
    with pytest.raises(DataStoreError) as caught:
        await store.insert([entry(1)])
    assert caught.value.culprit == "user_id"
    await store.close()


async def test_what_an_application_makes_of_floats_is_nothing_to_us(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN that is to be a text in its own tables is NULL in ours."""
    adapters: dict[Any, Any] = sqlite3.adapters
    told = (float, sqlite3.PrepareProtocol)
    monkeypatch.setitem(adapters, told, lambda number: number if number == number else "NaN")
    # What tells Python's module that numbers have adapters at all, which stays so: one that changes nothing.
    sqlite3.register_adapter(bytearray, bytes)
    store = open_store(StoreOptions(url=sqlite_url, may_create=True))
    await store.insert(entries(3, status_code=None, agent_id=None))
    await store.close()
    with closing(sqlite3.connect(file_of(sqlite_url))) as connection:
        assert connection.execute("SELECT DISTINCT status_code, agent_id FROM audit_logs").fetchall() == [(None, None)]


async def test_a_wide_table_takes_as_many_rows_at_once_as_there_may_be_variables(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python from python.org has a SQLite that takes an eighth of the variables that Debian's does."""
    connect = sqlite3.connect

    def connect_limited(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
        return connection

    names = [f"c{number}" for number in range(1500)]
    with closing(connect(file_of(sqlite_url))) as connection:
        connection.execute(f"CREATE TABLE wide (id TEXT PRIMARY KEY, {', '.join(names)})")
    monkeypatch.setattr(sqlite3, "connect", connect_limited)
    columns = {"id": "id", **{name: f"details.{name}" for name in names}}
    store = open_store(StoreOptions(url=sqlite_url, table=TableMap(table="wide", columns=columns)))
    await store.insert(entries(131))
    await store.close()
    with closing(connect(file_of(sqlite_url))) as connection:
        assert connection.execute("SELECT count(*) FROM wide").fetchone() == (131,)


# What aiosqlite has opened for a call that was cancelled meanwhile is closed by the collector, which 3.13 tells of.
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_a_store_that_is_abandoned_leaves_no_thread(sqlite_url: str) -> None:
    """Wherever a batch is cut off, also while it connects, no thread is left that would answer to a closed loop."""

    async def cut_off(steps: int) -> list[str]:
        store = open_store(StoreOptions(url=sqlite_url, may_create=True))
        task = asyncio.ensure_future(store.insert(entries(500)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        store.abandon()
        left = [thread.name for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        return left

    for steps in range(0, 120, 3):
        assert asyncio.run(cut_off(steps)) == []
    gc.collect()


@pytest.mark.parametrize("goes", ["before", "under way"])
async def test_what_goes_into_a_file_that_was_replaced_is_not_confirmed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    """A batch counts as stored only when it is in the file that stands at the path; the next attempt opens that."""
    store = SqliteStore(StoreOptions(url=sqlite_url, may_create=True))
    await store.insert(entries(1))
    file, aside = file_of(sqlite_url), file_of(sqlite_url).with_name("aside.db")

    def replace() -> None:
        for name in ("", "-wal", "-shm"):
            file.with_name(file.name + name).rename(aside.with_name(aside.name + name))
        with closing(sqlite3.connect(aside)) as source, closing(sqlite3.connect(file)) as copy:
            source.backup(copy)

    insert = store._insert

    async def insert_and_replace(*arguments: Any) -> None:
        await insert(*arguments)
        replace()

    batch = entries(2)
    if goes == "before":
        replace()
    else:
        monkeypatch.setattr(store, "_insert", insert_and_replace)
        with pytest.raises(TransientStoreError, match="replaced, under way"):
            await store.insert(batch)
        monkeypatch.undo()
    await store.insert(batch)
    await store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM audit_logs").fetchone() == (3,)


async def test_a_close_that_a_slow_disk_outlasts_is_no_fault(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who does not wait for the end of a close goes on; nothing of it reaches the application's log."""
    store = SqliteStore(StoreOptions(url=sqlite_url, may_create=True, timing=Timing(cancel_seconds=0.01)))
    await store.insert(entries(1))
    (raw,) = store._made
    is_slow, is_quick_again = threading.Event(), threading.Event()

    def close_slowly() -> None:
        # As the driver does: what it closes is closed for others before its files are on disk.
        raw._conn.close()
        is_slow.set()
        is_quick_again.wait(30)

    raw._tx.put_nowait((None, close_slowly))
    await asyncio.to_thread(is_slow.wait, 30)
    closing = asyncio.create_task(store.close())
    await asyncio.wait({closing}, timeout=0.01)
    store.abandon()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    is_quick_again.set()
    raw._thread.join(30)
    assert [] == [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_wait_for_another_processes_transaction(sqlite_url: str) -> None:
    """The batch that waits for it gives up, and the child finds nothing of SQLite open."""
    store = SqliteStore(StoreOptions(url=sqlite_url, may_create=True, timing=Timing(lock_seconds=300)))

    def insert() -> str:
        try:
            asyncio.run(store.insert(entries(1)))
        except TransientStoreError as error:
            return error.message
        return "stored"

    asyncio.run(create_table(sqlite_url))
    with ThreadPoolExecutor(1) as pool, closing(sqlite3.connect(file_of(sqlite_url), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        inserting = pool.submit(insert)
        eventually_sync(store._living)
        pid = os.fork()
        if pid == 0:
            os._exit(1 if store._living() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert "database is locked" in inserting.result(60)
