"""What a database's error means for the batch: wait, mend, leave a row out, or replay.

The class of an exception says little: a refused connection is a bare `OSError`, a lost one a plain
`DBAPIError`, a time-out has no text at all. So the verdict comes from the five characters of the SQL
standard, SQLite's name of the error, and `connection_invalidated`. Of an error about a row only its kind and
the column are told on: what else the database says may quote the row.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import URL

from audit_async.diagnostics import describe
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a batch was to go, as messages name it.

    Attributes:
        server: `host:port`, or a file's path.
        database: its name there, or an empty text.
        table: the table, with its schema if one was given.
        role: who we are to the server.
        purpose: what is to be done with the table.
    """

    server: str = "the database server"
    database: str = ""
    table: str = "audit_logs"
    role: str = "the writer's role"
    purpose: str = "write to"

    @classmethod
    def of(cls, url: URL, table: object, purpose: str = "write to") -> Place:
        """Return the place that *url* names."""
        if url.get_backend_name() == "sqlite":
            return cls(server=url.database or "the database in memory", table=str(table), purpose=purpose)
        return cls(
            server=f"{url.host or 'localhost'}:{url.port or _PORTS.get(url.get_backend_name(), 'its port')}",
            database=url.database or "",
            table=str(table),
            role=url.username or "the role",
            purpose=purpose,
        )


_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_TRANSIENT = ("08", "25", "40", "53", "55", "57")
_DATA = ("22", "23", "44", "54", "P0")
_DAMAGE = ("58", "XX")
_UNIQUE_VIOLATION = "23505"
_CHECK_VIOLATION = "23514"
_UNFIT_VALUE = (TypeError, ValueError, OverflowError, RecursionError)

_SQLITE_TRANSIENT = (
    *("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_INTERRUPT", "SQLITE_NOMEM"),
    *("SQLITE_PROTOCOL", "SQLITE_SCHEMA", "SQLITE_ABORT"),
)
_MAY_PASS = {"InterfaceError", "OperationalError", "InternalClientError", "SQLAlchemyError", "MemoryError"}
_SQLITE_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_SQLITE_DATA = ("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")

_CONNECTION_CLOSED = re.compile(r"closed database|no active connection|connection closed", re.IGNORECASE)
_REFUSED_AT_LOGIN = re.compile(r"authentication failed|no pg_hba|role .* does not exist", re.IGNORECASE)
_COPY_COLUMN = re.compile(r", column ([^:]+)")


def translate(error: Exception, place: Place | None = None, *, connecting: bool = False) -> StoreError:
    """Return the `StoreError` that says what *error*, from whatever driver, means.

    Args:
        place: names what the message and its hint speak of.
        connecting: no row was under way, so a wrong type or value is one of the settings.
    """
    if isinstance(error, StoreError):
        return error
    place = place or Place()
    native = _native(error)
    sqlite = getattr(native, "sqlite_errorname", None)
    if sqlite:
        return _of_sqlite(sqlite, native, place)
    state = _sqlstate(error)
    if state:
        return _of_sqlstate(state, native, place)
    return _without_code(error, native, place, connecting)


def raise_verdict(verdict: StoreError, error: Exception) -> NoReturn:
    """Raise *verdict* in the place of *error*; one about a row without its cause, which may quote the row."""
    if verdict is error:
        raise error
    if isinstance(verdict, DataStoreError):
        raise verdict from None
    raise verdict from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it wraps, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        orig = getattr(current, "orig", None)
        current = orig if isinstance(orig, BaseException) else current.__cause__


def _native(error: BaseException) -> BaseException:
    *_, innermost = _chain(error)
    return innermost


def _sqlstate(error: BaseException) -> str | None:
    for link in _chain(error):
        state = getattr(link, "sqlstate", None) or getattr(link, "pgcode", None)
        if isinstance(state, str) and len(state) == 5:
            return state
    return None


def _primary(native: BaseException) -> str:
    """Return what the server says first. Its detail is left out: that quotes rows."""
    said = getattr(native, "message", None) or getattr(getattr(native, "diag", None), "message_primary", None)
    if isinstance(said, str):
        return f"{type(native).__name__}: {describe(Exception(said)).removeprefix('Exception: ')}"
    return describe(native)


def _of_sqlstate(state: str, native: BaseException, place: Place) -> StoreError:
    if state == _UNIQUE_VIOLATION:
        return DuplicateStoreError(
            f"rows of the batch are in table {place.table} already", sqlstate=state, hint="replay the batch"
        )
    if type(native).__name__ == "InvalidCachedStatementError":
        # The table was altered while its statement was prepared: a fresh connection prepares it anew.
        return TransientStoreError(f"table {place.table} was altered under a prepared statement", sqlstate=state)
    if state == _CHECK_VIOLATION and _came_between(native, place):
        return TransientStoreError(f"a partition of table {place.table} was made for a row under way", sqlstate=state)
    if state.startswith(_DATA):
        return _unfit_row(state, native, place)
    if state.startswith(_TRANSIENT):
        return TransientStoreError(f"{place.server} did not take the batch: {_primary(native)}", sqlstate=state)
    if state.startswith(_DAMAGE):
        return ConfigStoreError(
            f"{place.server} reports damage or a fault of its disk: {_primary(native)}",
            sqlstate=state,
            hint="look at the server's own log; nothing is given up meanwhile",
        )
    return ConfigStoreError(_refusal(state, native, place), sqlstate=state, hint=_hint(state, native, place))


def _came_between(native: BaseException, place: Place) -> bool:
    """Say whether a row was on its way into one partition when another one was made for it.

    PostgreSQL then names the partition, and no constraint: the next attempt finds the right one.
    """
    source = getattr(native, "diag", native)
    partition, constraint = (getattr(source, name, None) for name in ("table_name", "constraint_name"))
    return bool(partition) and not constraint and partition != place.table.rpartition(".")[2]


def _refusal(state: str, native: BaseException, place: Place) -> str:
    """Return what is not as it must be; five cases."""
    if state.startswith("28"):
        return f"{place.server} refuses the log-in of {place.role}: {_primary(native)}"
    if state == "3D000":
        return f"{place.server} has no database {place.database}"
    if state == "42P01":
        return f"there is no table {place.table} in {place.database} at {place.server}"
    if state == "42501":
        return f"{place.role} may not {place.purpose} table {place.table} at {place.server}: {_primary(native)}"
    return f"{place.server} refuses to {place.purpose} table {place.table}: {_primary(native)}"


def _hint(state: str, native: BaseException, place: Place) -> str:
    """Return what to do about a fault of the set-up; eight cases."""
    if state == "42501":
        if "row-level security" in _primary(native):
            return f"add a policy FOR INSERT on {place.table} that lets {place.role} write every tenant's rows"
        if place.purpose in ("make", "maintain", "upgrade"):
            return f"GRANT CREATE ON SCHEMA {place.table.rpartition('.')[0] or 'public'} TO {place.role}"
        return f"GRANT INSERT ON {place.table} TO {place.role}"
    if state in ("42P01", "3F000"):
        return "make it with `audit-async init URL`, or name another one by table="
    if state == "42703":
        return f"add the column to {place.table}, as `audit-async init` would make it in a new table"
    if state == "3D000":
        return f"create database {place.database} at {place.server}, or correct the URL"
    if state.startswith("28"):
        return f"check user {place.role} and its password in the URL, and pg_hba.conf at {place.server}"
    if state in ("26000", "42P05"):
        return "behind a transaction pooler add ?prepared_statement_cache_size=0 to the URL"
    if state == "42804":
        return f"a column of {place.table} has another type than `audit-async init` gives it; ALTER TABLE {place.table}"
    return f"compare table {place.table} with one that `audit-async init` makes under another name"


def _unfit_row(state: str | None, native: BaseException, place: Place) -> DataStoreError:
    culprit = _culprit(native)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(native).__name__.removesuffix("Error")).lower()
    where = f" ({culprit})" if culprit else ""
    code = f" [{state}]" if state else ""
    return DataStoreError(
        f"table {place.table} refuses a row: {kind}{where}{code}",
        sqlstate=state,
        culprit=culprit,
        hint="the row that is refused goes to quarantine",
    )


def _culprit(native: BaseException) -> str | None:
    """Return the column or constraint that the driver names apart from its message, or None."""
    source = getattr(native, "diag", native)
    for attribute in ("constraint_name", "column_name"):
        name = getattr(source, attribute, None)
        if isinstance(name, str) and name:
            return name
    context = getattr(source, "context", None)
    found = _COPY_COLUMN.search(context) if isinstance(context, str) else None
    return found.group(1) if found else None


def _of_sqlite(name: str, native: BaseException, place: Place) -> StoreError:
    if name.startswith(_SQLITE_TRANSIENT):
        return TransientStoreError(f"{place.server} did not take the batch: {describe(native)} [{name}]")
    if name in _SQLITE_UNIQUE:
        return DuplicateStoreError(f"rows of the batch are in table {place.table} already [{name}]")
    if name.startswith(_SQLITE_DATA):
        # "NOT NULL constraint failed: audit_logs.action": the name behind the colon, which quotes no value.
        text = describe(native).rpartition(": ")[2] if "constraint failed: " in describe(native) else ""
        culprit = text.removeprefix(f"{place.table.rpartition('.')[2]}.") or None
        return DataStoreError(
            f"table {place.table} refuses a row: {name}" + (f" ({culprit})" if culprit else ""),
            culprit=culprit,
            sqlstate="23503" if name == "SQLITE_CONSTRAINT_FOREIGNKEY" else None,
        )
    hint = f"compare table {place.table} with one that `audit-async init` makes in another file"
    if "no such table" in describe(native):
        hint = f"make table {place.table} with `audit-async init URL`"
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        hint = f"let this process write to {place.server} and to its folder"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        hint = f"{place.server} is damaged or no SQLite file: move it away, or restore it"
    return ConfigStoreError(f"{place.server} is not as it must be: {describe(native)} [{name}]", hint=hint)


def _without_code(error: Exception, native: BaseException, place: Place, connecting: bool) -> StoreError:
    """Return the verdict on an error without a code; nine cases."""
    if isinstance(native, ssl.SSLCertVerificationError):
        return ConfigStoreError(
            f"{place.server} shows a certificate that is not trusted: {describe(native)}",
            hint="give the authority's certificate, or the host name that the certificate is for",
        )
    if isinstance(native, ConnectionRefusedError):
        return TransientStoreError(
            f"nothing takes connections at {place.server}",
            hint="start the database, or correct host and port",
        )
    if isinstance(native, TimeoutError):
        return TransientStoreError(f"{place.server} did not answer in time")
    if isinstance(native, (PermissionError, IsADirectoryError, NotADirectoryError)) and not place.database:
        return ConfigStoreError(
            f"{place.server} cannot be written: {describe(native)}",
            hint="make it, and its folder, writable for this process, or correct the path in the URL",
        )
    if isinstance(native, socket.gaierror):
        return TransientStoreError(
            f"the name of {place.server} cannot be resolved", hint="check the host in the URL, and the name server"
        )
    if isinstance(native, (OSError, EOFError)) or getattr(error, "connection_invalidated", False):
        return TransientStoreError(f"the connection to {place.server} failed: {describe(native)}")
    if _REFUSED_AT_LOGIN.search(describe(native)):
        return ConfigStoreError(
            f"{place.server} refuses the log-in: {describe(native)}", hint=_hint("28000", native, place)
        )
    if _CONNECTION_CLOSED.search(describe(native)):
        return TransientStoreError(f"the connection to {place.server} is closed")
    return _by_class(error, native, place, connecting)


def _by_class(error: Exception, native: BaseException, place: Place, connecting: bool) -> StoreError:
    """Fall back on the class names that PEP 249 gives to every driver's errors."""
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if connecting and isinstance(native, (*_UNFIT_VALUE, AttributeError, ImportError)):
        return ConfigStoreError(
            f"no connection to {place.server} can be made with these settings: {describe(native)}",
            hint="check the URL and what stands behind its question mark; TLS with asyncpg is ?ssl=require",
        )
    if "ClientConfigurationError" in names:
        return ConfigStoreError(f"the settings for {place.server} are wrong: {describe(native)}")
    if names & {"IntegrityError", "DataError"} or isinstance(native, _UNFIT_VALUE):
        if "IntegrityError" in names and "uplicate" in describe(native):
            return DuplicateStoreError(f"rows of the batch are in table {place.table} already")
        return _unfit_row(None, native, place)
    if names & _MAY_PASS and "ProgrammingError" not in names:
        return TransientStoreError(f"{place.server} did not take the batch: {describe(native)}")
    return ConfigStoreError(
        f"{place.server} does not work as expected: {describe(native)}",
        hint=f"compare table {place.table} with one that `audit-async init` makes under another name",
    )
