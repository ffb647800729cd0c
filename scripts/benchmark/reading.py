"""Questions to a table of a million rows: what a user did, as pages read; and a page of a listing far behind."""

from __future__ import annotations

import json
import time
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditReader, Query, Scope, create_table
from audit_async.config import GIB, KIB
from audit_async.reading.cursor import Cursor
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal, percentile
from tests.reading.planned import plan_of, statements
from tests.seeds import aether

_ROWS = 1_000_000
_LEAST_ROWS = 200_000
_USERS = 1000
_DAYS = 365
_ASKED = 200
_DEPTH = 0.9

# At any time eight users are at work, each with some five events in a row; so a page has several of one user.
_NUMBERED = f"""
SELECT number, now() - number * interval '{_DAYS} days' / {{rows}} AS moment,
       md5('u' || ((number / 40 * 8 + number % 8) * 7919 % {_USERS}))::uuid::text AS user_id,
       number * 31 % 100 AS share
  FROM generate_series(1, {{rows}}) AS number
"""
_FILL_OURS = f"""
INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, description, user_id, tenant_id,
                        ip_address, user_agent, request_id, status_code, details, metadata, tags)
SELECT lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || substr(gen_random_uuid()::text, 15),
       moment, CASE WHEN share < 80 THEN 'api.request' WHEN share < 97 THEN 'auth.login'
                    WHEN share < 98 THEN 'security.suspicious_activity' ELSE 'config.change' END,
       'access', 'low', CASE WHEN share % 10 = 0 OR share = 97 THEN 'failure' ELSE 'success' END,
       'API request to acme/large', user_id, md5('t' || left(user_id, 1))::uuid::text, '192.0.2.' || number % 250,
       'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101', 'r-' || number, 200,
       json_build_object('model', 'large', 'provider', 'acme', 'input_tokens', number % 900), '{{{{}}}}', '[]'
  FROM ({_NUMBERED}) AS numbered
"""
_FILL_THEIRS = f"""
INSERT INTO audit_logs (id, created_at, event_type, description, user_id, ip_address, user_agent, request_id,
                        status_code, event_metadata)
SELECT gen_random_uuid()::text, moment,
       CASE WHEN share < 80 AND share % 10 = 0 THEN 'request_failed' WHEN share < 80 THEN 'request_success'
            WHEN share < 97 AND share % 10 = 0 THEN 'login_failed' WHEN share < 97 THEN 'login_success'
            WHEN share < 98 THEN 'suspicious_activity' ELSE 'config_changed' END,
       'API request to acme/large', user_id, '192.0.2.' || number % 250,
       'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101', 'r-' || number, 200,
       json_build_object('model', 'large', 'provider', 'acme', 'input_tokens', number % 900)
  FROM ({_NUMBERED}) AS numbered
"""
_OF_USER = "user_id = $1 AND created_at >= now() - interval '30 days'"
_THEIR_FOUR = (
    f"SELECT event_type, count(id) FROM audit_logs WHERE {_OF_USER} GROUP BY event_type",
    f"SELECT count(id) FROM audit_logs WHERE {_OF_USER} AND event_type = 'request_failed'",
    f"SELECT count(id) FROM audit_logs WHERE {_OF_USER} AND event_type = 'request_success'",
    f"SELECT count(*) FROM (SELECT * FROM audit_logs WHERE {_OF_USER}"
    " AND event_type IN ('suspicious_activity', 'unauthorized_access')) AS recent",
)


async def behavior(bench: Bench) -> list[Comparison]:
    """P13: what a user did in a month, against the four queries of the service that is replaced; pages read."""
    rows = max(_LEAST_ROWS, bench.count(_ROWS))
    ours_url, theirs_url = await filled(bench, rows)
    connection, theirs = [await asyncpg.connect(url.replace("+asyncpg", "")) for url in (ours_url, theirs_url)]
    of_all, of_one, four = [], [], []
    try:
        for user, tenant in await _users(connection, bench.rounds):
            async with (
                AuditReader(ours_url, tenant=Scope.all()) as reader,
                AuditReader(ours_url, tenant=tenant) as of_tenant,
            ):
                of_all.append(await _pages(reader, user))
                of_one.append(await _pages(of_tenant, user))
            four.append(float(sum([_blocks(await _explained(theirs, query, user)) for query in _THEIR_FOUR])))
    finally:
        await connection.close()
        await theirs.close()
    what = f"user_behavior, pages read, {rows:,} rows of a year / four queries"
    goal = Goal(least=20, aim=40)
    return [
        Comparison(
            number="P13",
            what=what,
            unit="pages",
            ours=of_all,
            theirs=four,
            goal=goal,
            about=(
                "The pages that the server reads to say what a user did in a month: our one query over our indexes,"
                " beside the four queries of the replaced service over the indexes it comes with; the same rows in"
                " both. Pages, not time: no noise, and a cold cache asks for the same ones."
            ),
        ),
        Comparison(
            number="P13", what="... by a reader of one tenant", unit="pages", ours=of_one, theirs=four, goal=goal
        ),
    ]


async def pages(bench: Bench) -> list[Comparison]:
    """P14: a page of a tenant's listing at nine tenths of its depth, against its first page; p95 of the time."""
    rows = max(_LEAST_ROWS, bench.count(_ROWS))
    url, _ = await filled(bench, rows)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        tenant = await connection.fetchval("SELECT tenant_id FROM audit_logs LIMIT 1")
        of_tenant = await connection.fetchval("SELECT count(*) FROM audit_logs WHERE tenant_id = $1", tenant)
        place = await connection.fetchrow(
            "SELECT created_at, id FROM audit_logs WHERE tenant_id = $1"
            " ORDER BY created_at DESC, id DESC OFFSET $2 LIMIT 1",
            tenant,
            int(of_tenant * _DEPTH),
        )
    finally:
        await connection.close()
    query, asked = Query(), bench.count(_ASKED)
    async with AuditReader(url, tenant=tenant) as reader:
        assert place is not None
        deep_cursor = Cursor(tuple(place)).write((await reader._listing(query)).bound_to)

        async def timed(cursor: str | None) -> float:
            taken = []
            for _ in range(asked):
                started = time.perf_counter()
                page = await reader.search(query, cursor)
                taken.append((time.perf_counter() - started) * 1e3)
            assert len(page) == query.limit
            return percentile(taken, 0.95)

        ours, theirs = await bench.interleaved(lambda: timed(deep_cursor), lambda: timed(None))
    what = f"a page of {query.limit} at {_DEPTH:.0%} of {of_tenant:,} events / the first one, p95"
    goal = Goal(least=1.5, aim=1.2, better="less")
    return [
        Comparison(
            number="P14",
            what=what,
            unit="ms",
            ours=ours,
            theirs=theirs,
            goal=goal,
            is_inverted=True,
            about=(
                "A page of a tenant's listing far behind, beside the first page of the same listing: both ours. A"
                " listing by keys costs the same everywhere; one by OFFSET costs more with each page."
            ),
        )
    ]


_made: dict[int, tuple[str, str]] = {}


async def filled(bench: Bench, rows: int) -> tuple[str, str]:
    """Return the addresses of our table and of Aether's, with its own indexes, both with the same *rows* events."""
    if id(bench) not in _made:
        bench.needs_disk(rows * 2 * KIB + GIB)
        ours, theirs = await bench.other_url(create_table), await bench.other_url(_make_theirs)
        for url, fill in ((ours, _FILL_OURS), (theirs, _FILL_THEIRS)):
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            await connection.execute(fill.format(rows=rows))
            await connection.execute("VACUUM ANALYZE audit_logs")
            await connection.close()
        _made[id(bench)] = ours, theirs
    return _made[id(bench)]


async def _make_theirs(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(aether.metadata.create_all)
        await connection.exec_driver_sql("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_user_id_fkey")
    await engine.dispose()


async def _users(connection: Any, count: int) -> list[tuple[str, str]]:
    """Return *count* users, each with a tenant of his."""
    rows = await connection.fetch(
        "SELECT user_id, min(tenant_id) FROM audit_logs GROUP BY user_id ORDER BY user_id LIMIT $1", count
    )
    return [tuple(row) for row in rows]


async def _pages(reader: AuditReader, user: str) -> float:
    """Return the pages that the server reads for what *reader* asks of *user*."""
    with statements(reader) as found:
        await reader.user_behavior(user)
    async with reader._database.transaction() as connection:
        return float(sum([_blocks(await plan_of(connection, one, "ANALYZE, BUFFERS, ")) for one in found]))


async def _explained(connection: Any, query: str, user: str) -> Any:
    return json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", user))[0]["Plan"]


def _blocks(plan: Any) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
