"""`health()` says what is wrong, and what to do, as long as it is: each state met for real."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from audit_async import AuditEvent, AuditLogger, create_table, events, health
from audit_async.journal import journal
from audit_async.store import postgres as postgres_store
from tests.polling import eventually, eventually_sync
from tests.servers.postgres import PostgresServer
from tests.tables import run_sql

NOWHERE = "postgresql+asyncpg://app:very-secret@127.0.0.1:1/app"


@pytest.fixture
async def url(postgres_url: str) -> str:
    await create_table(postgres_url)
    return postgres_url


@pytest.fixture
async def own_server(postgres_binaries: Path) -> AsyncIterator[PostgresServer]:
    """A server that this test alone may stop."""
    with PostgresServer(postgres_binaries) as server:
        yield server


def event(user_id: str = "u1") -> AuditEvent:
    return events.custom("report.print", user_id=user_id)


async def reason_of(audit: AuditLogger, status: str, *words: str) -> None:
    """Wait until health has *status* for one reason with all *words* in it."""

    def is_said() -> bool:
        found = audit.health()
        return found.status == status and any(all(word in said for word in words) for said in found.reasons)

    try:
        await eventually(is_said, 20)
    except TimeoutError:
        pytest.fail(f"{words} not in {audit.health()}")


async def test_a_logger_is_well_from_its_making_to_its_end(sqlite_url: str, journal_dir: Path) -> None:
    """Before the first event, after it has arrived, and when it is closed, nothing is wrong."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir)
    assert audit.health().is_healthy
    await audit.write(event())
    assert audit.health().is_healthy
    await audit.close()
    assert ("ok", ()) == (audit.health().status, audit.health().reasons)


async def test_a_server_that_is_gone_is_named_until_it_is_back(own_server: PostgresServer, journal_dir: Path) -> None:
    """Without its server health is degraded, with its address and not its password; once it is back, all is well."""
    url = own_server.url(await own_server.create_database())
    await create_table(url)
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        await audit.write(event())
        await asyncio.to_thread(own_server.stop)
        audit.log(event())
        await reason_of(audit, "degraded", "takes no events:", f"127.0.0.1:{own_server.port}")
        assert own_server.password not in str(audit.health())
        await asyncio.to_thread(own_server.start)
        assert await audit.flush(20)
        assert audit.health().is_healthy


async def test_a_long_outage_tells_how_long(journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `LATE_SECONDS` the reason says for how long how many events have waited."""
    monkeypatch.setattr(health, "LATE_SECONDS", 0.1)
    audit = AuditLogger(NOWHERE, journal_dir=journal_dir)
    audit.log(event())
    await reason_of(audit, "degraded", "127.0.0.1:1", "the oldest of 1 pending events has waited")
    await audit.close(0.1)


async def test_events_that_nobody_uploads_are_noticed(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this process only journals and nobody drains, the age of the oldest event tells it."""
    monkeypatch.setattr(health, "LATE_SECONDS", 0.1)
    with AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none") as audit:
        audit.log(event())
        await reason_of(audit, "degraded", "the oldest of 1 pending events", "audit-async drain")


@pytest.mark.parametrize(
    ("harm", "cure", "words"),
    [
        ("ALTER TABLE audit_logs RENAME TO gone", "ALTER TABLE gone RENAME TO audit_logs", ("audit-async init",)),
        ("REVOKE ALL ON audit_logs FROM {role}", "GRANT INSERT ON audit_logs TO {role}", ("permission denied",)),
        (
            "ALTER TABLE audit_logs RENAME COLUMN action TO deed",
            "ALTER TABLE audit_logs RENAME COLUMN deed TO action",
            ("audit_logs", "action"),
        ),
        ("ALTER ROLE {role} PASSWORD 'another'", "ALTER ROLE {role} PASSWORD 'only-here'", ("password",)),
    ],
    ids=["table", "rights", "column", "password"],
)
async def test_what_somebody_has_to_mend_is_said_as_such(
    harm: str, cure: str, words: tuple[str, ...], url: str, journal_dir: Path
) -> None:
    """Table, rights, a column, the password: it is the database's answer, so somebody has to mend it, and then all is
    well."""
    role = f"writer_{os.urandom(4).hex()}"
    await run_sql(url, f"CREATE ROLE {role} LOGIN PASSWORD 'only-here'", f"GRANT INSERT ON audit_logs TO {role}")
    try:
        await run_sql(url, harm.format(role=role))
        address = make_url(url).set(username=role, password="only-here").render_as_string(hide_password=False)
        async with AuditLogger(address, journal_dir=journal_dir) as audit:
            audit.log(event())
            await reason_of(audit, "degraded", "until somebody mends it", *words)
            assert "only-here" not in str(audit.health())
            await run_sql(url, cure.format(role=role))
            assert await audit.flush(20)
            assert audit.health().is_healthy
    finally:
        await run_sql(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_without_a_disk_events_are_not_safe(sqlite_url: str, journal_dir: Path) -> None:
    """With no directory health is failing, and says which one; as soon as it can be used all is well."""
    journal_dir.write_text("in the way")
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        audit.log(event())
        await reason_of(audit, "failing", "they wait in memory", str(journal_dir))
        journal_dir.unlink()
        await eventually(lambda: audit.health().is_healthy)


async def test_a_disk_that_cannot_be_synced_is_not_safe(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as syncs fail health is failing, with the disk's own words; events still reach the table."""
    real, is_broken = os.fdatasync, True

    def refuse(descriptor: int) -> None:
        if is_broken and str(journal_dir) in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", refuse)
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        receipt = audit.log(event())
        await reason_of(audit, "failing", "cannot be synced", "Input/output error", str(journal_dir))
        assert await receipt.stored(10)
        is_broken = False
        await eventually(lambda: audit.health().is_healthy)


async def test_refused_events_are_not_safe(journal_dir: Path) -> None:
    """Events that nothing takes are lost to the caller: health is failing, with how many and why."""
    journal_dir.write_text("in the way")
    audit = AuditLogger(NOWHERE, journal_dir=journal_dir, memory_max_bytes=2000)
    while audit.log(event()).is_accepted:
        pass
    await reason_of(audit, "failing", "1 events were refused", "memory_full")
    audit._process.losses.refuse("fault")
    await reason_of(audit, "failing", "1 events were refused: fault: 1")
    await reason_of(audit, "failing", "1 events were refused for want of room: memory_full: 1")
    await audit.close(0.1)


async def test_quarantine_is_told_with_its_place(url: str, journal_dir: Path) -> None:
    """One event in quarantine is enough; one of another process, delivered by this one, too."""
    await run_sql(url, "ALTER TABLE audit_logs ADD CONSTRAINT no_poison CHECK (user_id <> 'poison')")
    left = AuditLogger(url, journal_dir=journal_dir, writer="none")
    left.log(event())
    left.log(event("poison"))
    left.close_sync()
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        await reason_of(audit, "degraded", "1 events are in quarantine", str(journal_dir / "quarantine"))
        audit.log(event("poison"))
        audit.log(event())
        await reason_of(audit, "degraded", "2 events are in quarantine")


async def test_a_quarantine_that_cannot_be_written_is_told(url: str, journal_dir: Path) -> None:
    """What can be put nowhere waits, and health says where it should have gone, until it can."""
    await run_sql(url, "ALTER TABLE audit_logs ADD CONSTRAINT no_poison CHECK (user_id <> 'poison')")
    journal_dir.mkdir(mode=0o700)
    (journal_dir / "quarantine").write_text("in the way")
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        audit.log(event())
        audit.log(event("poison"))
        await reason_of(audit, "degraded", "the quarantine cannot be written", str(journal_dir / "quarantine"))
        (journal_dir / "quarantine").unlink()
        await reason_of(audit, "degraded", "1 events are in quarantine")
        assert len(audit.health().reasons) == 1


async def test_what_was_lost_is_told(sqlite_url: str, journal_dir: Path) -> None:
    """An event that damage took from another process's journal degrades whoever finds it missing."""
    left = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    for name in ("first", "second", "third"):
        left.log(event(name))
    left.close_sync()
    (segment,) = journal_dir.glob("*.audj")
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b'"second"', b'"\0econd"', 1))
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await reason_of(audit, "degraded", "1 events were lost", "audit.gap")


async def test_what_memory_took_along_is_told(journal_dir: Path) -> None:
    """Events that ended with the process, since no disk took them, are named by that reason."""
    journal_dir.write_text("in the way")
    audit = AuditLogger(NOWHERE, journal_dir=journal_dir)
    audit.log(event())
    await audit.close(0.1)
    await reason_of(audit, "failing", "1 events were lost (memory_lost: 1)")


async def test_a_broken_rule_of_redaction_is_told(sqlite_url: str, journal_dir: Path) -> None:
    """A rule that fails takes values out of events: health says how many."""

    def rule(key: str, value: object) -> object:
        raise RuntimeError("not today")

    async with AuditLogger(sqlite_url, journal_dir=journal_dir, redact=rule) as audit:
        audit.log(events.custom("report.print", details={"number": "one"}))
        await reason_of(audit, "degraded", "values were removed because redaction failed")


async def test_a_writer_that_cannot_be_started_is_told(
    sqlite_url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be had health says so, with the system's words, until one can."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "audit-writer":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        audit.log(event())
        await reason_of(audit, "degraded", "nobody writes to the database", "can't start new thread")
        monkeypatch.undo()
        assert await audit.flush(10)
        assert audit.health().is_healthy


async def test_a_writer_that_somebody_ended_is_replaced(sqlite_url: str, journal_dir: Path) -> None:
    """When its thread dies, another one goes on with what waits, without a further event and without doubles."""
    async with AuditLogger(sqlite_url, journal_dir=journal_dir) as audit:
        await audit.write(event())
        ended = writer_thread()
        assert ended.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ended.ident), ctypes.py_object(SystemExit))
        audit.log(event())
        await eventually(lambda: not ended.is_alive())
        assert await audit.flush(10)
        assert (2, 0, True) == (audit.stats().stored, audit.stats().pending, audit.health().is_healthy)
    assert 2 == len(await run_sql(sqlite_url, "SELECT id FROM audit_logs"))


async def test_partitions_that_run_out_are_told_until_they_are_made(
    url: str, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the months end soon health says what to run, and forgets it once they are made."""
    monkeypatch.setattr(postgres_store, "CHECK_AGAIN_SECONDS", 0)
    months = await run_sql(
        url, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass"
    )
    # This month alone is left: two that begin today may be more than the days that are warned of.
    ahead = sorted(row["name"] for row in months if not row["name"].endswith("default"))[1:]
    await run_sql(url, *(f"DROP TABLE {name}" for name in ahead))
    async with AuditLogger(url, journal_dir=journal_dir) as audit:
        await audit.write(event())
        await reason_of(audit, "degraded", "partitions of table audit_logs end on", "audit-async maintain")
        await create_table(url)
        await audit.write(event())
        assert audit.health().is_healthy


def writer_thread() -> threading.Thread:
    """Return the one that runs a writer."""

    def found() -> threading.Thread | None:
        threads = [thread for thread in threading.enumerate() if thread.name == "audit-writer"]
        return threads[0] if len(threads) == 1 else None

    thread = eventually_sync(found)
    assert thread is not None
    return thread


def test_a_disk_that_hangs_is_failing(journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that does not come back fails nowhere; that it takes so long is told, by a process that only journals too,
    until it has come back."""
    monkeypatch.setattr(journal, "DISK_ANSWER_SECONDS", 0.2)
    answers = threading.Event()
    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (answers.wait(20), fdatasync(descriptor)))
    audit = AuditLogger(NOWHERE, journal_dir=journal_dir, writer="none")
    try:
        audit.log(event())
        eventually_sync(lambda: audit.health().status == "failing")
        assert "has not answered" in audit.health().reasons[0]
        answers.set()
        eventually_sync(lambda: audit.health().is_healthy)
    finally:
        answers.set()
        audit.close_sync(0)
