"""Which store is for which database."""

from __future__ import annotations

from audit_async.inspection import async_url
from audit_async.store import Store, StoreOptions
from audit_async.store.floors import warn_of_old
from audit_async.table_map.tables import Tables


def open_store(options: StoreOptions) -> Store:
    """Return the store for the database of *options*. Connects to nothing: its first batch does.

    Raises:
        ConfigurationError: the URL cannot be read, its driver is not async or not installed, or the table's
            name is none; the hint says what to write or to install.
    """
    driver = async_url(options.url).drivername
    Tables.read(options.table)
    warn_of_old(driver.partition("+")[2])
    if driver == "postgresql+asyncpg":
        from audit_async.store.postgres import PostgresStore

        return PostgresStore(options)
    if driver == "sqlite+aiosqlite":
        from audit_async.store.sqlite import SqliteStore

        return SqliteStore(options)
    if driver in ("mysql+asyncmy", "mariadb+asyncmy"):
        from audit_async.store.mariadb import MariadbStore

        return MariadbStore(options)
    from audit_async.store.generic import GenericStore

    return GenericStore(options)
