"""What MariaDB has in the way of events is found, for the account that writes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from sqlalchemy import make_url

from audit_async import TableMap
from audit_async.errors import ConfigStoreError
from audit_async.table_map.probe import Probe
from audit_async.table_map.probing.mysql import read_grants
from tests.store.conftest import Place, mariadb_empty  # noqa: F401 -- a fixture
from tests.table_map.probing.cases import MAP, WITH_USER, levels

USERS = "CREATE TABLE users (id varchar(64) PRIMARY KEY)"
TRAIL = (
    "CREATE TABLE trail (id varchar(64) PRIMARY KEY, at datetime(6) NOT NULL, action varchar(128) NOT NULL, data json"
)

SAID: dict[str, tuple[TableMap, list[str], tuple[str, str], tuple[str, ...]]] = {
    "foreign key": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id varchar(64), FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)"],
        ("warning", "user_id"),
        ("points to users.id", "ON DELETE CASCADE", "quarantine"),
    ),
    "check": (
        MAP,
        [f"{TRAIL}, CONSTRAINT known CHECK (action <> 'b'))"],
        ("warning", "action"),
        ("check known", "quarantine"),
    ),
    "trigger before": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER t1 BEFORE INSERT ON trail FOR EACH ROW SET NEW.action = 'x'"],
        ("warning", ""),
        ("trigger t1", "before each row"),
    ),
    "trigger after": (
        MAP,
        [
            USERS,
            f"{TRAIL})",
            "CREATE TRIGGER t1 AFTER INSERT ON trail FOR EACH ROW INSERT IGNORE INTO users VALUES ('x')",
        ],
        ("info", ""),
        ("trigger t1", "after each row"),
    ),
    "engine": (MAP, [f"{TRAIL}) ENGINE=MyISAM"], ("warning", ""), ("engine MyISAM has no transactions", "InnoDB")),
    "character set": (
        MAP,
        [f"{TRAIL})".replace("action varchar(128)", "action varchar(128) CHARACTER SET utf8mb3")],
        ("warning", "action"),
        ("utf8mb3", "emoji"),
    ),
    "whole seconds": (MAP, [f"{TRAIL})".replace("datetime(6)", "datetime")], ("info", "at"), ("keeps whole seconds",)),
    "view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t"],
        ("warning", ""),
        ("view",),
    ),
    "delivered ids": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", "")],
        ("error", ""),
        ("seen", "is not there", "CREATE TABLE `seen`"),
    ),
    "missing table": (MAP, ["CREATE TABLE trails (id int)"], ("error", ""), ("there is no table trail", "'trails'")),
}


async def account(place: Place, *grants: str) -> str:
    """Make an account with nothing but *grants*, in which {to} stands for it, and return its URL."""
    name = f"writer_{os.urandom(4).hex()}"
    to = f"{name}@'%%'"
    await place.execute(f"CREATE USER {to} IDENTIFIED BY 'only-here'", *(grant.format(to=to) for grant in grants))
    return make_url(place.url).set(username=name, password="only-here").render_as_string(hide_password=False)


@pytest.mark.parametrize("name", SAID)
async def test_mariadb_says_what_is_in_the_way(name: str, mariadb_empty: Place) -> None:  # noqa: F811
    """What a table on MariaDB demands of a row is found, by the rules of MariaDB."""
    table_map, made, expected, words = SAID[name]
    await mariadb_empty.execute(*made)
    probe = await table_map.probe(mariadb_empty.url)
    assert [expected] == levels(probe, *words), probe.findings


async def _probe(place: Place, *grants: str) -> Probe:
    await place.execute(f"{TRAIL})")
    return await MAP.probe(await account(place, *grants))


async def test_an_account_that_may_insert_has_nothing_to_hear_but_of_triggers(mariadb_empty: Place) -> None:  # noqa: F811
    """Without the right TRIGGER it cannot be told whether there are any: that is neither an error nor an OK."""
    probe = await _probe(mariadb_empty, "GRANT INSERT ON trail TO {to}")
    assert () == probe.problems
    assert [("unknown", "")] == levels(probe, "triggers", "lacks the right TRIGGER")


async def test_with_the_right_to_see_triggers_all_is_certain(mariadb_empty: Place) -> None:  # noqa: F811
    """JSON columns have a check of their own on MariaDB, which is no finding."""
    probe = await _probe(mariadb_empty, "GRANT INSERT, TRIGGER ON trail TO {to}")
    assert (True, True) == (probe.is_clean, probe.is_certain), probe.findings


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ("GRANT SELECT ON trail TO {to}", [("error", "")]),
        ("GRANT SELECT, INSERT (id, at, data) ON trail TO {to}", [("error", "action")]),
        ("GRANT SELECT, INSERT (id, at, data, action) ON trail TO {to}", []),
    ],
)
async def test_a_missing_right_is_found(
    grant: str,
    expected: list[Any],
    mariadb_empty: Place,  # noqa: F811
) -> None:
    """On the table, or on a single column that the map fills."""
    probe = await _probe(mariadb_empty, grant)
    assert expected == levels(probe, "may not insert into")


async def test_rights_on_columns_alone_show_no_table(mariadb_empty: Place) -> None:  # noqa: F811
    """MariaDB describes a table only to who has a right on the whole of it: that is said, with the GRANT that helps."""
    with pytest.raises(ConfigStoreError, match="may not look at table trail") as caught:
        await _probe(mariadb_empty, "GRANT INSERT (id, at, data, action) ON trail TO {to}")
    assert "GRANT INSERT ON" in str(caught.value.hint)


async def test_nothing_is_changed(mariadb_empty: Place) -> None:  # noqa: F811
    """The probe's session may not write."""
    await mariadb_empty.execute(f"{TRAIL})")
    state = "SELECT table_rows, auto_increment, update_time, create_time FROM information_schema.tables"
    state += " WHERE table_schema = database()"
    before = await mariadb_empty.rows(state)
    assert (await MAP.probe(mariadb_empty.url)).is_usable
    assert (before, 0) == (await mariadb_empty.rows(state), await mariadb_empty.count("trail"))


@pytest.mark.parametrize(
    ("lines", "may"),
    [
        (["GRANT USAGE ON *.* TO `u`@`%`"], False),
        (["GRANT ALL PRIVILEGES ON *.* TO `u`@`%`"], True),
        (["GRANT SELECT, INSERT ON `shop`.* TO `u`@`%`"], True),
        (["GRANT INSERT ON `sh%`.* TO `u`@`%`"], True),
        ([r"GRANT INSERT ON `sh\_p`.* TO `u`@`%`"], False),
        (["GRANT INSERT ON `sh_p`.* TO `u`@`%`"], True),
        (["GRANT INSERT ON `sh_p`.`trail` TO `u`@`%`"], False),
        (["GRANT INSERT ON `shop`.`other` TO `u`@`%`"], False),
        (["GRANT INSERT ON `shop`.`trail` TO `u`@`%`"], True),
        (["GRANT SELECT, INSERT (`a`, `b`) ON `shop`.`trail` TO `u`@`%`"], True),
        (["GRANT INSERT (`b`) ON `shop`.`trail` TO `u`@`%`"], False),
    ],
)
def test_grants_are_read(lines: list[str], may: bool) -> None:
    """On the server, on a database by a pattern, on the table, on columns."""
    assert may == read_grants(lines, "shop", "trail").may("INSERT", "a")
