"""Every error of every driver gets its class, and none tells a payload."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import ssl

import asyncpg
import psycopg
import pytest
from sqlalchemy import exc

from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults import Place, translate


def of_postgres(state: str) -> asyncpg.PostgresError:
    fields = {"C": state, "M": "what the server says", "D": "Key (id)=(s3cret)", "S": "ERROR", "V": "ERROR"}
    made: asyncpg.PostgresError = asyncpg.PostgresError.new(fields)
    return made


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        ("08003 08006 25006 40001 40P01 53100 53200 53300 55P03 57014 57P01 57P03", TransientStoreError),
        ("3D000 28000 28P01 42P01 42703 42501 42804 0A000 58030 XX001 26000", ConfigStoreError),
        ("22000 22021 22P05 22P02 22001 22003 23502 23503 23514 54000 54001 P0001 20000 21000 38000", DataStoreError),
        ("23505", DuplicateStoreError),
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_postgresql_is_judged_by_sqlstate(states: str, kind: type[StoreError], is_wrapped: bool) -> None:
    """Raw as COPY gives it, or wrapped by SQLAlchemy: the same verdict, with the state, without the detail."""
    for state in states.split():
        error: Exception = of_postgres(state)
        if is_wrapped:
            error = exc.DBAPIError("INSERT ...", {"secret": "s3cret"}, error, hide_parameters=True)
        verdict = translate(error)
        assert (state, type(verdict)) == (state, kind)
        assert verdict.sqlstate == state
        assert "s3cret" not in str(verdict)


@pytest.mark.parametrize("state", ["AA001", "45000", "UE001"])
def test_a_state_that_a_trigger_has_thought_of_is_about_the_row(state: str) -> None:
    """`RAISE ... USING ERRCODE` takes any; one that comes of no function may be a proxy's, and says nothing of rows."""
    fields = {"C": state, "M": "not s3cret", "S": "ERROR", "V": "ERROR"}
    verdict = translate(asyncpg.PostgresError.new({**fields, "W": "PL/pgSQL function check_it() line 1 at RAISE"}))
    assert (DataStoreError, state) == (type(verdict), verdict.sqlstate)
    assert "s3cret" not in str(verdict)
    assert ConfigStoreError is type(translate(asyncpg.PostgresError.new(fields)))


@pytest.mark.parametrize(
    ("state", "context", "purpose", "kind"),
    [
        ("42501", "PL/pgSQL function see_it() line 1 at RAISE", "write to", DataStoreError),
        ("42501", "PL/pgSQL-Funktion see_it() Zeile 1 bei RAISE\nCOPY audit_logs, line 3", "write to", DataStoreError),
        ("55000", "PL/pgSQL function see_it() line 1 at RAISE", "write to", DataStoreError),
        ("42501", "PL/pgSQL function see_it() line 1 at RAISE", "maintain", ConfigStoreError),
        ("42501", 'SQL statement "INSERT"\nPL/pgSQL function see_it() line 1 at RAISE', "write to", ConfigStoreError),
        ("42501", 'PL/pgSQL function "RAISE"() line 1 at SQL statement', "write to", ConfigStoreError),
        ("40001", "PL/pgSQL function see_it() line 1 at RAISE", "write to", TransientStoreError),
    ],
)
def test_a_state_of_the_servers_own_that_a_trigger_raises_is_about_the_row(
    state: str, context: str, purpose: str, kind: type[StoreError]
) -> None:
    """`USING ERRCODE = 'insufficient_privilege'` is what many write; what asks to be tried again is tried again."""
    error = asyncpg.PostgresError.new({"C": state, "M": "not s3cret", "S": "ERROR", "V": "ERROR", "W": context})
    assert kind is type(translate(error, Place(purpose=purpose)))


@pytest.mark.parametrize(
    ("purpose", "said", "hint"),
    [
        ("write to", "permission denied for table audit_logs", "GRANT INSERT ON log.audit_logs TO app"),
        ("write to", "permission denied for table delivered", "GRANT INSERT ON log.delivered TO app"),
        ("write to", "permission denied for schema log", "GRANT USAGE ON SCHEMA log TO app"),
        ("write to", "in another language", "GRANT INSERT ON log.audit_logs TO app"),
        ("maintain", "permission denied for table audit_schema", "UPDATE, DELETE ON log.audit_schema TO app"),
        ("maintain", "must be owner of table audit_logs_2026_01", "connect as the owner of table audit_logs_2026_01,"),
        ("make", "permission denied for schema log", "GRANT CREATE ON SCHEMA log TO app"),
        ("make", "in another language", "GRANT CREATE ON SCHEMA log TO app"),
    ],
)
def test_a_missing_right_is_named_with_what_it_is_on(purpose: str, said: str, hint: str) -> None:
    """The hint speaks of the relation or schema that PostgreSQL names, in the schema of our table."""
    error = asyncpg.PostgresError.new({"C": "42501", "M": said, "S": "ERROR", "V": "ERROR"})
    place = Place(table="log.audit_logs", role="app", purpose=purpose)
    assert hint in str(translate(error, place).hint)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "refused"), TransientStoreError),
        (socket.gaierror(-2, "unknown"), TransientStoreError),
        (TimeoutError(), TransientStoreError),
        (ConnectionResetError(), TransientStoreError),
        (asyncio.IncompleteReadError(b"", 5), TransientStoreError),
        (exc.TimeoutError("pool"), TransientStoreError),
        (asyncpg.InterfaceError("connection is closed"), TransientStoreError),
        (asyncpg.InternalClientError("got result for unknown protocol state"), TransientStoreError),
        (psycopg.OperationalError("connection failed"), TransientStoreError),
        (psycopg.OperationalError("password authentication failed for user"), ConfigStoreError),
        (ssl.SSLCertVerificationError("self-signed"), ConfigStoreError),
        (asyncpg.exceptions.DataError("invalid input for query argument $1: 's3cret'"), DataStoreError),
        (UnicodeEncodeError("utf-8", "s3cret\ud800", 6, 7, "surrogates"), DataStoreError),
        (TypeError("s3cret"), DataStoreError),
        (OverflowError("s3cret"), DataStoreError),
        (exc.StatementError("s3cret", "INSERT", {"a": "s3cret"}, ValueError("s3cret")), DataStoreError),
        (RuntimeError("unforeseen"), ConfigStoreError),
    ],
)
def test_errors_without_a_code(error: Exception, kind: type[StoreError]) -> None:
    """Refused, unknown, late, lost, unfit: by type."""
    verdict = translate(error)
    assert type(verdict) is kind
    assert "s3cret" not in str(verdict)
    assert verdict.message


def test_a_hostile_error_is_no_obstacle() -> None:
    """An error whose text cannot be read is judged all the same."""

    class HostileError(OSError):
        def __str__(self) -> str:
            raise RecursionError

    assert isinstance(translate(HostileError()), TransientStoreError)


def test_a_wrong_setting_is_no_wrong_row() -> None:
    """While connecting, a TypeError is about the URL."""
    error = TypeError("connect() got an unexpected keyword argument 'sslmode'")
    assert isinstance(translate(error, connecting=True), ConfigStoreError)


def test_a_refused_connection_names_host_and_port() -> None:
    """Where nothing listens is what one has to look at first."""
    assert "db1:5433" in translate(ConnectionRefusedError(), Place(server="db1:5433")).message


@pytest.mark.parametrize(
    "error",
    [
        psycopg.ProgrammingError("cannot adapt type 'dict' using placeholder '%s' (format: AUTO)"),
        sqlite3.ProgrammingError("Error binding parameter 3: type 'list' is not supported"),
    ],
)
def test_a_value_that_a_driver_has_no_form_for_is_about_the_row(error: Exception) -> None:
    """Drivers say it as they say that a statement is wrong. Said of every row alike, it is no fault of the rows."""
    verdict = translate(exc.ProgrammingError("INSERT ...", {}, error, hide_parameters=True))
    assert isinstance(verdict, DataStoreError)
    assert verdict.culprit == "programming"


OVERFLOW, NO_JSON = "integer overflow", "malformed JSON"


def sqlite_error(*statements: str) -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id text PRIMARY KEY, n text NOT NULL, c text CONSTRAINT small CHECK (c < 'm'))")
    try:
        for statement in statements:
            connection.execute(statement)
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("statements", "kind", "culprit"),
    [
        (["INSERT INTO t VALUES ('1', NULL, 'a')"], DataStoreError, "n"),
        (["INSERT INTO t VALUES ('1', 'a', 'z')"], DataStoreError, "small"),
        (["INSERT INTO t VALUES ('1', 'a', 'a')"] * 2, DuplicateStoreError, None),
        (["CREATE TABLE j (n CHECK (abs(n) > 0))", f"INSERT INTO j VALUES ({-(2**63)})"], DataStoreError, OVERFLOW),
        (["CREATE TABLE j (n CHECK (json_extract(n, '$.a')))", "INSERT INTO j VALUES ('{')"], DataStoreError, NO_JSON),
        (["CREATE TABLE s (n INTEGER) STRICT", "INSERT INTO s VALUES ('x')"], DataStoreError, "SQLITE_CONSTRAINT"),
        (["INSERT INTO u VALUES (1)"], ConfigStoreError, None),
        (["INSERT INTO t (x) VALUES (1)"], ConfigStoreError, None),
        (["PRAGMA query_only = 1", "INSERT INTO t VALUES ('1', 'a', 'a')"], ConfigStoreError, None),
        (["PRAGMA max_page_count = 1", "CREATE TABLE v (a)"], TransientStoreError, None),
    ],
)
def test_sqlite_is_judged_by_its_own_names(statements: list[str], kind: type[StoreError], culprit: str | None) -> None:
    """Constraint, duplicate, a value that a check cannot compute with, missing, read-only, full."""
    verdict = translate(sqlite_error(*statements), Place(table="t"))
    assert type(verdict) is kind
    assert getattr(verdict, "culprit", None) == culprit
