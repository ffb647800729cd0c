"""Each analysis is one statement, and what it reads on a table of many rows is found by an index."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from audit_async import AuditReader, Query, Scope, create_table
from tests.reading.planned import FILL_POSTGRES, FILL_SQLITE, Asked, plan_of, scans, sqlite_plan, statements
from tests.servers.postgres import PostgresServer
from tests.tables import run_sql

Question = Callable[[AuditReader], Awaitable[Any]]

BY_USER, BY_TENANT, BY_ACTION, BY_TIME = "user_id_created_at", "tenant_id_created_at", "action_created_at", "pkey"

QUESTIONS: dict[str, tuple[Question, str, str]] = {
    "user_audit_logs": (lambda reader: reader.user_audit_logs("u7"), BY_USER, BY_USER),
    "suspicious_activities": (lambda reader: reader.suspicious_activities(), BY_ACTION, BY_TENANT),
    "user_behavior": (lambda reader: reader.user_behavior("u7"), BY_USER, BY_USER),
    "counts": (lambda reader: reader.counts(Query(since="24h")), BY_TIME, BY_TENANT),
    "counts of a user": (lambda reader: reader.counts(Query(user_id="u7")), BY_USER, BY_USER),
    "activity": (lambda reader: reader.activity(Query(since="24h")), BY_TIME, BY_TENANT),
    "activity of a user": (lambda reader: reader.activity(Query(user_id="u7"), by="day"), BY_USER, BY_USER),
    "top": (lambda reader: reader.top(Query(since="24h")), BY_TIME, BY_TENANT),
    "top of an action": (lambda reader: reader.top(Query(actions="role.assign", since="7d")), BY_ACTION, BY_TENANT),
    "failed_logins": (lambda reader: reader.failed_logins(), BY_ACTION, BY_TENANT),
    "first_seen": (lambda reader: reader.first_seen("u7"), BY_USER, BY_USER),
    "privilege_changes": (lambda reader: reader.privilege_changes(Query(since="24h")), BY_TIME, BY_TENANT),
    "repeated_failures": (lambda reader: reader.repeated_failures(), BY_ACTION, BY_TENANT),
}
"""Each with the index for everybody's events, and for one tenant's. `u7` is of tenant `t7`."""

_MONTHS = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^audit_logs_[0-9]'"

ON_EACH = pytest.mark.parametrize("name", QUESTIONS)
SCOPES = pytest.mark.parametrize("tenant", ["all", "t7"])


@pytest.fixture(scope="module")
def postgres_many(postgres: PostgresServer) -> Iterator[str]:
    """A table of 50,000 rows on PostgreSQL, which nobody changes.

    They are in one partition: on the first of a month there would be few of them in this one, and read through.
    """
    database = asyncio.run(postgres.create_database())
    url = postgres.url(database)
    asyncio.run(_fill(url, FILL_POSTGRES, "VACUUM ANALYZE audit_logs"))
    yield url
    asyncio.run(postgres.drop_database(database))


@pytest.fixture(scope="module")
def sqlite_many(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same on SQLite."""
    folder: Path = tmp_path_factory.mktemp("many")
    url = f"sqlite+aiosqlite:///{folder / 'audit.db'}"
    asyncio.run(_fill(url, FILL_SQLITE, "ANALYZE"))
    return url


async def _fill(url: str, fill: str, then: str) -> None:
    await create_table(url)
    if url.startswith("postgresql"):
        months = await run_sql(url, _MONTHS)
        await run_sql(url, *(f"DROP TABLE {month['relname']}" for month in months))
    await run_sql(url, fill)
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(then)
    await engine.dispose()


def scope_of(tenant: str) -> Any:
    return Scope.all() if tenant == "all" else tenant


def index_of(name: str, tenant: str) -> str:
    _, of_all, of_one = QUESTIONS[name]
    return of_all if tenant == "all" else of_one


async def asked(reader: AuditReader, name: str) -> Asked:
    """Ask, and return the one statement that it took."""
    with statements(reader) as found:
        await QUESTIONS[name][0](reader)
    [one] = found
    return one


@ON_EACH
@SCOPES
async def test_postgres_finds_the_rows_by_an_index(name: str, tenant: str, postgres_many: str) -> None:
    """One statement; it goes through the index for that question, and reads no table through."""
    async with AuditReader(postgres_many, tenant=scope_of(tenant)) as reader:
        one = await asked(reader, name)
        async with reader._database.transaction() as connection:
            found = list(scans(await plan_of(connection, one)))
    assert [] == [scan for scan in found if scan[0] == "Seq Scan"]
    indexes = {index for _, _, index in found if index}
    wanted = index_of(name, tenant)
    # To everybody's events of a time an index by action leads as well, which skips from one to the next.
    assert wanted == BY_TIME or any(wanted in index for index in indexes), indexes


@ON_EACH
@SCOPES
async def test_sqlite_finds_the_rows_by_an_index(name: str, tenant: str, sqlite_many: str) -> None:
    """One statement, which searches by the index for that question and scans no table."""
    async with AuditReader(sqlite_many, tenant=scope_of(tenant)) as reader:
        one = await asked(reader, name)
        async with reader._database.transaction() as connection:
            lines = await sqlite_plan(connection, one)
    assert [] == [line for line in lines if line.startswith("SCAN audit_logs")]
    [search] = {line for line in lines if line.startswith("SEARCH audit_logs")}
    wanted = index_of(name, tenant)
    # Of everybody's events it chooses among those that lead to the time.
    assert wanted in search if wanted in (BY_USER, BY_TENANT) else "created_at>?" in search
