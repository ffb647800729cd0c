"""A page costs what is on it, however many rows there are, and however deep it lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from audit_async import AuditReader, Query, create_table
from tests.reading.planned import Asked, mariadb_plan, nodes, plan_of, scanned, sqlite_plan, statements
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer
from tests.tables import run_sql

ROWS = 60_000
TENANTS = 30
LIMIT = 20
START = datetime.now(UTC).replace(microsecond=0)

_COLUMNS = (
    "INSERT INTO audit_logs (id, created_at, action, category, severity, outcome, user_id, tenant_id, details,"
    " metadata, tags) "
)
_REST = "'auth.login', 'security', 'low', 'success', 'u' || (n % 997), 't' || (n % 30), '{}', '{}', '[]' FROM "


def fill(kind: str) -> str:
    """Return the statement that makes the rows: one every four minutes."""
    if kind == "postgres":
        moment = f"timestamptz '{START:%Y-%m-%d %H\\:%M\\:%S}+00' + n * interval '4 min'"
        return f"{_COLUMNS}SELECT 'e' || n, {moment}, {_REST}generate_series(1, {ROWS}) AS n"
    if kind == "sqlite":
        moment = f"strftime('%Y-%m-%dT%H\\:%M\\:%S.000000Z', '{START:%Y-%m-%d %H\\:%M\\:%S}', (n * 4) || ' minutes')"
        numbers = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
        return f"{_COLUMNS}SELECT 'e' || n, {moment}, {_REST}{numbers}"
    moment = f"date_add('{START:%Y-%m-%d %H\\:%M\\:%S}', INTERVAL seq * 4 MINUTE)"
    rest = _REST.replace("'u' || (n % 997), 't' || (n % 30)", "concat('u', seq % 997), concat('t', seq % 30)")
    return f"{_COLUMNS}SELECT concat('e', seq), {moment}, {rest}seq_1_to_{ROWS}"


ANALYZE = {"postgres": "ANALYZE audit_logs", "sqlite": "ANALYZE", "mariadb": "ANALYZE TABLE audit_logs"}


@pytest.fixture(scope="module")
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A table with many rows of many tenants, over half a year."""
    kind: str = request.param
    if kind == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('plans') / 'audit.db'}"
        asyncio.run(_fill(url, kind))
        yield url
        return
    server: PostgresServer | MariadbServer = request.getfixturevalue(kind)
    database = asyncio.run(server.create_database())
    url = server.url(database)
    asyncio.run(_fill(url, kind))
    yield url
    asyncio.run(server.drop_database(database))


async def _fill(url: str, kind: str) -> None:
    await create_table(url)
    await run_sql(url, fill(kind), ANALYZE[kind])


@pytest.fixture
async def reader(server_url: str) -> AsyncIterator[AuditReader]:
    """A reader of one tenant among many."""
    async with AuditReader(server_url, tenant="t7") as reader:
        yield reader


ON_POSTGRES = pytest.mark.parametrize("server_url", ["postgres"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("server_url", ["sqlite"], indirect=True)
ON_MARIADB = pytest.mark.parametrize("server_url", ["mariadb"], indirect=True)

ASKED: dict[str, dict[str, Any]] = {
    "a tenant's": {},
    "of some time": {"since": START, "until": "2099-01-01"},
    "the oldest": {"oldest_first": True},
}


async def pages(reader: AuditReader, **fields: Any) -> list[Asked]:
    """Ask for the first page and for one in the depth, and return both statements."""
    query = Query(**fields, limit=LIMIT)
    deep = (await reader.search(Query(**fields, limit=400))).next_cursor
    assert deep is not None
    with statements(reader) as found:
        for cursor in (None, deep):
            assert LIMIT == len(await reader.search(query, cursor))
    assert 2 == len(found)
    return found


async def gone(reader: AuditReader, statement: Asked) -> list[dict[str, Any]]:
    """Return the steps in which PostgreSQL answers *statement*, with their rows."""
    async with reader._database.transaction() as connection:
        return list(nodes(await plan_of(connection, statement, "ANALYZE, TIMING OFF, ")))


@pytest.mark.parametrize("asked", ASKED)
@ON_POSTGRES
async def test_a_page_reads_its_rows_on_postgres(reader: AuditReader, asked: str) -> None:
    """Through the tenant's index, at most a page and one row, and one of each partition that has to be looked at."""
    for statement in await pages(reader, **ASKED[asked]):
        steps = await gone(reader, statement)
        scans = [node for node in steps if "Scan" in node["Node Type"]]
        assert {"Index Scan"} == {node["Node Type"] for node in scans}, steps
        assert all("tenant_id" in node["Index Name"] for node in scans if node["Actual Rows"])
        assert scanned(steps) <= LIMIT + 1 + len(scans)


@pytest.mark.parametrize("asked", ASKED)
@ON_SQLITE
async def test_a_page_reads_its_rows_on_sqlite(reader: AuditReader, asked: str) -> None:
    """Through the tenant's index, in its order: only rows of one moment are sorted."""
    for statement in await pages(reader, **ASKED[asked]):
        async with reader._database.transaction() as connection:
            steps = await sqlite_plan(connection, statement)
        assert "USING INDEX audit_logs_tenant_id_created_at_idx (tenant_id=?" in steps[0], steps
        assert steps[1:] in (
            [],
            ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"],
            ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"],
        )


@pytest.mark.parametrize("asked", ASKED)
@ON_MARIADB
async def test_a_page_reads_its_rows_on_mariadb(reader: AuditReader, asked: str) -> None:
    """Through the tenant's index, in its order, with nothing to sort."""
    for statement in await pages(reader, **ASKED[asked]):
        async with reader._database.transaction() as connection:
            (step,) = await mariadb_plan(connection, statement)
        assert "audit_logs_tenant_id_created_at_idx" == step["key"], step
        assert "filesort" not in (step["Extra"] or "")


@ON_POSTGRES
async def test_a_users_page_reads_its_rows_on_postgres(reader: AuditReader) -> None:
    """What one user did is found through an index, without going through the tenant's other rows one by one."""
    with statements(reader) as found:
        await reader.search(Query(user_id="u7", limit=LIMIT))
    [statement] = found
    steps = await gone(reader, statement)
    # Months without rows are looked through, which costs nothing.
    assert 0 == scanned(node for node in steps if node["Node Type"] == "Seq Scan")
    assert scanned(steps) <= ROWS // 997 + 1
