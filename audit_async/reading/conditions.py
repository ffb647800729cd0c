"""A query and a scope as conditions on the rows of a view."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement

from audit_async.errors import ConfigurationError
from audit_async.events.vocabulary import TERMS
from audit_async.reading.moments import resolved
from audit_async.reading.query import Query
from audit_async.reading.scope import Scope
from audit_async.reading.spellings import ANY, Actions
from audit_async.reading.view import View

_ESCAPE = "!"
"""In patterns; a backslash means something else to each database."""

INVOLVED = ("user_id", "actor_id", "on_behalf_of")
"""Fields with the id of a user who has to do with an event."""

Condition = ColumnElement[bool]


def conditions(query: Query, scope: Scope, view: View, now: datetime | None = None) -> list[Condition]:
    """Return what all has to hold of a row that *query* asks for and *scope* lets be seen.

    Raises:
        ConfigurationError: the table has no place for what is asked, or none for a tenant.
    """
    now = now or datetime.now(UTC)
    found = [*in_scope(scope, view)]
    if query.starts is not None:
        found.append(_time(view) >= view.bound("created_at", resolved(query.starts, now)))
    if query.ends is not None:
        found.append(_time(view) < view.bound("created_at", resolved(query.ends, now)))
    if query.named is not None:
        found.append(sa.or_(*(_action(each, view) for each in query.named)))
    for name, values in query.wanted.items():
        found.append(one_of(view, name, values))
    for path, values in query.paths.items():
        found.append(sa.or_(*(_detail(view, path, value) for value in values)))
    if query.involving is not None:
        found.append(_involves(view, query.involving))
    if query.text is not None:
        found.append(_contains(_place(view, "description"), query.text))
    if query.tag is not None:
        found.append(_has_tag(view, query.tag))
    return found


def in_scope(scope: Scope, view: View) -> Iterable[Condition]:
    """Yield what keeps others' events out: the one place where the scope becomes part of a statement.

    Raises:
        ConfigurationError: the table has no place for a tenant.
    """
    if scope.tenants is None:
        return
    if not scope.tenants:
        yield sa.false()
        return
    if view.expression("tenant_id") is None:
        raise ConfigurationError(
            f"table {view.name} has no place for a tenant, so that nobody can say whose its events are",
            hint="read it with tenant=Scope.all(), where everything in it may be seen",
        )
    tenants = tuple(scope.to_list() or ())
    yield one_of(view, "tenant_id", tenants)
    if (surely := view.surely("tenant_id", tenants)) is not None:
        yield surely


def one_of(view: View, name: str, values: tuple[Any, ...]) -> Condition:
    """Return the condition that field *name* is one of *values*, of which None means that it is empty."""
    place = _place(view, name)
    bound = [view.bound(name, form) for value in values if value is not None for form in view.forms(name, value)]
    # A value that its column cannot hold is in no row.
    bound = [value for value in bound if value is not None]
    ways: list[Condition] = []
    if len(bound) == 1:
        ways.append(place == bound[0])
    elif bound:
        ways.append(place.in_(bound))
    if None in values:
        ways.append(place.is_(None))
    return sa.or_(*ways) if ways else sa.false()


def _involves(view: View, users: tuple[Any, ...]) -> Condition:
    """Return the condition that one of *users* did it, or that it is about, for, or was done to one of them."""
    ways = [one_of(view, name, users) for name in INVOLVED if view.expression(name) is not None]
    if not ways:
        raise ConfigurationError(
            f"table {view.name} has no place for a user, so that nobody can be asked for", hint="leave involving out"
        )
    if view.expression("resource_type") is not None and view.expression("resource_id") is not None:
        ways.append(sa.and_(one_of(view, "resource_type", ("user",)), one_of(view, "resource_id", users)))
    return sa.or_(*ways)


def _place(view: View, name: str) -> ColumnElement[Any]:
    place = view.expression(name)
    if place is None:
        raise ConfigurationError(
            f"table {view.name} has no place for {name}, so that it cannot be asked for",
            hint=f"leave {name} out, or map a column to it",
        )
    return place


def _time(view: View) -> ColumnElement[Any]:
    return view.order[0].column


def _action(asked: Actions, view: View) -> Condition:
    place = _place(view, "action")
    if asked.text == ANY:
        named: Condition = sa.true()
    elif asked.is_pattern:
        known = view.texts(name for name in TERMS if asked.names(name))
        # The names that are known, of which an index can be asked; and any other of that shape.
        named = sa.or_(place.in_(known), _is_like(view, place, asked.text))
    else:
        texts = view.texts([asked.text], asked.given)
        named = place == texts[0] if len(texts) == 1 else place.in_(texts)
    if asked.outcomes is None:
        return named
    return sa.and_(named, one_of(view, "outcome", tuple(sorted(asked.outcomes))))


def _is_like(view: View, place: ColumnElement[Any], pattern: str) -> Condition:
    """Return the condition that a text is of the shape of *pattern*, in upper and lower case as it stands."""
    parts = pattern.split(ANY)
    if view.dialect == "sqlite":
        # To its LIKE letters of both cases are the same. In brackets a mark stands for itself.
        return place.op("GLOB")(ANY.join(re.sub(r"([*?\[])", r"[\1]", part) for part in parts))
    return place.like("%".join(map(_escaped, parts)), escape=_ESCAPE)


def _escaped(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text


def _contains(place: ColumnElement[Any], text: str) -> Condition:
    return sa.func.lower(place).like(f"%{_escaped(text.lower())}%", escape=_ESCAPE)


def _has_tag(view: View, tag: str) -> Condition:
    quoted = msgspec.json.encode(tag).decode()
    place = _place(view, "tags")
    if view.dialect == "sqlite":
        return sa.func.instr(place, quoted) > 0
    return place.like(f"%{_escaped(quoted)}%", escape=_ESCAPE)


def _detail(view: View, path: tuple[str, ...], value: Any) -> Condition:
    found = view.details(path, value)
    if found is None:
        raise ConfigurationError(
            f"table {view.name} keeps no details, so that {'.'.join(path)} cannot be asked for",
            hint="leave details out, or map a JSON column to it",
        )
    return found
