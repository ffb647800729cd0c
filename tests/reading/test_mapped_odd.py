"""Tables of others have what ours never has: loose collations, rows without a time, typed addresses."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from audit_async import AuditEvent, AuditReader, Query, Scope, TableMap
from audit_async.errors import ConfigStoreError, ConfigurationError
from tests.reading.log import everything, ids, pages
from tests.reading.test_mapped import EACH_MAP, fill
from tests.store.conftest import Place, empty  # noqa: F401 -- a fixture
from tests.tables import run_sql

ON_EACH = pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
LOOSE = {"sqlite": "COLLATE NOCASE", "mysql": "COLLATE utf8mb4_general_ci"}
TENANTS = ("t1", "T1", "t1 ", "té", "te", "t")
TENANT = "0190b5b2-7c4e-7d3a-9c1f-00000000000a"


async def of_tenant(place: Place, tenant: str | None, table: TableMap) -> list[AuditEvent]:
    async with AuditReader(place.url, tenant=tenant, table=table) as reader:
        found = [event async for event in reader.events()]
        assert len(found) == await reader.count()
    return found


@ON_EACH
async def test_a_column_that_takes_one_text_for_another_shows_no_other_tenant(empty: Place) -> None:  # noqa: F811
    """Tenants are told apart to the letter, whatever the collation of their column; of a UUID case means nothing."""
    await empty.execute(
        "CREATE TABLE loose (id integer PRIMARY KEY, at varchar(40), what varchar(80),"
        f" whose varchar(80) {LOOSE.get(empty.dialect, '')})",
        *(
            f"INSERT INTO loose VALUES ({number}, '2026-03-01 10:00:00', 'auth.login', '{tenant}')"
            for number, tenant in enumerate([*TENANTS, TENANT])
        ),
    )
    loose = TableMap(table="loose", columns={"at": "created_at", "what": "action", "whose": "tenant_id"})
    for number, tenant in enumerate([*TENANTS, TENANT]):
        assert [str(number)] == ids(await of_tenant(empty, tenant, loose))
    if empty.dialect in LOOSE:
        await empty.execute(f"UPDATE loose SET whose = '{TENANT.upper()}' WHERE id = {len(TENANTS)}")
        assert 1 == len(await of_tenant(empty, str(uuid.UUID(TENANT)), loose))


@ON_EACH
async def test_a_tenant_in_json_is_told_apart_to_the_letter(empty: Place) -> None:  # noqa: F811
    """Blanks at its end belong to it."""
    kind = "json" if empty.dialect == "postgresql" else "text"
    await empty.execute(
        f"CREATE TABLE folded (id integer PRIMARY KEY, at varchar(40), what varchar(80), more {kind})",
        *(
            f"INSERT INTO folded VALUES ({number}, '2026-03-01', 'auth.login', '{{\"tenant_id\": \"{tenant}\"}}')"
            for number, tenant in enumerate(TENANTS)
        ),
        f"INSERT INTO folded VALUES ({len(TENANTS)}, '2026-03-01 10:00:00', 'auth.login', NULL)",
    )
    folded = TableMap(
        table="folded", fold_into="more", columns={"id": "id", "at": "created_at", "what": "action", "more": "details"}
    )
    for number, tenant in enumerate([*TENANTS, None]):
        assert [str(number)] == ids(await of_tenant(empty, tenant, folded))


@pytest.mark.parametrize("empty", ["sqlite", "mariadb"], indirect=True)
async def test_a_row_of_which_nobody_can_say_whose_it_is_is_shown_to_no_tenant(empty: Place) -> None:  # noqa: F811
    """Broken JSON, in which a tenant may stand, is not an event without a tenant; whoever sees all sees it."""
    await empty.execute(
        "CREATE TABLE old (id integer PRIMARY KEY, at varchar(40), what varchar(80), more text)",
        'INSERT INTO old VALUES (1, \'2026-03-01 10:00:00\', \'auth.login\', \'{"tenant_id": "t2", "name": "cut\')',
        "INSERT INTO old VALUES (2, '2026-03-01 10:00:00', 'auth.login', '{}')",
    )
    old = TableMap(
        table="old", fold_into="more", columns={"id": "id", "at": "created_at", "what": "action", "more": "details"}
    )
    assert ["2"] == ids(await of_tenant(empty, None, old))
    async with everything(empty, table=old) as reader:
        assert 2 == len(await reader.search())


@ON_EACH
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_rows_without_a_time_are_on_a_page(empty: Place, oldest_first: bool) -> None:  # noqa: F811
    """However many there are, and wherever the database puts them: each is listed once, forth and back."""
    await empty.execute(
        "CREATE TABLE old (id integer PRIMARY KEY, at varchar(40), what varchar(80))",
        *(
            f"INSERT INTO old VALUES ({n}, {time}, 'auth.login')"
            for n, time in enumerate(["NULL", "'2026-03-01 10:00'", "'2026-03-02 10:00'", "NULL"] * 5)
        ),
    )
    old = TableMap(table="old", columns={"id": "id", "at": "created_at", "what": "action"})
    async with everything(empty, table=old) as reader:
        for limit in (1, 3, 7, 10, 20):
            query = Query(limit=limit, oldest_first=oldest_first)
            listed = await pages(reader, query)
            forth = [ids(page) for page in listed]
            assert sorted(map(str, range(20))) == sorted(each for page in forth for each in page)
            back, cursor = [], listed[-1].previous_cursor
            while cursor is not None:
                page = await reader.search(query, cursor)
                back.append(ids(page))
                cursor = page.previous_cursor
            assert forth[:-1] == back[::-1]


@EACH_MAP
@ON_EACH
async def test_every_event_that_is_listed_is_found_by_its_id(name: str, empty: Place) -> None:  # noqa: F811
    """Also where its id is the key that the database gave, or none of an event."""
    await fill(name, empty)
    async with everything(empty, table=TableMap.ready(name)) as reader:
        for event in (await reader.search(Query(limit=20))).events:
            assert event == await reader.get(event.id)
        assert await reader.get("no such id") is None


@pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system"], indirect=True)
async def test_an_address_with_a_type_of_its_own_is_found(empty: Place) -> None:  # noqa: F811
    """As it is shown, of one machine without the length of its network."""
    addresses = ("192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32")
    await empty.execute(
        "CREATE TABLE old (id integer PRIMARY KEY, at timestamptz, what text, ip inet)",
        *(
            f"INSERT INTO old VALUES ({n}, '2026-03-01 10:00:00Z', 'auth.login', '{address}')"
            for n, address in enumerate(addresses)
        ),
    )
    old = TableMap(table="old", columns={"at": "created_at", "what": "action", "ip": "ip_address"})
    async with everything(empty, table=old) as reader:
        shown = {event.id: event.ip_address for event in await reader.search()}
        assert {str(n): address for n, address in enumerate(addresses)} == shown
        counted = {count.values[0] for count in await reader.counts(by="ip_address")}
        assert set(addresses) == counted
        for n in (0, 2):
            assert [str(n)] == ids(await reader.search(Query(ip_address=addresses[n])))


async def test_a_text_that_is_no_utf8_ends_no_listing(sqlite_url: str) -> None:
    """SQLite keeps any bytes as a text: what cannot be read of them is replaced visibly."""
    await run_sql(
        sqlite_url,
        "CREATE TABLE old (id integer PRIMARY KEY, at text, what text, name text)",
        "INSERT INTO old VALUES (1, '2026-03-01 10:00:00', 'auth.login', cast(x'c3bc41ff42' AS text))",
        "INSERT INTO old VALUES (2, '2026-03-02 10:00:00', 'auth.login', 'b')",
    )
    old = TableMap(table="old", columns={"id": "id", "at": "created_at", "what": "action", "name": "actor_name"})
    async with AuditReader(sqlite_url, tenant=Scope.all(), table=old) as reader:
        assert ["b", "üA\N{REPLACEMENT CHARACTER}B"] == [event.actor_name for event in await reader.search()]


@pytest.mark.parametrize("empty", ["sqlite", "mariadb"], indirect=True)
async def test_a_row_that_names_two_tenants_is_shown_to_neither_by_halves(empty: Place) -> None:  # noqa: F811
    """Of a key that stands twice the database may take the first, and we the last: what is shown is its own to us."""
    await empty.execute("CREATE TABLE notes (n integer PRIMARY KEY, at varchar(40), more text)")
    twice = '{"tenant_id": "t1", "tenant_id": "t2"}'
    await empty.execute(f"INSERT INTO notes VALUES (1, '2026-03-01T10:00:00+00:00', '{twice}')")
    notes = TableMap(table="notes", columns={"at": "created_at", "more": "details"}, fold_into="more")
    for tenant in ("t1", "t2"):
        async with AuditReader(empty.url, tenant=tenant, table=notes) as reader:
            found = [event async for event in reader.events()]
            page = await reader.search()
        assert {event.tenant_id for event in [*found, *page]} <= {tenant}


@pytest.mark.parametrize("empty", ["asyncpg-system", "sqlite", "mariadb"], indirect=True)
async def test_ids_in_upper_case_are_the_same(empty: Place) -> None:  # noqa: F811
    """Other programs write UUIDs in upper case: their tenants and users are found, and shown as events have them."""
    tenant, user = str(uuid.uuid4()), str(uuid.uuid4())
    await empty.execute(
        "CREATE TABLE notes (n integer PRIMARY KEY, at varchar(40), whose varchar(40), who varchar(40))",
        *(
            f"INSERT INTO notes VALUES ({n}, '2026-03-01T10:00:0{n}+00:00', '{form(tenant)}', '{form(user)}')"
            for n, form in enumerate((str.upper, str.lower))
        ),
    )
    columns = {"at": "created_at", "whose": "tenant_id", "who": "user_id"}
    async with AuditReader(empty.url, tenant=tenant, table=TableMap(table="notes", columns=columns)) as reader:
        found = await reader.search(Query(user_id=user))
    assert [(tenant, user)] * 2 == [(event.tenant_id, event.user_id) for event in found]


@pytest.mark.parametrize("empty", ["asyncpg-system"], indirect=True)
async def test_a_time_that_no_program_has_is_told(empty: Place) -> None:  # noqa: F811
    """PostgreSQL keeps the year 12000, and years before the first: the error says how to ask for the others."""
    await empty.execute(
        "CREATE TABLE notes (n integer PRIMARY KEY, at timestamptz)",
        "INSERT INTO notes VALUES (1, '12000-01-01'), (2, '0044-03-15 BC'), (3, '2026-03-01')",
    )
    async with everything(empty, table=TableMap(table="notes", columns={"at": "created_at"})) as reader:
        with pytest.raises(ConfigStoreError, match=r"years 1 to 9999(.|\n)*until="):
            await reader.search()
        assert ["3"] == ids(await reader.search(Query(since="2000-01-01", until="2100-01-01")))


async def put(place: Place, texts: list[str]) -> None:
    """Fill table `odd` with rows that have *texts* as JSON."""
    async with place.admin.begin() as connection:
        for number, text in enumerate(texts):
            # Bound, since a quote behind a backslash is none in MariaDB's texts.
            more = sa.cast(sa.bindparam("more", text, sa.Text), sa.JSON) if place.dialect == "postgresql" else text
            row = sa.insert(sa.table("odd", *map(sa.column, ("id", "at", "what", "more"))))
            await connection.execute(row.values(id=number, at="2026-03-01 10:00:00", what="order.paid", more=more))


@ON_EACH
async def test_json_that_is_read_by_some_ends_no_listing(empty: Place) -> None:  # noqa: F811
    """Half of a surrogate pair and a number beyond all floats are read; what is no JSON is shown; a text stays one."""
    kind = "json" if empty.dialect == "postgresql" else "text"
    odd = ['{"half": "\\ud800", "is": "read"}', '{"beyond": 1e400, "is": "read"}', '"a text"', "[1, 2]"]
    await empty.execute(f"CREATE TABLE odd (id integer PRIMARY KEY, at varchar(40), what varchar(80), more {kind})")
    await put(empty, odd)
    table = TableMap(table="odd", columns={"at": "created_at", "what": "action", "more": "details"})
    async with AuditReader(empty.url, tenant=Scope.all(), table=table) as reader:
        found = {event.id: event async for event in reader.events()}
    assert ["read", "read"] == [found[id].details["is"] for id in ("0", "1")]
    assert [{"value": "a text"}, {"value": [1, 2]}] == [found[id].details for id in ("2", "3")]


@pytest.mark.parametrize("kind", ["json", "jsonb", "text"])
@pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
async def test_an_escape_that_is_no_character_ends_no_listing(empty: Place, kind: str) -> None:  # noqa: F811
    """PostgreSQL keeps `\\u0000` and half a pair in JSON, and fails when it is asked for a text of it."""
    said = {
        "plain": '{"tenant_id": "t1"}',
        "emoji": r'{"tenant_id": "t1", "name": "\ud83d\uDE00"}',
        "backslash": r'{"tenant_id": "t1", "name": "\\u0000 \\ud800"}',
        "zero": r'{"tenant_id": "t1", "name": "\u0000"}',
        "half": r'{"tenant_id": "t1", "name": "\\\uD800\n"}',
        "other half": r'{"tenant_id": "t1", "name": "\ud83d\\\ude00"}',
    }
    whole = ["plain", "emoji", "backslash"]
    said = {name: text for name, text in said.items() if kind != "jsonb" or name in whole}
    await empty.execute(
        f"CREATE TABLE notes (n varchar(20) PRIMARY KEY, at varchar(40), more {kind})",
        *(f"INSERT INTO notes VALUES ('{name}', '2026-03-01T10:00:00+00:00', '{said[name]}')" for name in said),
    )
    notes = TableMap(table="notes", columns={"n": "id", "at": "created_at", "more": "details"}, fold_into="more")
    assert set(whole) == set(ids(await of_tenant(empty, "t1", notes)))
    assert [] == await of_tenant(empty, None, notes)
    async with everything(empty, table=notes) as reader:
        assert set(said) == set(ids([event async for event in reader.events()]))


@ON_EACH
async def test_what_is_counted_is_what_is_shown_of_odd_json(empty: Place) -> None:  # noqa: F811
    """A tenant that stands twice in an object, or is written as escapes, or is no text: nobody counts another's row."""
    kind = "json" if empty.dialect == "postgresql" else "text"
    odd = [
        '{"tenant_id": "t1", "tenant_id": "t2", "user_id": "u"}',
        '{"tenant_id": "t2", "tenant_id": "t1", "user_id": "u"}',
        '{"tenant_id": null, "tenant_id": "t2", "user_id": "u"}',
        '{"tenant_id": "t2", "tenant_id": null, "user_id": "u"}',
        r'{"\u0074enant_id": "t2", "user_id": "u"}',
        r'{"tenant\u005fid": "t1", "user_id": "u"}',
        '{"tenant_id": true, "user_id": "u"}',
        '{"tenant_id": 1, "user_id": "u"}',
        '{"tenant_id": ["t1"], "user_id": "u"}',
        '{"tenant_id": "t1", "user_id": "u", "inner": {"tenant_id": "t2"}, "text": "\\\\\\\\u0074"}',
        '[{"tenant_id": "t1"}]',
        "no JSON",
    ]
    if empty.dialect == "sqlite":
        odd.append(r'{"tenant_id": "t1\u0000", "user_id": "u"}')
    await empty.execute(f"CREATE TABLE odd (id integer PRIMARY KEY, at varchar(40), what varchar(80), more {kind})")
    table = TableMap(table="odd", columns={"at": "created_at", "what": "action", "more": "details"}, fold_into="more")
    await put(empty, [text for text in odd if kind == "text" or text != "no JSON"])
    seen = {}
    for tenant in ("t1", "t2", "true", "1", None):
        async with AuditReader(empty.url, tenant=tenant, table=table) as reader:
            seen[tenant] = [event.id async for event in reader.events()]
            assert len(seen[tenant]) == await reader.count()
            assert len(seen[tenant]) == sum(top.events for top in await reader.top(by="action"))
    assert "9" in seen["t1"]


@ON_EACH
async def test_what_is_folded_is_found_whatever_fills_the_column(empty: Place) -> None:  # noqa: F811
    """A tenant in a column that a constant or a function begins is read; one that nothing fills is no such column."""
    kind = "json" if empty.dialect == "postgresql" else "text"
    await empty.execute(
        f"CREATE TABLE notes (n integer PRIMARY KEY, at varchar(40), details {kind})",
        *(
            f'INSERT INTO notes VALUES ({n}, \'2026-03-01T10:00:00+00:00\', \'{{"tenant_id": "t{n}", "x": {n}}}\')'
            for n in (1, 2)
        ),
    )
    sources: list[Any] = [{"constant": {}}, lambda event: {}, {"first": ["details", "metadata"]}, "details"]
    for source in sources:
        notes = TableMap(table="notes", columns={"at": "created_at", "details": source}, fold_into="details")
        [event] = await of_tenant(empty, "t2", notes)
        assert ("t2", {"x": 2}) == (event.tenant_id, dict(event.details))
    unfilled = TableMap(table="notes", columns={"at": "created_at"}, fold_into="details")
    with pytest.raises(ConfigurationError, match=r"folds into column details, and does not fill it"):
        await of_tenant(empty, "t2", unfilled)


@ON_EACH
@pytest.mark.parametrize("key", ["integer", "varchar(40)", "uuid"])
async def test_a_row_without_an_id_is_found_by_what_it_is_shown_with(empty: Place, key: str) -> None:  # noqa: F811
    """Old rows, whose JSON has no id, are shown with their key for one: they are found by it, others by their id."""
    json, key = ("json", key) if empty.dialect == "postgresql" else ("text", key.replace("uuid", "varchar(40)"))
    keys = [str(uuid.UUID(int=n)) if key == "uuid" else str(n) for n in range(3)]
    await empty.execute(
        f"CREATE TABLE notes (n {key} PRIMARY KEY, at varchar(40), more {json})",
        *(
            f"INSERT INTO notes VALUES ('{n}', '2026-03-01T10:00:00+00:00', {more})"
            for n, more in zip(keys, ["NULL", "'{}'", '\'{"event_id": "e-3"}\''], strict=True)
        ),
    )
    notes = TableMap(table="notes", columns={"at": "created_at", "more": "details"}, fold_into="more")
    async with everything(empty, table=notes) as reader:
        shown = ids([event async for event in reader.events()])
        assert {*keys[:2], "e-3"} == set(shown)
        for id in shown:
            found = await reader.get(id)
            assert found is not None
            assert id == found.id
        assert await reader.get(keys[2]) is None


ODD_NUMBERS = {
    "double precision": ["'NaN'", "'Infinity'", "'-Infinity'", "1e308", "1772366400.1234567", "1772366400.1234569"],
    "real": ["'NaN'", "'Infinity'", "'-Infinity'", "1772366400", "1772366401"],
    "numeric": ["'NaN'", "1772366400.12345671", "1772366400.12345672"],
}
NO_NUMBERS = ["9e999", "-9e999", "'text'", "x'00ff'", "1772366400.1234567", "1772366400.1234569", "'2026-01-01'"]
ODD_TEXTS = ["''", "'yesterday'", "5", "5.5", "x'41'", "'2026-01-01'", "'2026-01-01T10:00:00.123456789'", "'2026-1-1'"]


@pytest.mark.parametrize(
    ("empty", "kind", "values"),
    [
        *(("asyncpg-system", kind, values) for kind, values in ODD_NUMBERS.items()),
        ("psycopg", "double precision", ODD_NUMBERS["double precision"]),
        ("mariadb", "double", ["-1e300", "1e300", "1772366400.1234567", "1772366400.1234569"]),
        ("sqlite", "real", NO_NUMBERS),
        *(("sqlite", kind, ODD_TEXTS) for kind in ("text", "datetime", "")),
    ],
    indirect=["empty"],
)
async def test_a_time_that_is_no_number_or_ties_is_on_a_page(
    empty: Place,  # noqa: F811
    kind: str,
    values: list[str],
) -> None:
    """Whatever stands in the column for the time, each row is listed once, forth and back, page by page."""
    values = [*values, "NULL"] * 3
    await empty.execute(
        f"CREATE TABLE odd (id integer PRIMARY KEY, what varchar(80), at {kind})",
        *(f"INSERT INTO odd VALUES ({n}, 'auth.login', {value})" for n, value in enumerate(values)),
    )
    path = "created_at" if values[0] in ODD_TEXTS else "created_at.epoch"
    odd = TableMap(table="odd", columns={"id": "id", "what": "action", "at": path})
    async with everything(empty, table=odd) as reader:
        for limit in (1, 4):
            for oldest_first in (False, True):
                query = Query(limit=limit, oldest_first=oldest_first)
                listed = [await reader.search(query)]
                while (cursor := listed[-1].next_cursor) is not None and len(listed) <= len(values):
                    listed.append(await reader.search(query, cursor))
                forth = [ids(page) for page in listed]
                assert sorted(map(str, range(len(values)))) == sorted(each for page in forth for each in page)
                back: list[list[str]] = []
                cursor = listed[-1].previous_cursor
                while cursor is not None and len(back) <= len(values):
                    page = await reader.search(query, cursor)
                    back.append(ids(page))
                    cursor = page.previous_cursor
                assert forth[:-1] == back[::-1]


@pytest.mark.parametrize("empty", ["mariadb"], indirect=True)
async def test_a_time_that_the_server_rounds_is_refused(empty: Place) -> None:  # noqa: F811
    """MariaDB tells six digits of a single float, which lead to no next row: the map says so, and the reader does."""
    await empty.execute("CREATE TABLE odd (id integer PRIMARY KEY, what varchar(80), at float)")
    odd = TableMap(table="odd", columns={"what": "action", "at": "created_at.epoch"})
    with pytest.raises(ConfigurationError, match=r"rounds to six digits(.|\n)*make it double"):
        await of_tenant(empty, None, odd)
    assert [finding for finding in (await odd.probe(empty.url)).findings if "cannot be listed" in finding.message]
