"""Tables of systems that came before are read like our own: what their map did is undone."""

from __future__ import annotations

import msgspec
import pytest

from audit_async import AuditEvent, AuditReader, Query, Scope, TableMap
from audit_async.errors import AuditError, ConfigurationError
from tests.reading.log import QUERIES, everything, ids, made, pages, stored
from tests.reading.oracle import answer
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.table_map.test_ready_all import TABLES, unlimited, without_foreign_keys
from tests.tables import run_sql

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
EACH_MAP = pytest.mark.parametrize("name", TABLES)

KEPT = ("action", "created_at", "outcome", "category", "severity", "tenant_id", "user_id", "ip_address", "details")
"""What every one of them keeps, in a column, in its JSON or by the action."""


def given_to(name: str) -> list[AuditEvent]:
    """Return events that the table takes as they are: numbers or UUIDs for users, where it has nothing else."""
    renamed = {user: str(n) for n, user in enumerate(("u1", "u2", "u3", "u4", "u' OR 1=1 --"))}
    found = made(300, tenants=("t1", "t2", None))
    if name in ("enclava", "clawith"):
        form = "{}" if name == "enclava" else "00000000-0000-4000-8000-00000000000{}"
        numbers = [renamed.get(event.user_id or "") for event in found]
        users = [number and form.format(number) for number in numbers]
        found = [msgspec.structs.replace(event, user_id=user) for event, user in zip(found, users, strict=True)]
    if name == "wecom":
        found = [msgspec.structs.replace(event, user_id=event.user_id or "u1") for event in found]
        # Of two actions with one spelling the first is read back.
        found = [event for event in found if event.action != "auth.password_reset"]
    return found


async def fill(name: str, place: Place) -> list[AuditEvent]:
    await without_foreign_keys(place, unlimited(TABLES[name]))
    given = given_to(name)
    await stored(place, given, table=TableMap.ready(name))
    return given


@EACH_MAP
@ON_EACH
async def test_what_a_map_wrote_is_read_back(name: str, empty: Place) -> None:  # noqa: F811
    """Fields with a column, folded ones, and those that follow from the action come back as they were."""
    given = await fill(name, empty)
    async with everything(empty, table=TableMap.ready(name)) as reader:
        found = [event async for event in reader.events(Query(oldest_first=True))]
    as_given = {(event.created_at, event.action, str(event.details)): event for event in given}
    differing = set()
    for event in found:
        before = as_given[event.created_at, event.action, str(event.details)]
        differing |= {kept for kept in KEPT if getattr(before, kept) != getattr(event, kept)}
    assert len(given) == len(found)
    assert set() == differing


@EACH_MAP
@ON_EACH
async def test_every_query_finds_what_its_rows_say(name: str, empty: Place) -> None:  # noqa: F811
    """The database keeps by its expressions the very events that a plain reckoning keeps of those that were read."""
    await fill(name, empty)
    wrong, unasked = {}, set()
    async with everything(empty, table=TableMap.ready(name)) as reader:
        listing = [event async for event in reader.events()]
        for said, fields in QUERIES.items():
            query = Query(**fields, limit=100)
            try:
                found = sorted(ids(event for page in await pages(reader, query) for event in page))
            except ConfigurationError as error:
                unasked.add(str(error))
                continue
            expected = sorted(ids(answer(listing, query)))
            if expected != found or len(found) != await reader.count(query):
                wrong[said] = (len(expected), len(found))
    assert {} == wrong
    assert set() == unasked


@EACH_MAP
@ON_EACH
async def test_a_tenant_sees_its_own_rows_of_any_table(name: str, empty: Place) -> None:  # noqa: F811
    """Where the tenant lies in the JSON, the scope is kept as it is with a column."""
    given = await fill(name, empty)
    for tenant in ("t1", None):
        async with AuditReader(empty.url, tenant=tenant, table=TableMap.ready(name)) as reader:
            found = [event async for event in reader.events()]
        assert sum(event.tenant_id == tenant for event in given) == len(found)
        assert {tenant} == {event.tenant_id for event in found}


@pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
async def test_a_table_without_a_place_for_tenants_is_read_as_a_whole(empty: Place) -> None:  # noqa: F811
    """Whoever names a tenant there is told that it cannot be had, and sees nothing."""
    await empty.execute("CREATE TABLE notes (n integer PRIMARY KEY, at varchar(40), what varchar(80))")
    notes = TableMap(table="notes", columns={"at": "created_at", "what": "action"})
    await empty.execute("INSERT INTO notes VALUES (1, '2026-03-01T10:00:00+00:00', 'auth.login')")
    async with everything(empty, table=notes) as reader:
        (event,) = await reader.search()
        assert ("1", "auth.login") == (event.id, event.action)
    async with AuditReader(empty.url, tenant="t1", table=notes) as reader:
        with pytest.raises(ConfigurationError, match="no place for a tenant"):
            await reader.search()
    async with AuditReader(empty.url, tenant=Scope.of(), table=notes) as reader:
        assert 0 == len(await reader.search())


COLLATED = {
    "postgresql": "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "sqlite": "SELECT 1",
    "mysql": "SELECT 1",
}
LOOSE = {"postgresql": "COLLATE loose", "sqlite": "COLLATE NOCASE", "mysql": "COLLATE utf8mb4_general_ci"}


@pytest.mark.parametrize("empty", ["asyncpg-system", "sqlite", "mariadb"], indirect=True)
async def test_tenants_that_a_column_takes_for_the_same_are_not(empty: Place) -> None:  # noqa: F811
    """Where `T1` is `t1` to the database, and `t1 ` too, each tenant still sees its own rows alone, and counts them."""
    await empty.execute(
        COLLATED[empty.dialect],
        f"CREATE TABLE notes (n integer PRIMARY KEY, at varchar(40), whose varchar(40) {LOOSE[empty.dialect]})",
    )
    tenants = ("t1", "T1", "t1 ", None)
    for n, tenant in enumerate(tenants):
        value = "NULL" if tenant is None else f"'{tenant}'"
        await empty.execute(f"INSERT INTO notes VALUES ({n}, '2026-03-01T10:00:00+00:00', {value})")
    notes = TableMap(table="notes", columns={"at": "created_at", "whose": "tenant_id"})
    for scope in (("t1",), ("T1",), ("t1 ",), ("t1", None), ("t1", "T1")):
        async with AuditReader(empty.url, tenant=Scope.of(*scope), table=notes) as reader:
            found = [event.tenant_id async for event in reader.events()]
            assert sorted(scope, key=str) == sorted(found, key=str)
            assert len(scope) == await reader.count()


@pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
async def test_a_damaged_row_is_shown_for_what_it_is(empty: Place) -> None:  # noqa: F811
    """Broken JSON, a time that is none and a word that is none are told in the event, and end no listing."""
    await empty.execute(
        "CREATE TABLE old (id varchar(40) PRIMARY KEY, at varchar(40), what varchar(80), how varchar(20), more text)"
    )
    await empty.execute(
        "INSERT INTO old VALUES ('a', '2026-03-01 10:00:00', 'login_failed', 'denied', '{\"x\": 1}')",
        "INSERT INTO old VALUES ('b', 'yesterday', 'login', 'perhaps', '{\"x\": ')",
        "INSERT INTO old VALUES ('c', NULL, NULL, NULL, NULL)",
    )
    columns = {"id": "id", "at": "created_at", "what": "action", "how": "outcome", "more": "details"}
    async with everything(empty, table=TableMap(table="old", columns=columns)) as reader:
        found = {event.id: event async for event in reader.events()}
    assert ("auth.login", "denied", {"x": 1}) == (found["a"].action, found["a"].outcome, found["a"].details)
    assert {"at", "how", "more"} <= {name if name != "outcome" else "how" for name in found["b"].metadata["$damaged"]}
    assert "unnamed" == found["c"].action
    assert {"a", "b", "c"} == set(found)


REFUSED = {
    "no column from created_at": TableMap(table="a", columns={"what": "action"}),
    "no unique key": TableMap(table="b", columns={"at": "created_at", "what": "action"}),
    "no column more": TableMap(table="b", columns={"at": "created_at", "more": "details"}),
    "no table c": TableMap(table="c", columns={"at": "created_at"}),
}


@pytest.mark.parametrize("said", REFUSED)
async def test_a_table_that_cannot_be_listed_is_refused_with_the_way_out(said: str, sqlite_url: str) -> None:
    """Without a time, a unique key or a column, the error says so before anything is asked."""
    await run_sql(sqlite_url, "CREATE TABLE a (what text PRIMARY KEY)", "CREATE TABLE b (at text, what text)")
    with pytest.raises(AuditError, match=said) as refusal:
        async with AuditReader(sqlite_url, tenant=Scope.all(), table=REFUSED[said]):
            pass
    assert refusal.value.hint
