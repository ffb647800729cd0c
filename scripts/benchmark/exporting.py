"""A whole table as a file: how fast, beside PostgreSQL writing its own JSON, and in how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from audit_async import AuditReader, Scope
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.reading import filled

_ROWS = 1_000_000
_MIB = 1024 * 1024

_ALONE = """
import asyncio, json, resource, sys
from audit_async import AuditReader, Query, Scope

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

async def main(url, path, format):
    async with AuditReader(url, tenant=Scope.all()) as reader:
        await reader.export(Query(limit=1, user_id="nobody"), format=format, path=path + ".none")
        before, most = rss(), [0]
        await reader.export(
            format=format, path=path, on_progress=lambda events: most.__setitem__(0, max(most[0], rss()))
        )
    print(json.dumps(most[0] - before))

asyncio.run(main(*sys.argv[1:]))
"""


async def export(bench: Bench) -> list[Comparison]:
    """export: every event as JSON Lines, against COPY of PostgreSQL's own JSON; and the memory that it takes."""
    rows = bench.count(_ROWS)
    url, _ = await filled(bench, rows)
    folder = bench.folder()

    async def ours() -> float:
        path = folder / "ours.jsonl"
        async with AuditReader(url, tenant=Scope.all(), statement_seconds=600) as reader:
            started = time.perf_counter()
            await reader.export(path=path, may_replace=True)
            return rows / (time.perf_counter() - started)

    async def theirs() -> float:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        started = time.perf_counter()
        await connection.copy_from_query(
            "SELECT row_to_json(event)::text FROM audit_logs AS event ORDER BY created_at DESC, id DESC",
            output=folder / "theirs.jsonl",
        )
        taken = time.perf_counter() - started
        await connection.close()
        return rows / taken

    quick = await bench.interleaved(ours, theirs)
    grown = [_grown(url, folder / "alone", format) for format in ("jsonl", "csv")]
    return [
        Comparison(
            number="export",
            what=f"{rows:,} events as JSON Lines / COPY of row_to_json",
            unit="/s",
            ours=quick[0],
            theirs=quick[1],
            goal=Goal(least=0.5, aim=1),
        ),
        Comparison(
            number="export",
            what="memory it grows by, JSON Lines and CSV",
            unit="MiB",
            ours=grown,
            goal=Goal(least=32, aim=16, better="less"),
        ),
    ]


def _grown(url: str, path: Path, format: str) -> float:
    """Return the MiB by which a process of its own grows that exports everything."""
    command = [sys.executable, "-c", _ALONE, url, f"{path}.{format}", format]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- of our own making
    return float(json.loads(done.stdout)) / _MIB
