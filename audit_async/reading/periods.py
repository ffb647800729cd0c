"""The hour or the day of a time in the database, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from audit_async.table.ddl import MYSQL
from audit_async.table_map.kinds import Kind

Unit = Literal["hour", "day"]

LENGTHS: dict[str, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}

_CHARS = {"hour": len("2026-01-31T12"), "day": len("2026-01-31")}
_FORMATS = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d"}
_MOMENTS = ("moment", "date")
_NUMBERS = ("int", "float", "decimal")


def period_of(column: ColumnElement[Any], kind: Kind, dialect: str, unit: Unit, share: int = 1) -> ColumnElement[Any]:
    """Return the beginning of the *unit* that *column* lies in, as `read_period` takes it; six cases.

    Args:
        kind: of the column: a moment, a day, a number of seconds since 1970, or a text that begins as ISO 8601 does.
        share: of a second, that the number counts.
    """
    if kind.name not in _NUMBERS and (kind.name not in _MOMENTS or kind.form == "text"):
        return sa.func.substr(column, 1, _CHARS[unit])
    if kind.name in _MOMENTS:
        if dialect in MYSQL:
            return sa.func.date_format(column, _FORMATS[unit])
        in_utc = sa.func.timezone("UTC", column) if kind.form == "aware" else sa.cast(column, sa.TIMESTAMP)
        return sa.func.date_trunc(sa.literal_column(f"'{unit}'"), in_utc)
    if dialect == "postgresql":
        moment = sa.func.to_timestamp(sa.cast(column, sa.Double) / share)
        return sa.func.date_trunc(sa.literal_column(f"'{unit}'"), sa.func.timezone("UTC", moment))
    if dialect in MYSQL:
        return sa.func.from_unixtime(column / sa.literal_column(str(share)), _FORMATS[unit])
    # Whole seconds: of others SQLite would round the last half millisecond of an hour up into the next.
    seconds = sa.cast(column / sa.literal_column(str(share)), sa.Integer)
    return sa.func.strftime(_FORMATS[unit], seconds, "unixepoch")


def read_period(value: Any) -> datetime | None:
    """Return the beginning of the period that the database gave; None where it could not say."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value if len(value) <= _CHARS["day"] else f"{value}:00")
        except ValueError:
            return None
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def start_of(moment: datetime, unit: Unit) -> datetime:
    """Return the beginning of the *unit* that *moment* lies in, in UTC."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour if unit == "hour" else hour.replace(hour=0)
