"""Roles: each may what it is for, on real servers, logged in as that very role."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditLogger, events
from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName
from audit_async.maintenance.roles import RoleNames, apply_roles, roles_statements
from audit_async.table.columns import COLUMNS
from audit_async.table.creation import create_table
from audit_async.table.guard import is_guarded
from tests.maintenance.conftest import Ruled
from tests.store.conftest import add_role
from tests.store.entries import entries

NAME = TableName.parse("audit_logs")


async def partitions(ruled: Ruled) -> list[str]:
    found = await ruled.place.rows("SELECT relid::regclass::text FROM pg_partition_tree('audit_logs') WHERE isleaf")
    return [row[0] for row in found]


def insert_into(table: str, **further: str) -> str:
    given = {"id": "'x'", "created_at": "now()", **dict.fromkeys(("action", "category", "severity", "outcome"), "'a'")}
    given |= {"details": "'{}'", "metadata": "'{}'", "tags": "'[]'", **further}
    return f"INSERT INTO {table} ({', '.join(given)}) VALUES ({', '.join(given.values())})"


# --- the writer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 20, 200])
async def test_the_writer_writes(applied: Ruled, count: int) -> None:
    """Few rows and many, and again what is there already."""
    store = applied.place.open(url=applied.url(applied.roles.writer))
    batch = entries(count)
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    assert await applied.place.count() == count


async def test_a_logger_works_as_the_writer(applied: Ruled, tmp_path: Path) -> None:
    """A whole logger needs no more than the writer's rights."""
    async with AuditLogger(applied.url(applied.roles.writer), journal_dir=tmp_path / "j") as audit:
        for number in range(200):
            audit.log(events.custom("report.print", details={"number": number}))
        assert await audit.flush(timeout_seconds=20)
    assert await applied.place.count() == 200


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM audit_logs",
        "SELECT FROM audit_logs",
        "UPDATE audit_logs SET action = 'forged'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "LOCK TABLE audit_logs",
        "LOCK TABLE audit_logs IN ROW EXCLUSIVE MODE",
        "ALTER TABLE audit_logs DISABLE TRIGGER audit_append_only",
        "ALTER TABLE audit_logs DETACH PARTITION audit_logs_default",
        "DROP TRIGGER audit_append_only ON audit_logs",
        "DROP FUNCTION audit_refuse_change()",
        "DROP TABLE audit_logs",
        "DROP TABLE audit_logs_default",
        "CREATE TABLE mine (id text)",
        "CREATE INDEX mine ON audit_logs (id)",
        "SET session_replication_role = replica",
        insert_into("audit_logs", recorded_at="now()"),
        insert_into("audit_logs", xact_id="1"),
        insert_into("audit_logs") + " RETURNING id",
        insert_into("audit_logs") + " ON CONFLICT (created_at, id) DO UPDATE SET action = 'forged'",
        insert_into("audit_logs_default"),
    ],
)
async def test_the_writer_may_nothing_else(applied: Ruled, statement: str) -> None:
    """It reads nothing, changes nothing, locks and makes nothing, and fills no column of the database's own."""
    await applied.is_refused(applied.roles.writer, statement)


async def test_the_writer_fills_exactly_its_columns(applied: Ruled) -> None:
    """Its rights are on the columns of an entry, one by one, and not on the table."""
    found = await applied.place.rows(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'audit_logs'::regclass AND attnum > 0"
        " AND has_column_privilege(:role, attrelid, attnum, 'INSERT')",
        role=applied.roles.writer,
    )
    assert set(COLUMNS) == {row[0] for row in found}


async def test_rights_of_old_are_taken_back(ruled: Ruled) -> None:
    """An application's role that may all becomes a writer that may only insert."""
    writer, role = ruled.roles.writer, f'"{ruled.roles.writer}"'
    await ruled.place.execute(f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON audit_logs, audit_logs_default TO {role}")
    await ruled.place.execute("GRANT SELECT ON audit_logs TO PUBLIC")
    await apply_roles(ruled.place.url, roles=ruled.roles)
    await ruled.let_log_in()
    for statement in ("SELECT FROM audit_logs", "DELETE FROM audit_logs", "SELECT FROM audit_logs_default"):
        await ruled.is_refused(writer, statement)


# --- the reader and the auditor ------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["reader", "auditor"])
async def test_reading_roles_read(applied: Ruled, which: str) -> None:
    """They see every row, in read-only transactions, for a bounded time."""
    await applied.place.open().insert(entries(3))
    role = getattr(applied.roles, which)
    assert await applied.run(role, "SELECT count(*) FROM audit_logs") == [(3,)]
    assert await applied.run(role, "SHOW default_transaction_read_only") == [("on",)]
    assert await applied.run(role, "SHOW statement_timeout") == [("30s",)]


@pytest.mark.parametrize("which", ["reader", "auditor"])
@pytest.mark.parametrize(
    "statement",
    [
        insert_into("audit_logs"),
        "UPDATE audit_logs SET action = 'forged'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "SELECT * FROM audit_logs FOR UPDATE",
        "SELECT * INTO mine FROM audit_logs",
        "SELECT FROM audit_logs_default",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "ALTER TABLE audit_logs DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_reading_roles_cannot_write(applied: Ruled, which: str, statement: str) -> None:
    """Their rights keep them from it, not the setting that they can switch off."""
    await applied.is_refused(getattr(applied.roles, which), "SET transaction_read_only = off", statement)


# --- the owner -----------------------------------------------------------------------------------------------


async def test_the_owner_cannot_log_in(applied: Ruled) -> None:
    """It has a password here, and is refused all the same."""
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted to log in"):
        await asyncpg.connect(applied.url(applied.roles.owner).replace("+asyncpg", ""))


@pytest.mark.parametrize("change", ["UPDATE {0} SET action = 'x'", "DELETE FROM {0}", "TRUNCATE {0}"])
async def test_the_guard_holds_for_the_owner(applied: Ruled, change: str) -> None:
    """The owner sees every row and every partition, and changes none without lifting the guard."""
    await applied.place.open().insert(entries(2))
    become = f'SET LOCAL ROLE "{applied.roles.owner}"'
    await applied.place.execute(become, "SELECT * FROM audit_logs")
    for relation in ("audit_logs", *await partitions(applied)):
        with pytest.raises(DBAPIError, match="append-only"):
            await applied.place.execute(become, change.format(relation))


@pytest.mark.parametrize("again", ["applied", "created"])
async def test_a_later_partition_opens_no_way_around(applied: Ruled, again: str) -> None:
    """A partition made afterwards has the same owner and guard, and default privileges open it to nobody."""
    roles = applied.roles
    opened = f'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, "{roles.writer}", "{roles.reader}"'
    last = (await partitions(applied))[-1]
    await applied.place.execute(opened, f"DROP TABLE {last}")
    if again == "created":
        assert (await create_table(applied.place.url)).partitions == (last,)
    else:
        last = "by_hand"
        by_hand = "CREATE TABLE by_hand PARTITION OF audit_logs FOR VALUES FROM ('1990-01-01') TO ('1991-01-01')"
        await applied.place.execute(by_hand)
        await apply_roles(applied.place.url, roles=roles)
    for role, statement in (
        (roles.writer, insert_into(last)),
        (roles.writer, f"TRUNCATE {last}"),
        (roles.reader, f"SELECT FROM {last}"),
        (roles.auditor, f"SELECT FROM {last}"),
    ):
        await applied.is_refused(role, statement)
    owner = await applied.place.rows("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = :name", name=last)
    assert [(roles.owner,)] == [tuple(row) for row in owner]
    async with applied.place.admin.connect() as connection:
        assert await is_guarded(connection, NAME)


# --- applying ------------------------------------------------------------------------------------------------

STATE = """
SELECT relname::text, relowner::regrole::text, relacl::text, relrowsecurity FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT tgrelid::regclass::text || tgname, oid::text, tgenabled::text, true FROM pg_trigger
UNION ALL
SELECT polname::text, polroles::regrole[]::text, pg_get_expr(polqual, polrelid), polpermissive FROM pg_policy
UNION ALL
SELECT attname::text, attacl::text, NULL, true FROM pg_attribute WHERE attrelid = 'audit_logs'::regclass
UNION ALL
SELECT setrole::regrole::text, setconfig::text, NULL, true FROM pg_db_role_setting
UNION ALL
SELECT rolname::text, rolcanlogin::text, NULL, true FROM pg_roles
 ORDER BY 1, 2, 3
"""


@pytest.mark.parametrize("tenants", [False, True])
async def test_applying_twice_changes_nothing(ruled: Ruled, tenants: bool) -> None:
    """The catalogue is the same afterwards, trigger by trigger."""
    await apply_roles(ruled.place.url, roles=ruled.roles, tenant_isolation=tenants)
    once = await ruled.place.rows(STATE)
    await apply_roles(ruled.place.url, roles=ruled.roles, tenant_isolation=tenants)
    assert once == await ruled.place.rows(STATE)


async def test_no_superuser_is_needed(ruled: Ruled) -> None:
    """Who owns the database and may create roles can set the rights, again, and add partitions afterwards."""
    place = ruled.place
    await place.execute("DROP TABLE audit_logs, audit_logs_holds, audit_schema")
    database = make_url(place.url).database
    admin = await add_role(place, "ALTER ROLE {role} CREATEROLE", f'ALTER DATABASE "{database}" OWNER TO {{role}}')
    await create_table(admin)
    for _ in range(2):
        await apply_roles(admin, roles=ruled.roles, tenant_isolation=True)
    last = (await partitions(ruled))[-1]
    await place.execute(f"DROP TABLE {last}")
    assert (await create_table(admin)).partitions == (last,)
    owners = await place.rows(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname LIKE 'audit_logs%'"
    )
    assert [(ruled.roles.owner,)] == [tuple(row) for row in owners]
    await ruled.let_log_in()
    await place.open(url=ruled.url(ruled.roles.writer)).insert(entries(20))
    assert await place.count() == 20


@pytest.mark.parametrize("grants", [[], ["ALTER ROLE {role} CREATEROLE"]])
async def test_who_may_not_set_rights_is_told_who_may(ruled: Ruled, grants: list[str]) -> None:
    """Without the right to make roles, or to the table, nothing is done, and the hint says as whom to connect."""
    nobody = await add_role(ruled.place, *grants)
    with pytest.raises(ConfigStoreError, match="connect as an administrator"):
        await apply_roles(nobody, roles=ruled.roles)
    assert [] == await ruled.place.rows("SELECT 1 FROM pg_roles WHERE rolname = :name", name=ruled.roles.owner)


async def test_others_with_rights_are_named(ruled: Ruled) -> None:
    """Roles of old keep what they may, and whoever applies is told which and what."""
    other = make_url(await add_role(ruled.place, "GRANT SELECT, DELETE ON audit_logs TO {role}")).username
    done = await apply_roles(ruled.place.url, roles=ruled.roles)
    assert (f"{other}: DELETE, SELECT",) == done.others


async def test_a_table_in_a_schema_with_a_name_of_its_own(ruled: Ruled) -> None:
    """Capitals, blanks, dollars and colons in the names of schema, table and roles are only names."""
    names = RoleNames(
        owner=f"{ruled.roles.owner} $audit$", writer=f"{ruled.roles.writer}:W", reader="R-" + ruled.roles.reader
    )
    table = "My $audit$ Schema.Audit: $audit$ Logs"
    await ruled.place.execute('CREATE SCHEMA "My $audit$ Schema"')
    await create_table(ruled.place.url, table=table)
    await apply_roles(ruled.place.url, table=table, roles=names, tenant_isolation=True)
    await ruled.place.execute(f"ALTER ROLE \"{names.writer}\" PASSWORD 'only-here'")
    store = ruled.place.open(url=ruled.url(names.writer), table=table)
    await store.insert(entries(20))
    assert await ruled.place.count(TableName.parse(table).quoted()) == 20
    await ruled.is_refused(names.writer, f"SELECT FROM {TableName.parse(table).quoted()}")


@pytest.mark.parametrize("hostile", ['a"b', "a'b", "a;--", "a\\b", "", "x" * 64, "public", "pg_monitor", "a\nb"])
def test_a_hostile_role_name_is_refused(hostile: str) -> None:
    """What could end a name, or names everybody, reaches no statement."""
    for role in ("owner", "writer", "reader", "auditor"):
        with pytest.raises(ConfigurationError):
            RoleNames(**{role: hostile})


def test_two_roles_of_one_name_are_refused() -> None:
    """The writer that is also the owner could do everything."""
    with pytest.raises(ConfigurationError, match="one name"):
        RoleNames(owner="app", writer="app")


@pytest.mark.parametrize("made", ["CREATE TABLE audit_logs (entry text)", "SELECT 1"])
async def test_rights_are_set_on_our_table_only(ruled: Ruled, made: str) -> None:
    """A foreign table, or none, is left alone, and no role is made."""
    await ruled.place.execute("DROP TABLE audit_logs", made)
    with pytest.raises(ConfigurationError, match="audit-async init"):
        await apply_roles(ruled.place.url, roles=ruled.roles)
    assert [] == await ruled.place.rows("SELECT 1 FROM pg_roles WHERE rolname = :name", name=ruled.roles.owner)


# --- SQLite --------------------------------------------------------------------------------------------------


async def test_a_file_has_no_roles(sqlite_url: str) -> None:
    """On SQLite the guard is all there is, twice or once, and tenants cannot be kept apart."""
    await create_table(sqlite_url)
    for _ in range(2):
        await apply_roles(sqlite_url)
    engine = create_async_engine(sqlite_url)
    async with engine.connect() as connection:
        assert await is_guarded(connection, NAME)
    await engine.dispose()
    with pytest.raises(ConfigurationError, match="row-level security"):
        roles_statements(NAME, "sqlite", tenant_isolation=True)
