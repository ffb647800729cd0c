"""The narrow table that remembers the ids of what was delivered, beside one that has no unique column for them."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from audit_async.errors import ConfigStoreError
from audit_async.inspection import TableName, inspect_now
from audit_async.table.ddl import MYSQL

_ENGINE = """
SELECT found.table_name, engine.transactions
  FROM information_schema.tables AS found
  JOIN information_schema.engines AS engine ON engine.engine = found.engine
 WHERE found.table_schema = coalesce(:schema, database()) AND found.table_name = :name
"""


def require(connection: Connection, delivered: TableName, beside: TableName) -> None:
    """Make sure that *delivered* is a table that can do it, for the one that it stands *beside*.

    Raises:
        ConfigStoreError: it is not there, its ids are not unique, or the two cannot be written in one transaction.
    """
    found = inspect_now(connection, delivered)
    if ("id",) not in (found.primary_key, *found.unique_keys):
        fault = "is not there" if not found.exists else "has no unique column id"
        kind = "varchar(1024) CHARACTER SET ascii" if connection.dialect.name in MYSQL else "text"
        raise ConfigStoreError(
            f"table {delivered}, which delivered_ids of the map for {beside} names, {fault}",
            hint=f"CREATE TABLE {delivered} (id {kind} PRIMARY KEY)",
        )
    if connection.dialect.name not in MYSQL:
        return
    for name in (delivered, beside):
        row = connection.execute(text(_ENGINE), {"schema": name.schema, "name": name.name}).first()
        if row is not None and row.transactions != "YES":
            raise ConfigStoreError(
                f"table {name} knows no transactions, so that it cannot be said what was delivered",
                hint=f"ALTER TABLE {name} ENGINE = InnoDB",
            )
