"""Into a database: batches against SQLAlchemy's and the server's own limit, one row against a bare INSERT."""

from __future__ import annotations

import io
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from statistics import median

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditLogger, TableMap
from audit_async.entry import Entry
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from audit_async.store.postgres import PostgresStore
from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row
from scripts.benchmark import samples
from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.peers import SessionPerEvent, TextExecutemany, prepared_insert
from tests.seeds import enclava

_BATCH = 1000
_LARGE_BATCH = 5000


async def batches(bench: Bench) -> list[Comparison]:
    """P3 and P4: batches of 1,000, against SQLAlchemy's executemany and against a COPY file that is ready."""
    url, count = await bench.url(), max(2, bench.count(10_000) // _BATCH)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    store, peer = PostgresStore(StoreOptions(url=url)), TextExecutemany(url)

    async def stored() -> float:
        batch = _fresh(count)
        return await _rate(batch, store.insert)

    async def executed() -> float:
        batch = _fresh(count)
        return await _rate(batch, peer.insert)

    async def copied() -> float:
        files = [await _copy_file(connection, batch) for batch in _fresh(count)]
        started = time.perf_counter()
        for file in files:
            await connection.copy_to_table(
                "audit_logs", source=io.BytesIO(file), columns=list(COLUMNS), format="binary"
            )
        return count * _BATCH / (time.perf_counter() - started)

    try:
        await _rate(_fresh(1), store.insert)
        await _rate(_fresh(1), peer.insert)
        ours, theirs, limit = await bench.interleaved(stored, executed, copied)
    finally:
        await store.close()
        await peer.close()
        await connection.close()
    return [
        Comparison(
            number="P3",
            about=(
                "The writer's store alone, batches of 1,000 entries, each a transaction of its own, into our table"
                " with its indexes; beside SQLAlchemy's `executemany` of a text INSERT into the same table, the way in"
                " which those who batch write batches. Both have their rows as Python objects."
            ),
            what="store, batches of 1,000 / text executemany",
            unit="/s",
            ours=ours,
            theirs=theirs,
            goal=Goal(least=2.2, aim=2.6),
        ),
        Comparison(
            number="P4",
            about=(
                "The same beside the server's own limit: COPY of bytes that are ready before the clock starts, in the"
                " same batches and transactions. What is missing to 1 is what turning objects into rows costs."
            ),
            what="the same / the server's COPY of a ready file",
            unit="/s",
            ours=ours,
            theirs=limit,
            goal=Goal(least=0.8, aim=0.9),
        ),
    ]


async def one_row(bench: Bench) -> list[Comparison]:
    """P9: one task's `write()` against a bare prepared INSERT of the same row, p50."""
    count = bench.count(200)
    connection = await asyncpg.connect((await bench.url()).replace("+asyncpg", ""))

    async def written(audit: AuditLogger) -> float:
        taken = []
        for number in range(count):
            started = time.perf_counter()
            await audit.write(samples.event(number))
            taken.append(time.perf_counter() - started)
        return median(taken) * 1e6

    async def inserted() -> float:
        taken = []
        insert = await prepared_insert(connection)
        for row in map(own_row, samples.entries(count)):
            started = time.perf_counter()
            await insert.fetch(*row)
            taken.append(time.perf_counter() - started)
        return median(taken) * 1e6

    async with bench.logger() as audit, bench.logger("task") as audit_in_task:
        ours, in_task, theirs = await bench.interleaved(
            lambda: written(audit), lambda: written(audit_in_task), inserted
        )
    await connection.close()
    row = Comparison(
        number="P9",
        about=(
            "One task that awaits each row in the table, through context, redaction, journal, writer and commit;"
            " beside a prepared INSERT of the same row on an open asyncpg connection, the least that any logger pays"
            " who waits for the server."
        ),
        what="write(), one task, p50 / bare prepared INSERT",
        unit="µs",
        ours=ours,
        theirs=theirs,
        goal=Goal(least=1.25, aim=1.1, better="less"),
        is_inverted=True,
    )
    return [row, replace(row, what='... writer="task"', ours=in_task, goal=None, about="")]


async def mapped(bench: Bench) -> list[Comparison]:
    """mapped: batches into somebody's table of twenty columns, with its own indexes, against the same into ours."""
    count = max(1, bench.count(20_000) // _LARGE_BATCH)
    url, other_url = await bench.url(), await bench.other_url(_make_enclava)
    ours = PostgresStore(StoreOptions(url=url))
    theirs = PostgresStore(StoreOptions(url=other_url, table=TableMap.ready("enclava")))

    async def into(store: PostgresStore) -> float:
        return await _rate(_fresh(count, _LARGE_BATCH), store.insert)

    try:
        await into(ours)
        await into(theirs)
        figures, limit = await bench.interleaved(lambda: into(theirs), lambda: into(ours))
    finally:
        await ours.close()
        await theirs.close()
    return [
        Comparison(
            number="mapped",
            what="store, a mapped table of 20 columns / our own",
            unit="/s",
            ours=figures,
            theirs=limit,
            goal=Goal(least=0.6, aim=0.8),
            about=(
                "Batches of 1,000 through a `TableMap` into a table that somebody had before, of twenty columns with"
                " indexes of its own, beside the same into our table. Both are ours."
            ),
        )
    ]


async def embedded(bench: Bench) -> list[Comparison]:
    """P15: the SQLite store, and the MariaDB store where there is a server, against a session for each event there."""
    about = (
        "The store on the embedded database and on MariaDB, batches of 1,000, beside a session for each event with a"
        " text INSERT and a commit on the same database: the way of the helper that is replaced."
    )
    rows = [
        replace(await _against_sessions(bench, "SQLite", await bench.sqlite_url(), Goal(least=40, aim=55)), about=about)
    ]
    mariadb_url = await bench.mariadb_url()
    if mariadb_url is not None:
        rows.append(await _against_sessions(bench, "MariaDB", mariadb_url, Goal(least=25, aim=38)))
    return rows


async def _against_sessions(bench: Bench, name: str, url: str, goal: Goal) -> Comparison:
    count, few = max(1, bench.count(10_000) // _BATCH), bench.count(300)
    store = open_store(StoreOptions(url=url))

    async def stored() -> float:
        return await _rate(_fresh(count), store.insert)

    async def in_sessions() -> float:
        started = time.perf_counter()
        for number in range(few):
            await peer.write("sso_login", samples.details(number), samples.USER_ID, "acme")
        return few / (time.perf_counter() - started)

    async with SessionPerEvent(url) as peer:
        try:
            await store.insert(samples.entries(_BATCH))
            ours, theirs = await bench.interleaved(stored, in_sessions)
        finally:
            await store.close()
    return Comparison(
        number="P15", what=f"{name} store / a session for each event", unit="/s", ours=ours, theirs=theirs, goal=goal
    )


async def _make_enclava(url: str) -> None:
    """Make enclava's table as its application does, without the key to users, whom the events do not know."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(enclava.metadata.create_all)
        await connection.execute(text("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_user_id_fkey"))
    await engine.dispose()


def _fresh(batches: int, size: int = _BATCH) -> list[list[Entry]]:
    made = samples.entries(batches * size)
    return [made[start : start + size] for start in range(0, len(made), size)]


async def _rate(batches: list[list[Entry]], insert: Callable[[Sequence[Entry]], Awaitable[None]]) -> float:
    started = time.perf_counter()
    for batch in batches:
        await insert(batch)
    return sum(map(len, batches)) / (time.perf_counter() - started)


async def _copy_file(connection: asyncpg.Connection[asyncpg.Record], batch: list[Entry]) -> bytes:
    """Return what COPY sends for *batch*, made by the server itself."""
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS ready (LIKE audit_logs INCLUDING DEFAULTS)")
    await connection.execute("TRUNCATE ready")
    await connection.copy_records_to_table("ready", columns=list(COLUMNS), records=map(own_row, batch))
    file = io.BytesIO()
    await connection.copy_from_table("ready", output=file, columns=list(COLUMNS), format="binary")
    return file.getvalue()
