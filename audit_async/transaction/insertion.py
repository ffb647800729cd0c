"""One row through the caller's own connection, in a savepoint: what goes wrong leaves the transaction as it was."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from audit_async.entry import Entry
from audit_async.errors import DuplicateStoreError, TransientStoreError
from audit_async.faults import translate
from audit_async.faults.mysql import is_savepoint_gone
from audit_async.table.ddl import MYSQL
from audit_async.table_map.tables import Tables, TableSetting
from audit_async.transaction.statement import Plan

# Of the status that MariaDB and MySQL send with each answer.
_IN_TRANSACTION, _AUTOCOMMIT = 1, 2


class Insertion:
    """Puts rows into the tables of one logger. Each engine's are looked at once.

    Args:
        table: what the logger was told to write to.
    """

    def __init__(self, table: TableSetting) -> None:
        self.tables = Tables.read(table)
        # By the dialect, of which each engine has one and shares it with the engines made of it by options.
        self._plans: WeakKeyDictionary[Dialect, Plan] = WeakKeyDictionary()

    def insert(self, connection: Connection, entry: Entry) -> None:
        """Put *entry* into the transaction of *connection*; it begins with this row where there was none.

        A connection without transactions (AUTOCOMMIT) has the row at once, as it has any other statement's.

        Raises:
            TransientStoreError: the server has ended the whole transaction; whoever goes on with it is told as well.
            Exception: whatever the driver says. The transaction is as it was, unless the connection is lost.
        """
        if not connection.in_transaction():
            connection.begin()
        if is_autocommit(connection):
            self._insert(connection, entry)
            return
        if connection.dialect.name == "sqlite":
            # Looked at before: a transaction that has read cannot become one that writes beside another writer.
            self._plan_for(connection)
            _begin_in_earnest(connection)
        try:
            self._insert_in_savepoint(connection, entry)
        except DBAPIError as error:
            if connection.dialect.name != "postgresql" or not isinstance(translate(error), DuplicateStoreError):
                raise
            # What is passed over has to be a row of ours: the table is looked at anew, another unique key may be new.
            self.forget(connection)
            self._insert_in_savepoint(connection, entry, is_replay=True)

    def forget(self, connection: Connection) -> None:
        """Look at the tables anew the next time."""
        self._plans.pop(connection.dialect, None)

    def _insert_in_savepoint(self, connection: Connection, entry: Entry, *, is_replay: bool = False) -> None:
        failure: Exception | None = None
        try:
            with connection.begin_nested():
                try:
                    self._insert(connection, entry, is_replay=is_replay)
                except Exception as error:
                    failure = error
                    raise
        except DBAPIError as error:
            if failure is None or not is_savepoint_gone(error):
                raise
            # On MariaDB and MySQL a deadlock undoes all, and the next statement begins anew: a caller who does not know
            # would commit the second half alone. On a connection that is no more nothing goes on before a roll-back.
            connection.invalidate(error)
            raise TransientStoreError(
                f"the server has rolled back the transaction that the event was to be in: {translate(failure).message}",
                hint="roll back, and do all of the transaction again",
            ) from failure

    def _insert(self, connection: Connection, entry: Entry, *, is_replay: bool = False) -> None:
        self._plan_for(connection).insert(connection, entry, is_replay=is_replay)

    def _plan_for(self, connection: Connection) -> Plan:
        plan = self._plans.get(connection.dialect)
        if plan is None:
            plan = self._plans[connection.dialect] = Plan(self.tables.lay_out(connection), connection.dialect)
        return plan


def is_autocommit(connection: Connection) -> bool:
    """Return whether every statement of *connection* is a transaction of its own."""
    level = connection.get_execution_options().get("isolation_level")
    if level is None:
        level = getattr(connection.dialect, "_on_connect_isolation_level", None)
    if level == "AUTOCOMMIT":
        return True
    if connection.dialect.name in MYSQL:
        # Said by the driver's own setting, or to the server; a savepoint would be gone at once.
        status = getattr(_driver(connection), "server_status", 0)
        return status & (_AUTOCOMMIT | _IN_TRANSACTION) == _AUTOCOMMIT
    if connection.dialect.name != "sqlite":
        return False
    driver = _driver(connection)
    return not driver.in_transaction and (driver.isolation_level is None or getattr(driver, "autocommit", -1) is True)


def _begin_in_earnest(connection: Connection) -> None:
    """Begin where the driver has not: by default Python's does so before a row is changed, but not before a savepoint,
    which then commits as it is released.

    Source: SQLAlchemy, SQLite dialect, "Enabling Non-Legacy SQLite Transactional Modes".
    """
    driver = _driver(connection)
    if not driver.in_transaction:
        connection.exec_driver_sql(f"BEGIN {driver.isolation_level}")


def _driver(connection: Connection) -> Any:
    """Return the driver's own connection; of aiosqlite the one of Python's `sqlite3` that it wraps."""
    driver = connection.connection.driver_connection
    return getattr(driver, "_conn", driver)
