"""What the live database says of a mapped table: before the first event, in plain words, and without a change."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.engine import Engine

from audit_async import TableMap, events
from audit_async.errors import ConfigStoreError, ConfigurationError, StoreError, TransientStoreError
from audit_async.table_map.probe import Probe
from audit_async.table_map.review import Finding
from tests.store.conftest import Place, _place, add_role, postgres_empty  # noqa: F401 -- fixtures
from tests.store.entries import entry_of

COLUMNS: dict[str, Any] = {"id": "id", "at": "created_at", "action": "action", "data": "details"}
MAP = TableMap(table="trail", columns=COLUMNS, fold_into="data")
USERS = "CREATE TABLE users (id text PRIMARY KEY)"
TRAIL = "CREATE TABLE trail (id text PRIMARY KEY, at timestamptz NOT NULL, action text NOT NULL, data jsonb"
FUNCTION = "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite file."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        yield place


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Place]:
    """PostgreSQL of one version."""
    async for place in _place(postgres_url):
        yield place


def about(probe: Probe, *words: str) -> list[Finding]:
    """Return the findings that have all of *words* in them."""
    return [
        finding
        for finding in probe.findings
        if all(word in f"{finding.column} {finding.message} {finding.hint}" for word in words)
    ]


def levels(probe: Probe, *words: str) -> list[tuple[str, str]]:
    return [(finding.level, finding.column) for finding in about(probe, *words)]


WITH_USER = MAP.with_columns({"user_id": "user_id"})

SAID_BY_POSTGRES: dict[str, tuple[TableMap, list[str], tuple[str, str], tuple[str, ...]]] = {
    "foreign key": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users ON DELETE CASCADE)"],
        ("warning", "user_id"),
        ("points to users.id", "waits up to 60 s", "quarantine", "ON DELETE CASCADE", "deleted with it"),
    ),
    "foreign key without action": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users)"],
        ("warning", "user_id"),
        ("ON DELETE NO ACTION", "cannot be deleted"),
    ),
    "check": (
        MAP,
        [f"{TRAIL}, CONSTRAINT known CHECK (action IN ('a', 'b')))"],
        ("warning", "action"),
        ("check known", "'a'", "quarantine"),
    ),
    "check of a domain": (
        MAP.with_columns({"level": "severity"}),
        ["CREATE DOMAIN level AS text CONSTRAINT short CHECK (length(VALUE) < 5)", f"{TRAIL}, level level)"],
        ("warning", "level"),
        ("check short", "length"),
    ),
    "check of two": (
        MAP,
        [f"{TRAIL}, CHECK (action <> '' OR data IS NOT NULL))"],
        ("warning", ""),
        ("the table has the check", "data IS NOT NULL"),
    ),
    "trigger before": (
        MAP,
        [f"{TRAIL})", FUNCTION, "CREATE TRIGGER t1 BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()"],
        ("warning", ""),
        ("trigger t1", "function watch", "before each row", "drop it without a word"),
    ),
    "trigger after": (
        MAP,
        [f"{TRAIL})", FUNCTION, "CREATE TRIGGER t1 AFTER INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()"],
        ("info", ""),
        ("trigger t1", "after each row"),
    ),
    "unlogged": (MAP, [f"{TRAIL})".replace("CREATE", "CREATE UNLOGGED")], ("warning", ""), ("unlogged", "SET LOGGED")),
    "rule": (
        MAP,
        [f"{TRAIL})", USERS, "CREATE RULE copied AS ON INSERT TO trail DO ALSO INSERT INTO users VALUES (NEW.id)"],
        ("error", ""),
        ("rule copied", "ON CONFLICT", "DROP RULE"),
    ),
    "rule instead": (
        MAP,
        [f"{TRAIL})".replace(" PRIMARY KEY", ""), "CREATE RULE quiet AS ON INSERT TO trail DO INSTEAD NOTHING"],
        ("error", ""),
        ("rule quiet", "vanish"),
    ),
    "rule without a key": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", ""),
            USERS,
            "CREATE RULE copied AS ON INSERT TO trail DO ALSO INSERT INTO users VALUES (NEW.id) ON CONFLICT DO NOTHING",
        ],
        ("warning", ""),
        ("rule copied", "COPY"),
    ),
    "deferred key": (
        MAP,
        [f"{TRAIL})".replace("PRIMARY KEY", "PRIMARY KEY DEFERRABLE")],
        ("error", ""),
        ("trail_pkey", "NOT DEFERRABLE"),
    ),
    "exclusion": (
        MAP,
        [f"{TRAIL}, CONSTRAINT apart EXCLUDE (action WITH =))"],
        ("warning", ""),
        ("constraint apart", "EXCLUDE"),
    ),
    "view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t"],
        ("warning", ""),
        ("view",),
    ),
    "view of two": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t UNION SELECT * FROM t"],
        ("error", ""),
        ("a view that takes no rows",),
    ),
    "materialized view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE MATERIALIZED VIEW trail AS SELECT * FROM t"],
        ("error", ""),
        ("a materialized view that takes no rows",),
    ),
    "no partition": (
        MAP,
        [f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)"],
        ("error", "at"),
        ("no partition for today", "PARTITION OF"),
    ),
    "old partition": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)",
            "CREATE TABLE p PARTITION OF trail FOR VALUES FROM ('2001-01-01') TO ('2002-01-01')",
        ],
        ("error", "at"),
        ("no partition for today",),
    ),
    "last partition": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)",
            "DO $$ BEGIN EXECUTE format('CREATE TABLE p PARTITION OF trail FOR VALUES FROM (MINVALUE) TO (%L)',"
            " now() + interval '9 days'); END $$",
        ],
        ("warning", "at"),
        ("last partition ends on",),
    ),
    "list partitions": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY LIST (action)",
            "CREATE TABLE p PARTITION OF trail FOR VALUES IN ('a')",
        ],
        ("warning", "action"),
        ("decides the partition",),
    ),
    "generated": (
        MAP,
        [f"{TRAIL})".replace("action text NOT NULL", "action text GENERATED ALWAYS AS ('x') STORED")],
        ("error", "action"),
        ("made by the database", "take it off the map"),
    ),
    "delivered ids": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", "")],
        ("error", ""),
        ("seen", "is not there", 'CREATE TABLE "seen" (id text PRIMARY KEY)', "GRANT SELECT, INSERT"),
    ),
    "delivered ids of another shape": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", ""), "CREATE TABLE seen (id uuid PRIMARY KEY)"],
        ("error", ""),
        ("no column id of type text",),
    ),
    "missing table": (MAP, ["CREATE TABLE trails (id text)"], ("error", ""), ("there is no table trail", "'trails'")),
    "table elsewhere": (
        MAP,
        ["CREATE SCHEMA far", f"{TRAIL})".replace("trail", "far.trail")],
        ("error", ""),
        ("there is no table trail", "name it as far.trail"),
    ),
    "missing schema": (
        TableMap(table="far.trail", columns=COLUMNS),
        [],
        ("error", ""),
        ("there is no schema far",),
    ),
    "missing column": (
        MAP.with_columns({"acton": "action"}),
        [f"{TRAIL})"],
        ("error", "acton"),
        ("did you mean 'action'",),
    ),
}


@pytest.mark.parametrize("name", SAID_BY_POSTGRES)
async def test_postgres_says_what_is_in_the_way(name: str, postgres_empty: Place) -> None:  # noqa: F811
    """Whatever of the table can hold an event up, change it or lose it is found, at the level it has."""
    table_map, made, expected, words = SAID_BY_POSTGRES[name]
    await postgres_empty.execute(*made)
    probe = await table_map.probe(postgres_empty.url)
    assert [expected] == levels(probe, *words), probe.findings
    assert probe.is_usable == all(finding.level != "error" for finding in probe.findings)


SERIAL = f"{TRAIL}, number serial NOT NULL)"
RLS = [f"{TRAIL})", "ALTER TABLE trail ENABLE ROW LEVEL SECURITY"]

SAID_OF_ROLES: dict[str, tuple[list[str], list[str], tuple[str, str], tuple[str, ...]]] = {
    "no right": ([f"{TRAIL})"], [], ("error", ""), ("may not insert into trail", 'GRANT INSERT ON "trail" TO "')),
    "no right to read": (
        [f"{TRAIL})"],
        ["GRANT SELECT ON trail TO {role}"],
        ("error", ""),
        ("may not insert into trail",),
    ),
    "a column": (
        [f"{TRAIL})"],
        ["GRANT INSERT (id, at, data) ON trail TO {role}"],
        ("error", "action"),
        ("may not insert into it", 'GRANT INSERT ("action")'),
    ),
    "sequence": (
        [SERIAL],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "number"),
        ("sequence trail_number_seq", "GRANT USAGE ON SEQUENCE trail_number_seq"),
    ),
    "function": (
        [
            "CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
            "REVOKE EXECUTE ON FUNCTION mine FROM PUBLIC",
            f"{TRAIL}, extra text DEFAULT mine())",
        ],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "extra"),
        ("function mine()", "GRANT EXECUTE"),
    ),
    "another key": (
        [f"{TRAIL}, UNIQUE (action))"],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "id"),
        ("may not read it", 'GRANT SELECT ("id")'),
    ),
    "no policy": (RLS, ["GRANT INSERT ON trail TO {role}"], ("error", ""), ("row-level security has no policy",)),
    "a policy": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT WITH CHECK (action <> 'secret')"],
        ["GRANT INSERT ON trail TO {role}"],
        ("warning", ""),
        ("policy own", "'secret'"),
    ),
    "an open policy": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT WITH CHECK (true)"],
        ["GRANT INSERT ON trail TO {role}"],
        ("info", ""),
        ("row-level security applies", "COPY"),
    ),
    "a policy of others": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT TO pg_monitor WITH CHECK (true)"],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", ""),
        ("no policy that lets",),
    ),
    "read-only": (
        [f"{TRAIL})"],
        ["GRANT INSERT ON trail TO {role}", "ALTER ROLE {role} SET default_transaction_read_only = on"],
        ("error", ""),
        ("read-only", "default_transaction_read_only"),
    ),
}


@pytest.mark.parametrize("name", SAID_OF_ROLES)
async def test_postgres_says_what_the_role_lacks(name: str, postgres_empty: Place) -> None:  # noqa: F811
    """What is asked is what the role in the URL may do, not what the table's owner may."""
    made, grants, expected, words = SAID_OF_ROLES[name]
    await postgres_empty.execute(*made)
    probe = await MAP.probe(await add_role(postgres_empty, *grants))
    assert [expected] == levels(probe, *words), probe.findings
    assert not about(await MAP.probe(postgres_empty.url), *words)


# COPY goes round them, but it is not every event's way.
PASSED_BY_COPY = {"rule", "rule instead", "deferred key", "another key"}


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
        await store.insert([entry_of(events.custom(action.format(n)), n) for n in range(count)])
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


# --- nothing is changed ------------------------------------------------------------------------------


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that goes to any database meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_nothing_is_changed_on_postgres(postgres_empty: Place, statements: list[str]) -> None:  # noqa: F811
    """The probe's transaction may not write; rows, sequences and the catalogue are as they were."""
    await postgres_empty.execute(
        USERS,
        FUNCTION,
        f"{TRAIL}, user_id text REFERENCES users, n serial)",
        "CREATE TRIGGER t1 BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()",
    )
    state = (
        "SELECT (SELECT count(*) FROM trail), (SELECT is_called FROM trail_n_seq),"
        " (SELECT sum(xmin::text::bigint) FROM pg_class), (SELECT count(*) FROM pg_class),"
        " (SELECT count(*) FROM pg_attribute)"
    )
    before = await postgres_empty.rows(state)
    statements.clear()
    assert (await WITH_USER.probe(postgres_empty.url)).findings
    assert "SET TRANSACTION READ ONLY" == statements[0]
    assert {"SELECT", "SET", "SAVEPOINT", "RELEASE"} == {statement.split()[0] for statement in statements}
    assert before == await postgres_empty.rows(state)


async def test_nothing_is_changed_on_sqlite(lite: Place, tmp_path: Path) -> None:
    """The file is the same, byte for byte, and none is made where there was none."""
    await lite.execute(f"{TRAIL})", "CREATE TRIGGER t1 BEFORE INSERT ON trail BEGIN SELECT 1; END")
    file = tmp_path / "audit.db"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    assert about(await MAP.probe(lite.url), "trigger t1")
    assert before == (file.read_bytes(), file.stat().st_mtime_ns)
    assert [file] == list(tmp_path.iterdir())
    missing = await MAP.probe(lite.url.replace("audit.db", "other.db"))
    assert [("error", "")] == levels(missing, "there is no SQLite file", "other.db")
    assert [file] == list(tmp_path.iterdir())


# --- SQLite ------------------------------------------------------------------------------------------

SAID_BY_SQLITE: dict[str, tuple[TableMap, list[str], tuple[str, str], tuple[str, ...]]] = {
    "foreign key": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users (id) ON DELETE SET NULL)"],
        ("info", "user_id"),
        ("points to users.id", "foreign_keys = ON", "SET NULL"),
    ),
    "check": (
        MAP,
        [f"{TRAIL}, CONSTRAINT known CHECK (action <> 'b'))"],
        ("warning", "action"),
        ("check known", "'b'"),
    ),
    "trigger before": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER t1 BEFORE INSERT ON trail BEGIN SELECT 1; END"],
        ("warning", ""),
        ("trigger t1", "before each row"),
    ),
    "trigger without a time": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER [on delete] INSERT ON trail BEGIN SELECT 1; END"],
        ("warning", ""),
        ("trigger on delete", "before each row"),
    ),
    "trigger after": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER t1 AFTER INSERT ON trail BEGIN DELETE FROM trail; END"],
        ("info", ""),
        ("trigger t1", "after each row"),
    ),
    "view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t"],
        ("error", ""),
        ("is a view, which takes no rows",),
    ),
    "delivered ids": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", "")],
        ("error", ""),
        ("seen", "is not there", "CREATE TABLE"),
    ),
    "missing table": (MAP, ["CREATE TABLE trails (id text)"], ("error", ""), ("there is no table trail", "'trails'")),
}


@pytest.mark.parametrize("name", SAID_BY_SQLITE)
async def test_sqlite_says_what_is_in_the_way(name: str, lite: Place) -> None:
    """What a SQLite table demands of a row is found as well, by the rules of SQLite."""
    table_map, made, expected, words = SAID_BY_SQLITE[name]
    await lite.execute(*made)
    probe = await table_map.probe(lite.url)
    assert [expected] == levels(probe, *words), probe.findings


async def test_triggers_on_other_statements_are_no_matter(lite: Place) -> None:
    """Guards against UPDATE and DELETE, and triggers that are called after an INSERT, stop no event."""
    await lite.execute(
        f"{TRAIL})",
        "CREATE TRIGGER insert_guard BEFORE UPDATE ON trail BEGIN INSERT INTO trail SELECT * FROM trail; END",
        "CREATE TRIGGER b BEFORE DELETE ON trail BEGIN SELECT 1; END",
    )
    assert () == (await MAP.probe(lite.url)).problems


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Run as a user who may write nowhere, where we are the one who may write everywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize(
    ("of", "mode", "words"), [("file", 0o444, "may not write"), ("folder", 0o555, "make files in")]
)
def test_a_file_that_cannot_be_written_is_said(
    of: str, mode: int, words: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SQLite needs its file writable, and the folder for the log beside it."""
    from audit_async.table_map.probing.sqlite import of_file

    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "d").mkdir(mode=0o777)
    file = tmp_path / "d" / "audit.db"
    file.touch()
    file.chmod(mode if of == "file" else 0o666)
    (tmp_path / "d").chmod(mode if of == "folder" else 0o777)
    request.getfixturevalue("as_nobody")
    assert [("error", True)] == [(finding.level, words in finding.message) for finding in of_file(file)]


# --- where it cannot be told -------------------------------------------------------------------------


async def test_a_database_that_is_away_is_no_finding() -> None:
    """What cannot be asked is an error of the store's, and not a finding about the table."""
    with pytest.raises(TransientStoreError, match="nothing takes connections"):
        await MAP.probe("postgresql+asyncpg://app@127.0.0.1:1/app")
    with pytest.raises(ConfigurationError, match="async"):
        await MAP.probe("postgresql://app@127.0.0.1:1/app")


async def test_a_wrong_password_is_said(postgres_empty: Place) -> None:  # noqa: F811
    """A log-in that is refused is told with what to check."""
    url = make_url(postgres_empty.url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(ConfigStoreError, match="refuses the log-in"):
        await MAP.probe(url)
