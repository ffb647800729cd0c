"""The rows of our own table, where a database holds less than an event may be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from audit_async.config import MARIADB_KEY_CHARS, MAX_ID_CHARS
from audit_async.entry import Entry
from audit_async.table.columns import COLUMNS
from audit_async.table_map.own import own_row, own_row_mariadb
from tests.store.conftest import Place, empty, mariadb_empty, mariadb_place  # noqa: F401 -- fixtures
from tests.store.entries import entry

LONG = "ü" * MAX_ID_CHARS


def row(made: Entry) -> dict[str, object]:
    return dict(zip(COLUMNS, own_row_mariadb(made), strict=True))


def test_a_row_differs_in_its_time_alone() -> None:
    """For MariaDB a time is in UTC and does not say so, whatever zone it came in; all else is as elsewhere."""
    made = entry(1)
    made.created_at = datetime(2026, 1, 1, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    same = {**dict(zip(COLUMNS, own_row(made), strict=True)), "created_at": datetime(2025, 12, 31, 23, 0, 0, 5)}  # noqa: DTZ001 -- as it is kept
    assert row(made) == same


@pytest.mark.parametrize("name", ["id", "tenant_id", "user_id"])
def test_an_id_too_long_for_an_index_is_cut_visibly_and_kept(name: str) -> None:
    """Its place holds its beginning, length and hash; the whole of it is in the metadata, beside what is there."""
    made = row(entry(1, metadata={"own": 1, "$fields": {"risk": 2}}, **{name: LONG}))
    assert len(str(made[name])) == MARIADB_KEY_CHARS
    assert "[truncated: 2048 bytes, sha256 " in str(made[name])
    assert json.loads(str(made["metadata"])) == {"own": 1, "$fields": {"risk": 2, name: LONG}}


def test_an_id_that_fits_is_left_alone() -> None:
    """The longest that an index holds is no character shorter."""
    made = row(entry(1, user_id="x" * MARIADB_KEY_CHARS))
    assert (made["user_id"], made["metadata"]) == ("x" * MARIADB_KEY_CHARS, "{}")


async def test_long_ids_that_begin_alike_are_two_rows(mariadb_place: Place) -> None:  # noqa: F811
    """Cut, they are still told apart, and recognised when they come again; every other text is stored whole."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    others = dict.fromkeys(("actor_id", "resource_id", "session_id", "tenant_id", "user_id"), LONG)
    batch = [entry(n, id=f"{LONG[:-1]}{n}", created_at=moment, **others, description="ü" * 16384) for n in range(2)]
    store = mariadb_place.open()
    await store.insert(batch)
    await store.insert(batch, is_replay=True)
    found = await mariadb_place.rows("SELECT actor_id, description FROM audit_logs")
    assert [tuple(one) for one in found] == [(LONG, "ü" * 16384)] * 2
