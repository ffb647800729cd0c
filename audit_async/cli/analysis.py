"""`audit-async count`, `top`, `behavior` and `suspicious`: what events say together."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from audit_async.cli.console import FINDING, OK, READING, Address, Several, app, err, out
from audit_async.cli.counted import print_counted
from audit_async.cli.filters import EVERY_EVENT, Filters, field_of
from audit_async.cli.listed import Listed, print_events
from audit_async.cli.source import NOTHING_SAID, Json, Source, ask, split_words, tell_nothing
from audit_async.cli.visible import counted, visible, visible_json, when
from audit_async.config import ANALYSIS_DAYS, PAGE_EVENTS, TOP_VALUES
from audit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from audit_async.reader import AuditReader
    from audit_async.reading.query import Query

_PERIODS = ("hour", "day")


@app.command(group=READING)
def count(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    filters: Filters = EVERY_EVENT,
    by: Annotated[
        Several,
        Parameter(
            help="For each value of a field (action, user, ...; several by repetition), hour or day.", negative=""
        ),
    ] = None,
    limit: Annotated[
        int | None,
        Parameter(help=f"With --by a field: so many values, the most frequent ones; {PAGE_EVENTS} if it is left out."),
    ] = None,
    json: Json = False,
) -> int:
    """Count events: all of them, those of each value of a field, or those of each hour or day.

    Days and hours are those of UTC. For example:

        audit-async count URL --tenant t-1 --since 24h
        audit-async count URL --tenant t-1 --by action --by outcome
        audit-async count URL --tenant t-1 --action login_failed --since 7d --by day

    Exit codes: 0 they were counted, even if there are none; 2 wrong use.
    """
    query = filters.query()
    if by and len(by) > 1 and any(each in _PERIODS for each in by):
        raise ConfigurationError("--by hour and --by day stand alone", hint="leave the other --by out")
    if limit is not None and (not by or by[0] in _PERIODS):
        why = f"--by {by[0]} shows every {by[0]}" if by else "without --by there is one number"
        raise ConfigurationError(f"--limit has nothing to limit: {why}", hint="leave it out; --since narrows the time")
    reader = source.reader(address)
    if not by:
        found = ask(reader, lambda: reader.count(query), err.status("Counting ..."))
        print(visible_json({"events": found}) if json else found)
        if not found:
            tell_nothing(reader, query)
    elif by[0] in _PERIODS:
        _count_periods(reader, query, by[0], as_json=json)
    else:
        fields = list(dict.fromkeys(map(field_of, by)))
        _count_values(reader, query, fields, PAGE_EVENTS if limit is None else limit, as_json=json)
    return OK


@app.command(group=READING)
def top(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    filters: Filters = EVERY_EVENT,
    by: Annotated[str, Parameter(help="A field: user, actor, action, ip, resource_id, ...")] = "user",
    limit: Annotated[int, Parameter(help="So many values.")] = TOP_VALUES,
    json: Json = False,
) -> int:
    """Show which values of a field most events have, and when the first and the last of them happened.

    Events without that field are not counted. For example:

        audit-async top URL --tenant t-1 --since 7d
        audit-async top URL --tenant t-1 --by ip --action login_failed

    Exit codes: 0 there are some, 1 there are none, 2 wrong use.
    """
    field, query = field_of(by), filters.query()
    reader = source.reader(address)
    found = ask(reader, lambda: reader.top(query, by=field, limit=limit), err.status("Counting ..."))
    if json:
        for each in found:
            seen = {"events": each.events, "first_at": each.first_at, "last_at": each.last_at}
            print(visible_json({field: each.value, **seen}, is_ascii=True))
    elif found:
        rows = [(each.events, [_shown(each.value), _time(each.first_at), _time(each.last_at)]) for each in found]
        print_counted(("events", field, "first", "last"), rows)
    return OK if found else tell_nothing(reader, query)


@app.command(group=READING)
def behavior(
    *words: Annotated[str, Parameter(help="Database address, unless it is given otherwise; then the user's id.")],
    source: Source = NOTHING_SAID,
    days: Annotated[float, Parameter(help="Counted back from now.")] = ANALYSIS_DAYS,
    json: Json = False,
) -> int:
    """Show in numbers what a user did in the last days: events by action, requests, how many of them went well.

    For example:

        audit-async behavior URL u-17 --tenant t-1 --days 7

    Exit codes: 0 there are events of that user, 1 there are none, 2 wrong use.
    """
    address, users = split_words(words, source)
    if len(users) != 1:
        raise ConfigurationError("say whose behavior", hint="give one user's id: audit-async behavior URL USER")
    reader = source.reader(address)
    found = ask(reader, lambda: reader.user_behavior(users[0], days=days), err.status("Counting ..."))
    if json:
        print(visible_json(found, is_ascii=True))
    elif found["event_counts"]:
        _print_behavior(found)
    if found["event_counts"]:
        return OK
    return tell_nothing(reader, what=f"event of user {users[0][:100]}", when=f", in the last {_span(days, 'day')}")


@app.command(group=READING)
def suspicious(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    hours: Annotated[float, Parameter(help="Counted back from now.")] = 24,
    limit: Annotated[int, Parameter(help="So many, the newest first.")] = PAGE_EVENTS,
    json: Json = False,
) -> int:
    """List what was logged as suspicious or unauthorized, failed `auth.login`, and requests beyond a rate limit.

    Other log-ins that failed are no part of it: `audit-async search URL --action sso.login --outcome failure`.
    For example, in a job that looks every hour:

        audit-async suspicious URL --all-tenants --hours 1

    Exit codes: 0 there is nothing, 1 there is something, 2 wrong use.
    """
    reader = source.reader(address)
    found = ask(reader, lambda: reader.suspicious_activities(hours, limit), err.status("Looking ..."))
    print_events(found, Listed(out.width if out.is_terminal else None, reader.scope.only is None), as_json=json)
    if len(found) == limit:
        err.print(f"[dim]There may be more than {counted(limit, 'event')}: give a higher --limit[/]", soft_wrap=True)
    if not found:
        tell_nothing(reader, when=f", in the last {_span(hours, 'hour')}")
    return FINDING if found else OK


def _count_periods(reader: AuditReader, query: Query, by: str, *, as_json: bool) -> None:
    found = ask(reader, lambda: reader.activity(query, by=by), err.status("Counting ..."))
    if as_json:
        for each in found:
            print(visible_json({"starts_at": each.starts_at, "events": each.events}))
        return
    shape = "%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:%MZ"
    if not any(each.events for each in found):
        tell_nothing(reader, query)
    print_counted(("events", f"{by} (UTC)"), [(each.events, [each.starts_at.strftime(shape)]) for each in found])


def _count_values(reader: AuditReader, query: Query, fields: list[str], limit: int, *, as_json: bool) -> None:
    found = ask(reader, lambda: reader.counts(query, by=fields, limit=limit), err.status("Counting ..."))
    if as_json:
        for each in found:
            print(visible_json({**dict(zip(fields, each.values, strict=True)), "events": each.events}, is_ascii=True))
        return
    if not found:
        tell_nothing(reader, query)
        return
    print_counted(("events", *fields), [(each.events, list(map(_shown, each.values))) for each in found])
    if len(found) == limit:
        err.print(f"[dim]There may be more than {limit:,}: give a higher --limit[/]", soft_wrap=True)


def _print_behavior(found: dict[str, Any]) -> None:
    """Print what `AuditReader.user_behavior` says, under the names that it has there."""
    counts: dict[str, int] = found["event_counts"]
    days = _span(found["period_days"], "day")
    out.print(Text.assemble((visible(found["user_id"]), "bold"), f", in the last {days}"), soft_wrap=True)
    print_counted(("events", "action"), [(number, [visible(action)]) for action, number in counts.items()])
    requests = found["success_requests"] + found["failed_requests"]
    share = f", {found['success_rate']:.1%} of them well" if requests else ""
    out.print(f"{counted(requests, 'request')}{share}")
    out.print(f"suspicious activities: {found['suspicious_activities']:,}")


def _span(number: float, unit: str) -> str:
    return f"{number:,g} {unit}{'' if number == 1 else 's'}"


def _shown(value: object) -> str:
    return "" if value is None else visible(value)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else when(moment, is_short=True)
