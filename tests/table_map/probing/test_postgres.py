"""What PostgreSQL has in the way of events is found, at the level that it has."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url

from audit_async import TableMap, events
from audit_async.errors import StoreError
from tests.store.conftest import Place, _place, add_role, postgres_empty  # noqa: F401 -- fixtures
from tests.store.entries import entry_of
from tests.table_map.probing.cases import (
    COLUMNS,
    MAP,
    SAID_BY_POSTGRES,
    SAID_OF_ROLES,
    TRAIL,
    USERS,
    WITH_USER,
    about,
    levels,
)


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Place]:
    """PostgreSQL of one version."""
    async for place in _place(postgres_url):
        yield place


@pytest.mark.parametrize("name", SAID_BY_POSTGRES)
async def test_postgres_says_what_is_in_the_way(name: str, postgres_empty: Place) -> None:  # noqa: F811
    """Whatever of the table can hold an event up, change it or lose it is found, at the level it has."""
    table_map, made, expected, words = SAID_BY_POSTGRES[name]
    await postgres_empty.execute(*made)
    probe = await table_map.probe(postgres_empty.url)
    assert [expected] == levels(probe, *words), probe.findings
    assert probe.is_usable == all(finding.level != "error" for finding in probe.findings)


@pytest.mark.parametrize("name", SAID_OF_ROLES)
async def test_postgres_says_what_the_role_lacks(name: str, postgres_empty: Place) -> None:  # noqa: F811
    """What is asked is what the role in the URL may do, not what the table's owner may."""
    made, grants, expected, words = SAID_OF_ROLES[name]
    await postgres_empty.execute(*made)
    probe = await MAP.probe(await add_role(postgres_empty, *grants))
    assert [expected] == levels(probe, *words), probe.findings
    assert not about(await MAP.probe(postgres_empty.url), *words)


# A first attempt goes round them; what comes again after a broken connection does not, and would wait for ever.
MET_BY_REPLAYS = {"rule", "deferred key", "another key"}
PASSED_BY_COPY = {*MET_BY_REPLAYS, "rule instead"}


@pytest.mark.parametrize(
    ("name", "count"),
    [(n, c) for n in (*SAID_BY_POSTGRES, *SAID_OF_ROLES) for c in (1, 20) if c == 1 or n not in PASSED_BY_COPY],
)
async def test_an_error_stops_every_event_and_nothing_else_does(
    name: str,
    count: int,
    server: Place,
) -> None:
    """Where the probe finds an error no event gets in, however many; where it finds none, they do."""
    if name in SAID_BY_POSTGRES:
        table_map, made, (level, _), _ = SAID_BY_POSTGRES[name]
        await server.execute(*made)
        url = server.url
    else:
        made, grants, (level, _), _ = SAID_OF_ROLES[name]
        await server.execute(*made)
        table_map, url = MAP, await add_role(server, *grants)
    assert (level != "error") == (await table_map.probe(url)).is_usable
    store = server.open(url=url, table=table_map)
    action = "a{}" if name == "exclusion" else "a"
    try:
        batch = [entry_of(events.custom(action.format(n)), n) for n in range(count)]
        await store.insert(batch, is_replay=name in MET_BY_REPLAYS)
    except StoreError:
        stored = 0
    else:
        stored = await server.count("trail")
    assert (0 if level == "error" else count) == stored


async def test_a_schema_that_is_closed_to_the_role_is_named(postgres_empty: Place) -> None:  # noqa: F811
    """Without USAGE the table cannot even be seen: that is said, with the GRANT that helps."""
    await postgres_empty.execute("CREATE SCHEMA far", f"{TRAIL})".replace("trail", "far.trail"))
    url = await add_role(postgres_empty, "GRANT INSERT ON far.trail TO {role}")
    probe = await TableMap(table="far.trail", columns=COLUMNS).probe(url)
    assert [("error", "")] == levels(probe, "may not use schema far", 'GRANT USAGE ON SCHEMA "far"')


async def test_the_right_role_on_the_right_table_has_nothing_to_hear(postgres_empty: Place) -> None:  # noqa: F811
    """An INSERT right, a key and a JSON column: no error, no warning, nothing unknown."""
    await postgres_empty.execute(f"{TRAIL}, number bigint GENERATED ALWAYS AS IDENTITY)")
    probe = await MAP.probe(await add_role(postgres_empty, "GRANT INSERT ON trail TO {role}"))
    assert (True, True, True) == (probe.is_usable, probe.is_clean, probe.is_certain), probe.findings
    assert () == probe.problems


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_narrow_database_is_a_warning(encoding: str, postgres_empty: Place) -> None:  # noqa: F811
    """Where the database cannot keep every character, some events go to quarantine."""
    name = f"narrow_{os.urandom(4).hex()}"
    admin = await postgres_empty.admin.connect()
    admin = await admin.execution_options(isolation_level="AUTOCOMMIT")
    await admin.exec_driver_sql(
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    url = make_url(postgres_empty.url).set(database=name).render_as_string(hide_password=False)
    try:
        async for place in _place(url):
            await place.execute(f"{TRAIL})")
            assert [("warning", "")] == levels(await MAP.probe(url), encoding, "quarantine")
    finally:
        await admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def test_what_may_not_be_looked_at_is_said_and_hides_nothing_else(postgres_empty: Place) -> None:  # noqa: F811
    """A catalogue that is closed to the role makes one finding `unknown`; the other looks go on."""
    await postgres_empty.execute(f"{TRAIL}, UNIQUE (action))", "REVOKE SELECT ON pg_trigger FROM PUBLIC")
    probe = await MAP.probe(await add_role(postgres_empty, "GRANT INSERT ON trail TO {role}"))
    assert [("unknown", "")] == levels(probe, "triggers cannot be looked at")
    assert [("error", "id")] == levels(probe, "may not read it")
    assert not probe.is_certain


async def test_a_psycopg_address_is_looked_at_alike(postgres_empty: Place) -> None:  # noqa: F811
    """The findings depend on the database, not on its driver."""
    await postgres_empty.execute(USERS, f"{TRAIL}, user_id text REFERENCES users, CHECK (action <> ''))")
    url = make_url(postgres_empty.url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    assert (await WITH_USER.probe(postgres_empty.url)).findings == (await WITH_USER.probe(url)).findings
