"""The statement that puts one row into a table, whatever the driver, and leaves one that is there as it is.

On MariaDB and MySQL it is a plain INSERT, as the store's: a row that is there shows by the error, which undoes the
statement alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from audit_async.entry import Entry
from audit_async.errors import ConfigStoreError
from audit_async.faults import translate
from audit_async.faults.mysql import duplicate_key, value_is_taken
from audit_async.inspection import TableName
from audit_async.table.ddl import MYSQL
from audit_async.table_map.layout import Layout, Row
from audit_async.table_map.tables import Layouts

# What does not fit is refused, and a time is UTC, however the caller's session is set. MySQL has no such words, but a
# comment, which MariaDB does not read.
_INSERT_MARIADB = "SET STATEMENT sql_mode = 'TRADITIONAL', time_zone = '+00:00' FOR INSERT INTO"
_INSERT_MYSQL = "INSERT /*+ SET_VAR(sql_mode = 'TRADITIONAL') SET_VAR(time_zone = '+00:00') */ INTO"


class Plan:
    """How an entry gets into the tables as they were found through one engine."""

    def __init__(self, layouts: Layouts, dialect: Dialect) -> None:
        self._layouts = layouts
        self._takes_names = dialect.paramstyle == "named"
        self._dialect = dialect
        # By identity, which is what a layout is found by again.
        self._statements: dict[tuple[int, bool], str] = {}

    def insert(self, connection: Connection, entry: Entry, *, is_replay: bool = False) -> None:
        """Put *entry* into its tables, by statements of the driver's own: nothing is compiled.

        Args:
            is_replay: pass over a row that is there already, where that is not done anyway.
        """
        for layout, entries in self._layouts.parts([entry]):
            if layout.delivered is not None:
                self._mark_delivered(connection, layout.delivered, entry)
            statement = self._statements.get((id(layout), is_replay)) or self._write(layout, is_replay)
            for each in entries:
                row = layout.row(each)
                try:
                    connection.exec_driver_sql(statement, self._bound(row))
                except DBAPIError as error:
                    if not self._is_replay(connection, layout, row, error):
                        raise

    def _mark_delivered(self, connection: Connection, delivered: TableName, entry: Entry) -> None:
        """Note the id beside a table that has no key; one that is there already refuses the row."""
        placeholder = placeholders(1, self._dialect.paramstyle)[0]
        table = _quoted_table(delivered, self._dialect)
        statement = f"{_insert_into(self._dialect)} {table} (id) VALUES ({placeholder})"
        connection.exec_driver_sql(statement, self._bound((entry.id,)))

    def _is_replay(self, connection: Connection, layout: Layout, row: Row, error: DBAPIError) -> bool:
        """Return whether *error* is MariaDB's or MySQL's word for a row that is there already.

        Raises:
            DataStoreError: it is about another unique key.
        """
        taken = duplicate_key(error, layout.table.name) if self._dialect.name in MYSQL else None
        if taken is None:
            return False
        if layout.key and (not layout.has_other_keys or self._is_there(connection, layout, row, taken)):
            return True
        raise value_is_taken(layout.table, taken) from None

    def _is_there(self, connection: Connection, layout: Layout, row: Row, taken: str) -> bool:
        """Return whether our key of *row* is there, and not only the value of the unique key that was named."""
        quote = self._dialect.identifier_preparer.quote_identifier
        matches = [
            f"{quote(column)} = {sign}"
            for column, sign in zip(layout.key, placeholders(len(layout.key), self._dialect.paramstyle), strict=True)
        ]
        # A reading that locks sees what others have committed meanwhile.
        statement = (
            f"SELECT 1 FROM {_quoted_table(layout.table, self._dialect)} WHERE {' AND '.join(matches)}"
            " LOCK IN SHARE MODE"
        )
        bound = self._bound(tuple(row[layout.columns.index(column)] for column in layout.key))
        try:
            return connection.exec_driver_sql(statement, bound).first() is not None
        except DBAPIError as error:
            if not isinstance(translate(error), ConfigStoreError):
                raise
            # Without the right to read. The primary key is looked at first, and is nearly always ours.
            return taken == "PRIMARY"

    def _bound(self, row: Row) -> Any:
        return {f"p{number}": value for number, value in enumerate(row)} if self._takes_names else row

    def _write(self, layout: Layout, is_replay: bool) -> str:
        statement = insert_statement(layout, self._dialect, is_replay=is_replay)
        self._statements[id(layout), is_replay] = statement
        return statement


def insert_statement(layout: Layout, dialect: Dialect, *, is_replay: bool) -> str:
    """Return the statement for one row of *layout*, with the placeholders of *dialect*'s driver."""
    quote = dialect.identifier_preparer.quote_identifier
    table = _quoted_table(layout.table, dialect)
    columns = ", ".join(quote(column) for column in layout.columns)
    statement = (
        f"{_insert_into(dialect)} {table} ({columns})"
        f" VALUES ({', '.join(placeholders(len(layout.columns), dialect.paramstyle))})"
    )
    if not layout.key:
        return statement
    key = ", ".join(quote(column) for column in layout.key)
    if dialect.name == "postgresql" and is_replay:
        # Without a target a role that may only insert suffices; but it would pass over other keys as well.
        return f"{statement} ON CONFLICT{f' ({key})' if layout.has_other_keys else ''} DO NOTHING"
    if dialect.name == "sqlite":
        return f"{statement} ON CONFLICT ({key}) DO NOTHING"
    # No clause is common to the others. A row that is there is refused, and the writer sees that it is.
    return statement


def _insert_into(dialect: Dialect) -> str:
    if dialect.name not in MYSQL:
        return "INSERT INTO"
    return _INSERT_MARIADB if getattr(dialect, "is_mariadb", False) else _INSERT_MYSQL


def _quoted_table(table: TableName, dialect: Dialect) -> str:
    quote = dialect.identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in (table.schema, table.name) if part)


def placeholders(count: int, paramstyle: str) -> list[str]:
    """Return the placeholders of *count* values."""
    if paramstyle == "named":
        return [f":p{number}" for number in range(count)]
    if paramstyle in ("numeric", "numeric_dollar"):
        sign = "$" if paramstyle == "numeric_dollar" else ":"
        return [f"{sign}{number}" for number in range(1, count + 1)]
    return ["?" if paramstyle == "qmark" else "%s"] * count
