"""What a test is told when the log is not as it expected: the event that is nearest, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit_async.config import SHOWN_EVENTS
from audit_async.errors import meant
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import TERMS
from audit_async.testing.comparison import Line, show
from audit_async.testing.expectation import Expectation

_MOSTLY = (
    "Mostly an `await` is missing before `write` or a helper, or the program has a logger of its own: "
    "hand it one by audit=MemoryAuditLogger(...)."
)
_BRIEF = ("user_id", "agent_id", "tenant_id", "resource_type", "resource_id", "error_message")


def tell_missing(expectation: Expectation, logged: Sequence[AuditEvent], times: int | None) -> str:
    """Return what to say where an event is missing, or there are not as many as expected."""
    found = [event for event in logged if expectation.fits(event)]
    if found:
        head = f"{_counted(len(found))} as expected, not {times}: {expectation!r}"
    elif not logged:
        head = f"no event was logged at all; expected was {expectation!r}\n{_MOSTLY}"
    else:
        head = f"no event as expected among {_counted(len(logged))}: {expectation!r}"
    lines = [head, *_other_word(expectation, logged)]
    others = [event for event in logged if not expectation.fits(event)]
    if others and (times is None or len(found) < times):
        # Of several that are as near the newest: what is looked for was most likely logged last.
        nearest = max(reversed(others), key=expectation.nearness)
        lines += _beside(expectation, nearest, _place(nearest, logged))
    return "\n".join([*lines, *_listed(expectation, logged)])


def tell_unwanted(expectation: Expectation, logged: Sequence[AuditEvent]) -> str:
    """Return what to say where an event is there that should not be."""
    found = [event for event in logged if expectation.fits(event)]
    lines = [f"{_counted(len(found))} that should not be there: {expectation!r}", ""]
    lines.append(f"Number {_place(found[0], logged)} of {len(logged)} is")
    kept = {name: value for name, value in found[0].to_dict().items() if value not in (None, {}, [])}
    lines += _in_columns([Line(name, show(value)) for name, value in kept.items() if name != "success"])
    return "\n".join([*lines, *_listed(expectation, logged)])


def _counted(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def _place(event: AuditEvent, logged: Sequence[AuditEvent]) -> int:
    return next(place for place, each in enumerate(logged, 1) if each is event)


def _other_word(expectation: Expectation, logged: Sequence[AuditEvent]) -> Iterator[str]:
    """Yield what the action may have been meant to be, where neither the log nor the vocabulary has it."""
    asked = expectation.action
    known = {*TERMS, *(event.action for event in logged)}
    if asked is not None and not any(asked.names(name) for name in known):
        yield f"Nothing is called {asked.given!r}{meant(asked.text, known)}."


def _beside(expectation: Expectation, event: AuditEvent, place: int) -> Iterator[str]:
    compared = expectation.compared(event)
    agreeing = sum(all(line.agrees for line in lines) for lines in compared.values())
    yield ""
    yield f"The nearest is number {place}, with {agreeing} of {len(compared)} fields as expected:"
    yield from _in_columns([line for lines in compared.values() for line in lines])


def _in_columns(lines: Sequence[Line]) -> Iterator[str]:
    width = max((len(line.path) for line in lines), default=0)
    for line in lines:
        mark, behind = ("  ", "") if line.wanted is None else ("! ", f", expected {line.wanted}")
        yield f"  {mark}{line.path:<{width}}  {line.found}{behind}"


def _listed(expectation: Expectation, logged: Sequence[AuditEvent]) -> Iterator[str]:
    """Yield the newest events, one a line, with a mark at those that are as expected."""
    if not logged:
        return
    first = max(0, len(logged) - SHOWN_EVENTS)
    yield ""
    yield "All events, with > where one is as described:" if not first else f"The last {SHOWN_EVENTS} events:"
    for place, event in enumerate(logged[first:], first + 1):
        mark = "> " if expectation.fits(event) else "  "
        said = [f"{name}={show(value)}" for name in _BRIEF if (value := getattr(event, name)) is not None]
        yield f"  {mark}{place:>{len(str(len(logged)))}}  {'  '.join([event.action, event.outcome, *said])}"
