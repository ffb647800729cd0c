"""A map that does not fit is said at once, and events wait until map or table is mended: without a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import AuditLogger, TableMap, events
from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from audit_async.table_map.layout import Row
from audit_async.table_map.rows import MappedRows
from tests.polling import eventually
from tests.store.entries import entry_of
from tests.tables import count_rows, run_sql

MADE = "CREATE TABLE trail (id varchar(64) PRIMARY KEY, acton text NOT NULL, happened timestamp, data text, level int)"
MAP = TableMap(
    table="trail",
    columns={"id": "id", "action": "action", "happened": "created_at", "data": "details"},
    fold_into="data",
)


@pytest.fixture(params=["postgres", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    """A database of each kind, empty."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.mark.parametrize(
    "mending",
    ["ALTER TABLE trail RENAME COLUMN acton TO action", "ALTER TABLE trail ADD COLUMN action text"],
)
async def test_events_wait_for_a_column_and_arrive(mending: str, url: str, tmp_path: Path) -> None:
    """A column that the map has and the table has not is named, with what was meant; once it is there all arrive."""
    made = MADE.replace("acton text NOT NULL", "acton text")
    await run_sql(url, made)
    async with AuditLogger(url, journal_dir=tmp_path / "j", table=MAP) as audit:
        for _ in range(20):
            audit.log(events.custom("order.paid"))
        said = str(await eventually(lambda: audit.stats().last_error))
        assert "no column action (did you mean 'acton'?)" in said
        assert (20, 0, 0) == (audit.stats().pending, audit.stats().quarantined, audit.stats().dropped)
        await run_sql(url, mending)
        assert await audit.flush(timeout_seconds=40)
        assert 20 == await count_rows(url, "trail")


async def test_a_column_taken_away_later_stops_events_and_loses_none(url: str, tmp_path: Path) -> None:
    """A table that is altered under a running logger is looked at anew, in both directions."""
    await run_sql(url, MADE.replace("acton", "action"))
    async with AuditLogger(url, journal_dir=tmp_path / "j", table=MAP) as audit:
        await audit.write(events.custom("order.paid"))
        await run_sql(url, "ALTER TABLE trail RENAME COLUMN action TO verb")
        audit.log(events.custom("order.paid"))
        await eventually(lambda: "no column action" in str(audit.stats().last_error), 30)
        await run_sql(url, "ALTER TABLE trail RENAME COLUMN verb TO action")
        assert await audit.flush(timeout_seconds=40)
    assert 2 == await count_rows(url, "trail")


async def _row(url: str, tmp_path: Path, table_map: TableMap) -> dict[str, Any]:
    await run_sql(url, MADE.replace("acton", "action"))
    store = open_store(StoreOptions(url=url, table=table_map))
    try:
        await store.insert([entry_of(events.custom("order.paid", details={"n": 1}))])
    finally:
        await store.close()
    [row] = await run_sql(url, "SELECT * FROM trail")
    return row


def _raise(event: Any) -> Any:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("call", "level"),
    [
        (_raise, None),
        (lambda event: "no number", None),
        (lambda event: object(), None),
        (lambda event: 2**80, None),
        (lambda event: float("nan"), None),
        (lambda event: event.details["n"] + 6, 7),
        (lambda event: "7", 7),
        (lambda event: True, 1),
    ],
)
async def test_a_function_that_fails_costs_its_column_only(
    call: Callable[[Any], Any], level: int | None, url: str, tmp_path: Path
) -> None:
    """What a function of the program raises, or returns in vain, leaves its column empty; the event is stored."""
    row = await _row(url, tmp_path, MAP.with_columns({"level": call}))
    assert ("order.paid", level) == (row["action"], row["level"])


async def test_what_a_function_returns_may_be_anything(url: str, tmp_path: Path) -> None:
    """A text column takes what a function gives, whatever it is, as a text that any database keeps."""
    for number, value in enumerate([{"a": {1, 2}}, "a\0b\ud800", b"x", object, [object()], {1: float("inf")}]):
        await run_sql(url, "DROP TABLE IF EXISTS trail")
        table_map = MAP.with_columns({"action": lambda event, value=value: value}).with_columns({"level": number})
        row = await _row(url, tmp_path, table_map)
        assert (str, number) == (type(row["action"]), row["level"])


async def test_a_constant_that_does_not_fit_is_said_before_the_first_event(url: str, tmp_path: Path) -> None:
    """A constant is tried when the table is looked at, not when a row is refused for it."""
    with pytest.raises(ConfigStoreError, match=r"column level .* does not take the constant 'high'"):
        await _row(url, tmp_path, MAP.with_columns({"level": "high"}))
    [error] = [
        finding
        for finding in (await MAP.with_columns({"level": "high"}).probe(url)).findings
        if finding.level == "error"
    ]
    assert ("level", True) == (error.column, "constant 'high'" in error.message)


async def test_a_row_that_cannot_be_made_holds_up_no_other(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should making a row fail for a mistake of ours, one event goes to quarantine, and where it stands says why."""
    await run_sql(url, MADE.replace("acton", "action"))
    made = MappedRows._made

    def fail_on_some(rows: MappedRows, entries: Sequence[Entry]) -> Iterable[Row]:
        if any(b"spoilt" in bytes(entry.details) for entry in entries):
            raise KeyError("spoilt secret")
        return made(rows, entries)

    monkeypatch.setattr(MappedRows, "_made", fail_on_some)
    async with AuditLogger(url, journal_dir=tmp_path / "j", table=MAP) as audit:
        for number in range(200):
            audit.log(events.custom("order.paid", details={"spoilt": 1} if number == 77 else {}))
        await eventually(lambda: audit.stats().quarantined, 30)
        await eventually(lambda: audit.stats().pending == 0, 30)
        assert (199, 1) == (audit.stats().stored, audit.stats().quarantined)
    assert 199 == await count_rows(url, "trail")
    [kept] = (tmp_path / "j" / "quarantine").glob("*.json")
    said = json.loads(kept.read_bytes())["reason"]
    assert "table trail: KeyError in line" in said
    assert "test_first_use" in said
    assert "secret" not in said


async def test_no_row_is_blamed_for_a_shortage_of_memory(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes: the events wait, and are all in the table then."""
    await run_sql(url, MADE.replace("acton", "action"))
    made, shortages = MappedRows._made, iter(range(10))

    def fail_for_a_while(rows: MappedRows, entries: Sequence[Entry]) -> Iterable[Row]:
        if any(b"large" in bytes(entry.details) for entry in entries) and next(shortages, None) is not None:
            raise MemoryError
        return made(rows, entries)

    monkeypatch.setattr(MappedRows, "_made", fail_for_a_while)
    quick = {"backoff_first_seconds": 0.01, "backoff_max_seconds": 0.02}
    async with AuditLogger(url, journal_dir=tmp_path / "j", table=MAP, timing=quick) as audit:
        for number in range(20):
            audit.log(events.custom("order.paid", details={"large": 1} if number == 7 else {}))
        await eventually(lambda: audit.stats().pending == 0, 30)
        assert (20, 0) == (audit.stats().stored, audit.stats().quarantined)


@pytest.mark.parametrize("found", [b"[1]", b'"x"', b"700", b"null"])
async def test_what_is_no_object_is_stored_all_the_same(found: bytes, url: str) -> None:
    """An event that was made without a builder has anything where others have an object, or a list of tags."""
    await run_sql(url, MADE.replace("acton", "action"))
    raw = msgspec.Raw(found)
    made = msgspec.structs.replace(entry_of(events.custom("order.paid")), details=raw, metadata=raw, tags=raw)
    store = open_store(StoreOptions(url=url, table=MAP.with_columns({"action": lambda event: event.id})))
    try:
        await store.insert([made])
    finally:
        await store.close()
    [row] = await run_sql(url, "SELECT * FROM trail")
    assert made.id == row["action"]
    if found != b"null":
        assert json.loads(row["data"])["value"] == json.loads(found)
