"""Every event there can be, into every one of the old tables: none is refused, and nothing that has a place is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import MetaData, String

from audit_async import AuditEvent, TableMap, events
from audit_async.compat.desktop import OLD_TABLES
from audit_async.events import Outcome
from audit_async.events.catalogue import catalogue
from audit_async.events.dialects import DIALECTS
from audit_async.events.families import BUILDERS, own_keywords_of
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.records import OWN_RECORDS, read_records
from tests.seeds import aether, clawith, desktop, enclava, wecom
from tests.shared import shared_file
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.side_by_side import entry_of, make_tables, rows_of

TABLES: dict[str, MetaData] = {
    "aether": aether.metadata,
    "clawith": clawith.metadata,
    "enclava": enclava.metadata,
    "wecom": wecom.metadata,
}
ACTION_COLUMN = {"aether": "event_type", "clawith": "action", "enclava": "action", "wecom": "action"}
ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)

ONE_OF_EACH: dict[str, Any] = {
    **dict.fromkeys(("actor_type", "actor_name", "on_behalf_of", "agent_id", "api_key_id"), "ÿ" * 255),
    **dict.fromkeys(
        ("user_id", "actor_id", "tenant_id", "organization_id", "resource_type", "resource_id"), "名" * 255
    ),
    **dict.fromkeys(("session_id", "request_id", "trace_id", "span_id"), "🐈" * 255),
    "ip_address": "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff%a-rather-long-zone",
    "description": "d" * 4_000,
    "user_agent": "u" * 4_000,
    "error_message": "e" * 4_000,
    "status_code": -(2**31),
    "duration_ms": 1e300,
    "details": {"own": "'\"\\\n", "success": "maybe", "tenant_id": 5},
    "metadata": {"own": [1, None]},
    "old_values": {"a": 1.5},
    "new_values": {"a": None},
    "tags": ["<tag>"],
}


def made() -> Iterator[AuditEvent]:
    """Yield every action of the vocabulary: bare, with its builder's keywords and all fields, with every outcome."""
    for item in catalogue():
        build = BUILDERS[item.builder]
        yield build(item.action)
        yield build(item.action, **dict.fromkeys(own_keywords_of(item.builder), "x"), **ONE_OF_EACH)
        for outcome in Outcome:
            yield build(item.action, outcome=outcome, user_id="5")
    for dialect in DIALECTS.values():
        for spelling in dialect.meanings:
            yield events.custom(spelling, user_id=5)
    for name, build in BUILDERS.items():
        yield build(f"a long action in its own words, of the builder {name}, {'!' * 100}")


async def without_foreign_keys(place: Place, metadata: MetaData) -> None:
    """Make the tables as their applications do, for events of users that these do not know."""
    await make_tables(place, metadata)
    if "users" in metadata.tables and place.dialect == "postgresql":
        await place.execute("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_user_id_fkey")
    elif "users" in metadata.tables and place.dialect == "mysql":
        await place.execute("ALTER TABLE audit_logs DROP FOREIGN KEY audit_logs_ibfk_1")


def unlimited(metadata: MetaData) -> MetaData:
    """Return the tables, with a length where MariaDB wants one."""
    for column in metadata.tables["audit_logs"].columns:
        if isinstance(column.type, String) and type(column.type) is String and column.type.length is None:
            column.type = String().with_variant(String(500), "mysql")
    return metadata


@pytest.mark.parametrize("name", TABLES)
@ON_EACH
async def test_every_event_is_taken_and_nothing_of_it_lost(name: str, empty: Place) -> None:  # noqa: F811
    """Each row says every value of its event: in a column, or where there is none, or no room, in its JSON."""
    await without_foreign_keys(empty, unlimited(TABLES[name]))
    store = empty.open(table=TableMap.ready(name))
    given = list(made())
    await store.insert([entry_of(event, number + 1) for number, event in enumerate(given)])
    rows = await rows_of(empty)
    assert len(given) == len(rows)
    full = [text for row in rows if "<tag>" in (text := json.dumps(row, default=str, ensure_ascii=False))]
    assert len(catalogue()) == len(full)
    shown = {json.dumps(leaf, ensure_ascii=False) for leaf in leaves(ONE_OF_EACH)}
    assert [set()] * len(full) == [{leaf for leaf in shown if leaf not in text} for text in full]


def leaves(value: Any) -> Iterator[Any]:
    """Yield what is in *value* that holds nothing else."""
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


@pytest.mark.parametrize("name", TABLES)
@ON_EACH
async def test_actions_have_their_old_spelling_or_keep_their_name(name: str, empty: Place) -> None:  # noqa: F811
    """What the dialect has a word for is spelled so; what no dialect has is canonical."""
    await without_foreign_keys(empty, unlimited(TABLES[name]))
    given = [BUILDERS[item.builder](item.action) for item in catalogue()]
    await empty.open(table=TableMap.ready(name)).insert([entry_of(event, n + 1) for n, event in enumerate(given)])
    spelled = {row[ACTION_COLUMN[name]] for row in await rows_of(empty)}
    assert {event.legacy_action(name) for event in given} == spelled
    words = set().union(*(dialect.meanings for dialect in DIALECTS.values()))
    assert {action for action in spelled if "." in action} == spelled - words
    role = "assign_role" if name == "wecom" else "role_assign"
    assert {"agent_start", "budget_create", "create", role} <= words & spelled


@pytest.mark.parametrize("kind", ["own", "real"])
@pytest.mark.parametrize("name", TABLES)
@ON_EACH
async def test_real_records_are_taken_whole(name: str, kind: str, empty: Place) -> None:  # noqa: F811
    """Each record of a public data set leaves one row, in which every text of the event is found."""
    file = OWN_RECORDS if kind == "own" else shared_file("data/m365_identity_events.jsonl")
    given = [event_of(record) for record in read_records(file, rounds=1)]
    await without_foreign_keys(empty, unlimited(TABLES[name]))
    await empty.open(table=TableMap.ready(name)).insert([entry_of(event, n + 1) for n, event in enumerate(given)])
    rows = await rows_of(empty)
    assert len(given) == len(rows)
    there = json.dumps(rows, default=str, ensure_ascii=False)
    for event in given:
        for text in (event.user_agent, event.tenant_id, event.user_id, event.request_id, event.description):
            assert text is None or json.dumps(text, ensure_ascii=False)[1:-1] in there


@ON_EACH
async def test_every_event_of_the_two_kinds_is_taken(empty: Place) -> None:  # noqa: F811
    """The tables without JSON take every event that belongs there, whatever it holds."""
    await make_tables(empty, desktop.metadata)
    taken = {action for table in OLD_TABLES for action in table.actions or ()}
    given = [event for event in made() if event.action in taken]
    await empty.open(table=OLD_TABLES).insert([entry_of(event, n + 1) for n, event in enumerate(given)])
    counts = [await empty.count(table.table) for table in OLD_TABLES]
    assert (len(given), True) == (sum(counts), all(counts))
