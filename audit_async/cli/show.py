"""`audit-async show`: everything of one event, laid out for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from audit_async.cli.console import FINDING, OK, READING, app, err, escape, out
from audit_async.cli.listed import OUTCOMES, SEVERITIES, printed
from audit_async.cli.source import NOTHING_SAID, Json, Source, ask, split_words
from audit_async.cli.visible import visible_json, visible_object, when, whole
from audit_async.config import COLUMN_CHARS
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent

if TYPE_CHECKING:
    from audit_async.reader import AuditReader

_GROUPS = {
    "Who": ("actor_type", "actor_id", "actor_name", "on_behalf_of", "user_id", "agent_id", "api_key_id"),
    "Whose": ("tenant_id", "organization_id"),
    "To what": ("resource_type", "resource_id"),
    "From where": ("ip_address", "user_agent", "session_id", "request_id", "trace_id", "span_id"),
    "How it went": ("status_code", "duration_ms", "error_message"),
    "Tags": ("tags",),
    "Details": ("details",),
    "Metadata": ("metadata",),
    "Record": ("id", "writer_id", "writer_seq", "recorded_at"),
}
_ABOVE = ("action", "outcome", "severity", "category", "created_at", "description", "old_values", "new_values")
"""What stands in the head, or in the change."""

_NAME_CHARS = max(len(name) for names in _GROUPS.values() for name in names)
_MISSING = object()


@app.command(group=READING)
def show(
    *words: Annotated[str, Parameter(help="Database address, unless it is given otherwise; then ids of events.")],
    source: Source = NOTHING_SAID,
    json: Json = False,
) -> int:
    """Show everything of one event, or of several, by id.

    Times are UTC. For example:

        audit-async show URL --tenant t-1 0198c1f0-5a3b-7c00-8000-000000000000

    Exit codes: 0 it is shown, 1 there is none of that id, 2 wrong use.
    """
    address, ids = split_words(words, source)
    if not ids:
        raise ConfigurationError("say which event", hint="give its id: `audit-async search` lists them")
    reader = source.reader(address)

    async def found() -> list[AuditEvent | None]:
        return [await reader.get(each) for each in ids]

    events = ask(reader, found, err.status("Looking ..."))
    for name, event in zip(ids, events, strict=True):
        if event is None:
            _tell_missing(name, reader)
        elif json:
            print(printed(event))
        else:
            for line in lines(event):
                out.print(line, soft_wrap=True)
    return FINDING if None in events else OK


def lines(event: AuditEvent) -> Iterator[Text]:
    """Yield *event*, every field that has a value, and what of it was changed."""
    yield Text.assemble(
        (whole(event.action), "bold cyan"),
        "  ",
        (event.outcome, OUTCOMES.get(event.outcome, "")),
        "  ",
        (event.severity, SEVERITIES.get(event.severity, "")),
        f"  {event.category}",
    )
    yield Text.assemble(when(event.created_at), (_age(event.created_at), "dim"))
    if event.description:
        yield Text(whole(event.description))
    if event.old_values is not None or event.new_values is not None:
        yield from _change(event.old_values, event.new_values)
    for heading, names in _GROUPS.items():
        fields = [(name, value) for name in names if (value := getattr(event, name)) not in (None, {}, ())]
        if fields:
            yield Text()
            yield Text(heading, "bold")
        for name, value in fields:
            yield from _field(name, value)
    yield Text()


def _field(name: str, value: Any) -> Iterator[Text]:
    if isinstance(value, dict):
        yield from (Text(f"  {line}") for line in visible_object(value))
    elif isinstance(value, tuple):
        yield Text(f"  {', '.join(map(whole, value))}")
    else:
        told = when(value) if isinstance(value, datetime) else whole(value)
        yield Text.assemble("  ", (f"{name:{_NAME_CHARS}}", "dim"), f"  {told}")


def _change(old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[Text]:
    old, new = old or {}, new or {}
    yield Text()
    yield Text("Change, old -> new", "bold")
    names = dict.fromkeys((*old, *new))
    # A name that is longer than a column stands out, and not all the others with it.
    width = max((len(whole(name)) for name in names if len(whole(name)) <= COLUMN_CHARS), default=0)
    for name in names:
        before, after = old.get(name, _MISSING), new.get(name, _MISSING)
        line = Text.assemble("  ", (f"{whole(name):{width}}", "dim"), "  ")
        if before is not _MISSING and before == after and type(before) is type(after):
            yield line.append(f"{_value(before)} (as before)", "dim")
        else:
            yield line.append(_value(before), "red").append(" -> ").append(_value(after), "green")


def _value(value: object) -> str:
    return "nothing" if value is _MISSING else visible_json(value)


def _age(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 0:
        return "  in the future"
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"  {seconds // length:,.0f} {unit} ago"
    return f"  {seconds:.0f} s ago"


def _tell_missing(name: str, reader: AuditReader) -> None:
    err.print(f"No event {escape(name[:100])} is there, of {escape(str(reader.scope))}", soft_wrap=True)
