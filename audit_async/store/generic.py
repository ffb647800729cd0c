"""Any other database that SQLAlchemy has an async driver for: plain inserts, made idempotent by looking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from audit_async.config import CONNECT_SECONDS, KEY_LOOKS, KEYS_AT_ONCE
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    TransientStoreError,
)
from audit_async.faults import Place, raise_verdict, translate
from audit_async.inspection import TableName, inspect_through
from audit_async.store import StoreOptions
from audit_async.store.engine import OwnEngine, raw_connection
from audit_async.table_map.layout import Layout
from audit_async.table_map.recognition import recognise

Row = dict[str, Any]
Key = tuple[Any, ...]


class GenericStore:
    """A table in some database, for one event loop; its connection is made by the first batch.

    The role has to be allowed to read the key as well, since no conflict clause is common to all databases.
    """

    def __init__(self, options: StoreOptions) -> None:
        self._url = make_url(options.url)
        self._table = TableName.parse(options.table)
        self._place = Place.of(self._url, self._table)
        self._engine = OwnEngine(self._new_engine)
        self._layout: Layout | None = None

    def __repr__(self) -> str:
        return f"<GenericStore {self._url.drivername} {self._place.server}/{self._place.database} {self._table}>"

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none. As `Store.insert`."""
        try:
            engine = self._engine.get()
            layout = self._layout or await self._look_at_table(engine)
            rows = {_key(layout, row): row for row in reversed([_row(layout, entry) for entry in entries])}
            if not (is_replay or await self._insert_all(engine, layout, list(rows.values()))):
                is_replay = True
            if is_replay:
                await self._insert_missing(engine, layout, rows)
        except Exception as error:
            verdict = translate(error, self._place, connecting=self._layout is None)
            if isinstance(verdict, ConfigStoreError):
                # Somebody will mend the table: look at it anew.
                self._layout = None
            raise_verdict(verdict, error)

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises."""
        await self._engine.close()

    def abandon(self) -> None:
        """Forget the connection. As `Store.abandon`."""
        self._engine.abandon()

    async def _insert_all(self, engine: AsyncEngine, layout: Layout, rows: list[Row]) -> bool:
        """Insert *rows*; return False, with nothing inserted, if some key is there already."""
        columns = ", ".join(self._quoted(name) for name in layout.columns)
        values = ", ".join(f":{name}" for name in layout.columns)
        statement = text(f"INSERT INTO {self._quoted_table(layout)} ({columns}) VALUES ({values})")
        try:
            async with AsyncSession(engine) as session, session.begin():
                self._engine.raw = await raw_connection(await session.connection())
                await session.execute(statement, rows)
        except Exception as error:
            if isinstance(translate(error, self._place), DuplicateStoreError):
                return False
            raise
        return True

    async def _insert_missing(self, engine: AsyncEngine, layout: Layout, rows: dict[Key, Row]) -> None:
        """Insert those of *rows* whose keys are not there; look again if others add some meanwhile."""
        missing = dict(rows)
        for _ in range(KEY_LOOKS):
            there = await self._keys_there(engine, layout, missing)
            missing = {key: row for key, row in missing.items() if key[-1] not in there}
            if not missing or await self._insert_all(engine, layout, list(missing.values())):
                return
            if not await self._keys_there(engine, layout, missing):
                raise DataStoreError(
                    f"table {layout.table} refuses a row: another unique key has its value already",
                    sqlstate="23505",
                )
        raise TransientStoreError(f"others insert the same rows into {layout.table} at the same time")

    async def _keys_there(self, engine: AsyncEngine, layout: Layout, rows: dict[Key, Row]) -> set[Any]:
        """Return the ids of those of *rows* that the table has."""
        there: set[Any] = set()
        keys = list(rows)
        async with AsyncSession(engine) as session:
            for start in range(0, len(keys), KEYS_AT_ONCE):
                part = keys[start : start + KEYS_AT_ONCE]
                matches = " OR ".join(
                    "(" + " AND ".join(f"{self._quoted(n)} = :{n}_{i}" for n in layout.key) + ")"
                    for i in range(len(part))
                )
                statement = text(
                    f"SELECT {self._quoted(layout.key[-1])} FROM {self._quoted_table(layout)} WHERE {matches}"
                )
                bound = {f"{n}_{i}": v for i, key in enumerate(part) for n, v in zip(layout.key, key, strict=True)}
                there.update(await session.scalars(statement, bound))
        return there

    async def _look_at_table(self, engine: AsyncEngine) -> Layout:
        async with engine.connect() as connection:
            self._layout = recognise(await inspect_through(connection, self._table))
        return self._layout

    def _new_engine(self) -> AsyncEngine:
        return create_async_engine(
            self._url, hide_parameters=True, pool_size=1, max_overflow=0, pool_timeout=CONNECT_SECONDS
        )

    def _quoted(self, name: str) -> str:
        return self._engine.get().dialect.identifier_preparer.quote_identifier(name)

    def _quoted_table(self, layout: Layout) -> str:
        parts = (layout.table.schema, layout.table.name)
        return ".".join(self._quoted(part) for part in parts if part)


def _row(layout: Layout, entry: Entry) -> Row:
    return dict(zip(layout.columns, layout.row(entry), strict=True))


def _key(layout: Layout, row: Row) -> Key:
    return tuple(row[name] for name in layout.key)
