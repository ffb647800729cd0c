"""Everything that makes a new table of ours, or takes one away, as plain statements: for us, and for migrations."""

from __future__ import annotations

from datetime import UTC, datetime

from audit_async.config import PARTITION_MONTHS_AHEAD
from audit_async.errors import ConfigurationError
from audit_async.inspection import MAX_NAME_BYTES, SUPPORTED, TableName
from audit_async.table.ddl import MYSQL, beside_ddl, ddl, holds_table, quote_of, versions_table
from audit_async.table.partitions import months, partition_of, values_of
from audit_async.table.versions import SCHEMA_VERSION

_LONGEST_SUFFIX = "_tenant_id_created_at_idx"


def checked_name(table: str) -> TableName:
    """Read the name of a table that is to be made.

    Raises:
        ConfigurationError: it is none, or too long for the names of what belongs to the table.
    """
    name = TableName.parse(table)
    if len(f"{name.name}{_LONGEST_SUFFIX}".encode()) > MAX_NAME_BYTES:
        raise ConfigurationError(
            f"table name {table!r} is too long for the names of its indexes and partitions",
            hint=f"use at most {MAX_NAME_BYTES - len(_LONGEST_SUFFIX)} characters",
        )
    return name


def new_partitions(name: TableName) -> dict[TableName, str]:
    """Return the months of a new table on PostgreSQL, with the statement that makes each."""
    return {
        partition_of(name, month[0]): f"CREATE TABLE {partition_of(name, month[0]).quoted()}"
        f" PARTITION OF {name.quoted()} {values_of(month)}"
        for month in months(datetime.now(UTC), PARTITION_MONTHS_AHEAD)
    }


def make_statements(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return what makes our table, its months, and what lies beside it.

    Raises:
        ConfigurationError: no table can be made on *dialect*, or in that *version*.
    """
    if dialect not in ("postgresql", "sqlite", *MYSQL):
        raise ConfigurationError(f"no table can be made on {dialect}", hint=f"supported: {SUPPORTED}")
    return [
        *ddl(name, dialect, version),
        *(new_partitions(name).values() if dialect == "postgresql" else ()),
        *beside_statements(name, dialect, version),
    ]


def beside_statements(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return what makes the tables beside ours that are not there yet, and notes the present version."""
    versions = versions_table(name).quoted(quote_of(dialect))
    return [
        *beside_ddl(name, dialect, version),
        f"DELETE FROM {versions} WHERE table_name = '{name.name}'",
        f"INSERT INTO {versions} (table_name, version) VALUES ('{name.name}', {SCHEMA_VERSION})",
    ]


def drop_statements(name: TableName, dialect: str) -> list[str]:
    """Return what takes our table away, its months and its legal holds; a table of version 1 has none of these."""
    quote = quote_of(dialect)
    return [f"DROP TABLE {name.quoted(quote)}", f"DROP TABLE IF EXISTS {holds_table(name).quoted(quote)}"]


def forget_statement(name: TableName, dialect: str) -> str:
    """Return what takes our table's version away; those of other tables stay."""
    return f"DELETE FROM {versions_table(name).quoted(quote_of(dialect))} WHERE table_name = '{name.name}'"
