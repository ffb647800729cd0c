"""The statement that puts one row into a table, whatever the driver, and leaves one that is there as it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Dialect

from audit_async.entry import Entry
from audit_async.inspection import TableName
from audit_async.table_map.layout import Layout
from audit_async.table_map.tables import Layouts


class Plan:
    """How an entry gets into the tables as they were found through one engine."""

    def __init__(self, layouts: Layouts, dialect: Dialect) -> None:
        self._layouts = layouts
        self._takes_names = dialect.paramstyle == "named"
        self._dialect = dialect
        # By identity, which is what a layout is found by again.
        self._statements: dict[int, str] = {}

    def insert(self, connection: Connection, entry: Entry) -> None:
        """Put *entry* into its tables, by statements of the driver's own: nothing is compiled."""
        for layout, entries in self._layouts.parts([entry]):
            if layout.delivered is not None:
                self._mark_delivered(connection, layout.delivered, entry)
            statement = self._statements.get(id(layout)) or self._write(layout)
            for each in entries:
                row = layout.row(each)
                bound: Any = dict(zip(_names(layout), row, strict=True)) if self._takes_names else row
                connection.exec_driver_sql(statement, bound)

    def _mark_delivered(self, connection: Connection, delivered: TableName, entry: Entry) -> None:
        """Note the id beside a table that has no key; one that is there already refuses the row."""
        placeholder = placeholders(1, self._dialect.paramstyle)[0]
        bound: Any = {"p0": entry.id} if self._takes_names else (entry.id,)
        table = _quoted_table(delivered, self._dialect)
        connection.exec_driver_sql(f"INSERT INTO {table} (id) VALUES ({placeholder})", bound)

    def _write(self, layout: Layout) -> str:
        statement = insert_statement(layout, self._dialect)
        self._statements[id(layout)] = statement
        return statement


def insert_statement(layout: Layout, dialect: Dialect) -> str:
    """Return the statement for one row of *layout*, with the placeholders of *dialect*'s driver."""
    quote = dialect.identifier_preparer.quote_identifier
    table = _quoted_table(layout.table, dialect)
    columns = ", ".join(quote(column) for column in layout.columns)
    statement = (
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join(placeholders(len(layout.columns), dialect.paramstyle))})"
    )
    if not layout.key:
        return statement
    key = ", ".join(quote(column) for column in layout.key)
    if dialect.name == "postgresql":
        # Without a target a role that may only insert suffices; but it would pass over other keys as well.
        return f"{statement} ON CONFLICT{f' ({key})' if layout.has_other_keys else ''} DO NOTHING"
    if dialect.name == "sqlite":
        return f"{statement} ON CONFLICT ({key}) DO NOTHING"
    if dialect.name in ("mysql", "mariadb"):
        same = quote(layout.key[-1])
        return f"{statement} ON DUPLICATE KEY UPDATE {same} = {same}"
    # No clause is common to the others. A row that is there is refused, and the writer sees that it is.
    return statement


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


def _names(layout: Layout) -> list[str]:
    return [f"p{number}" for number in range(len(layout.columns))]
