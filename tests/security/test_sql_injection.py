"""SQL in values and in names: it arrives as it was given, and does nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from audit_async import AuditLogger, TableMap, create_table, events, inspect_table, maintain
from audit_async.errors import AuditError, ConfigurationError
from audit_async.inspection import TableName, quoted_name
from audit_async.maintenance.holds import find_holds, place_hold, release_hold
from audit_async.maintenance.retention import Retention
from audit_async.maintenance.roles import RoleNames
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from audit_async.text import NUL_SEEN
from tests.servers.mariadb import MariadbServer
from tests.store.conftest import Place, empty, place  # noqa: F401 -- fixtures
from tests.store.entries import entry

STORES = pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb", "psycopg"], indirect=True)
OURS = pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
PAYLOADS = (
    "'; DROP TABLE victim; --",
    "' OR '1'='1",
    '"; DROP TABLE victim; --',
    "`; DROP TABLE victim; --",
    "\\'; DROP TABLE victim; -- ",
    "\\",
    "\\\\'",
    "x' || (SELECT version()) || '",
    "$1 $2 ${1} $$; DROP TABLE victim; $$",
    ":id :name ::text %(id)s %s %d %% %",
    "? ?1 @x {} {0} {0.__class__} {{7*7}}",
    "/*! DROP TABLE victim */ -- # /* ",
    "a\nb\r\n;DROP TABLE victim;\n",
    "\t,\\N,\\.\n",
    "‘’“”′＇＂ʼ",
    "\u00bf'\u5c3d\\'",
    "NULL",
    "1); DELETE FROM victim; --",
    "\x1a\x08\x00'",
)
TEXTS = (
    *("description", "actor_type", "actor_id", "actor_name", "on_behalf_of", "user_id", "agent_id", "api_key_id"),
    *("tenant_id", "organization_id", "resource_type", "resource_id", "user_agent", "session_id"),
    *("request_id", "trace_id", "span_id", "error_message"),
)
NAMES = ("o'brien", 'say "x"', "tick`s", "a;b", "a--b", "100%", "%s", ":id", "$1", "a b", "日誌", "SELECT", "x{0}", "?")


def seen(text: str) -> str:
    """Return *text* as a column holds it."""
    return text.replace("\0", NUL_SEEN)


async def insert_all(url: str, count: int) -> None:
    """Insert each payload in every field, as rows of one batch or one by one."""
    store = open_store(StoreOptions(url=url))
    made = [
        entry(
            number + 1,
            **{**dict.fromkeys(TEXTS, payload), "request_id": f"{number}"},
            details={payload: payload, "list": [payload]},
            tags=[payload],
        )
        for number, payload in enumerate(PAYLOADS)
    ]
    for start in range(0, len(made), count):
        await store.insert(made[start : start + count])
    await store.insert(made, is_replay=True)
    await store.close()


async def check_all(place: Place) -> None:  # noqa: F811
    names = [name for name in TEXTS if name != "request_id"]
    columns = ", ".join(names)
    rows = await place.rows(f"SELECT {columns} FROM audit_logs ORDER BY CAST(request_id AS decimal)")
    assert [(seen(payload),) * len(names) for payload in PAYLOADS] == [tuple(row) for row in rows]
    assert [("kept",)] == await place.rows("SELECT note FROM victim")


@STORES
@pytest.mark.parametrize("count", [1, len(PAYLOADS)])
async def test_sql_in_a_value_is_a_value(place: Place, count: int) -> None:  # noqa: F811
    """Every payload in every field arrives character by character, with COPY, INSERT and replay, and runs nowhere."""
    await place.execute("CREATE TABLE victim (note varchar(10))", "INSERT INTO victim VALUES ('kept')")
    await insert_all(place.url, count)
    await check_all(place)


async def test_backslashes_are_text_whatever_the_server_s_mode(mariadb: MariadbServer, tmp_path: Path) -> None:
    """Where MariaDB takes a backslash for a letter, and where for an escape, the same values arrive."""
    for mode in ("", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"):
        database = await mariadb.create_database()
        before = (await mariadb.run("SELECT @@GLOBAL.sql_mode"))[0][0]
        await mariadb.run(f"SET GLOBAL sql_mode = '{mode}'")
        try:
            await create_table(mariadb.url(database))
            await mariadb.run("CREATE TABLE victim (note int)", database=database)
            await insert_all(mariadb.url(database), len(PAYLOADS))
            rows = await mariadb.run("SELECT user_id FROM audit_logs ORDER BY request_id + 0", database=database)
        finally:
            await mariadb.run(f"SET GLOBAL sql_mode = '{before}'")
        assert [seen(payload) for payload in PAYLOADS] == [row[0] for row in rows], mode
        await mariadb.drop_database(database)


@STORES
async def test_sql_in_a_column_s_name_is_a_name(empty: Place, tmp_path: Path) -> None:  # noqa: F811
    """A map may name any column that a database can have, and only those columns are written."""
    # SQLAlchemy reads a backtick in a name from MariaDB with both of its marks, so that no map fits.
    names = [name for name in NAMES if empty.dialect != "mysql" or "`" not in name]
    quote = "`" if empty.dialect == "mysql" else '"'
    columns = ", ".join(f"{quoted_name(name, quote)} varchar(200)" for name in names)
    statement = f"CREATE TABLE trail (id varchar(64) PRIMARY KEY, act varchar(9), {columns})"
    takes_format = "psycopg" in empty.url or empty.dialect == "mysql"
    await empty.execute(statement.replace("%", "%%") if takes_format else statement)
    table = TableMap(table="trail", columns={"id": "id", "act": "action", **dict.fromkeys(names, "user_id")})
    async with AuditLogger(empty.url, journal_dir=tmp_path / "journal", table=table) as audit:
        for payload in PAYLOADS[:3]:
            audit.log(events.custom("a", user_id=payload))
        assert await audit.flush(30), audit.health()
    async with empty.admin.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM trail")).all()
    assert {("a", *[payload] * len(names)) for payload in PAYLOADS[:3]} == {tuple(row)[1:] for row in rows}


ENDING = ("a'; DROP TABLE x; --", 'a"', "a`", "a\\", "a;b", "a\nb", "", "\ud800", "a\x1b[31m", "a\u2028b", "x" * 64)


@pytest.mark.parametrize("name", [*ENDING, "a.b.c"], ids=ascii)
def test_a_table_s_name_ends_no_statement(name: str) -> None:
    """A name with a quote, a backslash, a semicolon, a control character or half a character is no table's."""
    with pytest.raises(ConfigurationError):
        TableName.parse(name)


@OURS
@pytest.mark.parametrize("name", ["100% %s", ":id", "a b--{0} ?$1:before_0"])
async def test_sql_in_a_table_s_name_is_a_name(empty: Place, name: str, tmp_path: Path) -> None:  # noqa: F811
    """Our table may have any such name: it is made, looked after and written to, and nothing else is touched."""
    await empty.execute("CREATE TABLE victim (note varchar(10))", "INSERT INTO victim VALUES ('kept')")
    await create_table(empty.url, table=name)
    await place_hold(empty.url, reason="r", tenant_id="t", table=name)
    assert 1 == len(await find_holds(empty.url, table=name))
    old = datetime.now(UTC) - timedelta(days=50)
    async with AuditLogger(empty.url, journal_dir=tmp_path / "old", table=name) as audit:
        for tenant in ("t", "u"):
            audit.log(events.custom("old", created_at=old, tenant_id=tenant))
        assert await audit.flush(30), audit.health()
    await maintain(empty.url, table=name, retention=[Retention(30), Retention(40, category="system")])
    assert (await inspect_table(empty.url, name)).exists
    async with AuditLogger(empty.url, journal_dir=tmp_path / "journal", table=name) as audit:
        audit.log(events.custom("a"))
        assert await audit.flush(30), audit.health()
    async with empty.admin.connect() as connection:
        quoted = TableName.parse(name).in_text("`" if empty.dialect == "mysql" else '"')
        held = await connection.execute(text(f"SELECT tenant_id FROM {quoted} WHERE action = 'old'"))
        assert [("t",)] == held.all()
    assert [("kept",)] == await empty.rows("SELECT note FROM victim")


@pytest.mark.parametrize("name", [*ENDING, "pg_x"], ids=ascii)
@pytest.mark.parametrize("of", ["owner", "writer", "reader", "auditor"])
def test_a_role_s_name_ends_no_statement(name: str, of: str) -> None:
    """What could end a quoted name is no role's."""
    with pytest.raises(ConfigurationError):
        RoleNames(**{of: name})


@OURS
@pytest.mark.parametrize("payload", ["".join(PAYLOADS[:4])])
async def test_sql_in_a_service_s_name_or_destination_does_nothing(
    place: Place,  # noqa: F811
    payload: str,
    tmp_path: Path,
) -> None:
    """Names that we give to files and sessions are no SQL."""
    await place.execute("CREATE TABLE victim (note varchar(10))", "INSERT INTO victim VALUES ('kept')")
    journal_dir = tmp_path / "journal"
    async with AuditLogger(place.url, journal_dir=journal_dir, service=payload, destination=payload) as audit:
        audit.log(events.custom("a"))
        assert await audit.flush(30)
    assert [("kept",)] == await place.rows("SELECT note FROM victim")


@OURS
@pytest.mark.parametrize("payload", ["".join(PAYLOADS[:5])])
async def test_sql_in_a_hold_does_nothing(place: Place, payload: str) -> None:  # noqa: F811
    """The tenant and the reason of a legal hold, and the tenant of a rule, are values."""
    await place.execute("CREATE TABLE victim (note varchar(10))", "INSERT INTO victim VALUES ('kept')")
    placed = await place_hold(place.url, reason=payload, placed_by=payload, tenant_id=payload)
    assert [payload] == [hold.tenant_id for hold in await find_holds(place.url)]
    await maintain(place.url, retention=[Retention(30, tenant_id=payload)])
    with pytest.raises(AuditError):
        await release_hold(place.url, payload, released_by=payload)
    await release_hold(place.url, placed.id, released_by=payload)
    assert [("kept",)] == await place.rows("SELECT note FROM victim")
