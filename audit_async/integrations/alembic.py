"""Our table in the migrations of an application that uses Alembic.

    from audit_async.integrations.alembic import create_audit_table, drop_audit_table

    def upgrade():
        create_audit_table(op)

    def downgrade():
        drop_audit_table(op)

The table is the one that `create_table` makes, online and with `--sql`. In `env.py` one of the hooks makes
`alembic revision --autogenerate` leave our tables alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, text

from audit_async.inspection import TableName, inspect_now
from audit_async.table.ddl import quote_of, versions_table
from audit_async.table.script import checked_name, drop_statements, forget_statement, make_statements
from audit_async.table.versions import kind_of

_NEWEST = (1000,)
"""With `--sql` nobody knows the server's version: a present one is taken."""

IncludeName = Callable[[str | None, str, Mapping[str, Any]], bool]
IncludeObject = Callable[[Any, str | None, str, bool, Any], bool]


class Operations(Protocol):
    """What is used of Alembic's `op`."""

    def execute(self, sqltext: Any, /) -> None: ...

    def get_context(self) -> Any: ...

    def get_bind(self) -> Connection: ...


def create_audit_table(op: Operations, table: str = "audit_logs") -> None:
    """Make our table in a migration, as `create_table` makes it; on PostgreSQL with its months from now on.

    Raises:
        ConfigurationError: the name is none, or the database none of the supported ones.
    """
    context = op.get_context()
    version = _NEWEST if context.as_sql else (context.dialect.server_version_info or _NEWEST)
    for statement in make_statements(checked_name(table), kind_of(context.dialect), version):
        _execute(op, statement)


def drop_audit_table(op: Operations, table: str = "audit_logs") -> None:
    """Take our table away in a migration, with every row, every month and every legal hold in it.

    The table of schema versions goes with the last of ours; with `--sql`, where nobody can look, it stays.

    Raises:
        ConfigurationError: the name is none.
    """
    name = TableName.parse(table)
    context = op.get_context()
    dialect = context.dialect.name
    for statement in drop_statements(name, dialect):
        _execute(op, statement)
    if context.as_sql:
        _execute(op, forget_statement(name, dialect))
    elif inspect_now(op.get_bind(), versions_table(name)).exists:
        _execute(op, forget_statement(name, dialect))
        versions, quote = versions_table(name), quote_of(dialect)
        if not op.get_bind().execute(text(f"SELECT count(*) FROM {versions.in_text(quote)}")).scalar():
            _execute(op, f"DROP TABLE {versions.quoted(quote)}")


def include_name(name: str | None, type_: str, parent_names: Mapping[str, Any]) -> bool:
    """Leave our tables out of autogenerate: `context.configure(..., include_name=include_name)`."""
    return _include_name(name, type_, parent_names)


def include_object(object_: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Leave our tables out of autogenerate, also where the application's metadata has them, for reading."""
    return _include_object(object_, name, type_, reflected, compare_to)


def including_name(table: str = "audit_logs", also: IncludeName | None = None) -> IncludeName:
    """Return an `include_name` for a table of another name; what it lets pass is left to the hook *also*."""
    is_ours = _recognising(table)

    def include(name: str | None, type_: str, parent_names: Mapping[str, Any]) -> bool:
        if type_ == "table" and is_ours(parent_names.get("schema_name"), name):
            return False
        return also is None or also(name, type_, parent_names)

    return include


def including_object(table: str = "audit_logs", also: IncludeObject | None = None) -> IncludeObject:
    """Return an `include_object`, as `including_name`."""
    is_ours = _recognising(table)

    def include(object_: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
        owner = object_ if type_ == "table" else getattr(object_, "table", None)
        if owner is not None and is_ours(getattr(owner, "schema", None), getattr(owner, "name", None)):
            return False
        return also is None or also(object_, name, type_, reflected, compare_to)

    return include


def _recognising(table: str) -> Callable[[str | None, str | None], bool]:
    """Return what tells our table, its months and what lies beside it from the application's own tables."""
    name = TableName.parse(table)
    ours = re.compile(rf"{re.escape(name.name)}(_default|_holds|_\d{{4}}_\d{{2}})?|{versions_table(name).name}")

    def is_ours(schema: str | None, found: str | None) -> bool:
        return found is not None and schema == name.schema and ours.fullmatch(found) is not None

    return is_ours


_include_name = including_name()
_include_object = including_object()


def _execute(op: Operations, statement: str) -> None:
    # A colon of the statement's own is no parameter.
    op.execute(text(statement.replace(":", "\\:")))
