"""Events as lines for people. What others wrote is in them visibly, and nothing is cut to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from audit_async.cli.console import out
from audit_async.cli.visible import visible, visible_json, when
from audit_async.config import COLUMN_CHARS, DESCRIPTION_CHARS
from audit_async.events import AuditEvent
from audit_async.reading.damage import DAMAGED_KEY

OUTCOMES = {
    "success": "green",
    "failure": "red",
    "denied": "red",
    "error": "bold red",
    "partial": "yellow",
    "pending": "yellow",
    "cancelled": "dim",
    "unknown": "magenta",
}
SEVERITIES = {"info": "dim", "low": "", "medium": "blue", "high": "yellow", "critical": "bold red"}

_BETWEEN = 2
_INDENT = "    "


@dataclass(slots=True)
class Listed:
    """Lines of events that come one after another.

    Attributes:
        width: of the terminal; None for a pipe, in which an event is one line, however long.
        has_tenant: whether events of several tenants may come.
    """

    width: int | None
    has_tenant: bool
    _widths: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        names = ("time", "outcome", "action", "severity", "who", "tenant", "resource", "address", "id")
        self._widths = {name: len(name) for name in names if name != "tenant" or self.has_tenant}

    def lines(self, events: Sequence[AuditEvent]) -> Iterator[Text]:
        """Yield the lines of *events*; their columns are as wide as those that came before need, or wider."""
        rows = [_cells(event) for event in events]
        for row in rows:
            for name, width in self._widths.items():
                self._widths[name] = max(width, min(cell_len(row[name].plain), COLUMN_CHARS))
        for row in rows:
            yield from self._in_columns(row) if self._fits else self._folded(row)

    def heading(self) -> Text | None:
        """Return the line above, where the columns stand below one another."""
        if not self._fits:
            return None
        return self._row({name: Text(name) for name in (*self._widths, "description")}, "bold")

    @property
    def _columns(self) -> int:
        return sum(width + _BETWEEN for width in self._widths.values())

    @property
    def _fits(self) -> bool:
        return self.width is None or self._columns + DESCRIPTION_CHARS <= self.width

    def _in_columns(self, row: dict[str, Text]) -> Iterator[Text]:
        if self.width is None:
            yield self._row(row)
            return
        first, *rest = _wrapped(row["description"], self.width - self._columns) or [Text()]
        yield self._row({**row, "description": first})
        for line in rest:
            yield Text(" " * self._columns).append_text(line)

    def _row(self, row: dict[str, Text], style: str = "") -> Text:
        line = Text(style=style)
        for name, width in self._widths.items():
            cell = row[name] if row[name] else Text("-", "dim")
            line.append_text(cell).append(" " * (max(0, width - cell_len(cell.plain)) + _BETWEEN))
        line.append_text(row["description"])
        line.rstrip()
        return line

    def _folded(self, row: dict[str, Text]) -> Iterator[Text]:
        """Yield an event on lines of its own: what is said first in the first one, each value whole."""
        assert self.width is not None
        line = Text()
        for name in self._widths:
            cell = row[name]
            if not cell:
                continue
            if line and cell_len(line.plain) + _BETWEEN + cell_len(cell.plain) > self.width:
                yield line
                line = Text(_INDENT)
            elif line:
                line.append(" " * _BETWEEN)
            line.append_text(cell)
        yield line
        for line in _wrapped(row["description"], self.width - len(_INDENT)):
            yield Text(_INDENT).append_text(line)


def _wrapped(text: Text, width: int) -> list[Text]:
    """Return *text* on lines of that width, or of one character where there is no room."""
    lines = list(text.wrap(out, max(width, 1))) if text else []
    for line in lines:
        line.rstrip()
    return lines


def print_events(events: Sequence[AuditEvent], listed: Listed, *, as_json: bool, headed: bool = True) -> None:
    """Print *events*, for people or for programs."""
    if as_json:
        for event in events:
            print(printed(event))
        return
    lines = list(listed.lines(events))
    heading = listed.heading() if headed and out.is_terminal else None
    for line in [*([heading] if heading else []), *lines]:
        out.print(line, soft_wrap=True)


def printed(event: AuditEvent) -> str:
    """Return *event* as JSON on one line, with everything that it has."""
    return visible_json(event.to_dict(), is_ascii=True)


def who(event: AuditEvent) -> str:
    """Return who did it, in a few words, visibly."""
    key = event.actor_id or event.user_id or event.agent_id or event.api_key_id
    name = event.actor_name or key or event.actor_type
    named = visible(name) if name else ""
    if event.on_behalf_of:
        return f"{named or 'somebody'} for {visible(event.on_behalf_of)}"
    return named


def resource(event: AuditEvent) -> str:
    """Return what it was done to, as `--resource` takes it."""
    kind, key = event.resource_type or "", event.resource_id
    return visible(kind if key is None else f"{kind}:{key}")


def _cells(event: AuditEvent) -> dict[str, Text]:
    description = Text(visible(event.description or ""))
    if event.error_message and event.error_message not in (event.description or ""):
        description.append(f"{' ' if description else ''}({visible(event.error_message)})", "red")
    if DAMAGED_KEY in event.metadata:
        description = Text("[some of it cannot be read] ", "magenta").append_text(description)
    return {
        "time": Text(when(event.created_at, is_short=True)),
        "outcome": Text(event.outcome, OUTCOMES.get(event.outcome, "")),
        "action": Text(visible(event.action), "cyan"),
        "severity": Text(event.severity, SEVERITIES.get(event.severity, "")),
        "who": Text(who(event)),
        "tenant": Text(visible(event.tenant_id or "")),
        "resource": Text(resource(event)),
        "address": Text(visible(event.ip_address or "")),
        "id": Text(visible(event.id), "dim"),
        "description": description,
    }
