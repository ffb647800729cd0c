"""A map proposed for a table as people have them is one that works, or its findings say why not."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from audit_async import TableMap, events, inspect_table
from audit_async.entry import Entry
from audit_async.errors import ConfigurationError, DataStoreError
from audit_async.events import AuditEvent
from audit_async.events.catalogue import catalogue
from audit_async.events.event import SPELLING_KEY
from audit_async.inspection import InspectedColumn, InspectedTable, TableName
from audit_async.table_map.probe import Probe
from audit_async.table_map.review import key_of
from audit_async.table_map.source import read_source
from tests.store.conftest import Place, _place
from tests.store.entries import entry_of
from tests.table_map.ddls import TABLES, Table
from tests.tables import run_sql


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Place]:
    """PostgreSQL."""
    async for place in _place(postgres_url):
        yield place


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite file."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        yield place


WHOLE: dict[str, Any] = {
    "description": "who did what",
    "actor_type": "service",
    "actor_id": "actor-71",
    "actor_name": "Ann Actor",
    "on_behalf_of": "boss-72",
    "user_id": "4711",
    "agent_id": "agent-73",
    "api_key_id": "key-74",
    "tenant_id": "tenant-75",
    "organization_id": "org-76",
    "resource_type": "invoice",
    "resource_id": "4712",
    "ip_address": "2001:db8::77",
    "user_agent": "Mozilla/78",
    "session_id": "session-79",
    "request_id": "request-80",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
    "status_code": 418,
    "duration_ms": 7.25,
    "error_message": "broke 81",
    "category": "financial",
    "severity": "critical",
    "outcome": "cancelled",
    "details": {"amount": 82, "note": "ünïcode 🎉 'quoted' \"twice\""},
    "metadata": {"build": "b83"},
    "old_values": {"state": "open-84"},
    "new_values": {"state": "paid-85"},
    "tags": ("tag86", "tag87"),
}
UNFIT = {"user_id": "not a number", "resource_id": "x" * 300, "ip_address": "no address", "id": "no uuid"}


def real_events() -> list[AuditEvent]:
    """Return an event of every builder, and some that have everything, or what does not fit."""
    seen: dict[str, AuditEvent] = {}
    for item in catalogue():
        if item.builder not in seen:
            builder = getattr(events, item.builder)
            seen[item.builder] = builder(item.action, user_id="4711", details={"n": len(seen)})
    return [
        *seen.values(),
        events.custom("order.paid", **WHOLE),
        events.custom("x" * 128, **{**WHOLE, **UNFIT, "description": "d" * 5000, "error_message": "e" * 3000}),
        events.custom("a"),
        events.auth("login", success=False, error_message="wrong password"),
    ]


def leaves(value: Any) -> list[str]:
    """Return every value in a row as text, those inside of its JSON as well."""
    if isinstance(value, dict):
        return [*map(str, value), *(leaf for each in value.values() for leaf in leaves(each))]
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in leaves(each)]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return leaves(json.loads(value))
        except ValueError:
            return [value]
    return [
        str(value).removesuffix("/128").removesuffix("/32"),
        *([str(float(value))] if isinstance(value, Decimal) else []),
    ]


def lost_from(event: AuditEvent, row: dict[str, Any], table_map: TableMap) -> list[str]:
    """Return the fields of *event* whose value is nowhere in *row*."""
    there = leaves([value for value in row.values() if value is not None])
    lost = []
    for name in AuditEvent.__struct_fields__:
        value = getattr(event, name)
        if name == "metadata":
            value = {key: item for key, item in value.items() if key != SPELLING_KEY}
        if value in (None, {}, [], ()) or name in ("writer_id", "writer_seq", "recorded_at"):
            continue
        if name in ("category", "severity", "outcome"):
            # They follow from the action, or are said beside it.
            is_there = event.action != "order.paid" or value in there or str(value).upper() in there
        elif name == "created_at":
            is_there = any(_is_time(leaf, event.created_at) for leaf in there)
        else:
            is_there = all(leaf in there for leaf in leaves(value))
        if not is_there:
            lost.append(name)
    return lost


def _is_time(leaf: str, moment: datetime) -> bool:
    if re.fullmatch(r"\d{13}", leaf):
        return int(leaf) == int(moment.timestamp() * 1000)
    try:
        found = datetime.fromisoformat(leaf)
    except ValueError:
        return False
    found = found if found.tzinfo else found.replace(tzinfo=moment.tzinfo)
    # PostgreSQL rounds to what the column keeps.
    return abs(found - moment) <= timedelta(seconds=0.5)


def warned_of(probe: Probe) -> set[str]:
    """Return the fields of which the findings say that they may be lost."""
    said: set[str] = set()
    for finding in probe.findings:
        if finding.level == "warning":
            words = set(re.findall(r"[a-z_]+", finding.message))
            said |= words & set(AuditEvent.__struct_fields__)
    return said


@pytest.mark.parametrize("name", TABLES)
async def test_a_proposal_fills_the_columns_that_can_be_recognised(name: str, server: Place) -> None:
    """What a column is called, and of what type it is, says what goes into it; keys are left to the database."""
    table = TABLES[name]
    await server.execute(*table.made)
    table_map = TableMap.from_table(await inspect_table(server.url, table.name))
    expected = {column: read_source(column, given, is_file=True) for column, given in table.proposed.items()}
    assert expected == {column: source for column, source in table_map.sources.items() if column in expected}
    assert set(table.unfilled) & set(table_map.sources) == set()
    assert table.fold_into == table_map.fold_into


async def _check(place: Place, table: Table) -> None:
    """Propose, check, write one by one and together, and write again: whatever is not there was said before."""
    await place.execute(*table.made)
    table_map = TableMap.from_table(await inspect_table(place.url, table.name)).with_columns(table.added)
    probe = await table_map.probe(place.url)
    assert probe.is_usable, probe.findings
    store, quoted = place.open(table=table_map), TableName.parse(table.name).quoted()
    warned, stored, refused = warned_of(probe), [], []
    for number, event in enumerate(real_events()):
        entry = entry_of(event, number + 1)
        try:
            await store.insert([entry])
        except DataStoreError:
            refused.append(event)
            continue
        [row] = await run_sql(place.url, f"SELECT * FROM {quoted}")
        lost = set(lost_from(event, row, table_map)) - warned - set(table_map.left_out)
        assert set() == lost, (lost, row)
        stored.append((entry, {column: row[column] for column in table_map.sources}))
        await place.execute(f"DELETE FROM {quoted}")
    assert len(stored) >= 16
    assert bool(refused) <= any(re.search("refuse[sd]", finding.message) for finding in probe.problems), refused
    await _check_together(place, table_map, stored, quoted)


async def _check_together(
    place: Place, table_map: TableMap, stored: list[tuple[Entry, dict[str, Any]]], quoted: str
) -> None:
    store = place.open(table=table_map)
    entries = [entry for entry, _ in stored]
    await store.insert(entries)
    rows = await run_sql(place.url, f"SELECT * FROM {quoted}")
    made = [{column: row[column] for column in table_map.sources} for row in rows]
    assert sorted(map(repr, (row for _, row in stored))) == sorted(map(repr, made))
    if key_of(table_map, await inspect_table(place.url, table_map.table)):
        await store.insert(entries, is_replay=True)
        assert len(entries) == len(await run_sql(place.url, f"SELECT 1 FROM {quoted}"))


@pytest.mark.parametrize("name", TABLES)
async def test_no_value_is_lost_in_silence_on_postgres(name: str, server: Place) -> None:
    """Every value of every event is somewhere in its row, or a finding had said that it will not be."""
    await _check(server, TABLES[name])


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.is_portable])
async def test_no_value_is_lost_in_silence_on_sqlite(name: str, lite: Place) -> None:
    """The same law holds for the tables that SQLite can have as well."""
    await _check(lite, TABLES[name])


def found(**types: str) -> InspectedTable:
    columns = tuple(InspectedColumn(name, kind, True, False) for name, kind in types.items())
    return InspectedTable(schema=None, name="t", dialect="postgresql", columns=columns)


def paths(**types: str) -> dict[str, Any]:
    return {
        name: getattr(source, "path", source) for name, source in TableMap.from_table(found(**types)).sources.items()
    }


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({"subject_type": "text", "subject_id": "text", "action": "text"}, ("resource_type", "resource_id", "action")),
        ({"log_action": "text", "log_user_agent": "text"}, ("action", "user_agent")),
        ({"IPAddress": "inet", "actionName": "text", "UserID": "text"}, ("ip_address", "action", "user_id")),
        ({"action": "text", "ts": "bigint"}, ("action", "created_at.epoch_ms")),
        ({"action": "text", "ts": "double precision"}, ("action", "created_at.epoch")),
        ({"action": "text", "result": "boolean"}, ("action", "success")),
        ({"action": "text", "anything": "jsonb"}, ("action", "details")),
        ({"action": "text", "status": "integer"}, ("action", "status_code")),
    ],
)
def test_a_name_is_understood_in_its_company(types: dict[str, str], expected: tuple[str, ...]) -> None:
    """Pairs, prefixes, cases and types decide where a name alone would not."""
    assert dict(zip(types, expected, strict=True)) == paths(**types)


@pytest.mark.parametrize("types", [{"price": "numeric", "name": "text"}, {}, {"action": "character(1)", "x": "text"}])
def test_what_is_no_audit_table_gets_no_map(types: dict[str, str]) -> None:
    """Where no column can be an action, and nothing takes it, a person has to say what goes where."""
    with pytest.raises(ConfigurationError):
        TableMap.from_table(found(**types))
