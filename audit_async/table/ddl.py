"""The statements that make our table, one set for each database."""

from __future__ import annotations

from audit_async.config import MARIADB_KEY_CHARS, MAX_ACTION_CHARS, MAX_WORD_CHARS
from audit_async.errors import ConfigurationError
from audit_async.inspection import MAX_NAME_BYTES, TableName
from audit_async.table.columns import COLUMNS

_POSTGRES_TYPES = {"time": "timestamptz"}
_SQLITE_TYPES = {"time": "TEXT", "json": "TEXT", "double precision": "REAL", "bigint": "INTEGER"}
_SQLITE_NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"
_SQLITE_STRICT_SINCE = (3, 37)
_POSTGRES_SINCE = (13,)
_MARIADB_SINCE = (10, 3)
_MYSQL_SINCE = (8, 0, 17)

MYSQL = ("mysql", "mariadb")
# By bytes, like ids elsewhere: other collations take 'A' for 'a', and padding ones 'a ' for 'a'.
_MARIADB_COLLATIONS = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin"}
_MARIADB_TYPES = {"time": "datetime(6)", "json": "longtext", "double precision": "double"}
# Short texts have 4 KiB at most, long ones 64 KiB and a little: `text` ends just below.
_MARIADB_COLUMN_TYPES = {
    **dict.fromkeys(("id", "tenant_id", "user_id"), f"varchar({MARIADB_KEY_CHARS})"),
    "action": f"varchar({MAX_ACTION_CHARS})",
    **dict.fromkeys(("category", "severity", "outcome"), f"varchar({MAX_WORD_CHARS})"),
    **dict.fromkeys(("description", "error_message", "user_agent"), "mediumtext"),
}


def ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the statements that make our table, without its monthly partitions.

    Raises:
        ConfigurationError: the server is too old.
    """
    if dialect == "sqlite":
        return _sqlite_ddl(name, version)
    if dialect in MYSQL:
        return _mariadb_ddl(name, dialect, version)
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


def quote_of(dialect: str) -> str:
    """Return what stands around a name in a statement for *dialect*."""
    return "`" if dialect in MYSQL else '"'


def beside_ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the statements that make what lies beside our table: its legal holds, and the versions of schemas."""
    if dialect in MYSQL:
        return _mariadb_beside_ddl(name, dialect)
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


def mysql_resource_index(name: TableName, index: str) -> str:
    """Return what makes the index by resource and time on MariaDB and MySQL, beside writers or not at all."""
    return (
        f"CREATE INDEX `{index}` ON {name.quoted('`')}"
        f" (resource_type({MAX_WORD_CHARS}), resource_id({MARIADB_KEY_CHARS}), created_at) ALGORITHM=INPLACE LOCK=NONE"
    )


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


def _mariadb_ddl(name: TableName, dialect: str, version: tuple[int, ...]) -> list[str]:
    """Return the one statement that makes the table with its indexes, since each would be a transaction of its own."""
    is_mariadb = dialect == "mariadb"
    if version < (_MARIADB_SINCE if is_mariadb else _MYSQL_SINCE):
        raise ConfigurationError(
            f"{'MariaDB' if is_mariadb else 'MySQL'} {'.'.join(map(str, version))} is too old",
            hint="MariaDB 10.3, MySQL 8.0.17 and later have the collation and the default that the table needs",
        )
    columns = []
    for column, kind in COLUMNS.items():
        base = kind.removesuffix(" NOT NULL")
        check = f" CHECK (json_valid({column}))" if base == "json" else ""
        adapted = _MARIADB_COLUMN_TYPES.get(column) or _MARIADB_TYPES.get(base, base)
        columns.append(f"{column} {adapted}{kind[len(base) :]}{check}")

    def index(suffix: str, of: str) -> str:
        return f"KEY `{name.name}_{suffix}_idx` ({of})"

    return [
        f"CREATE TABLE {name.quoted('`')} ({', '.join(columns)},"
        " recorded_at datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),"
        # The order in which rows were begun, for those who follow the log; a row may be committed after a later one.
        " seq bigint NOT NULL AUTO_INCREMENT,"
        " PRIMARY KEY (created_at, id),"
        f" {index('tenant_id_created_at', 'tenant_id, created_at')},"
        f" {index('user_id_created_at', 'user_id, created_at, action')},"
        f" {index('action_created_at', 'action, created_at')},"
        # Not unique: a second unique key would make a replay go row by row.
        f" {index('seq', 'seq')}"
        f") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {_MARIADB_COLLATIONS[dialect]}"
    ]


def _mariadb_beside_ddl(name: TableName, dialect: str) -> list[str]:
    texts = ", ".join(f"{column} varchar({MARIADB_KEY_CHARS})" for column in ("tenant_id", "category", "user_id"))
    now = "DEFAULT (utc_timestamp(6))"
    end = f" ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {_MARIADB_COLLATIONS[dialect]}"
    return [
        f"CREATE TABLE IF NOT EXISTS {holds_table(name).quoted('`')} (id varchar({MARIADB_KEY_CHARS}) NOT NULL"
        f" PRIMARY KEY, {texts}, since datetime(6), until datetime(6), reason text NOT NULL,"
        f" placed_at datetime(6) NOT NULL {now}, placed_by text){end}",
        f"CREATE TABLE IF NOT EXISTS {versions_table(name).quoted('`')} (table_name varchar({MAX_NAME_BYTES}) NOT NULL"
        f" PRIMARY KEY, version integer NOT NULL, upgraded_at datetime(6) NOT NULL {now}){end}",
    ]


def _columns(types: dict[str, str]) -> str:
    lines = []
    for name, kind in COLUMNS.items():
        base = kind.removesuffix(" NOT NULL")
        lines.append(f"{name} {types.get(base, base)}{kind[len(base) :]}")
    return ", ".join(lines)


def _index(name: TableName, suffix: str) -> str:
    return f'CREATE INDEX "{name.name}_{suffix}_idx" ON {name.quoted()}'
