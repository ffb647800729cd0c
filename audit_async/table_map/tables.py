"""Which tables a logger writes to: what it was told, and what it found there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from audit_async.entry import Entry
from audit_async.errors import ConfigurationError, DataStoreError
from audit_async.inspection import InspectedTable, TableName, inspect_now
from audit_async.table_map.delivered import require
from audit_async.table_map.fitting import fit
from audit_async.table_map.layout import Layout
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.recognition import recognise

Part = tuple[Layout, Sequence[Entry]]
TableSetting = str | TableMap | Sequence[TableMap]


@dataclass(frozen=True, slots=True)
class Layouts:
    """The tables as they were found.

    Attributes:
        all: in the order in which they are asked whether they take an entry.
        found: what they were laid out for.
    """

    all: tuple[Layout, ...]
    found: tuple[InspectedTable, ...] = ()

    def parts(self, entries: Sequence[Entry]) -> list[Part]:
        """Return which of *entries* go into which table, in their order; tables that get none are left out.

        Raises:
            DataStoreError: no table takes one of them.
        """
        first = self.all[0]
        if first.actions is None:
            return [(first, entries)]
        parts: dict[int, list[Entry]] = {}
        for entry in entries:
            parts.setdefault(self._place_of(entry), []).append(entry)
        return [(self.all[number], parts[number]) for number in sorted(parts)]

    def _place_of(self, entry: Entry) -> int:
        for number, layout in enumerate(self.all):
            if layout.takes(entry):
                return number
        raise DataStoreError(
            f"no table takes {entry.action}: {_taken(self.all)}",
            hint="add a map without `actions` behind the others",
        )

    @property
    def are_ours(self) -> bool:
        """Whether it is our own table that is written to."""
        return self.all[0].is_ours


def _taken(layouts: Iterable[Layout]) -> str:
    return "; ".join(f"{each.table} takes {', '.join(sorted(each.actions or ()))}" for each in layouts)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that a logger was told to write to.

    Attributes:
        names: of the one table whose layout follows from what it is, or of those that are mapped.
        maps: of tables that are mapped; an entry goes to the first that takes it.
    """

    names: tuple[TableName, ...]
    maps: tuple[TableMap, ...] = ()

    @classmethod
    def read(cls, table: TableSetting) -> Tables:
        """Return the tables that the setting *table* names: by a name, a map or several maps.

        Raises:
            ConfigurationError: it names none.
        """
        if isinstance(table, str):
            return cls((TableName.parse(table),))
        maps = (table,) if isinstance(table, TableMap) else tuple(table)
        if not maps or not all(isinstance(each, TableMap) for each in maps):
            raise ConfigurationError(
                f"table={table!r} names no table", hint="give a name, a TableMap, or a list of TableMaps"
            )
        return cls(tuple(TableName.parse(each.table) for each in maps), maps)

    def __str__(self) -> str:
        return ", ".join(map(str, self.names))

    @property
    def name(self) -> TableName:
        """The first table's."""
        return self.names[0]

    def lay_out(self, connection: Connection) -> Layouts:
        """Look at the tables through an open connection; for an async one, through its `run_sync`.

        Raises:
            ConfigStoreError: one is not there, or not as it must be.
        """
        found = self._look(connection)
        if not self.maps:
            return Layouts((recognise(found[0]),), found)
        layouts = tuple(fit(each, table) for each, table in zip(self.maps, found, strict=True))
        for layout in layouts:
            if layout.delivered is not None:
                require(connection, layout.delivered, layout.table)
        return Layouts(layouts, found)

    def have_changed(self, connection: Connection, layouts: Layouts) -> bool:
        """Return whether the tables are others than *layouts* were made for: then a refused row is no fault of it."""
        return self._look(connection) != layouts.found

    def _look(self, connection: Connection) -> tuple[InspectedTable, ...]:
        return tuple(inspect_now(connection, name) for name in self.names)


def not_delivered(entries: Iterable[Entry], delivered: set[str]) -> list[Entry]:
    """Return those of *entries* whose ids are not among *delivered*, each id once, in their order."""
    fresh: dict[str, Entry] = {}
    for entry in entries:
        if entry.id not in delivered:
            fresh.setdefault(entry.id, entry)
    return list(fresh.values())
