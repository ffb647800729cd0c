"""Upkeep beside a writer: how long it takes, how long an INSERT waits meanwhile, and what is locked."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from audit_async import Retention, create_table, maintain, upgrade_table
from audit_async.config import GIB, KIB
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison

_ROWS = 1_000_000
_ALONE_SECONDS = 3.0
_LOOK_SECONDS = 0.002

# One row in ten is of a year ago, in a month of its own; one in five of last month, for which there is no partition.
FILL = """
INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, user_id, tenant_id, resource_type,
                        resource_id, ip_address, details, metadata, tags)
SELECT gen_random_uuid()::text, moment, 'sso.login', (ARRAY['security', 'access', 'data'])[1 + number % 3], 'info',
       'success', 'u-' || number % 10000, 't-' || number % 100, 'user', 'r-' || number % 50000, '192.0.2.17',
       '{{"provider_type": "feishu", "department": {{"id": "od-4e6ac4d14bcd5071a37a39de902c7141"}}, "attempt": 1}}',
       '{{}}', '[]'
  FROM generate_series(1, {rows}) AS number,
       LATERAL (SELECT CASE WHEN number % 10 = 0 THEN timestamptz '{old}' WHEN number % 5 = 1 THEN timestamptz '{stray}'
                       ELSE timestamptz '{now}' END + number * interval '1 millisecond' AS moment) AS at
"""

ROW = """
INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, details, metadata, tags)
VALUES (gen_random_uuid()::text, $1, 'sso.login', 'security', 'info', 'success', '{}', '{}', '[]')
"""

_LOCKS = """
SELECT relname::text, replace(mode, 'Lock', '') FROM pg_locks JOIN pg_class ON pg_class.oid = relation
 WHERE granted AND relname LIKE 'audit_logs%' AND relkind IN ('r', 'p') AND database = (
       SELECT oid FROM pg_database WHERE datname = current_database()) AND NOT pid = ANY($1)
"""
_NAMED = {"audit_logs", "audit_logs_default", "audit_logs_holds"}
_HARMLESS = {"AccessShare", "RowShare", "RowExclusive"}


class Watch:
    """A writer of single rows, and somebody who looks at the locks."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")
        self.longest = 0.0
        self.rows = 0
        self.locks: dict[str, set[str]] = {}

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Watch]:
        """Write and look until the block ends."""
        writer, looker = await asyncpg.connect(self._url), await asyncpg.connect(self._url)
        ours = [writer.get_server_pid(), looker.get_server_pid()]
        tasks = [asyncio.create_task(self._write(writer)), asyncio.create_task(self._look(looker, ours))]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            for each in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(each, Exception):
                    raise each
            await writer.close()
            await looker.close()

    async def _write(self, connection: Any) -> None:
        insert = await connection.prepare(ROW)
        while True:
            started = time.perf_counter()
            await insert.fetch(datetime.now(UTC))
            self.longest = max(self.longest, time.perf_counter() - started)
            self.rows += 1

    async def _look(self, connection: Any, ours: list[int]) -> None:
        look = await connection.prepare(_LOCKS)
        while True:
            for name, mode in await look.fetch(ours):
                if mode not in _HARMLESS:
                    what = name if name in _NAMED else "a month"
                    self.locks.setdefault(what, set()).add(mode)
            await asyncio.sleep(_LOOK_SECONDS)


async def upkeep(bench: Bench) -> list[Comparison]:
    """maintain: upgrade, months, strays, retention of a table with 1 M rows; the longest INSERT beside each."""
    count = bench.count(_ROWS)
    bench.needs_disk(count * 2 * KIB + GIB)
    url = await bench.other_url(lambda url: _old_table(url, count))
    rules = {"access": [Retention(30, category="access")], "all": [Retention(90)]}
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "nothing beside": lambda: asyncio.sleep(_ALONE_SECONDS),
        "upgrade, 1 to 2": lambda: upgrade_table(url),
        "upgrade --resource-index": lambda: upgrade_table(url, resource_index=True),
        "25 months ahead, and strays": lambda: maintain(url),
        "... with nothing to do": lambda: maintain(url),
        "retention of a category, row by row": lambda: maintain(url, retention=rules["access"]),
        "retention of a whole month": lambda: maintain(url, retention=rules["all"]),
    }
    rows = []
    for what, step in steps.items():
        async with Watch(url).at_work() as watch:
            started = time.perf_counter()
            done = await step()
            taken = time.perf_counter() - started
        locks = "; ".join(f"{name}: {', '.join(sorted(modes))}" for name, modes in sorted(watch.locks.items()))
        _say(f"{what}: {taken:.2f} s, {watch.rows} rows beside, locks: {locks or 'none that an INSERT feels'}")
        if done is not None:
            _say("  " + str(done).replace("\n", "\n  "))
        rows.append(Comparison(number="maintain", what=what, unit="s", ours=[taken]))
        rows.append(
            Comparison(
                number="maintain", what=f"... longest INSERT beside {what}", unit="ms", ours=[watch.longest * 1e3]
            )
        )
    return rows


async def _old_table(url: str, rows: int) -> None:
    """Make a table of the first version, with *rows* rows and a year without upkeep behind it."""
    await create_table(url)
    now = datetime.now(UTC)
    old = (now - timedelta(days=365)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (old + timedelta(days=32)).replace(day=1)
    stray = (now.replace(day=1) - timedelta(days=20)).replace(hour=0)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("DROP TABLE audit_schema, audit_logs_holds")
        for (name,) in await connection.fetch("SELECT tablename FROM pg_tables WHERE tablename ~ '^audit_logs_2'"):
            if name != f"audit_logs_{now:%Y_%m}":
                await connection.execute(f'DROP TABLE "{name}"')
        await connection.execute(
            f"CREATE TABLE audit_logs_{old:%Y_%m} PARTITION OF audit_logs"
            f" FOR VALUES FROM ('{old.isoformat()}') TO ('{after.isoformat()}')"
        )
        begin = now.replace(day=1, hour=0, minute=0)
        await connection.execute(
            FILL.format(rows=rows, old=old.isoformat(), stray=stray.isoformat(), now=begin.isoformat())
        )
        await connection.execute("VACUUM ANALYZE audit_logs")
    finally:
        await connection.close()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
