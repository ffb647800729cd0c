"""A table as it is: its name, its columns and keys, read through whatever async driver there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import CompileError, NoSuchTableError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.address import read_address
from audit_async.errors import ConfigurationError

MAX_NAME_BYTES = 63
"""Of an identifier: PostgreSQL cuts longer ones off in silence."""

SUPPORTED = (
    "postgresql+asyncpg://user@host/database, sqlite+aiosqlite:///file, mysql+asyncmy://user@host/database,"
    " mariadb+asyncmy://user@host/database"
)


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, with its schema if one was given."""

    schema: str | None
    name: str

    @classmethod
    def parse(cls, name: str) -> TableName:
        """Read `table` or `schema.table`. Upper case stays upper case.

        Raises:
            ConfigurationError: it is empty, too long, or holds a quote, a control character or a second dot.
        """
        parts = name.split(".")
        if len(parts) > 2 or not all(is_name(part) for part in parts):
            raise ConfigurationError(
                f"{name[:100]!r} is no table name",
                hint="give `table` or `schema.table`, each 1 to 63 characters",
            )
        return cls(parts[0] if len(parts) == 2 else None, parts[-1])

    def quoted(self, quote: str = '"') -> str:
        """Return the name for a statement."""
        return ".".join(quoted_name(part, quote) for part in (self.schema, self.name) if part)

    def in_text(self, quote: str = '"') -> str:
        """Return the name for a statement that SQLAlchemy's `text` reads, to which a colon begins a parameter."""
        return self.quoted(quote).replace(":", "\\:")

    def beside(self, suffix: str) -> TableName:
        """Return the name of a relation that belongs to this one."""
        return TableName(self.schema, f"{self.name}{suffix}")

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def quoted_name(name: str, quote: str = '"') -> str:
    """Return the name of a column, whatever it holds, for a statement."""
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def is_name(part: str) -> bool:
    """Say whether *part* can stand in a statement between quotes: nothing in it ends them."""
    return part.isprintable() and 1 <= len(part.encode()) <= MAX_NAME_BYTES and not set(part) & set("\"'`;\\")


@dataclass(frozen=True, slots=True)
class InspectedColumn:
    """A column as the database describes it.

    Attributes:
        type: its type's text in lower case; of a domain the one beneath it.
        labels: those of an enumeration.
        is_generated: its values are made by the database and cannot be given.
    """

    name: str
    type: str
    is_nullable: bool
    has_default: bool
    labels: tuple[str, ...] = ()
    is_generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedTable:
    """A table as it is.

    Attributes:
        dialect: `postgresql`, `sqlite`, ...
        columns: in their order; none if there is no such table.
        primary_key: its columns.
        unique_keys: the columns of every further unique key; an expression is `()`.
        is_partitioned: by PostgreSQL's own partitions.
        is_partitioned_by_range: as ours is, by time.
    """

    schema: str | None
    name: str
    dialect: str
    columns: tuple[InspectedColumn, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    is_partitioned: bool = False
    is_partitioned_by_range: bool = False

    @property
    def exists(self) -> bool:
        return bool(self.columns)

    def column(self, name: str) -> InspectedColumn | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def async_url(url: str | URL) -> URL:
    """Read a database address and see that its driver is an async one that is installed.

    Raises:
        ConfigurationError: it is no address, or its driver cannot be used; the hint says what to write.
    """
    text_of_it = read_address(url).url
    try:
        parsed = make_url(text_of_it)
        dialect = parsed.get_dialect(_is_async=True)
        is_async = "+" in parsed.drivername and dialect.is_async
    except Exception:
        # What the address holds stays out of the message: it may be a password.
        raise ConfigurationError("the database address cannot be read", hint=f"write one of: {SUPPORTED}") from None
    if not is_async:
        raise ConfigurationError(
            f"the driver of {parsed.drivername}:// is not async", hint=f"write one of: {SUPPORTED}"
        )
    try:
        dialect.import_dbapi()
    except ImportError as error:
        package = error.name or parsed.get_driver_name()
        raise ConfigurationError(
            f"the driver of {parsed.drivername}:// is not installed", hint=f"pip install {package}"
        ) from error
    return parsed


async def inspect_through(connection: AsyncConnection, name: TableName) -> InspectedTable:
    """Look at the table *name* through an open connection."""
    return await connection.run_sync(inspect_now, name)


def inspect_now(connection: Connection, name: TableName) -> InspectedTable:
    """Look at the table *name* through an open connection that blocks."""
    if connection.dialect.name == "postgresql":
        return _inspect_postgres(connection, name)
    return _inspect_generic(connection, name)


# The catalogue itself, since the information schema shows only what one may read.
_POSTGRES_COLUMNS = """
SELECT attribute.attname AS name,
       lower(CASE WHEN type.typtype = 'd' THEN format_type(type.typbasetype, type.typtypmod)
                  ELSE format_type(attribute.atttypid, attribute.atttypmod) END) AS type,
       ARRAY(SELECT enumlabel::text FROM pg_enum
              WHERE enumtypid = attribute.atttypid ORDER BY enumsortorder) AS labels,
       attribute.attgenerated <> '' OR attribute.attidentity = 'a' AS is_generated,
       NOT attribute.attnotnull AS is_nullable,
       attribute.atthasdef OR attribute.attidentity <> '' AS has_default,
       relation.relkind = 'p' AS is_partitioned,
       EXISTS (SELECT FROM pg_partitioned_table
                WHERE partrelid = relation.oid AND partstrat = 'r') AS is_partitioned_by_range
  FROM pg_attribute AS attribute
  JOIN pg_class AS relation ON relation.oid = attribute.attrelid
  JOIN pg_type AS type ON type.oid = attribute.atttypid
 WHERE relation.oid = to_regclass(:table) AND attribute.attnum > 0 AND NOT attribute.attisdropped
 ORDER BY attribute.attnum
"""

_POSTGRES_KEYS = """
SELECT key.indisprimary AND key.indrelid = to_regclass(:table) AS is_primary,
       ARRAY(SELECT attribute.attname::text
               FROM unnest(key.indkey::int2[]) WITH ORDINALITY AS part (number, place)
               JOIN pg_attribute AS attribute
                 ON attribute.attrelid = key.indrelid AND attribute.attnum = part.number
              WHERE part.place <= key.indnkeyatts
                AND key.indpred IS NULL  -- one of some rows only is as good as an expression
                AND NOT key.indisexclusion
              ORDER BY part.place) AS columns
  FROM pg_index AS key
 WHERE (key.indisunique OR key.indisexclusion)
   AND (key.indrelid = to_regclass(:table)
        OR (key.indrelid IN (SELECT relid FROM pg_partition_tree(to_regclass(:table)))
            AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = key.indexrelid)))
"""
# Of partitions only those that the whole table has not.


def _inspect_postgres(connection: Connection, name: TableName) -> InspectedTable:
    bound = {"table": name.quoted()}
    columns = connection.execute(text(_POSTGRES_COLUMNS), bound).all()
    keys = connection.execute(text(_POSTGRES_KEYS), bound).all()
    return InspectedTable(
        schema=name.schema,
        name=name.name,
        dialect="postgresql",
        columns=tuple(
            InspectedColumn(c.name, c.type, c.is_nullable, c.has_default, tuple(c.labels), c.is_generated)
            for c in columns
        ),
        primary_key=next((tuple(key.columns) for key in keys if key.is_primary), ()),
        unique_keys=tuple(tuple(key.columns) for key in keys if not key.is_primary),
        is_partitioned=any(column.is_partitioned for column in columns),
        is_partitioned_by_range=any(column.is_partitioned_by_range for column in columns),
    )


def _inspect_generic(connection: Connection, name: TableName) -> InspectedTable:
    inspector = inspect(connection)
    where: dict[str, Any] = {"table_name": name.name, "schema": name.schema}
    try:
        columns = inspector.get_columns(**where)
        primary_key: Sequence[str] = inspector.get_pk_constraint(**where)["constrained_columns"]
        unique = {tuple(key["column_names"]) for key in inspector.get_unique_constraints(**where)}
        unique |= {
            tuple(column or "" for column in index["column_names"])
            for index in inspector.get_indexes(**where)
            if index["unique"]
        }
        declared = _declared_types(connection, name)
    except NoSuchTableError:
        columns, primary_key, unique, declared = [], (), set(), {}
    return InspectedTable(
        schema=name.schema,
        name=name.name,
        dialect=connection.dialect.name,
        columns=tuple(_generic_column(connection, column, declared, primary_key) for column in columns),
        primary_key=tuple(primary_key),
        unique_keys=tuple(sorted(unique)),
    )


def _declared_types(connection: Connection, name: TableName) -> dict[str, str]:
    """Return the types of a SQLite table as they were declared: its own inspector knows but a few of them."""
    if connection.dialect.name != "sqlite":
        return {}
    schema = f"{quoted_name(name.schema)}." if name.schema else ""
    rows = connection.exec_driver_sql(f"PRAGMA {schema}table_xinfo({quoted_name(name.name)})")
    return {row.name: row.type.lower() for row in rows if row.type}


def _generic_column(
    connection: Connection, column: Any, declared: dict[str, str], primary_key: Sequence[str]
) -> InspectedColumn:
    kind = column["type"]
    # SQLite numbers the rows of a key that is declared so, and says nothing of a default.
    is_rowid = declared.get(column["name"]) == "integer" and list(primary_key) == [column["name"]]
    try:
        compiled = kind.compile(dialect=connection.dialect).lower()
    except CompileError:
        compiled = str(kind).lower()
    return InspectedColumn(
        column["name"],
        declared.get(column["name"], compiled),
        bool(column["nullable"]),
        column.get("default") is not None or column.get("autoincrement") is True or is_rowid,
        tuple(getattr(kind, "enums", ())),
        bool(column.get("computed")) or bool((column.get("identity") or {}).get("always")),
    )
