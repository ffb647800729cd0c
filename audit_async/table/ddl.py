"""The statements that make our table, one set for each database."""

from __future__ import annotations

from audit_async.errors import ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.columns import COLUMNS

_POSTGRES_TYPES = {"time": "timestamptz"}
_SQLITE_TYPES = {"time": "TEXT", "json": "TEXT", "double precision": "REAL", "bigint": "INTEGER"}
_SQLITE_NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"
_SQLITE_STRICT_SINCE = (3, 37)
_POSTGRES_SINCE = (13,)


def ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the statements that make our table, without its monthly partitions.

    Raises:
        ConfigurationError: the server is too old.
    """
    if dialect == "sqlite":
        return _sqlite_ddl(name, version)
    if version < _POSTGRES_SINCE:
        raise ConfigurationError(
            f"PostgreSQL {version[0]} is too old",
            hint="13 and later have the transaction ids that the table keeps",
        )
    columns = _columns(_POSTGRES_TYPES)
    quoted = name.quoted()
    return [
        f"CREATE TABLE {quoted} ({columns},"
        " recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
        " xact_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),"
        " PRIMARY KEY (created_at, id)) PARTITION BY RANGE (created_at)",
        f"CREATE TABLE {name.beside('_default').quoted()} PARTITION OF {quoted} DEFAULT",
        f"{_index(name, 'tenant_id_created_at')} (tenant_id, created_at)",
        f"{_index(name, 'user_id_created_at')} (user_id, created_at) INCLUDE (action)",
        f"{_index(name, 'action_created_at')} (action, created_at)",
        # The commit order, for those who follow the log. Rows lie nearly in it, so a small BRIN is enough.
        f"{_index(name, 'xact_id')} USING brin (xact_id)",
    ]


def beside_ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the statements that make what lies beside our table: its legal holds, and the versions of schemas."""
    time = "timestamptz" if dialect == "postgresql" else "TEXT"
    now = "clock_timestamp()" if dialect == "postgresql" else _SQLITE_NOW
    end = " STRICT" if dialect == "sqlite" and version >= _SQLITE_STRICT_SINCE else ""
    return [
        # A hold outlives its table: it counts for one that is made anew under the same name.
        f"CREATE TABLE IF NOT EXISTS {holds_table(name).quoted()} (id text NOT NULL PRIMARY KEY, tenant_id text,"
        f" category text, user_id text, since {time}, until {time}, reason text NOT NULL,"
        f" placed_at {time} NOT NULL DEFAULT {now}, placed_by text){end}",
        f"CREATE TABLE IF NOT EXISTS {versions_table(name).quoted()} (table_name text NOT NULL PRIMARY KEY,"
        f" version integer NOT NULL, upgraded_at {time} NOT NULL DEFAULT {now}){end}",
    ]


def holds_table(name: TableName) -> TableName:
    """Return the name of the table of legal holds on the rows of *name*."""
    return name.beside("_holds")


def versions_table(name: TableName) -> TableName:
    """Return the name of the table that says which version the schema of *name* has."""
    return TableName(name.schema, "audit_schema")


def _sqlite_ddl(name: TableName, version: tuple[int, ...]) -> list[str]:
    columns = _columns(_SQLITE_TYPES)
    strict = " STRICT" if version >= _SQLITE_STRICT_SINCE else ""
    return [
        # With a rowid: it is the order of commits here, since there is one writer at a time.
        f"CREATE TABLE {name.quoted()} ({columns},"
        f" recorded_at TEXT NOT NULL DEFAULT {_SQLITE_NOW},"
        f" PRIMARY KEY (created_at, id)){strict}",
        f"{_index(name, 'tenant_id_created_at')} (tenant_id, created_at)",
        f"{_index(name, 'user_id_created_at')} (user_id, created_at, action)",
        f"{_index(name, 'action_created_at')} (action, created_at)",
    ]


def _columns(types: dict[str, str]) -> str:
    lines = []
    for name, kind in COLUMNS.items():
        base = kind.removesuffix(" NOT NULL")
        lines.append(f"{name} {types.get(base, base)}{kind[len(base) :]}")
    return ", ".join(lines)


def _index(name: TableName, suffix: str) -> str:
    return f'CREATE INDEX "{name.name}_{suffix}_idx" ON {name.quoted()}'
