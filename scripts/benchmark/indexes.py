"""Our indexes and partitions against those of a table with a random key, once both have many rows."""

from __future__ import annotations

import json
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from audit_async import create_table
from audit_async.config import GIB, KIB
from audit_async.entry import Entry
from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal

_ROWS = 1_000_000
_LEAST_ROWS = 200_000
_BATCH = 5000
_USERS, _TENANTS, _AGENTS = 10_000, 100, 1000
_COLUMNS = ("id", "action", "details", "agent_id", "user_id", "created_at")

_SIX_INDEXES = """
DROP TABLE IF EXISTS six_indexes;
CREATE TABLE six_indexes (id uuid PRIMARY KEY, action varchar(100) NOT NULL, details json, agent_id uuid, user_id uuid,
                          created_at timestamptz NOT NULL);
CREATE INDEX ON six_indexes (action);
CREATE INDEX ON six_indexes (agent_id);
CREATE INDEX ON six_indexes (user_id);
CREATE INDEX ON six_indexes (created_at);
CREATE INDEX ON six_indexes ((details ->> 'tenant_id'));
"""

_FILL_THEIRS = """
INSERT INTO six_indexes
SELECT gen_random_uuid(), 'sso_login', json_build_object('provider_type', 'feishu', 'provider_user_id', 'ou_' || number,
         'department', 'od-4e6ac4d14bcd5071a37a39de902c7141', 'tenant_id', md5('t' || number % {tenants})),
       md5('a' || number % {agents})::uuid, md5('u' || number % {users})::uuid,
       now() - ({rows} - number) * interval '1 millisecond'
  FROM generate_series(1, {rows}) AS number
"""

# The same rows as ours, in a table that is indexed as theirs is.
_SAME_COLUMNS = """
DROP TABLE IF EXISTS same_columns;
CREATE TABLE same_columns (LIKE audit_logs INCLUDING DEFAULTS);
ALTER TABLE same_columns ADD PRIMARY KEY (id);
CREATE INDEX ON same_columns (action);
CREATE INDEX ON same_columns (agent_id);
CREATE INDEX ON same_columns (user_id);
CREATE INDEX ON same_columns (created_at);
CREATE INDEX ON same_columns (tenant_id);
"""

# Ids as ours are: the time first, so that they come nearly in order.
_FILL_OURS = """
INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, user_id, agent_id, tenant_id, details,
                        metadata, tags)
SELECT lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || substr(gen_random_uuid()::text, 15),
       moment, 'sso.login', 'access', 'info', 'success', md5('u' || number % {users})::uuid::text,
       md5('a' || number % {agents})::uuid::text, md5('t' || number % {tenants})::uuid::text,
       json_build_object('provider_type', 'feishu', 'provider_user_id', 'ou_' || number,
         'department', 'od-4e6ac4d14bcd5071a37a39de902c7141'), '{{}}', '[]'
  FROM generate_series({first}, {last}) AS number,
       LATERAL (SELECT now() - ({rows} - number) * interval '1 millisecond' AS moment) AS at
"""


async def our_indexes(bench: Bench) -> list[Comparison]:
    """P12: COPY into ours, into six columns with six indexes, and into our columns with six; 1 M rows in each."""
    url = await bench.other_url(create_table)
    rows, batches = max(_LEAST_ROWS, bench.count(_ROWS)), max(4, bench.count(10 * _BATCH) // _BATCH)
    bench.needs_disk(rows * 2 * KIB + GIB)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    numbers = {"rows": rows, "users": _USERS, "tenants": _TENANTS, "agents": _AGENTS}
    try:
        await connection.execute(_SIX_INDEXES)
        await connection.execute(_FILL_THEIRS.format(**numbers))
        await connection.execute(fill_ours(1, rows, of=rows))
        await connection.execute(_SAME_COLUMNS)
        columns = ", ".join(column for column in COLUMNS if column != "id")
        await connection.execute(
            f"INSERT INTO same_columns (id, {columns}) SELECT gen_random_uuid()::text, {columns} FROM audit_logs"
        )
        await connection.execute("VACUUM ANALYZE audit_logs, six_indexes, same_columns")

        async def ours() -> float:
            await connection.execute("CHECKPOINT")
            return await _rate(connection, "audit_logs", list(COLUMNS), [_our_rows() for _ in range(batches)])

        async def theirs() -> float:
            await connection.execute("CHECKPOINT")
            return await _rate(connection, "six_indexes", list(_COLUMNS), [_their_rows() for _ in range(batches)])

        async def same() -> float:
            await connection.execute("CHECKPOINT")
            rows_of_ours = [_our_rows() for _ in range(batches)]
            random_keys = [[(str(uuid.uuid4()), *row[1:]) for row in batch] for batch in rows_of_ours]
            return await _rate(connection, "same_columns", list(COLUMNS), random_keys)

        figures = await bench.interleaved(ours, theirs, same)
    finally:
        await connection.close()
    return [
        Comparison(
            number="P12",
            about=(
                "COPY of ready rows into our monthly partitions with our indexes, beside the replaced table: six"
                " columns, a random key and six indexes; both hold many rows, and each gets its own columns."
            ),
            what=f"COPY into ours / six indexes, {rows:,} rows there",
            unit="/s",
            ours=figures[0],
            theirs=figures[1],
            goal=Goal(least=1.4, aim=2),
        ),
        Comparison(
            number="P12b",
            about="The same with our columns on both sides: the indexes and the key alone make the difference.",
            what="... / our columns with six indexes",
            unit="/s",
            ours=figures[0],
            theirs=figures[2],
            goal=Goal(least=1.4, aim=2),
        ),
    ]


def fill_ours(first: int, last: int, *, of: int) -> str:
    """Return the statement that brings rows *first* to *last* into our table; the last one *of* all is of now."""
    return _FILL_OURS.format(first=first, last=last, rows=of, users=_USERS, agents=_AGENTS, tenants=_TENANTS)


def spread_out(made: list[Entry]) -> list[Entry]:
    """Return *made*, each with a user, an agent and a tenant of those that the tables are filled with, in no order."""
    for entry in made:
        entry.user_id, entry.agent_id = str(_id("u", _USERS)), str(_id("a", _AGENTS))
        entry.tenant_id = str(_id("t", _TENANTS))
    return made


def _our_rows() -> list[tuple[Any, ...]]:
    return [own_row(entry) for entry in spread_out(samples.entries(_BATCH))]


def _their_rows() -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    return [
        (
            uuid.uuid4(),
            "sso_login",
            json.dumps({**samples.details(number), "tenant_id": _id("t", _TENANTS).hex}),
            _id("a", _AGENTS),
            _id("u", _USERS),
            now + timedelta(microseconds=number),
        )
        for number in range(_BATCH)
    ]


def _id(kind: str, count: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{random.randrange(count)}")


async def _rate(connection: Any, table: str, columns: list[str], batches: list[list[tuple[Any, ...]]]) -> float:
    started = time.perf_counter()
    for batch in batches:
        await connection.copy_records_to_table(table, columns=columns, records=batch)
    return len(batches) * _BATCH / (time.perf_counter() - started)
