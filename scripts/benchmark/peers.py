"""The other side: what the replaced loggers and the usual libraries do, short and faithful."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import asyncpg
import loguru
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from audit_async.entry import Entry
from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row

_DRAIN_SECONDS = 60.0


class SessionPerEvent:
    """A session for each event, one text INSERT, a commit; a table with six columns and one index."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url)
        # Only PostgreSQL's driver takes UUIDs; elsewhere the helper would have failed.
        self._takes_ids = self._engine.dialect.name == "postgresql"
        self._id_type = "uuid" if self._takes_ids else "char(36)"
        self._session = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)

    async def __aenter__(self) -> Self:
        async with self._engine.begin() as connection:
            await connection.execute(
                text(
                    "CREATE TABLE IF NOT EXISTS session_audit_logs"
                    f" (id {self._id_type} PRIMARY KEY, action varchar(100) NOT NULL,"
                    f" details json, agent_id {self._id_type}, user_id {self._id_type},"
                    f" created_at {'timestamptz' if self._takes_ids else 'datetime'} NOT NULL)"
                )
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    async def write(
        self, action: str, details: dict[str, Any], user_id: uuid.UUID, tenant_id: str | None = None
    ) -> None:
        """Write one event."""
        async with self._session() as session:
            full_details = details or {}
            if tenant_id:
                full_details["tenant_id"] = str(tenant_id)
            await session.execute(
                text(
                    "INSERT INTO session_audit_logs (id, action, details, agent_id, user_id, created_at) "
                    "VALUES (:id, :action, :details, :agent_id, :user_id, :created_at)"
                ),
                {
                    "id": self._id(uuid.uuid4()),
                    "action": action,
                    "details": json.dumps(full_details, ensure_ascii=False, default=str),
                    "agent_id": None,
                    "user_id": self._id(user_id),
                    "created_at": datetime.now(UTC) if self._takes_ids else datetime.now(UTC).replace(tzinfo=None),
                },
            )
            await session.commit()

    def _id(self, value: uuid.UUID) -> uuid.UUID | str:
        return value if self._takes_ids else str(value)


class FsyncPerLine:
    """An NDJSON file: opened, written, flushed and fsynced for each event, under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def append(self, record: dict[str, Any]) -> None:
        """Append one line, which is on disk on return."""
        line = json.dumps(record, ensure_ascii=False, default=str)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


class QueueLogging:
    """The standard library's QueueHandler, with a QueueListener whose handler throws the records away."""

    def __enter__(self) -> Self:
        self._queue: queue.Queue[Any] = queue.Queue(-1)
        self._listener = logging.handlers.QueueListener(self._queue, logging.NullHandler())
        self.logger = logging.getLogger("scripts.benchmark.queue")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self._handler = logging.handlers.QueueHandler(self._queue)
        self.logger.addHandler(self._handler)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()
        self.logger.removeHandler(self._handler)

    def drain(self) -> None:
        """Wait until the listener has had everything."""
        wait_until(self._queue.empty)


class QueueLoguru:
    """loguru with `enqueue=True`, and a sink that throws the messages away."""

    def __enter__(self) -> Self:
        self.logger = loguru.logger
        self._sink = loguru.logger.add(lambda _: None, enqueue=True, level="INFO", format="{message}")
        return self

    def __exit__(self, *_: object) -> None:
        loguru.logger.remove(self._sink)

    def drain(self) -> None:
        """Wait until the sink has had everything."""
        _ = loguru.logger.complete()  # what it returns is for sinks that are coroutines


class TextExecutemany:
    """SQLAlchemy's executemany of a text INSERT, one session and commit a batch, into our own table."""

    def __init__(self, url: str, table: str = "audit_logs") -> None:
        self._engine = create_async_engine(url)
        values = ", ".join(
            f"CAST(:{name} AS json)" if kind.startswith("json") else f":{name}" for name, kind in COLUMNS.items()
        )
        self._insert = text(f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES ({values})")

    async def insert(self, entries: Sequence[Entry]) -> None:
        """Insert a batch."""
        async with AsyncSession(self._engine) as session:
            await session.execute(self._insert, [dict(zip(COLUMNS, own_row(entry), strict=True)) for entry in entries])
            await session.commit()

    async def close(self) -> None:
        """Close its connections."""
        await self._engine.dispose()


async def prepared_insert(
    connection: asyncpg.Connection[asyncpg.Record],
) -> asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]:
    """Return the least that storing one row can cost: a prepared INSERT of all columns into our table."""
    places = ", ".join(f"${number + 1}" for number in range(len(COLUMNS)))
    return await connection.prepare(f"INSERT INTO audit_logs ({', '.join(COLUMNS)}) VALUES ({places})")


class CpuBoundThread:
    """A thread that computes in Python without a pause."""

    def __enter__(self) -> Self:
        self._goes_on = True
        self._thread = threading.Thread(target=self._compute, name="cpu-bound", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._goes_on = False
        self._thread.join()

    def _compute(self) -> None:
        number = 0
        while self._goes_on:
            number = (number * 31 + 7) % 1_000_003


def wait_until(is_done: Any, seconds: float = _DRAIN_SECONDS) -> None:
    """Wait for *is_done*, and give up aloud."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain")
        time.sleep(0.005)
