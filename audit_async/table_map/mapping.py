"""A map into a table that is there already: which column is filled from what. The table is never changed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from audit_async.errors import ConfigurationError, meant
from audit_async.events.dialects import DIALECTS, term_of
from audit_async.table_map.source import FIELDS, Source, is_path, read_source

if TYPE_CHECKING:
    from audit_async.inspection import InspectedTable
    from audit_async.table_map.probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMap:
    """Which column of a table is filled from what of an event.

        TableMap.ready("aether")
        TableMap.from_table(await inspect_table(url, "audit_logs")).with_columns({"origin": "billing"})

    Fields of an event without a column are folded into the JSON column that `fold_into` names; what does not fit its
    column is cut visibly, or folded as well.

    Attributes:
        table: its name, optionally with its schema.
        columns: column to source: a path such as `user_id`, `success` or `details.provider_type`; a list of paths, of
            which the first that is set counts; `{"first": [...], "otherwise": constant}`; `{"merge": [objects]}`;
            `{"constant": value}`; or a function of the event.
        fold_into: the JSON (or text) column that takes what has no column.
        spelling: dialect in which actions are written (`aether`, `clawith`, ...); None for canonical names.
        actions: canonical names of those that belong into this table; None for all.
        left_out: fields, or keys such as `details.changed`, that are deliberately kept nowhere.
        optional: columns that are filled where the table has them.
        delivered_ids: a narrow table (`id text PRIMARY KEY`) beside one that has no unique column for an event's id:
            it remembers what was delivered, so that no repetition after an unknown commit stores an event twice.
        name: what messages call the map.

    Raises:
        ConfigurationError: a source, field or dialect that there is not.
    """

    table: str
    columns: Mapping[str, Any]
    fold_into: str | None = None
    spelling: str | None = None
    actions: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    delivered_ids: str | None = None
    name: str = field(default="map", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.columns, Mapping):
            raise ConfigurationError(
                f"columns of the map for table {self.table} is of type {type(self.columns).__name__}",
                hint='give a mapping, column to source: {"at": "created_at", "what": "action"}',
            )
        sources = {column: read_source(column, given) for column, given in self.columns.items()}
        object.__setattr__(self, "columns", sources)
        if self.actions is not None:
            given: object = self.actions
            named = [given] if isinstance(given, str) else list(self.actions)
            # In whatever spelling they are given: events have the canonical one.
            object.__setattr__(self, "actions", tuple(term_of(action).name for action in named))
        if not sources:
            raise ConfigurationError(f"the map for table {self.table} has no columns", hint="name at least one")
        if self.spelling is not None and self.spelling not in DIALECTS:
            raise ConfigurationError(
                f"there is no dialect {self.spelling!r}{meant(self.spelling, DIALECTS)}",
                hint=f"there are {', '.join(sorted(DIALECTS))}; None writes canonical names",
            )
        for name in self.left_out:
            if name not in FIELDS and not is_path(name):
                raise ConfigurationError(
                    f"left_out names {name!r}, which no event has{meant(name, FIELDS)}",
                    hint=f"fields are {', '.join(FIELDS)}",
                )

    @property
    def sources(self) -> Mapping[str, Source]:
        """The columns with their sources, as they were read."""
        return self.columns

    @classmethod
    def from_table(cls, found: InspectedTable) -> Self:
        """Propose a map for a table, from the names and types of its columns.

        Raises:
            ConfigurationError: there is no such table, or no column that looks like one of an audit log's.
        """
        from audit_async.table_map.proposal import propose

        return cls(**propose(found))

    @classmethod
    def ready(cls, name: str, *, table: str | None = None) -> Self:
        """Return the map for a table found in the field, by the name of its system.

        Args:
            name: `aether`, `clawith`, `enclava`, `nano_banana_user_log`, `nano_banana_user_use_log` or `wecom`.
            table: another name of the table than it has there.

        Raises:
            ConfigurationError: there is no map of that name.
        """
        from audit_async.table_map.ready import READY

        if name not in READY:
            raise ConfigurationError(
                f"there is no ready map {name!r}{meant(name, READY)}", hint=f"there are {', '.join(sorted(READY))}"
            )
        arguments = {**READY[name], "name": name}
        return cls(**(arguments if table is None else {**arguments, "table": table}))

    def with_columns(self, columns: Mapping[str, Any]) -> Self:
        """Return the map with further columns, or with other sources for those that it has.

        Args:
            columns: column to a constant, a function of the event, a path, or what else `columns` takes. A text that
                is no path is a constant; one that nearly is a path is an error.
        """
        return dataclasses.replace(self, columns={**self.columns, **columns})

    def without_columns(self, *columns: str) -> Self:
        """Return the map without *columns*, which are then left to the database's defaults."""
        return dataclasses.replace(self, columns={n: s for n, s in self.columns.items() if n not in columns})

    def on_table(self, table: str) -> Self:
        """Return the map for a table of another name."""
        return dataclasses.replace(self, table=table)

    def of_table(self, found: InspectedTable) -> Self:
        """Return the map without those of its optional columns that the table has not."""
        return self.without_columns(*(name for name in self.optional if found.column(name) is None))

    def with_delivered_ids(self, table: str) -> Self:
        """Return the map with a table beside it that remembers the ids of what was delivered."""
        return dataclasses.replace(self, delivered_ids=table)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the map that the TOML file *path* holds, as `to_toml` writes it.

        Raises:
            ConfigurationError: the file is not there, is no TOML, or says what no map can.
        """
        from audit_async.table_map.toml import read_toml

        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"the map {os.fspath(path)} cannot be read: {error}", hint="make one: audit-async map propose URL TABLE"
            ) from error
        try:
            return cls(**read_toml(text, os.fspath(path)))
        except ConfigurationError as error:
            if os.fspath(path) in error.message:
                raise
            raise ConfigurationError(f"the map {os.fspath(path)}: {error.message}", hint=error.hint) from error

    def to_toml(self) -> str:
        """Return the map as TOML, for a file that `load` reads.

        Raises:
            ConfigurationError: a column is filled by a function.
        """
        from audit_async.table_map.toml import write_toml

        return write_toml(self)

    async def probe(self, url: str) -> Probe:
        """Look at the table, and say before the first event what of it will not arrive as it is. Changes nothing.

        Raises:
            ConfigurationError: *url* is no address that can be used.
            StoreError: the database is away, or refuses to be looked at.
        """
        from audit_async.table_map.probe import probe

        return await probe(self, url)
