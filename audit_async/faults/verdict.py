"""Which database's rules are to judge an error; and errors without a code."""

from __future__ import annotations

import re
import socket
import ssl
from typing import NoReturn

from audit_async.diagnostics import describe
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults.causes import chain, native_of
from audit_async.faults.mysql import number_of, of_number
from audit_async.faults.place import Place
from audit_async.faults.postgres import hint_for, of_sqlstate, unfit_row
from audit_async.faults.sqlite import of_sqlite

_UNFIT_VALUE = (TypeError, ValueError, OverflowError, RecursionError)
_MAY_PASS = {
    "InterfaceError",
    "OperationalError",
    "InternalError",
    "InternalClientError",
    "SQLAlchemyError",
    "MemoryError",
}

_NOT_BOUND = re.compile(r"(cannot|can't) adapt type |Error binding parameter ")
"""What psycopg and sqlite3 say of a value that they have no form for, by the class of a statement that is wrong."""
_CONNECTION_CLOSED = re.compile(r"closed database|no active connection|connection closed", re.IGNORECASE)
_REFUSED_TLS = re.compile(r"rejected SSL upgrade", re.IGNORECASE)
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_REFUSED_AT_LOGIN = re.compile(r"authentication failed|no pg_hba|role .* does not exist", re.IGNORECASE)


def translate(error: Exception, place: Place | None = None, *, connecting: bool = False) -> StoreError:
    """Return the `StoreError` that says what *error*, from whatever driver, means.

    Args:
        place: names what the message and its hint speak of.
        connecting: no row was under way, so a wrong type or value is one of the settings.
    """
    if isinstance(error, StoreError):
        return error
    place = place or Place()
    native = native_of(error)
    sqlite = getattr(native, "sqlite_errorname", None)
    if sqlite:
        return of_sqlite(sqlite, native, place)
    number = number_of(error)
    if number is not None and not isinstance(native, OSError):
        return of_number(number, error, place)
    state = _sqlstate(error)
    if state:
        return of_sqlstate(state, native, place)
    return _without_code(error, native, place, connecting)


def raise_verdict(verdict: StoreError, error: Exception) -> NoReturn:
    """Raise *verdict* in the place of *error*; one about a row without its cause, which may quote the row."""
    if verdict is error:
        raise error
    if isinstance(verdict, DataStoreError):
        raise verdict from None
    raise verdict from error


def _sqlstate(error: BaseException) -> str | None:
    for link in chain(error):
        state = getattr(link, "sqlstate", None) or getattr(link, "pgcode", None)
        if isinstance(state, str) and len(state) == 5:
            return state
    return None


def _without_code(error: Exception, native: BaseException, place: Place, connecting: bool) -> StoreError:
    """Return the verdict on an error without a code; nine cases."""
    if (of_tls := _of_tls(native, place, connecting)) is not None:
        return of_tls
    if isinstance(native, ConnectionRefusedError):
        return TransientStoreError(
            f"nothing takes connections at {place.server}",
            hint="start the database, or correct host and port",
        )
    if isinstance(native, TimeoutError):
        return TransientStoreError(
            f"{place.server} did not answer in time",
            hint="see to the server: it may be frozen, overloaded, or behind a firewall that drops what is sent",
        )
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
            f"{place.server} refuses the log-in: {describe(native)}", hint=hint_for("28000", native, place)
        )
    if _CONNECTION_CLOSED.search(describe(native)):
        return TransientStoreError(f"the connection to {place.server} is closed")
    return _by_class(error, native, place, connecting)


def _of_tls(native: BaseException, place: Place, connecting: bool) -> ConfigStoreError | None:
    """Return the verdict on an error of TLS, None if it is none, or was cut off in the middle; three cases."""
    if isinstance(native, ssl.SSLCertVerificationError):
        return ConfigStoreError(
            f"{place.server} shows a certificate that is not trusted: {describe(native)}",
            hint="give the authority's certificate (sslrootcert=FILE in the URL, for MariaDB ssl_ca=FILE), or the host "
            "name that the certificate is for; one that has expired is renewed at the server",
        )
    if isinstance(native, ssl.SSLError) and connecting and not isinstance(native, _CUT_OFF):
        return ConfigStoreError(
            f"no TLS can be agreed on with {place.server}: {describe(native)}",
            hint="let the server speak TLS, and check the files that the URL gives for it",
        )
    if isinstance(native, ConnectionError) and _REFUSED_TLS.search(describe(native)):
        return ConfigStoreError(
            f"{place.server} speaks no TLS, which the URL demands",
            hint="set ssl = on at the server, with a certificate",
        )
    return None


def _by_class(error: Exception, native: BaseException, place: Place, connecting: bool) -> StoreError:
    """Fall back on the class names that PEP 249 gives to every driver's errors."""
    names = {kind.__name__ for link in chain(error) for kind in type(link).__mro__}
    if connecting and isinstance(native, (*_UNFIT_VALUE, AttributeError, ImportError)):
        return ConfigStoreError(
            f"no connection to {place.server} can be made with these settings: {describe(native)}",
            hint="check the URL and what stands behind its question mark; TLS is ?ssl=verify-full&sslrootcert=FILE, "
            "for MariaDB ?ssl_ca=FILE",
        )
    if "ClientConfigurationError" in names:
        return ConfigStoreError(f"the settings for {place.server} are wrong: {describe(native)}")
    is_unfit = isinstance(native, _UNFIT_VALUE) or _NOT_BOUND.search(describe(native))
    if names & {"IntegrityError", "DataError"} or is_unfit:
        if "IntegrityError" in names and "uplicate" in describe(native):
            return DuplicateStoreError(f"rows of the batch are in table {place.table} already")
        return unfit_row(None, native, place)
    if names & _MAY_PASS and "ProgrammingError" not in names:
        return TransientStoreError(f"{place.server} did not take the batch: {describe(native)}")
    return ConfigStoreError(
        f"{place.server} does not work as expected: {describe(native)}",
        hint=f"compare table {place.table} with one that `audit-async init` makes under another name",
    )
