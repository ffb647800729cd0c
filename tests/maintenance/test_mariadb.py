"""Maintenance on MariaDB: beside holds, writers and others at work, killed, and with no more rights than it takes."""

from __future__ import annotations

import asyncio
import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from audit_async import AuditLogger, Retention, events, find_holds, maintain, place_hold, release_hold
from audit_async.errors import AuditError, ConfigStoreError, TransientStoreError
from audit_async.inspection import TableName
from audit_async.maintenance import purge as module
from audit_async.maintenance.maintained import Maintained
from audit_async.maintenance.notes import Notes
from audit_async.maintenance.purge import Purge
from audit_async.table import transactions
from audit_async.table.guard import guard, is_guarded
from audit_async.table.upgrade import upgrade_table
from tests.polling import eventually
from tests.store.conftest import Place, mariadb_empty, mariadb_place
from tests.store.entries import entries
from tests.table.catalogue import catalogue
from tests.tables import all_rows

__all__ = ["mariadb_empty", "mariadb_place"]

NAME = TableName.parse("audit_logs")
NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=700)
RULE = [Retention(30)]


async def put_guard(place: Place) -> None:
    async with place.admin.begin() as connection:
        await guard(connection, NAME)


async def has_guard(place: Place) -> bool:
    async with place.admin.connect() as connection:
        return await is_guarded(connection, NAME)


async def ids(place: Place) -> set[str]:
    return {row["id"] for row in await all_rows(place.url) if not row["action"].startswith("audit.")}


async def counts(place: Place) -> list[int]:
    """Return what the events `audit.purge` count, in their order."""
    return [row["details"]["count"] for row in await all_rows(place.url) if row["action"] == "audit.purge"]


async def sessions(place: Place, query: str) -> list[int]:
    """Return the sessions in this database that are at *query*."""
    found = await place.rows(
        "SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE :query"
        " AND id <> connection_id()",
        query=query,
    )
    return [row[0] for row in found]


async def is_waiting(place: Place) -> bool:
    ((_, count),) = await place.rows("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    return int(count) > 0


async def test_a_hold_under_way_is_waited_for(mariadb_place: Place) -> None:
    """A purge that begins while a hold is being placed, be it by hand, takes nothing before it is there."""
    await mariadb_place.open().insert(entries(20, created_at=OLD, tenant_id="acme"))
    async with mariadb_place.admin.connect() as placing:
        await placing.execute(
            text("INSERT INTO audit_logs_holds (id, tenant_id, reason) VALUES ('h', 'acme', 'not committed yet')")
        )
        purging = asyncio.ensure_future(maintain(mariadb_place.url, retention=RULE))
        await eventually(lambda: is_waiting(mariadb_place))
        await placing.commit()
    done = await purging
    assert (0, ()) == (done.rows_purged, done.failures)
    assert 20 == (await maintain(mariadb_place.url, retention=RULE)).held


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
async def test_a_hold_waits_for_the_batch(
    mariadb_place: Place, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    """While a batch is under way no hold is placed, or released; once it is over both are. So it is whatever the
    session's own isolation is."""
    held = await place_hold(mariadb_place.url, reason="suit")
    monkeypatch.setattr(transactions, "LOCK_TRIES", 1)
    async with mariadb_place.admin.connect() as connection:
        await connection.execute(text(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"))
        notes = await Notes.open(connection, NAME)
        purge = Purge(connection, NAME, (), notes, detaches=False)
        async with transactions.short_transaction(connection):
            await purge._hold_still()
            with pytest.raises(TransientStoreError, match="others held a lock") as caught:
                await place_hold(mariadb_place.url, reason="another", tenant_id="acme")
            assert "innodb_trx" in str(caught.value.hint)
            with pytest.raises(TransientStoreError, match="others held a lock"):
                await release_hold(mariadb_place.url, held.id)
    assert [held] == await find_holds(mariadb_place.url)
    await release_hold(mariadb_place.url, held.id)


async def test_a_deadlock_costs_no_more_than_another_try(mariadb_place: Place) -> None:
    """A batch that the server undoes to end a deadlock is done again, and told once."""
    await put_guard(mariadb_place)
    await mariadb_place.execute("CREATE TABLE heavy (id int PRIMARY KEY)")
    await mariadb_place.open().insert(entries(5, created_at=OLD))
    async with mariadb_place.admin.connect() as other:
        for number in range(100):
            await other.execute(text("INSERT INTO heavy VALUES (:id)"), {"id": number})
        await other.execute(text("SELECT id FROM audit_logs FOR UPDATE"))
        before = await mariadb_place.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        purging = asyncio.ensure_future(maintain(mariadb_place.url, retention=RULE))
        await eventually(lambda: is_waiting(mariadb_place))
        await other.execute(text("INSERT INTO audit_logs_holds (id, tenant_id, reason) VALUES ('h', 'nobody', 'x')"))
        await other.commit()
    done = await purging
    assert before != await mariadb_place.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    assert (5, (), [5]) == (done.rows_purged, done.failures, await counts(mariadb_place))
    assert await has_guard(mariadb_place)


async def test_killed_in_the_middle(mariadb_place: Place) -> None:
    """Its session ended while it deletes, the table is as before, guarded, and the next run does it all."""
    await put_guard(mariadb_place)
    await mariadb_place.open().insert([*entries(20, created_at=OLD), *entries(5)])
    before = await all_rows(mariadb_place.url), await catalogue(mariadb_place.url)
    async with mariadb_place.admin.connect() as other:
        await other.execute(text("SELECT id FROM audit_logs WHERE created_at < '2026-01-01' LIMIT 1 FOR UPDATE"))
        running = asyncio.ensure_future(maintain(mariadb_place.url, retention=RULE))
        session = (await eventually(lambda: sessions(mariadb_place, "DELETE %")))[0]
        await mariadb_place.execute(f"KILL {session}")
        with pytest.raises(AuditError):
            await running
    assert before == (await all_rows(mariadb_place.url), await catalogue(mariadb_place.url))
    assert await has_guard(mariadb_place)
    done = await maintain(mariadb_place.url, retention=RULE)
    assert (20, (), [20]) == (done.rows_purged, done.failures, await counts(mariadb_place))


async def test_what_cannot_be_locked_is_said(mariadb_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that somebody holds stops the batch for now, and nothing is left half done."""
    monkeypatch.setattr(transactions, "LOCK_TRIES", 1)
    await mariadb_place.open().insert(entries(20, created_at=OLD))
    async with mariadb_place.admin.connect() as other:
        await other.execute(text("SELECT id FROM audit_logs LIMIT 1 FOR UPDATE"))
        done = await maintain(mariadb_place.url, retention=RULE)
    assert (0, False, 1) == (done.rows_purged, done.is_complete, len(done.failures))
    assert "lock" in done.failures[0]
    assert 20 == (await maintain(mariadb_place.url, retention=RULE)).rows_purged


async def test_writers_lose_nothing(mariadb_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that is at work all the while, on rows of now and on such as are purged, gets every event in; what went
    is what was told."""
    monkeypatch.setattr(module, "PURGE_ROWS", 50)
    await put_guard(mariadb_place)
    old: set[str] = set()
    fresh: set[str] = set()
    done: list[Maintained] = []
    more: list[int] = []
    async with AuditLogger(mariadb_place.url, journal_dir=tmp_path) as audit:

        async def write() -> None:
            for number in itertools.count():
                moment = OLD + timedelta(minutes=number) if number % 3 == 0 else None
                event = events.custom("report.print", **({"created_at": moment} if moment else {}))
                (old if moment else fresh).add(audit.log(event).id)
                if number % 20 == 0:
                    await audit.flush(30)

        writing = asyncio.ensure_future(write())
        for _ in range(3):
            more.append(audit.stats().stored + 200)
            await eventually(lambda: audit.stats().stored > more[-1])
            done.append(await maintain(mariadb_place.url, retention=RULE))
        writing.cancel()
        assert await audit.flush(30)
        assert (len(old | fresh), 0) == (audit.stats().stored, audit.stats().quarantined)
    done.append(await maintain(mariadb_place.url, retention=RULE))
    assert [()] * 4 == [each.failures for each in done]
    assert fresh == await ids(mariadb_place)
    assert len(old) == sum(each.rows_purged for each in done) == sum(await counts(mariadb_place))
    assert await has_guard(mariadb_place)


async def test_two_at_once_do_it_once(mariadb_place: Place) -> None:
    """The second waits for the first, also where it names the database, and finds nothing left to do."""
    await mariadb_place.open().insert(entries(30, created_at=OLD))
    names = ("audit_logs", f"{make_url(mariadb_place.url).database}.audit_logs", "audit_logs")
    done = await asyncio.gather(*(maintain(mariadb_place.url, retention=RULE, table=name) for name in names))
    assert (30, ()) == (sum(each.rows_purged for each in done), sum((each.failures for each in done), ()))
    assert [30] == await counts(mariadb_place)


async def test_who_waits_in_vain_says_so(mariadb_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first does not end the second gives up, and says why; the table of that name elsewhere is another."""
    monkeypatch.setattr(transactions, "LOCK_TURN_SECONDS", 0.2)
    named = TableName(make_url(mariadb_place.url).database, "audit_logs")
    async with mariadb_place.admin.connect() as first, transactions.taking_turns(first, named):
        with pytest.raises(AuditError, match="another process"):
            await maintain(mariadb_place.url)
    async with mariadb_place.admin.connect() as first, transactions.taking_turns(first, TableName("other", NAME.name)):
        assert () == (await maintain(mariadb_place.url)).failures


async def test_a_tenant_is_told_by_its_bytes(mariadb_place: Place) -> None:
    """A rule, and a hold, for one tenant touches none whose name differs by case or by a blank."""
    names = ("acme", "ACME", "acme ", "äcme")
    rows = {name: entries(1, created_at=OLD, tenant_id=name)[0] for name in names}
    await mariadb_place.open().insert(list(rows.values()))
    await maintain(mariadb_place.url, retention=[Retention(30, tenant_id="acme")])
    assert {rows[name].id for name in names[1:]} == await ids(mariadb_place)
    await place_hold(mariadb_place.url, tenant_id="ACME", reason="suit")
    await maintain(mariadb_place.url, retention=RULE)
    assert {rows["ACME"].id} == await ids(mariadb_place)


async def add_account(place: Place, *grants: str) -> str:
    """Make an account with nothing but *grants*, and return its address."""
    user = f"keeper_{os.urandom(4).hex()}"
    await place.execute(
        f"CREATE USER {user} IDENTIFIED BY 'only-here'", *(f"GRANT {grant} TO {user}" for grant in grants)
    )
    return make_url(place.url).set(username=user, password="only-here").render_as_string(hide_password=False)


async def test_the_rights_that_it_takes(mariadb_place: Place) -> None:
    """To read, add and delete rows is enough, also where the table is guarded by triggers that one may not make."""
    await put_guard(mariadb_place)
    await mariadb_place.open().insert(entries(20, created_at=OLD))
    beside = ("SELECT, INSERT, DELETE ON audit_logs_holds", "SELECT ON audit_schema")
    url = await add_account(mariadb_place, "SELECT, INSERT, DELETE ON audit_logs", *beside)
    hold = await place_hold(url, reason="suit")
    await release_hold(url, hold.id)
    assert 20 == (await maintain(url, retention=RULE)).rows_purged
    assert await has_guard(mariadb_place)

    await mariadb_place.open().insert(entries(20, created_at=OLD))
    less = await add_account(mariadb_place, "SELECT, INSERT ON audit_logs", *beside)
    done = await maintain(less, retention=RULE)
    assert (0, 1) == (done.rows_purged, len(done.failures))
    assert "GRANT SELECT, INSERT, DELETE ON" in done.failures[0]
    done = await maintain(
        await add_account(mariadb_place, "SELECT, INSERT, DELETE ON audit_logs", *beside[1:]), retention=RULE
    )
    assert (0, True) == (done.rows_purged, ".audit_logs_holds TO 'keeper_" in done.failures[0])
    stranger = await add_account(mariadb_place, "SELECT ON audit_schema")
    with pytest.raises(ConfigStoreError, match=r"there is no table|may not maintain"):
        await maintain(stranger, retention=RULE)


async def test_the_index_by_choice_is_made_beside_a_writer(mariadb_place: Place, tmp_path: Path) -> None:
    """A logger goes on while the index is made, and loses nothing."""
    await mariadb_place.open().insert(entries(2000, created_at=OLD))
    async with AuditLogger(mariadb_place.url, journal_dir=tmp_path) as audit:

        async def write() -> None:
            while True:
                await audit.write(events.custom("report.print"))

        writing = asyncio.ensure_future(write())
        await eventually(lambda: audit.stats().stored > 5)
        done = await upgrade_table(mariadb_place.url, resource_index=True)
        writing.cancel()
        assert await audit.flush(30)
        stats = audit.stats()
    assert (1, stats.accepted) == (len(done.steps), stats.stored)
    assert 2000 + stats.stored == await mariadb_place.count()
