"""Any other database that SQLAlchemy has an async driver for: plain inserts, made idempotent by looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from audit_async.config import KEY_LOOKS, KEYS_AT_ONCE
from audit_async.entry import Entry
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    TransientStoreError,
)
from audit_async.faults import Place, raise_verdict, translate
from audit_async.inspection import TableName
from audit_async.store import StoreOptions
from audit_async.store.engine import OwnEngine, looking, raw_connection
from audit_async.store.revision import revise
from audit_async.table_map.layout import Layout
from audit_async.table_map.tables import Layouts, Tables

Key = tuple[Any, ...]


@dataclass(slots=True)
class _Rows:
    """The rows of one table, each once, and where it can be looked up whether it is there already.

    Attributes:
        rows: by key; by their number in the batch where the table has none.
        looked_up_in: the table itself, or the one with the ids of what was delivered; None where nothing tells.
    """

    layout: Layout
    rows: dict[Key, dict[str, Any]]
    looked_up_in: TableName | None
    key: tuple[str, ...]

    @classmethod
    def of(cls, layout: Layout, entries: Sequence[Entry]) -> _Rows:
        made = list(layout.rows(entries))
        if layout.delivered is not None:
            keys: list[Key] = [(entry.id,) for entry in entries]
            looked_up_in: TableName | None = layout.delivered
            key: tuple[str, ...] = ("id",)
        elif layout.key:
            at = [layout.columns.index(name) for name in layout.key]
            keys = [tuple(row[number] for number in at) for row in made]
            looked_up_in, key = layout.table, layout.key
        else:
            keys = [(number,) for number in range(len(made))]
            looked_up_in, key = None, ()
        # The first of equal ones wins, and the order stays.
        rows: dict[Key, dict[str, Any]] = {}
        for found, row in zip(keys, made, strict=True):
            rows.setdefault(found, {f"c{number}": value for number, value in enumerate(row)})
        return cls(layout, rows, looked_up_in, key)

    def without(self, there: set[Any]) -> _Rows:
        """Return those whose keys end in none of *there*."""
        left = {key: row for key, row in self.rows.items() if _unpadded(key[-1]) not in there}
        return _Rows(self.layout, left, self.looked_up_in, self.key)


class GenericStore:
    """A table in some database, for one event loop; its connection is made by the first batch.

    The role has to be allowed to read the key as well, since no conflict clause is common to all databases.
    """

    def __init__(self, options: StoreOptions) -> None:
        self._url = make_url(options.url)
        self._connect_seconds = options.timing.connect_seconds
        self._tables = Tables.read(options.table)
        self._place = Place.of(self._url, self._tables)
        self._engine = OwnEngine(self._new_engine, options.timing)
        self._layouts: Layouts | None = None

    def __repr__(self) -> str:
        return f"<GenericStore {self._url.drivername} {self._place.server}/{self._place.database} {self._tables}>"

    async def insert(self, entries: Sequence[Entry], *, is_replay: bool = False) -> None:
        """Put *entries* into the table, all or none. As `Store.insert`."""
        try:
            engine = self._engine.get()
            layouts = self._layouts or await self._look_at_tables(engine)
            parts = [_Rows.of(layout, part) for layout, part in layouts.parts(entries)]
            if is_replay or not await self._insert_all(engine, parts):
                await self._insert_missing(engine, parts)
        except Exception as error:
            verdict = translate(error, self._place, connecting=self._layouts is None)
            if isinstance(verdict, DataStoreError):
                verdict = await revise(verdict, entries, self._engine.get(), self._tables, self._layouts, self._place)
            if isinstance(verdict, (ConfigStoreError, TransientStoreError)):
                # Somebody will mend the table, or has changed it: look at it anew.
                self._layouts = None
            raise_verdict(verdict, error)

    async def close(self) -> None:
        """Close the connection, if one is open. Never raises."""
        await self._engine.close()

    def abandon(self) -> None:
        """Forget the connection. As `Store.abandon`."""
        self._engine.abandon()

    async def _insert_all(self, engine: AsyncEngine, parts: list[_Rows]) -> bool:
        """Insert all rows in one transaction; return False, with nothing inserted, if some key is there already."""
        try:
            async with AsyncSession(engine) as session, session.begin():
                self._engine.raw = await raw_connection(await session.connection())
                for part in parts:
                    if part.layout.delivered is not None:
                        noted = [{"c0": key[0]} for key in part.rows]
                        await session.execute(self._insert_statement(part.layout.delivered, ("id",)), noted)
                    rows = list(part.rows.values())
                    await session.execute(self._insert_statement(part.layout.table, part.layout.columns), rows)
        except Exception as error:
            if isinstance(translate(error, self._place), DuplicateStoreError):
                return False
            raise
        return True

    def _insert_statement(self, table: TableName, columns: Sequence[str]) -> TextClause:
        names = ", ".join(self._quoted(name) for name in columns)
        # Numbers stand for the columns, whose names may hold what no parameter's name may.
        values = ", ".join(f":c{number}" for number in range(len(columns)))
        return text(f"INSERT INTO {self._quoted_table(table)} ({names}) VALUES ({values})")

    async def _insert_missing(self, engine: AsyncEngine, parts: list[_Rows]) -> None:
        """Insert those rows whose keys are not there; look again if others add some meanwhile."""
        for _ in range(KEY_LOOKS):
            parts = [part.without(await self._keys_there(engine, part)) for part in parts]
            parts = [part for part in parts if part.rows]
            if not parts or await self._insert_all(engine, parts):
                return
            if not any([await self._keys_there(engine, part) for part in parts]):
                raise DataStoreError(
                    f"table {self._tables} refuses a row: another unique key has its value already",
                    sqlstate="23505",
                )
        raise TransientStoreError(f"others insert the same rows into {self._tables} at the same time")

    async def _keys_there(self, engine: AsyncEngine, part: _Rows) -> set[Any]:
        """Return the ids of those rows that are in the table, or were delivered."""
        there: set[Any] = set()
        if part.looked_up_in is None:
            return there
        keys = list(part.rows)
        wanted = f"SELECT {self._quoted(part.key[-1])} FROM {self._quoted_table(part.looked_up_in)} WHERE "
        async with AsyncSession(engine) as session:
            for start in range(0, len(keys), KEYS_AT_ONCE):
                some = keys[start : start + KEYS_AT_ONCE]
                matches = " OR ".join(
                    "(" + " AND ".join(f"{self._quoted(n)} = :k{at}_{i}" for at, n in enumerate(part.key)) + ")"
                    for i in range(len(some))
                )
                bound = {f"k{at}_{i}": value for i, key in enumerate(some) for at, value in enumerate(key)}
                there.update(map(_unpadded, await session.scalars(text(wanted + matches), bound)))
        return there

    async def _look_at_tables(self, engine: AsyncEngine) -> Layouts:
        async with looking(engine) as connection:
            self._layouts = await connection.run_sync(self._tables.lay_out)
        return self._layouts

    def _new_engine(self) -> AsyncEngine:
        return create_async_engine(
            self._url, hide_parameters=True, pool_size=1, max_overflow=0, pool_timeout=self._connect_seconds
        )

    def _quoted(self, name: str) -> str:
        dialect = self._engine.get().dialect
        quoted = dialect.identifier_preparer.quote_identifier(name)
        if dialect.paramstyle in ("format", "pyformat"):
            # Doubled for the driver already, which `text` does once more.
            quoted = quoted.replace("%%", "%")
        return quoted.replace(":", "\\:")  # which would begin a parameter

    def _quoted_table(self, table: TableName) -> str:
        return ".".join(self._quoted(part) for part in (table.schema, table.name) if part)


def _unpadded(value: Any) -> Any:
    """Return *value* as a column of a fixed width was given it, which returns it with blanks."""
    return value.rstrip(" ") if isinstance(value, str) else value
