"""`audit-async search`: which events there are, a page after another."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from audit_async.cli.console import OK, READING, Address, app, err, escape, out
from audit_async.cli.filters import EVERY_EVENT, Filters
from audit_async.cli.listed import Listed, print_events
from audit_async.cli.source import NOTHING_SAID, Json, Source, ask, options, tell_nothing
from audit_async.cli.visible import counted, whole
from audit_async.config import PAGE_EVENTS
from audit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.status import Status

    from audit_async.events import AuditEvent
    from audit_async.reading.pages import Page


@app.command(group=READING)
def search(
    address: Address = None,
    /,
    *,
    source: Source = NOTHING_SAID,
    filters: Filters = EVERY_EVENT,
    limit: Annotated[int, Parameter(help="Events on a page.")] = PAGE_EVENTS,
    oldest_first: Annotated[bool, Parameter(help="In the order of time.", negative="", show_default=False)] = False,
    cursor: Annotated[str | None, Parameter(help="Go on from a page, which says how.")] = None,
    every_page: Annotated[
        bool, Parameter(name="--all", help="Every page, one after another.", negative="", show_default=False)
    ] = False,
    json: Json = False,
) -> int:
    """Find events, the newest first.

    Times are UTC. `audit-async show URL ID` shows everything of one of them. For example:

        audit-async search URL --tenant t-1 --since 2h
        audit-async search URL --tenant t-1 --action 'auth.*' --outcome failure --since 7d
        audit-async search URL --all-tenants --detail provider=feishu --all --json > found.jsonl

    Exit codes: 0 some were found, 1 there are none, 2 wrong use.
    """
    if every_page and cursor is not None:
        raise ConfigurationError("--all and --cursor exclude each other", hint="--all begins with the first page")
    query = filters.query(limit=limit, oldest_first=oldest_first)
    reader = source.reader(address)
    listed = Listed(out.width if out.is_terminal else None, reader.scope.only is None)
    if every_page:
        # Beside lines on the same screen nothing else can be drawn.
        waiting = None if out.is_terminal else err.status("Looking ...")
        count = ask(reader, lambda: _show_all(reader.events(query), listed, waiting, as_json=json), waiting)
        return OK if count else tell_nothing(reader, query)
    page = ask(reader, lambda: reader.search(query, cursor), err.status("Looking ..."))
    if not page.events:
        return tell_nothing(reader, query)
    print_events(page.events, listed, as_json=json)
    words = [*([address] if address else []), *options(source), *options(filters)]
    words += [f"--limit={limit}"] * (limit != PAGE_EVENTS) + ["--oldest-first"] * oldest_first + ["--json"] * json
    _tell_neighbours(page, words)
    return OK


async def _show_all(found: AsyncIterator[AuditEvent], listed: Listed, waiting: Status | None, *, as_json: bool) -> int:
    count = 0
    several: list[AuditEvent] = []
    async for event in found:
        several.append(event)
        count += 1
        if len(several) == PAGE_EVENTS:
            print_events(several, listed, as_json=as_json, headed=count == PAGE_EVENTS)
            several = []
            if waiting is not None:
                waiting.update(counted(count, "event"))
    print_events(several, listed, as_json=as_json, headed=count == len(several) > 0)
    return count


def _tell_neighbours(page: Page, words: list[str]) -> None:
    """Say how to go on, to whoever reads: what is found stands alone in the output."""
    command = shlex.join(["audit-async", "search", *words])
    shown = whole(command)
    for name, cursor in (("Next page", page.next_cursor), ("Page before", page.previous_cursor)):
        if cursor is not None:
            # A command with escapes in it would be another one.
            how = shown if shown == command else "the same with"
            err.print(f"[dim]{name}:[/] {escape(how)} --cursor={cursor}", soft_wrap=True)
    if page.next_cursor is None and page.previous_cursor is None:
        err.print(f"[dim]{counted(len(page), 'event')}[/]", soft_wrap=True)
