"""An older table is brought to the present version, and is then one that was made by this version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.creation import create_table
from audit_async.table.ddl import ddl
from audit_async.table.script import new_partitions
from audit_async.table.upgrade import RESOURCE_INDEX, upgrade_table
from audit_async.table.versions import SCHEMA_VERSION, server_kind, server_version, version_of
from tests.store.conftest import (  # noqa: F401 -- fixtures
    Place,
    add_role,
    empty,
    mariadb_empty,
    mariadb_place,
    place,
    postgres_empty,
    postgres_place,
)
from tests.store.entries import entries
from tests.table.catalogue import catalogue

NAME = TableName.parse("audit_logs")
OLD = Path(__file__).parent.parent / "data"


async def make_version_1(place: Place) -> None:  # noqa: F811
    """Make the table as the first version made it, by its very words.

    On MariaDB there was no such version; there it is the table alone.
    """
    if place.dialect == "mysql":
        async with place.admin.connect() as connection:
            await place.execute(*ddl(NAME, server_kind(connection), server_version(connection)))
        return
    statements = (OLD / f"version_1_{place.dialect}.sql").read_text().split(";\n")
    await place.execute(*filter(None, statements))
    if place.dialect == "postgresql":
        await place.execute(*new_partitions(NAME).values())


async def version(place: Place) -> int:  # noqa: F811
    async with place.admin.connect() as connection:
        return await version_of(connection, NAME)


async def test_an_upgraded_table_is_a_fresh_one(empty: Place) -> None:  # noqa: F811
    """Made by the statements of version 1 and upgraded, it has what a new one has, to the letter, and all its rows."""
    await make_version_1(empty)
    await empty.open().insert(entries(30))
    assert 1 == await version(empty)
    done = await upgrade_table(empty.url)
    assert (1, SCHEMA_VERSION) == (done.found, done.version)
    assert (30, SCHEMA_VERSION) == (await empty.count(), await version(empty))
    upgraded = await catalogue(empty.url)
    tables = ("audit_logs", "audit_logs_holds", "audit_schema")
    await empty.execute(*(f"DROP TABLE {table}" for table in tables))
    await create_table(empty.url)
    assert upgraded == await catalogue(empty.url)


async def test_what_is_up_to_date_is_left_alone(place: Place) -> None:  # noqa: F811
    """A new table says its version, and an upgrade of it changes nothing."""
    assert SCHEMA_VERSION == await version(place)
    before = await catalogue(place.url), await place.rows("SELECT * FROM audit_schema")
    done = await upgrade_table(place.url)
    assert ((), "nothing to do" in str(done)) == (done.steps, True)
    assert before == (await catalogue(place.url), await place.rows("SELECT * FROM audit_schema"))


async def test_a_newer_table_is_left_alone_and_said(place: Place) -> None:  # noqa: F811
    """What a later program made this one neither upgrades nor takes for its own."""
    await place.execute("UPDATE audit_schema SET version = 99")
    before = await catalogue(place.url)
    done = await upgrade_table(place.url, resource_index=True)
    assert (True, 99, ()) == (done.is_newer, done.version, done.steps)
    assert "newer" in str(done)
    assert before == await catalogue(place.url)
    assert "newer" in str((await create_table(place.url)).advice)


async def test_init_on_an_old_table_says_to_upgrade(empty: Place) -> None:  # noqa: F811
    """It is left as it is, and told what to do."""
    await make_version_1(empty)
    made = await create_table(empty.url)
    assert (False, 1) == (made.is_new, made.version)
    assert "audit-async upgrade" in str(made.advice)
    await upgrade_table(empty.url)
    assert (await create_table(empty.url)).advice is None


async def test_two_tables_of_one_schema_have_a_version_each(place: Place) -> None:  # noqa: F811
    """The second table's making says nothing of the first one's."""
    await place.execute("UPDATE audit_schema SET version = 1")
    await create_table(place.url, table="audit_events")
    rows = await place.rows("SELECT table_name, version FROM audit_schema ORDER BY table_name")
    assert [("audit_events", SCHEMA_VERSION), ("audit_logs", 1)] == [tuple(row) for row in rows]


async def test_a_table_of_versions_of_somebody_else_is_left_alone(empty: Place) -> None:  # noqa: F811
    """A table of that name and another shape is named in the error, and stays as it was."""
    await make_version_1(empty)
    await empty.execute("CREATE TABLE audit_schema (something text)")
    with pytest.raises(ConfigurationError, match="audit_schema"):
        await upgrade_table(empty.url)
    assert [] == await empty.rows("SELECT something FROM audit_schema")


async def test_what_is_none_of_ours_is_not_upgraded(empty: Place) -> None:  # noqa: F811
    """A missing table and a foreign one are errors that say what to do; nothing is made."""
    await empty.execute("CREATE TABLE other (id integer)")
    with pytest.raises(ConfigStoreError, match="no table audit_logs"):
        await upgrade_table(empty.url)
    await empty.execute("CREATE TABLE audit_logs (id integer PRIMARY KEY)")
    before = await catalogue(empty.url)
    with pytest.raises(ConfigurationError, match="none of ours"):
        await upgrade_table(empty.url)
    assert before == await catalogue(empty.url)


async def test_who_does_not_own_it_is_told_who_does(postgres_place: Place) -> None:  # noqa: F811
    """The error names the role that it takes."""
    url = await add_role(postgres_place, "GRANT ALL ON audit_logs TO {role}")
    with pytest.raises(ConfigStoreError, match="it belongs to role audit_admin"):
        await upgrade_table(url)


async def test_what_an_administrator_makes_is_the_owners(postgres_empty: Place) -> None:  # noqa: F811
    """After an upgrade by another role whoever owns the table owns all that lies beside it, and can go on."""
    await make_version_1(postgres_empty)
    url = await add_role(postgres_empty, "ALTER TABLE audit_logs OWNER TO {role}")
    await upgrade_table(postgres_empty.url)
    owners = await postgres_empty.rows(
        "SELECT relname, relowner::regrole::text AS owner FROM pg_class"
        " WHERE relname IN ('audit_logs', 'audit_logs_holds', 'audit_schema')"
    )
    assert (3, {make_url(url).username}) == (len(owners), {row.owner for row in owners})
    assert () == (await upgrade_table(url)).steps


async def test_a_table_of_versions_of_another_owner_is_named(postgres_place: Place) -> None:  # noqa: F811
    """Whoever may not read it is told the right that is missing, and on what."""
    url = await add_role(postgres_place, "ALTER TABLE audit_logs OWNER TO {role}")
    with pytest.raises(ConfigStoreError, match=f"DELETE ON audit_schema TO {make_url(url).username}"):
        await upgrade_table(url)


async def test_writers_are_not_waited_for(postgres_empty: Place) -> None:  # noqa: F811
    """The upgrade takes no lock that an uncommitted INSERT stands in the way of, nor one that stops the next."""
    await make_version_1(postgres_empty)
    await postgres_empty.open().insert(entries(1))
    async with postgres_empty.admin.connect() as writer:
        again = text("INSERT INTO audit_logs SELECT * FROM audit_logs ON CONFLICT DO NOTHING")
        await writer.execute(again)
        assert SCHEMA_VERSION == (await upgrade_table(postgres_empty.url)).version
        await writer.execute(again)


async def resource_indexes(place: Place) -> list[Any]:  # noqa: F811
    rows = await place.rows(
        "SELECT indrelid::regclass::text, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE relname LIKE '%resource_idx' ORDER BY 1"
    )
    return [tuple(row) for row in rows]


async def test_the_index_by_choice_is_made_on_every_partition(postgres_place: Place) -> None:  # noqa: F811
    """It is valid as a whole; an interrupted one is made anew, and months made later have it."""
    default = "audit_logs_default"
    await postgres_place.execute(
        f"CREATE INDEX audit_logs_resource_idx ON ONLY audit_logs ({RESOURCE_INDEX})",
        f"CREATE INDEX {default}_resource_idx ON {default} ({RESOURCE_INDEX})",
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{default}_resource_idx'::regclass",
    )
    assert (default, False) in await resource_indexes(postgres_place)
    done = await upgrade_table(postgres_place.url, resource_index=True)
    assert len(done.steps) == 1
    made = await resource_indexes(postgres_place)
    assert (27, {True}) == (len(made), {is_valid for _, is_valid in made})
    assert () == (await upgrade_table(postgres_place.url, resource_index=True)).steps

    newest = made[-2][0]
    before = await catalogue(postgres_place.url)
    await postgres_place.execute(f"DROP TABLE {newest}")
    await create_table(postgres_place.url)
    after = await catalogue(postgres_place.url)
    assert [len(before["indexes"])] == [len(after["indexes"])]
    assert all(index["indisvalid"] for index in after["indexes"])


async def test_the_index_by_choice_on_sqlite(tmp_path: Path) -> None:
    """It is made once."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    await create_table(url)
    assert 1 == len((await upgrade_table(url, resource_index=True)).steps)
    assert () == (await upgrade_table(url, resource_index=True)).steps
    assert any(row["name"] == "audit_logs_resource_idx" for row in (await catalogue(url))["all"])


async def test_the_index_by_choice_on_mariadb(mariadb_place: Place) -> None:  # noqa: F811
    """It is made once."""
    assert 1 == len((await upgrade_table(mariadb_place.url, resource_index=True)).steps)
    assert () == (await upgrade_table(mariadb_place.url, resource_index=True)).steps
    made = [
        row for row in (await catalogue(mariadb_place.url))["indexes"] if row["index_name"].endswith("resource_idx")
    ]
    assert ["resource_type", "resource_id", "created_at"] == [row["column_name"] for row in made]
