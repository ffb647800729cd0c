"""`audit-async tail`: the last events, and then those that come."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from audit_async.cli.console import OK, READING, Address, app, err, out
from audit_async.cli.filters import EVERY_EVENT, Filters
from audit_async.cli.listed import Listed, print_events
from audit_async.cli.source import NOTHING_SAID, Json, Source, ask, tell_nothing
from audit_async.config import MAX_PAGE_EVENTS, TAIL_EVENTS
from audit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from audit_async.reader import AuditReader
    from audit_async.reading.query import Query


@app.command(group=READING)
def tail(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    filters: Filters = EVERY_EVENT,
    follow: Annotated[
        bool,
        Parameter(name=["--follow", "-f"], help="Go on with those that come.", negative="", show_default=False),
    ] = False,
    lines: Annotated[int, Parameter(name=["--lines", "-n", "--limit"], help="Events to begin with.")] = TAIL_EVENTS,
    json: Json = False,
) -> int:
    """Show the last events, the newest at the end; with `-f` also those that come, until interrupted.

    Each that comes is shown once, when it is committed, however late that is. For example:

        audit-async tail URL --tenant t-1 -f --outcome failure --outcome denied

    Exit codes: 0 some were shown, 1 there are none, 2 wrong use, 130 interrupted.
    """
    if not 0 <= lines <= MAX_PAGE_EVENTS:
        raise ConfigurationError(f"--lines {lines} is no number of events", hint=f"give 0 to {MAX_PAGE_EVENTS}")
    query = filters.query(limit=max(lines, 1))
    reader = source.reader(address)
    listed = Listed(out.width if out.is_terminal else None, reader.scope.only is None)
    if follow:
        ask(reader, lambda: _follow(reader, query, listed, lines, as_json=json))
        return OK
    found = ask(reader, lambda: _last(reader, query, listed, lines, as_json=json), err.status("Looking ..."))
    return OK if found or not lines else tell_nothing(reader, query)


async def _last(reader: AuditReader, query: Query, listed: Listed, lines: int, *, as_json: bool) -> set[str]:
    """Show the last events, and return their ids."""
    events = (await reader.search(query)).events[::-1] if lines else ()
    print_events(events, listed, as_json=as_json)
    sys.stdout.flush()
    return {event.id for event in events}


async def _follow(reader: AuditReader, query: Query, listed: Listed, lines: int, *, as_json: bool) -> None:
    # First it is seen to that none is missed, so that some may be among the last ones and among those that come.
    async with reader.follow(query) as follower:
        shown = await _last(reader, query, listed, lines, as_json=as_json)
        async for event in follower:
            if event.id in shown:
                shown.remove(event.id)
                continue
            print_events([event], listed, as_json=as_json, headed=False)
            sys.stdout.flush()
