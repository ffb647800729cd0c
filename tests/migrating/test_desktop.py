"""docs/migrating/desktop.md: one import is changed; rows, and the queue of old, go into the same tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from audit_async import create_table
from audit_async.compat.desktop import OLD_TABLES, get_audit_logger, shutdown
from tests.migrating.page import Names, Page, follow, stand_in
from tests.seeds import desktop as seed
from tests.store.conftest import Place
from tests.table_map.side_by_side import differing, look, make_tables, rows_of
from tests.tables import all_rows

USE, LOGIN = "nano_banana_user_use_log", "nano_banana_user_log"
ON_EACH = pytest.mark.parametrize("empty", ["sqlite", "mariadb"], indirect=True)
CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "drawn": (USE, ("王小明", "front desk", "一只猫", "/out/1.png", 1200)),
    "signed_in": (LOGIN, ("王小明", "10.0.0.7", "203.0.113.9", "front desk")),
}


class Queue:
    """Their logger, as far as its calls: what is queued is kept, to be uploaded by whoever asks."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def log_use(self, *given: Any) -> None:
        self.records.append(seed.log_use(*given))

    def log_login(self, *given: Any) -> None:
        self.records.append(seed.log_login(*given))


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    assert shutdown(20)
    yield
    shutdown(20)


def config_of(place: Place) -> dict[str, Any]:
    """Return what the program says of its database: on MariaDB as of old, elsewhere the tables as well."""
    url = make_url(place.url)
    if place.dialect != "mysql":
        return {"url": place.url, "table": OLD_TABLES}
    return {"user": url.username, **{name: getattr(url, name) for name in ("host", "port", "password", "database")}}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    names = {"get_audit_logger": lambda: queue, "init_audit_logger": lambda *_: queue}
    stand_in(monkeypatch, "audit_logger", names)
    return queue


@ON_EACH
async def test_the_rows_are_those_that_were(empty: Place, queue: Queue, folder: Path) -> None:
    """Each call leaves the same row, in the same one of the two tables."""
    await make_tables(empty, seed.metadata)
    page = Page("desktop", empty.url)
    before, after = page.before(), page.after()
    after["begin"](config_of(empty), folder / "queue.ndjson", None)
    desktop = get_audit_logger()
    assert desktop is not None
    for name, (table, given) in CALLS.items():
        async with look(empty, table) as looked:
            before[name](*given)
            await seed.upload(looked.connection, queue.records.pop())
            theirs = await looked.take()
            after[name](*given)
            assert await desktop.audit.flush(20)
            assert {} == differing(theirs, await looked.take()), name
    after["end"]()
    assert get_audit_logger() is None


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_old_rows_are_read(empty: Place, queue: Queue) -> None:
    """Of one user the log-ins, with the device."""
    await make_tables(empty, seed.metadata)
    page = Page("desktop", empty.url)
    _called(page.before(), "signed_in")
    async with empty.admin.begin() as connection:
        await seed.upload(connection, queue.records.pop())
    found = await page.python("last_logins")["last_logins"]("王小明")
    assert ["front desk"] == [device for _, device in found]
    assert [] == await page.python("last_logins")["last_logins"]("nobody")


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_the_queue_of_old_is_brought_in(
    empty: Place, queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record goes into the table of its kind, at its own time, which is of the zone that is said."""
    await make_tables(empty, seed.metadata)
    page = Page("desktop", empty.url)
    for name in CALLS:
        _called(page.before(), name)
    lines = [json.dumps({**each, "ts": "2026-03-01T17:30:00"}, ensure_ascii=False) for each in queue.records]
    (folder / "queue.ndjson").write_text("\n".join([*lines, "{broken"]) + "\n")
    monkeypatch.setenv("AUDIT_DATABASE_URL", empty.url)
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(folder / "journal"))
    done = await follow(page.commands("import"), folder)
    assert [0, 0, 1] == [each.returncode for each in done]  # the broken line is refused
    (use,), (login,) = await rows_of(empty, USE), await rows_of(empty, LOGIN)
    assert ("一只猫", "/out/1.png", 1200) == (use["prompt"], use["result_path"], use["duration_ms"])
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=UTC).replace(tzinfo=None)
    assert [str(moment)] * 2 == [str(use["created_at"])[:19], str(login["login_time"])[:19]]


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
async def test_both_tables_are_brought_into_ours(empty: Place, queue: Queue, folder: Path) -> None:
    """Rows of the same number and time are two events, each of its table's action, once though brought twice."""
    await make_tables(empty, seed.metadata)
    page, moment = Page("desktop", empty.url), "2026-03-01 09:30:00.000000"
    for name in CALLS:
        _called(page.before(), name)
    async with empty.admin.begin() as connection:
        for record in queue.records:
            await seed.upload(connection, {**record, "login_time": moment})
    await empty.execute(f"UPDATE {USE} SET created_at = '{moment}', status = 'failed'")
    ours = f"sqlite+aiosqlite:///{folder / 'ours.db'}"
    await create_table(ours)
    for _ in range(2):
        await page.python("bring_in")["bring_in"](empty.url, ours)
    found = sorted(await all_rows(ours), key=lambda row: str(row["action"]))
    assert [("api.request", f"{USE}-1", "failure"), ("auth.login", f"{LOGIN}-1", "success")] == [
        (row["action"], row["id"], row["outcome"]) for row in found
    ]
    assert [("王小明", None, "一只猫"), ("王小明", "203.0.113.9", None)] == [
        (row["user_id"], row["ip_address"], row["details"].get("prompt")) for row in found
    ]
    assert 1 == len({row["created_at"] for row in found})


def _called(program: Names, name: str) -> None:
    program[name](*CALLS[name][1])
