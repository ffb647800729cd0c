"""The logger that keeps events: what the real one does with an event, without a thread, a file or a database."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from audit_async import (
    AuditAction,
    AuditEvent,
    AuditLogger,
    AuditReader,
    Query,
    Redaction,
    Scope,
    UnknownActionError,
    audit_context,
    events,
)
from audit_async.testing import MemoryAuditLogger
from tests.shared import shared_file
from tests.transaction.shop import Order, make_orders, paid


def of_all_kinds() -> list[AuditEvent]:
    """Return events with something in each of their fields, and with what no table can hold."""
    deep: dict[str, Any] = {}
    deep["itself"] = deep
    return [
        events.auth(AuditAction.LOGIN_FAILED, user_id=17, details={"password": "x", "at": 1.5}, ip_address="::1"),
        events.role("role.assign", target_user_id="u-2", role_name="admin", tenant_id="t-1", tags=["vip", "vip"]),
        events.data_change("update", resource_type="order", resource_id=1, old_values={"a": 1}, new_values={"a": 2}),
        events.custom("käufe!", details={"big": "x" * 100_000, "nul": "\0", "nan": float("nan"), "deep": deep}),
        events.api_request("api.request", status_code=500, duration_ms=1.25, error_message="boom\0", success=False),
    ]


async def both(tmp_path: Path, url: str, given: list[AuditEvent]) -> tuple[list[AuditEvent], list[AuditEvent]]:
    """Return what a reader gives back of the events *given*, and what is kept of them, without what differs by
    nature."""
    rules = Redaction(keys=("salary",))
    kept = MemoryAuditLogger(redact=rules)
    async with AuditLogger(url, journal_dir=tmp_path / "journal", redact=rules) as audit:
        with audit_context(request_id="r-1", tenant_id="t-9"):
            for event in given:
                audit.log(event)
                kept.log(event)
        assert await audit.flush(30)
    async with AuditReader(url, tenant=Scope.all()) as reader:
        first = await reader.search(Query(limit=500, oldest_first=True))
        rest = (
            await reader.search(Query(limit=500, oldest_first=True), first.next_cursor) if first.next_cursor else None
        )
    read = [*first.events, *(rest.events if rest else ())]
    return [anonymous(event) for event in read], sorted(
        map(anonymous, kept.events), key=lambda each: (each.created_at, each.id)
    )


def anonymous(event: AuditEvent) -> AuditEvent:
    return msgspec.structs.replace(event, writer_id=None, recorded_at=None)


async def test_what_is_kept_is_what_a_reader_gives(tmp_path: Path, sqlite_url: str) -> None:
    """Events of every kind are kept as they come back from a table: filled in, redacted, cut, and plain."""
    read, kept = await both(tmp_path, sqlite_url, of_all_kinds())
    assert read == kept
    assert 5 == len(kept)


async def test_real_records_are_kept_as_a_reader_gives_them(tmp_path: Path, sqlite_url: str) -> None:
    """Records of a real directory, with all that is in them, are kept as they come back from a table."""
    lines = shared_file("data/m365_identity_events.jsonl").read_text().splitlines()
    given = [events.custom("directory.record", details=json.loads(line)) for line in lines]
    read, kept = await both(tmp_path, sqlite_url, given)
    assert read == kept
    assert len(lines) == len(kept)


def test_nothing_is_started_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging in a `with` block makes no thread and no file."""
    monkeypatch.chdir(tmp_path)
    threads = threading.enumerate()
    with MemoryAuditLogger(journal_dir=tmp_path / "journal", writer="task") as audit:
        audit.log(events.custom("report.print"))
        assert set(threading.enumerate()) <= set(threads)
    assert [] == list(tmp_path.iterdir())


async def test_whoever_waits_is_told_at_once() -> None:
    """An event is on disk and stored as soon as it is logged, for every way to ask."""
    audit = MemoryAuditLogger(max_wait_seconds=3600)
    for receipt in (
        audit.log(events.custom("a")),
        await audit.write(events.custom("b")),
        await audit.require(events.custom("c")),
    ):
        assert await receipt.stored()
        assert (True, True) == (await receipt.on_disk(), receipt.is_stored)
    assert await audit.flush()
    assert ["a", "b", "c"] == audit.events.actions
    assert (3, 3, 0) == (audit.stats().accepted, audit.stats().stored, audit.stats().pending)
    assert audit.health().is_healthy


def test_it_works_under_trio() -> None:
    """Nothing in it needs asyncio."""
    audit = MemoryAuditLogger()

    async def main() -> bool:
        async with audit:
            return (await audit.write(events.custom("a"))).is_stored

    assert trio.run(main)
    assert ["a"] == audit.events.actions


def test_threads_lose_nothing() -> None:
    """Events that four threads log at once are all there, under numbers without a gap."""
    audit = MemoryAuditLogger()
    threads = [threading.Thread(target=lambda: [audit.log(events.custom("a")) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(1, 801)) == [event.writer_seq for event in audit.events]


def test_an_event_that_is_logged_twice_is_there_once() -> None:
    """The same value is one row, as in the table."""
    audit = MemoryAuditLogger()
    event = events.custom("a")
    assert (True, True) == (audit.log(event).is_stored, audit.log(event).is_stored)
    assert [event.id] == [each.id for each in audit.events]


def test_settings_are_checked_as_ever() -> None:
    """`strict` holds, and a setting that cannot be meant is an error."""
    audit = MemoryAuditLogger(strict=True)
    with pytest.raises(UnknownActionError, match=r"auth\.login"):
        audit.log(events.custom("auth.logn"))
    with pytest.raises(TypeError, match="journal_dir"):
        MemoryAuditLogger(jurnal_dir="x")  # type: ignore[call-arg]


def test_a_closed_one_refuses() -> None:
    """After `close` an event is refused and counted, as by any logger; also where there was none before."""
    audit, unused = MemoryAuditLogger(), MemoryAuditLogger()
    audit.log(events.custom("a"))
    for each in (audit, unused):
        assert each.close_sync()
        assert ("closed", 1) == (each.log(events.custom("b")).refused, each.stats().refused)
    assert (["a"], []) == (audit.events.actions, unused.events.actions)


async def test_a_transaction_decides(tmp_path: Path) -> None:
    """What `add` and `within` are given is kept when the caller's transaction commits, and not when it rolls back."""
    audit = MemoryAuditLogger()
    url = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    await make_orders(url)
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session:
            session.add(Order(id=1, what="tea"))
            receipt = await audit.add(session, paid(1), strict=True)
            with audit.within(session) as scope:
                scope.log(paid(2))
            assert ([], True) == (list(audit.events), receipt.is_in_transaction)
            await session.commit()
        assert ["1", "2"] == [event.resource_id for event in audit.events]
        async with AsyncSession(engine) as session:
            await audit.add(session, paid(3))
            await session.rollback()
        async with engine.begin() as connection:
            await audit.add(connection, paid(4))
            async with connection.begin_nested() as savepoint:
                await audit.add(connection, paid(5))
                await savepoint.rollback()
    finally:
        await engine.dispose()
    assert ["1", "2", "4"] == [event.resource_id for event in audit.events]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_a_list_of_its_own() -> None:
    """What a child logs is in its own list, behind what was there before."""
    audit = MemoryAuditLogger()
    audit.log(events.custom("a"))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            audit.log(events.custom("b"))
            code = 0 if audit.events.actions == ["a", "b"] and audit.stats().accepted == 1 else 2
        finally:
            os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert ["a"] == audit.events.actions


def test_events_are_a_list_with_names() -> None:
    """They are looked at by number, by name, by family and by an old spelling; and forgotten."""
    audit = MemoryAuditLogger()
    for event in of_all_kinds()[:2]:
        audit.log(event)
    kept = audit.events
    assert ["auth.login", "role.assign"] == kept.actions
    assert kept[0] == kept.of("login_failed")[0] == kept.of("auth")[0] == kept.of("*.login", "x")[0]
    assert [kept[1]] == kept[1:] == kept.of("role.assign")
    assert [] == kept.of("login_success") == kept.of("auth.logout")
    kept.clear()
    assert (0, []) == (len(kept), list(kept))


@pytest.mark.parametrize("call", ["add", "add_sync", "flush", "health", "log", "require", "stats", "within", "write"])
def test_it_has_the_real_face(call: str) -> None:
    """What an application calls is the real logger's own code."""
    assert getattr(MemoryAuditLogger, call) is getattr(AuditLogger, call)
