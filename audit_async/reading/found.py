"""What the rows of an analysis become: values as events have them, periods without gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from audit_async.config import MAX_COUNTED_VALUES
from audit_async.errors import ConfigurationError
from audit_async.events.dialects import term_of
from audit_async.reading.analysis_values import Period, Seen, Value
from audit_async.reading.mapped_rows import plain_value
from audit_async.reading.moments import resolved
from audit_async.reading.periods import LENGTHS, Unit, read_period, start_of
from audit_async.reading.query import Query
from audit_async.reading.view import View

Values = tuple[Value, ...]


def text_of(value: Any) -> str | None:
    """Return *value* of a field that is a text to an event, whatever its column is."""
    return None if value is None else str(plain_value(value))


def value_of(view: View, field: str, found: Any) -> Value:
    """Return what the expression of *field* gave, as an event has it."""
    value = view.value(field, found)
    if value is None:
        return None
    if field == "status_code":
        return int(value) if str(value).lstrip("-").isdigit() else str(value)
    return term_of(str(value)).name if field == "action" else text_of(value)


def merged(found: Iterable[tuple[Values, int]]) -> list[tuple[Values, int]]:
    """Return *found* with those of the same values put together, the most first."""
    counts: Counter[Values] = Counter()
    for values, events in found:
        counts[values] += events
    return sorted(counts.items(), key=lambda item: (-item[1], [(each is None, str(each)) for each in item[0]]))


def merged_actions(rows: Iterable[Seen]) -> list[Seen]:
    """Return *rows* with those of the same action put together, the most first."""
    found: dict[Value, Seen] = {}
    for row in rows:
        other = found.get(row.value, row)
        firsts = [at for at in (row.first_at, other.first_at) if at is not None]
        lasts = [at for at in (row.last_at, other.last_at) if at is not None]
        found[row.value] = Seen(
            value=row.value,
            events=row.events + (0 if other is row else other.events),
            first_at=min(firsts, default=None),
            last_at=max(lasts, default=None),
        )
    return sorted(found.values(), key=lambda seen: (-seen.events, str(seen.value)))


def activity_of(rows: Sequence[Sequence[Any]], query: Query, unit: Unit, now: datetime) -> list[Period]:
    """Return the periods of *rows*, and those between them and up to the ends of *query*.

    Where these are too many, as one event of the year 9999 makes them, the longest stretches are left out in which
    nothing happened.

    Raises:
        ConfigurationError: those that were asked for, or those in which something happened, are too many.
    """
    counts: Counter[datetime] = Counter()
    for value, events in rows:
        starts_at = read_period(value)
        if starts_at is not None:
            counts[start_of(starts_at, unit)] += int(events)
    if query.starts is None and not counts:
        return []
    length = LENGTHS[unit]
    first = min(counts) if query.starts is None else start_of(resolved(query.starts, now), unit)
    last = start_of(now if query.ends is None else resolved(query.ends, now) - timedelta(microseconds=1), unit)
    asked = (last - first) // length + 1
    if len(rows) > MAX_COUNTED_VALUES or (query.starts is not None and asked > MAX_COUNTED_VALUES):
        number = max(len(rows), asked)
        raise ConfigurationError(
            f"{number:,} {unit}s lie between {first:%Y-%m-%d} and {last:%Y-%m-%d}",
            hint=f"ask for {MAX_COUNTED_VALUES:,} at most: by day, or with a later since= or an earlier until=",
        )
    marks = sorted({first, last, *counts} if first <= last else counts)
    return [Period(starts_at=at, events=counts[at]) for at in _with_those_between(marks, length)]


def _with_those_between(marks: Sequence[datetime], length: timedelta) -> list[datetime]:
    """Return *marks* and the beginnings of the periods between them, but for the longest stretches if too many."""
    if not marks:
        return []
    left_out: set[datetime] = set()
    number = (marks[-1] - marks[0]) // length + 1
    for earlier, later in sorted(pairwise(marks), key=lambda pair: pair[0] - pair[1]):
        if number <= MAX_COUNTED_VALUES:
            break
        number -= (later - earlier) // length - 1
        left_out.add(earlier)
    periods: list[datetime] = []
    for earlier, later in pairwise(marks):
        steps = 1 if earlier in left_out else (later - earlier) // length
        periods += [earlier + length * step for step in range(steps)]
    return [*periods, marks[-1]]
