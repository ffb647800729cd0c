"""airlog, with its buffer before a table."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import airlog
import psycopg_pool
from airlog.buffer import BufferedStream, ErrorPolicy
from psycopg.types.json import Jsonb

from scripts.benchmark import samples
from scripts.benchmark.peer_packages import MANY, Details, in_a_loop


class _AirlogTable(airlog.AuditStream):
    """A backend such as its documentation has its users write: `emit` puts one event into their database."""

    TABLE = (
        "CREATE TABLE IF NOT EXISTS airlog_events (event_id uuid PRIMARY KEY, sequence bigint, occurred_at timestamptz,"
        " action text, subject text, auth_method text, metadata jsonb, resource text, resource_id text, outcome text,"
        " correlation_id text, context jsonb, checksum text)"
    )
    _INSERT = f"INSERT INTO airlog_events VALUES ({', '.join(['%s'] * 13)}) ON CONFLICT DO NOTHING"

    def __init__(self, url: str, connections: int) -> None:
        super().__init__()
        self.pool = psycopg_pool.ConnectionPool(
            url.replace("+asyncpg", ""),
            min_size=connections,
            max_size=connections,
            kwargs={"autocommit": True},
            open=True,
        )

    def emit(self, event: airlog.AuditEvent) -> None:
        who = event.principal
        with self.pool.connection() as connection:
            connection.execute(
                self._INSERT,
                (
                    event.event_id,
                    event.sequence,
                    event.timestamp,
                    event.action,
                    who.subject,
                    who.auth_method,
                    Jsonb(who.metadata),
                    event.resource,
                    event.resource_id,
                    event.outcome,
                    event.correlation_id,
                    Jsonb(event.context),
                    event.checksum,
                ),
            )


class Airlog:
    """airlog, a `BufferedStream` before a backend, with room for everything and several threads that flush."""

    table = "airlog_events"

    CONNECTIONS = 16
    SETTINGS: ClassVar[dict[str, Any]] = {
        "error_policy": ErrorPolicy.RETRY,
        "flush_interval": 0.1,
        "max_buffer_size": 100,
        "max_buffer_bytes": MANY * 1000,
    }

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    async def create(self) -> None:
        table = _AirlogTable(self._url, 1)
        with table.pool.connection() as connection:
            connection.execute(table.TABLE)
        table.pool.close()

    async def __aenter__(self) -> Self:
        warnings.simplefilter("ignore", RuntimeWarning)  # it warns of each event that it drops
        self._table = _AirlogTable(self._url, self.CONNECTIONS)
        self._stream = BufferedStream(self._table, **self.settings())
        self._principal = airlog.Principal(
            str(samples.USER_ID),
            "sso",
            {name: samples.ACTING[name] for name in ("actor_type", "tenant_id", "ip_address", "session_id")},
        )
        return self

    def settings(self) -> dict[str, Any]:
        """Return what the stream is made with."""
        return self.SETTINGS

    async def __aexit__(self, *_: object) -> None:
        self._stream.stop()
        self._table.pool.close()

    def log(self, details: Details) -> None:
        self._stream.record(
            "sso.login",
            self._principal,
            "user",
            resource_id="u-4711",
            correlation_id=samples.ACTING["request_id"],
            duration_ms=12.5,
            **details,
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await in_a_loop(self.log, many)

    async def flush(self) -> None:
        await self._stream.flush()


class AirlogByDefault(Airlog):
    """The same without a setting: 1,000 events, every 5 s, and what does not fit is dropped."""

    SETTINGS: ClassVar[dict[str, Any]] = {}


class AirlogWithWal(Airlog):
    """The same with its write-ahead log, a SQLite file into which each call commits."""

    def settings(self) -> dict[str, Any]:
        return {**self.SETTINGS, "wal_path": str(self._folder / "airlog.wal")}
