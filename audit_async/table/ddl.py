"""The statements that make our table, one set for each database."""

from __future__ import annotations

from audit_async.errors import ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.columns import COLUMNS

_POSTGRES_TYPES = {"time": "timestamptz"}
_SQLITE_TYPES = {"time": "TEXT", "json": "TEXT", "double precision": "REAL", "bigint": "INTEGER"}
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


def _sqlite_ddl(name: TableName, version: tuple[int, ...]) -> list[str]:
    columns = _columns(_SQLITE_TYPES)
    strict = " STRICT" if version >= _SQLITE_STRICT_SINCE else ""
    return [
        # With a rowid: it is the order of commits here, since there is one writer at a time.
        f"CREATE TABLE {name.quoted()} ({columns},"
        " recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),"
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
