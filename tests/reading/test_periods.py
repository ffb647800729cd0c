"""The hour and the day of a time are those of UTC, whatever kind of column it stands in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit_async import Query, TableMap
from audit_async.reading.periods import LENGTHS
from tests.reading.log import everything
from tests.store.conftest import Place

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = (NOON - timedelta(microseconds=100), NOON, NOON + timedelta(minutes=59, seconds=59, microseconds=999_900))

KINDS: dict[str, tuple[str, str]] = {
    "seconds": ("created_at.epoch", "bigint"),
    "seconds with fractions": ("created_at.epoch", "double precision"),
    "milliseconds": ("created_at.epoch_ms", "bigint"),
    "decimals": ("created_at.epoch", "decimal(20, 6)"),
    "a text": ("created_at", "varchar(40)"),
    "a timestamp": ("created_at", "timestamp(6)"),
    "with a zone": ("created_at", "timestamp with time zone"),
}


def column_of(column: str, place: Place) -> str:
    has_zones = place.dialect == "postgresql"
    return "timestamp(6)" if column.endswith("zone") and not has_zones else column


def written(path: str, column: str, moment: datetime) -> str:
    """Return the time as a program writes it into a statement; a text as a map does."""
    if path == "created_at":
        is_aware = column.endswith("zone") or column.startswith("varchar")
        return f"'{moment.isoformat() if is_aware else moment.replace(tzinfo=None).isoformat(' ')}'"
    value = moment.timestamp() * (1000 if path.endswith("_ms") else 1)
    return str(int(value) if column == "bigint" else value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("empty", ["asyncpg", "asyncpg-system", "sqlite", "mariadb"], indirect=True)
async def test_an_hour_is_found_in_every_kind_of_column(kind: str, empty: Place) -> None:
    """Numbers, texts and times tell the hour and the day in UTC, up to the last part of a second of it."""
    path, column = KINDS[kind]
    column = column_of(column, empty)
    rows = ", ".join(f"({number}, 'app.opened', {written(path, column, at)})" for number, at in enumerate(MOMENTS))
    await empty.execute(
        *(["SET time_zone = '+00:00'"] if empty.dialect == "mysql" else []),
        f"CREATE TABLE events (id integer PRIMARY KEY, action varchar(40), happened {column})",
        f"INSERT INTO events VALUES {rows}",
    )
    events = TableMap(table="events", columns={"id": "id", "action": "action", "happened": path})
    query = Query(since=NOON - timedelta(hours=1), until=NOON + timedelta(hours=2))
    async with everything(empty, table=events) as reader:
        assert [1, 2, 0] == [period.events for period in await reader.activity(query)]
        assert [3] == [period.events for period in await reader.activity(query, by="day")]
        [seen] = await reader.top(by="action")
        assert NOON - timedelta(seconds=1) <= (seen.first_at or NOON) < NOON
        assert LENGTHS["hour"] > (seen.last_at or NOON) - NOON >= timedelta(minutes=59, seconds=59)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
async def test_any_time_may_be_asked_for(kind: str, empty: Place) -> None:
    """A time with fractions is compared with whole seconds, and one that no column of its kind holds bounds nothing."""
    path, column = KINDS[kind]
    await empty.execute(
        f"CREATE TABLE events (id integer PRIMARY KEY, action varchar(40), happened {column_of(column, empty)})"
    )
    events = TableMap(table="events", columns={"id": "id", "action": "action", "happened": path})
    async with everything(empty, table=events) as reader:
        assert 0 == await reader.count(Query(since="24h", until="1h"))
        assert 0 == await reader.count(Query(since="1900-01-01", until="2500-01-01"))
