"""The statements of the analyses: each one SELECT over the rows that a query and a scope let be seen.

What is counted is selected first, under names of its own, and grouped around it: an expression with values bound in it
is to PostgreSQL another one when it stands in GROUP BY once more. The planner makes one of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from audit_async.errors import ConfigurationError
from audit_async.events.vocabulary import FAILED, Outcome
from audit_async.reading.conditions import Condition
from audit_async.reading.periods import Unit
from audit_async.reading.view import View

_FAILED = sorted(FAILED)


def place_of(view: View, name: str) -> ColumnElement[Any]:
    """Return what has the value of field *name*.

    Raises:
        ConfigurationError: the table has no place for it.
    """
    place = view.expression(name)
    if place is None:
        raise ConfigurationError(
            f"table {view.name} has no place for {name}, so that nothing can be counted by it",
            hint="count by another field, or map a column to it",
        )
    return place


def counted(view: View, where: Iterable[Condition], fields: Sequence[str], limit: int) -> Select[Any]:
    """Return how many rows have the same values of *fields*, the most first: the values, and the number."""
    seen = _seen(view, where, {name: place_of(view, name) for name in fields})
    events = sa.func.count().label("events")
    return sa.select(*seen.c, events).group_by(*seen.c).order_by(events.desc(), *seen.c).limit(limit)


def ranked(
    view: View, where: Iterable[Condition], field: str, limit: int, *, new_since: datetime | None = None
) -> Select[Any]:
    """Return each value of *field*, the number of its rows, and the first and the last time; the most first.

    Args:
        new_since: leave out those that were there before; the latest come first then.
    """
    place = place_of(view, field)
    seen = _seen(view, [*where, place.is_not(None)], {"value": place, "at": _time(view)})
    events, first, last = sa.func.count().label("events"), sa.func.min(seen.c.at), sa.func.max(seen.c.at)
    columns: list[ColumnElement[Any]] = [seen.c.value, events, first, last]
    statement = sa.select(*columns).group_by(seen.c.value).limit(limit)
    if new_since is None:
        return statement.order_by(events.desc(), seen.c.value)
    statement = statement.having(first >= view.bound("created_at", new_since))
    return statement.order_by(first.desc(), seen.c.value)


def by_period(view: View, where: Iterable[Condition], unit: Unit, limit: int) -> Select[Any]:
    """Return the hours or days in which something happened, and the number of their rows."""
    seen = _seen(view, where, {"starts_at": view.period(unit)})
    columns: list[ColumnElement[Any]] = [seen.c.starts_at, sa.func.count()]
    return sa.select(*columns).group_by(seen.c.starts_at).order_by(seen.c.starts_at).limit(limit)


def by_address(view: View, where: Iterable[Condition], limit: int) -> Select[Any]:
    """Return each address, the number of its rows, of its users, of rows without one, first and last time."""
    fields = {"address": place_of(view, "ip_address"), "user": place_of(view, "user_id"), "at": _time(view)}
    seen = _seen(view, where, fields)
    events = sa.func.count().label("events")
    users = sa.func.count(sa.distinct(seen.c.user))
    without_user = sa.func.count() - sa.func.count(seen.c.user)
    times = [sa.func.min(seen.c.at), sa.func.max(seen.c.at)]
    columns: list[ColumnElement[Any]] = [seen.c.address, events, users, without_user, *times]
    return sa.select(*columns).group_by(seen.c.address).order_by(events.desc(), seen.c.address).limit(limit)


def repeated(view: View, where: Iterable[Condition], field: str, at_least: int, limit: int) -> Select[Any]:
    """Return each value of *field* with at least so many failures: their number, the time of the first and the last,
    and that of the first success with so many before it.
    """
    place, outcome = place_of(view, field), place_of(view, "outcome")
    keys = {f"key_{number}": key.column for number, key in enumerate(view.order)}
    fields = {
        "value": place,
        "at": _time(view),
        "failed": sa.case((outcome.in_(_FAILED), 1), else_=0),
        "succeeded": sa.case((outcome == Outcome.SUCCESS.value, 1), else_=0),
        **keys,
    }
    seen = _seen(view, [*where, place.is_not(None)], fields)
    order = [seen.c[name] for name in keys]
    before = sa.func.sum(seen.c.failed).over(partition_by=seen.c.value, order_by=order, rows=(None, 0))
    running = sa.select(seen, before.label("before")).subquery("running")
    failures = sa.func.sum(running.c.failed).label("failures")
    failed_at = sa.case((running.c.failed == 1, running.c.at))
    is_late = sa.and_(running.c.succeeded == 1, running.c.before >= at_least)
    times = [sa.func.min(failed_at), sa.func.max(failed_at), sa.func.min(sa.case((is_late, running.c.at)))]
    columns: list[ColumnElement[Any]] = [running.c.value, failures, *times]
    statement = sa.select(*columns).group_by(running.c.value).having(failures >= at_least)
    return statement.order_by(failures.desc(), running.c.value).limit(limit)


def _seen(view: View, where: Iterable[Condition], fields: Mapping[str, ColumnElement[Any]]) -> sa.Subquery:
    """Return the rows that may be seen, with *fields* under these names."""
    columns = [place.label(name) for name, place in fields.items()]
    return sa.select(*columns).select_from(view.source).where(*where).subquery("seen")


def _time(view: View) -> ColumnElement[Any]:
    return view.order[0].column
