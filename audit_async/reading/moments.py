"""Times as people say them: `24h`, `2026-01-31`, `2026-01-31T12:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from audit_async.errors import ConfigurationError

Moment = datetime | timedelta
"""A moment, or how long ago it is."""

_UNITS = {"s": "seconds", "min": "minutes", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})\s?(s|min|m|h|d|w)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HINT = 'write "24h" or "7d" (how long ago; s min h d w), 2026-01-31 (the day), 2026-01-31T12:00Z, or give a datetime'


def read_moment(name: str, given: Any, *, is_end: bool = False) -> Moment:
    """Return what *given* says for *name*; without a zone it is UTC.

    Args:
        is_end: a day means its end, so that `until` a day holds all of it.

    Raises:
        ConfigurationError: it is no time.
    """
    if isinstance(given, timedelta):
        if given < timedelta(0):
            raise ConfigurationError(f"{name} lies in the future: {given} ago", hint=_HINT)
        return given
    try:
        moment = _read(given, is_end)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise ConfigurationError(f"{name} is no time: {given!r:.100}", hint=_HINT)
    return moment


def _read(given: Any, is_end: bool) -> Moment | None:
    if isinstance(given, str):
        if ago := _AGO.fullmatch(given.strip()):
            return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        given = given.strip()
        given = date.fromisoformat(given) if _DAY.fullmatch(given) else datetime.fromisoformat(given)
    if isinstance(given, datetime):
        return (given if given.utcoffset() is not None else given.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(given, date):
        day = datetime(given.year, given.month, given.day, tzinfo=UTC)
        return day + timedelta(days=1) if is_end else day
    return None


def resolved(moment: Moment, now: datetime) -> datetime:
    """Return the moment itself, counted back from *now* where it says how long ago."""
    if isinstance(moment, datetime):
        return moment
    try:
        return now - moment
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
