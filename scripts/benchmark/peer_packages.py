"""Other audit loggers from their own packages, each driven the way its documentation says.

They are installed into an environment of their own (`scripts/setup bench`), in which `peer_alone` runs them.
Every way logs the same event: who did what to what, from where, in which request, with the same details.
What a way has no column for goes where its documentation puts more of the same: into its JSON.
"""

from __future__ import annotations

import asyncio
import uuid
import warnings
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import airlog
import psycopg_pool
from airlog.buffer import BufferedStream, ErrorPolicy
from audit_trail import AuditEvent, AuditTrail, Severity, event
from audit_trail.migrations import create_audit_tables
from fastapi_fabric.audit.models import AuditEvent as FabricEvent
from fastapi_fabric.audit.protocol import set_writer
from fastapi_fabric.audit.writer import emit_audit_nowait
from fastapi_fabric.audit.writers.database import DatabaseAuditWriter
from fastapi_fabric.audit.writers.queued import QueuedAuditWriter
from fastapi_fabric.auth.dependencies import CurrentPrincipal
from psycopg.types.json import Jsonb
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from audit_async import AuditLogger, create_table, events
from scripts.benchmark import samples

_TENANT, _ADDRESS = samples.ACTING["tenant_id"], samples.ACTING["ip_address"]
_SESSION, _REQUEST = samples.ACTING["session_id"], samples.ACTING["request_id"]
_MANY = 1_000_000
"""More than any burst here has events: a limit on what waits in memory, out of the way."""

Details = dict[str, Any]


class Way(Protocol):
    """An audit logger as an application has it, from its start to its end."""

    table: str

    def __init__(self, url: str, folder: Path) -> None: ...

    async def create(self) -> None:
        """Make its table, as its documentation says."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def log(self, details: Details) -> Awaitable[object] | None:
        """Log one event; who is given something waits for it, as its callers do."""
        ...

    async def log_all(self, many: Sequence[Details]) -> None:
        """Log *many* as fast as its callers can."""
        ...

    async def flush(self) -> None:
        """Do what its documentation says for the end of a program."""
        ...


class Ours:
    """This library, as it is without any setting."""

    table = "audit_logs"

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    async def create(self) -> None:
        await create_table(self._url)

    async def __aenter__(self) -> Self:
        self._audit = AuditLogger(self._url, journal_dir=self._folder)
        await self._audit.__aenter__()
        self._acting = samples.acting()
        self._acting.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acting.__exit__(None, None, None)
        await self._audit.close(1)

    def log(self, details: Details) -> None:
        self._audit.log(
            events.custom(
                "sso.login",
                user_id=samples.USER_ID,
                resource_type="user",
                resource_id="u-4711",
                duration_ms=12.5,
                details=details,
            )
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await _in_a_loop(self.log, many)

    async def flush(self) -> None:
        await self._audit.flush(60)


class _SsoEvent(AuditEvent):
    LOGIN = event("sso.login", Severity.INFO)


class _AppSession(Session):
    """The listeners are registered on this class."""


class InTransaction:
    """sqlalchemy-audit-trail, an event in the caller's own transaction: a session and a commit for each call.

    Nothing of it runs in the background, so there is nothing to set but how much a transaction holds and how many
    callers there are; `on_error="raise"` spares a savepoint.
    """

    table = "audit.audit_activity"

    WORKERS = 8
    EVENTS_A_COMMIT = 100

    def __init__(self, url: str, folder: Path) -> None:
        self._engine = create_async_engine(url, pool_size=self.WORKERS)
        self._audit = AuditTrail(self._engine, events=[_SsoEvent], on_error="raise")
        self._session = async_sessionmaker(self._engine, sync_session_class=_AppSession)

    async def create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(create_audit_tables, self._audit.tables, self._audit.severities)
        await self._audit.maintenance.aensure_partitions()

    async def __aenter__(self) -> Self:
        self._audit.install(self._session)
        self._acting = self._audit.context(
            actor_type="user",
            actor_id=str(samples.USER_ID),
            remote_addr=_ADDRESS,
            request_id=uuid.uuid5(uuid.NAMESPACE_OID, _REQUEST),  # it takes nothing but UUIDs
            scope_id=_TENANT,
            extra={"session_id": _SESSION},
        )
        self._acting.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acting.__exit__(None, None, None)
        await self._audit.adispose()
        await self._engine.dispose()

    async def log(self, details: Details) -> None:
        async with self._session() as session:
            await self._say(session, details)
            await session.commit()

    async def log_all(self, many: Sequence[Details]) -> None:
        waiting = iter(
            [many[start : start + self.EVENTS_A_COMMIT] for start in range(0, len(many), self.EVENTS_A_COMMIT)]
        )

        async def work() -> None:
            for batch in waiting:
                async with self._session() as session:
                    for details in batch:
                        await self._say(session, details)
                    await session.commit()

        async with asyncio.TaskGroup() as group:
            for _ in range(self.WORKERS):
                group.create_task(work())

    async def flush(self) -> None:
        """Every call has committed."""

    async def _say(self, session: AsyncSession, details: Details) -> None:
        await self._audit.alog(
            session, _SsoEvent.LOGIN, target=("user", "u-4711"), payload={**details, "duration_ms": 12.5}
        )


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

    CONNECTIONS = 8
    SETTINGS: ClassVar[dict[str, Any]] = {
        "error_policy": ErrorPolicy.RETRY,
        "flush_interval": 0.1,
        "max_buffer_size": 1000,
        "max_buffer_bytes": _MANY * 1000,
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
            {"actor_type": "user", "tenant_id": _TENANT, "ip_address": _ADDRESS, "session_id": _SESSION},
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
            correlation_id=_REQUEST,
            duration_ms=12.5,
            **details,
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await _in_a_loop(self.log, many)

    async def flush(self) -> None:
        await self._stream.flush()


class AirlogByDefault(Airlog):
    """The same without a setting: 1,000 events, every 5 s, and what does not fit is dropped."""

    SETTINGS: ClassVar[dict[str, Any]] = {}


class AirlogWithWal(Airlog):
    """The same with its write-ahead log, a SQLite file into which each call commits."""

    def settings(self) -> dict[str, Any]:
        return {**self.SETTINGS, "wal_path": str(self._folder / "airlog.wal")}


class Fabric:
    """fastapi-fabric-audit: a queue before its database writer, which opens a session for each event."""

    table = "audit_events"

    CONNECTIONS = 20
    QUEUED: ClassVar[dict[str, Any]] = {"maxsize": _MANY}
    ENGINE: ClassVar[dict[str, Any]] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": 600}

    def __init__(self, url: str, folder: Path) -> None:
        self._engine = create_async_engine(url, **self.ENGINE)
        factory = async_sessionmaker(self._engine, expire_on_commit=False)
        self._writer = QueuedAuditWriter(DatabaseAuditWriter(factory), **self.QUEUED)

    async def create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(FabricEvent.metadata.create_all)

    async def __aenter__(self) -> Self:
        set_writer(self._writer)
        await self._writer.start()
        self._principal = CurrentPrincipal(sub=str(samples.USER_ID), type="user")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    def log(self, details: Details) -> None:
        emit_audit_nowait(
            "sso.login",
            principal=self._principal,
            resource_type="user",
            resource_id="u-4711",
            detail={
                **details,
                "duration_ms": 12.5,
                "tenant_id": _TENANT,
                "session_id": _SESSION,
                "request_id": _REQUEST,
            },
            ip_address=_ADDRESS,
        )

    async def log_all(self, many: Sequence[Details]) -> None:
        await _in_a_loop(self.log, many)

    async def flush(self) -> None:
        await asyncio.sleep(0)  # the last events are in tasks that have not begun
        await self._writer.flush()


class FabricByDefault(Fabric):
    """The same without a setting: a queue of 10,000, and SQLAlchemy's pool of 5 and 10 more for 30 s."""

    QUEUED: ClassVar[dict[str, Any]] = {}
    ENGINE: ClassVar[dict[str, Any]] = {}


async def _in_a_loop(log: Callable[[Details], None], many: Sequence[Details]) -> None:
    for number, details in enumerate(many):
        log(details)
        if number % 50 == 0:
            await asyncio.sleep(0)


WAYS: dict[str, type[Way]] = {
    "ours": Ours,
    "trail": InTransaction,
    "airlog": Airlog,
    "airlog-wal": AirlogWithWal,
    "airlog-default": AirlogByDefault,
    "fabric": Fabric,
    "fabric-default": FabricByDefault,
}
