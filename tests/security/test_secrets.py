"""Secrets of the set-up, and values of events: in no line, no `repr`, no error, whatever fault there is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from audit_async import AuditLogger, create_table, events, inspect_table, maintain
from audit_async.address import read_address
from audit_async.config import COPY_ROWS
from audit_async.errors import AuditError, ConfigurationError
from audit_async.redact import Redaction
from audit_async.settings import read_settings
from tests.polling import eventually, eventually_sync
from tests.redact.test_logging import CANARY, log_canaries
from tests.security.listening import Ear, files_with, listening
from tests.store.conftest import Place, empty, place  # noqa: F401 -- fixtures
from tests.tables import run_sql

PASSWORD = "s3cr3t-pw"
KEY = "s3cr3t-key-of-pseudonyms"
VALUE = "c4n4ry"

SERVERS = pytest.mark.parametrize("empty", ["asyncpg", "mariadb"], indirect=True)
STORES = pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)


@pytest.fixture
async def app_url(place: Place) -> AsyncIterator[str]:  # noqa: F811
    """The address of a user with a password of its own, who may insert."""
    user, url = f"app_{os.urandom(4).hex()}", make_url(place.url)
    if place.dialect == "postgresql":
        made = [f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'", f"GRANT INSERT ON audit_logs TO {user}"]
        gone = [f"DROP OWNED BY {user}", f"DROP ROLE {user}"]
    else:
        account = f"{user}@'127.0.0.1'"
        made = [f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'", f"GRANT INSERT ON audit_logs TO {account}"]
        gone = [f"DROP USER {account}"]
    await place.execute(*made)
    yield url.set(username=user, password=PASSWORD).render_as_string(hide_password=False)
    await place.execute(*gone)


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


FAULTS: dict[str, Callable[[str], str]] = {
    "wrong password": lambda url: url.replace(PASSWORD, f"{PASSWORD}-wrong"),
    "no such user": lambda url: url.replace("app_", "nobody_"),
    "nothing there": lambda url: make_url(url).set(port=1).render_as_string(hide_password=False),
    "no such host": lambda url: make_url(url).set(host="no-such-host.invalid").render_as_string(hide_password=False),
    "no such database": lambda url: make_url(url).set(database="nowhere").render_as_string(hide_password=False),
    "no such option": lambda url: with_query(url, "nonsense=1"),
    "no number": lambda url: with_query(url, "timeout=abc&connect_timeout=abc"),
    "no certificate": lambda url: with_query(
        url, f"sslrootcert=/nowhere&sslpassword={PASSWORD}" if "postgres" in url else "ssl_ca=/nowhere"
    ),
}


@SERVERS
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_a_connection_tells_the_password(app_url: str, fault: str, tmp_path: Path) -> None:
    """Whatever is wrong with an address, its password and its query are in nothing that is said, shown or raised."""
    url = FAULTS[fault](app_url)
    rules = Redaction(pseudonymise={"email"}, pseudonym_key=KEY)
    with listening() as ear:
        audit = AuditLogger(url, journal_dir=tmp_path / "journal", redact=rules, max_wait_seconds=0.2)
        async with audit:
            audit.log(events.custom("a"))
            await eventually(lambda: audit.stats().last_error, 40)
            ear.listen_to(audit)
            await audit.close(0)
        for call in (create_table, inspect_table, maintain):
            try:
                await call(url)
            except AuditError as error:
                ear.add_error(error)
    assert any("nothing is lost" in line for line in ear.lines)
    assert [] == ear.has(PASSWORD, KEY)
    assert [] == files_with(tmp_path, PASSWORD.encode(), KEY.encode())


@SERVERS
async def test_no_statement_that_is_refused_tells_the_password(
    place: Place,  # noqa: F811
    app_url: str,
    tmp_path: Path,
) -> None:
    """Rights that are missing, a table that is gone and a session that is ended say nothing of password or values."""
    with listening() as ear:
        async with AuditLogger(app_url, journal_dir=tmp_path / "journal") as audit:
            audit.log(events.custom("a", user_id=VALUE))
            assert await audit.flush(20)
            await place.execute("ALTER TABLE audit_logs RENAME TO elsewhere")
            audit.log(events.custom("a", user_id=VALUE, details={"note": VALUE}))
            await eventually(lambda: audit.stats().last_error, 20)
            ear.listen_to(audit)
            await place.execute("ALTER TABLE elsewhere RENAME TO audit_logs")
            assert await audit.flush(60)
            ear.listen_to(audit)
    assert [] == ear.has(PASSWORD, VALUE)


# --- values of events in errors ----------------------------------------------------------------------

_POSTGRES_STATES = ("22P02", "23505", "23514", "44000", "P0001")
_MARIADB_NUMBERS = (1366, 1644, 4025)


def refusing(dialect: str) -> dict[str, tuple[str, ...]]:
    """Return the statements after which a table refuses every row of `VALUE`, by what they are; errors quote it."""
    if dialect == "sqlite":
        return {
            "check": (
                "CREATE TRIGGER t BEFORE INSERT ON audit_logs WHEN NEW.user_id = 'c4n4ry' "
                "BEGIN SELECT RAISE(ABORT, 'no c4n4ry'); END",
            ),
            "unique": ("CREATE UNIQUE INDEX other ON audit_logs (user_id) WHERE user_id IS NOT NULL",),
        }
    if dialect == "postgresql":
        function = (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.user_id = 'c4n4ry' THEN "
            "RAISE EXCEPTION 'no %', NEW.user_id USING ERRCODE = '{}', DETAIL = NEW.user_id, HINT = NEW.user_id; "
            "END IF; RETURN NEW; END $$"
        )
        trigger = "CREATE TRIGGER t BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()"
        return {
            **{state: (function.format(state), trigger) for state in _POSTGRES_STATES},
            "narrow": ("ALTER TABLE audit_logs ALTER user_id TYPE varchar(2)",),
            "number": ("ALTER TABLE audit_logs ALTER user_id TYPE integer USING 1",),
            "check": ("ALTER TABLE audit_logs ADD CHECK (user_id <> 'c4n4ry')",),
        }
    signal = (
        "CREATE TRIGGER t BEFORE INSERT ON audit_logs FOR EACH ROW IF NEW.user_id = 'c4n4ry' THEN "
        "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {}, MESSAGE_TEXT = 'no c4n4ry'; END IF"
    )
    return {
        **{str(number): (signal.format(number),) for number in _MARIADB_NUMBERS},
        "narrow": ("ALTER TABLE audit_logs MODIFY user_id varchar(2)",),
        "number": ("ALTER TABLE audit_logs DROP INDEX IF EXISTS x, MODIFY user_id integer",),
        "check": ("ALTER TABLE audit_logs ADD CHECK (user_id <> 'c4n4ry')",),
        "unique": ("ALTER TABLE audit_logs ADD UNIQUE (user_id)",),
    }


CASES = [
    pytest.param(kind, name, id=f"{kind}-{name}")
    for kind, dialect in (("asyncpg", "postgresql"), ("sqlite", "sqlite"), ("mariadb", "mysql"))
    for name in refusing(dialect)
]


@pytest.mark.parametrize(("empty", "name"), CASES, indirect=["empty"])
async def test_no_error_about_a_row_tells_its_values(
    place: Place,  # noqa: F811
    name: str,
    tmp_path: Path,
) -> None:
    """A database that refuses a row quotes it: its values are in no line, no `repr` and no error of ours."""
    dialect = "mysql" if place.dialect in ("mysql", "mariadb") else place.dialect
    await place.execute(*refusing(dialect)[name])
    with listening() as ear:
        async with AuditLogger(place.url, journal_dir=tmp_path / "journal") as audit:
            audit.log(events.custom("a"))
            assert await audit.flush(20)
            for _ in range(COPY_ROWS + 1):
                audit.log(events.custom("a", user_id=VALUE, details={"note": VALUE}))
            for _ in range(3):
                audit.log(events.custom("a"))
            await eventually(lambda: audit.stats().pending == 0, 50)
            ear.listen_to(audit)
    assert any("refuses" in line for line in ear.lines)
    assert [] == ear.has(VALUE)


@STORES
async def test_a_strict_add_raises_without_values(place: Place) -> None:  # noqa: F811
    """The error that the caller of `add(..., strict=True)` gets, and logs, does not quote the row."""
    dialect = "mysql" if place.dialect in ("mysql", "mariadb") else place.dialect
    await place.execute(*refusing(dialect)["check"])
    engine = create_async_engine(place.url)
    audit = AuditLogger(place.url, journal_dir=Path(str(make_url(place.url).database)).with_suffix(".journal"))
    ear = Ear()
    async with AsyncSession(engine) as session:
        with pytest.raises(AuditError) as caught:
            await audit.add(session, events.custom("a", user_id=VALUE), strict=True)
    ear.add_error(caught.value)
    await engine.dispose()
    await audit.close()
    assert [] == ear.has(VALUE)


# --- canaries on disk --------------------------------------------------------------------------------


def test_no_canary_is_kept_anywhere(sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A secret in any shape is in no file: table, journal, quarantine, damaged bytes; and in nothing that is said."""
    asyncio.run(create_table(sqlite_url))
    refuse = "CREATE TRIGGER t BEFORE INSERT ON audit_logs WHEN NEW.description LIKE 'Login%' "
    asyncio.run(run_sql(sqlite_url, refuse + "BEGIN SELECT RAISE(ABORT, 'no'); END"))
    with listening() as ear:
        waiting = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", writer="none", mirror=True)
        count = log_canaries(waiting, ("iban", "email"))
        waiting.close_sync(0)
        (segment,) = (tmp_path / "journal").glob("*000001.audj")
        damage(segment)
        with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", mirror=True) as audit:
            log_canaries(audit, ("iban", "email"))
            audit.log(events.custom("a"))
            eventually_sync(lambda: audit.stats().pending == 0 and audit.stats().adopted_dropped > count / 4, 50)
            ear.listen_to(audit)
            assert audit.stats().quarantined > 10
    assert list(tmp_path.rglob("*.corrupt"))
    said = capfd.readouterr()
    ear.lines += [said.out, said.err]
    sought = (CANARY, "Q0FOQVJZ", "CANARYCANARY", "4111111111111111", "4111-1111")
    assert [] == ear.has(*sought)
    assert [] == files_with(tmp_path, *(each.encode() for each in sought))


def damage(segment: Path) -> None:
    """Flip a byte in every third entry."""
    content = bytearray(segment.read_bytes())
    starts = [at for at in range(len(content)) if content.startswith(b'{"id"', at)]
    assert starts
    for at in starts[::3]:
        content[at + 2] ^= 1
    segment.write_bytes(content)


# --- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://app:{PASSWORD}/x@db/app",
        f"postgresql+asyncpg://app:12/{PASSWORD}@db/app",
        f"postgresql+asyncpg://app:12#{PASSWORD}@db/app",
        f"postgresql+asyncpg://app:{PASSWORD}@[db/app",
        f"postgresql+asyncpg://app:{PASSWORD}@db:port/app",
        f"postgresql://app:{PASSWORD}@db/app",
        f"nonsense:{PASSWORD}",
        f"mysql+pymysql://app:{PASSWORD}@db/app",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """An address with a mistake in it is an error that does not show what may be the password."""
    with listening() as ear:
        for read in (read_address, read_settings, AuditLogger):
            with pytest.raises(ConfigurationError) as caught:
                read(url)
            ear.add_error(caught.value)
    assert [] == ear.has(PASSWORD)


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["init", "{}"],
            ["upgrade", "{}"],
            ["maintain", "{}"],
            ["maintain", "{}", "--holds"],
            ["roles", "{}", "--apply"],
        ),
        *(["map", "check", "{}"], ["map", "propose", "{}", "t"], ["drain", "{}", "--timeout", "0.1"]),
        *(
            ["init", "{}", "{}"],
            ["{}"],
            ["catalog", "{}"],
            ["init", "--table", "{}"],
            ["drain", "x", "--timeout", "{}"],
        ),
        *(["maintain", "--months-ahead", "{}"], ["maintain", "sqlite+aiosqlite:///x.db", "--keep", "{}"]),
        ["maintain", "sqlite+aiosqlite:///x.db", "--hold", "{}", "--reason", "{}"],
    ],
    ids=" ".join,
)
def test_no_command_shows_a_password(arguments: list[str], tmp_path: Path) -> None:
    """Used rightly or wrongly, no command of the tool repeats the password of an address that it was given."""
    url = f"postgresql+asyncpg://app:{PASSWORD}@127.0.0.1:1/app"
    done = subprocess.run(
        [sys.executable, "-m", "audit_async", *(each.format(url) for each in arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tmp_path,
        env={**os.environ, "AUDIT_JOURNAL_DIR": str(tmp_path), "COLUMNS": "60"},
    )
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout.replace("\n", "") + done.stderr


async def test_other_connections_of_aiosqlite_are_logged_as_ever(sqlite_url: str, tmp_path: Path) -> None:
    """What aiosqlite logs is left out for our own connections, not for the application's."""
    with listening() as ear:
        async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
            audit.log(events.custom("a", user_id=VALUE))
            assert await audit.flush(20)
            await run_sql(sqlite_url, "SELECT 'of the application'")
    assert ear.has("of the application")
    assert [] == ear.has(VALUE)
