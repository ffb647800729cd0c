"""The desktop client's two tables: its face writes them as its uploader did, and at the time of the event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from audit_async import AuditAction, events
from audit_async.compat.desktop import OLD_TABLES, DesktopAuditLogger
from tests.logs import heard
from tests.seeds import desktop as seed
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import Look, differing, entry_of, look, make_tables, rows_of

USE, LOGIN = "nano_banana_user_use_log", "nano_banana_user_log"
ON_EACH = pytest.mark.parametrize("empty", ["sqlite", "mariadb"], indirect=True)

USES: list[tuple[Any, ...]] = [
    ("王小明", "front desk", "一只猫", "/out/1.png", "success", None, "m-1", 1200, "STOP"),
    ("王小明", "front desk", "a 🐈", None, "failed", "quota: 配额", "m-1", 0, None),
    ("王小明", "front desk", "", None, "timeout", None, None, None, None),
    ("王小明", "front desk", "x" * 16_000, None, "weird", None, "m-1", 7, "MAX_TOKENS"),
    (None, None, None, None, "success", None, None, None, None),
    ("", "", "", "", "", "", "", 0, ""),
]
LOGINS: list[tuple[Any, ...]] = [
    ("王小明", "10.0.0.7", "203.0.113.9", "front desk"),
    ("王小明", "10.0.0.7", None, None),
    ("王小明", "fe80::1%eth0", "unknown", ""),
    (None, None, None, None),
]


def face(place: Place, folder: Path) -> DesktopAuditLogger:
    """Return the desktop program's logger on *place*: on MariaDB told as of old, elsewhere told the tables as well."""
    url = make_url(place.url)
    config: dict[str, Any] = {"url": place.url, "table": OLD_TABLES}
    if place.dialect == "mysql":
        config = {name: getattr(url, name) for name in ("host", "port", "password", "database")}
        config["user"] = url.username
    return DesktopAuditLogger(config, folder / "queue.ndjson")


@ON_EACH
async def test_every_call_leaves_the_row_that_its_uploader_left(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """Column by column, but for the row's own number and times."""
    await make_tables(empty, seed.metadata)
    desktop = face(empty, tmp_path)

    async def differences(looked: Look, name: str, given: tuple[Any, ...]) -> dict[str, Any]:
        await seed.upload(looked.connection, getattr(seed, name)(*given))
        theirs = await looked.take()
        getattr(desktop, name)(*given)
        assert await desktop.audit.flush(20), desktop.audit.stats()
        return differing(theirs, await looked.take())

    async with look(empty, USE) as looked:
        assert [{}] * len(USES) == [await differences(looked, "log_use", given) for given in USES]
    async with look(empty, LOGIN) as looked:
        assert [{}] * len(LOGINS) == [await differences(looked, "log_login", given) for given in LOGINS]
    assert desktop.shutdown(20)


@ON_EACH
async def test_an_offline_hour_keeps_its_own_time(empty: Place) -> None:  # noqa: F811
    """The time of a row is that of the event, in UTC: not that of the upload, nor that of the wall."""
    await make_tables(empty, seed.metadata)
    an_hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    used = events.usage(AuditAction.USE_LOG, actor_name="w", status="success", created_at=an_hour_ago)
    came = events.custom(AuditAction.LOGIN_LOG, actor_name="w", created_at=an_hour_ago)
    await empty.open(table=OLD_TABLES).insert([entry_of(used), entry_of(came, 2)])
    # A MariaDB timestamp is shown by the reader's own clock; a datetime, and SQLite, by none.
    shown = "UNIX_TIMESTAMP(created_at)" if empty.dialect == "mysql" else "unixepoch(created_at)"
    assert [(int(an_hour_ago.timestamp()),)] == [tuple(row) for row in await empty.rows(f"SELECT {shown} FROM {USE}")]
    (row,) = await rows_of(empty, LOGIN)
    assert str(an_hour_ago.replace(tzinfo=None)) == str(row["login_time"])[:19]


@ON_EACH
async def test_a_table_without_a_time_is_written_all_the_same(empty: Place) -> None:  # noqa: F811
    """Where the table has no column for the time, the other nine are filled."""
    await make_tables(empty, seed.metadata, f"ALTER TABLE {USE} DROP COLUMN created_at")
    await empty.open(table=OLD_TABLES).insert([entry_of(events.usage("use_log", status="success"))])
    assert [("未知用户", "未知设备", "", "success")] == [
        tuple(row) for row in await empty.rows(f"SELECT user_name, device_name, prompt, status FROM {USE}")
    ]


@ON_EACH
async def test_what_belongs_into_neither_table_goes_to_quarantine(
    empty: Place,  # noqa: F811
    tmp_path: Path,
) -> None:
    """It blocks nothing, nothing of it is lost, and the reason names the tables and what they take."""
    await make_tables(empty, seed.metadata)
    desktop = face(empty, tmp_path)
    with heard() as lines:
        desktop.log_login(*LOGINS[0])
        desktop.audit.log(events.agent(AuditAction.AGENT_START, agent_id="a-1"))
        desktop.log_use(*USES[0])
        desktop.audit.flush_sync(20)
        desktop.log_use(*USES[1])
        desktop.audit.flush_sync(20)
    stats = desktop.audit.stats()
    assert (3, 1, 0, 0) == (stats.stored, stats.quarantined, stats.pending, stats.dropped)
    assert (2, 1) == (await empty.count(USE), await empty.count(LOGIN))
    assert any("no table takes agent.start" in line for line in lines), lines
    kept = b"".join(path.read_bytes() for path in desktop.audit._process.quarantine.directory.iterdir())
    assert b"a-1" in kept
    desktop.shutdown(20)


@ON_EACH
async def test_without_its_tables_events_wait_and_it_is_said_what_to_do(
    empty: Place,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The tables are made, and what waited arrives."""
    desktop = face(empty, tmp_path)
    with heard() as lines:
        desktop.log_login(*LOGINS[0])
        assert not await desktop.audit.flush(1)
    assert 1 == desktop.audit.stats().pending
    assert any(f"there is no table {USE}" in line and "make the table" in line for line in lines), lines
    await make_tables(empty, seed.metadata)
    assert await desktop.audit.flush(30)
    assert 1 == await empty.count(LOGIN)
    assert desktop.shutdown(20)


@ON_EACH
async def test_a_value_too_long_is_cut_visibly(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """There is no JSON column to keep it whole: it ends with a sign, and a line says so."""
    await make_tables(empty, seed.metadata)
    desktop = face(empty, tmp_path)
    with heard() as lines:
        desktop.audit.log(events.usage("use_log", status="s" * 30, duration_ms=12.5))
        assert await desktop.audit.flush(20)
    (row,) = await rows_of(empty, USE)
    assert ("s" * 19 + "…", 12) == (row["status"], row["duration_ms"])
    assert any("details.status" in line for line in lines), lines
    assert desktop.shutdown(20)


def test_the_maps_fill_what_its_uploader_filled() -> None:
    """The columns that its statements name, and one time besides."""
    use, login = OLD_TABLES
    assert {*seed.USE_COLUMNS, "created_at"} == set(use.columns)
    assert set(seed.LOGIN_COLUMNS) == set(login.columns)
