"""An event beside what was expected of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from audit_async.config import ACTION_WEIGHT
from audit_async.errors import meant
from audit_async.events import AuditEvent
from audit_async.events.fields import CONVERTERS, convert
from audit_async.reading.spellings import Actions, read_actions
from audit_async.testing.comparison import Line, compare, show
from audit_async.values import plain

_VIEWS = ("success", "family", "is_security_event", "is_high_severity", "changes")
NAMES = ("action", *(name for name in AuditEvent.__struct_fields__ if name != "action"), *_VIEWS)
"""What an event can be asked for."""


class Expectation:
    """What an event was expected to be.

    Args:
        call: the function that was told, for its errors.
        wanted: of each field that matters, its value or a condition.

    Raises:
        TypeError: there is no such field.
        ConfigurationError: the action cannot be one.
    """

    def __init__(self, call: str, wanted: Mapping[str, Any]) -> None:
        for name in wanted:
            if name not in NAMES:
                raise TypeError(
                    f"{call}() got an unexpected keyword argument {name!r}{meant(name, NAMES)}. There are: times, "
                    f"audit, {', '.join(NAMES)}"
                )
        self.wanted = dict(wanted)
        named = wanted.get("action")
        self.action: Actions | None = read_actions([named])[0] if isinstance(named, str) else None

    def __repr__(self) -> str:
        return ", ".join(f"{name}={show(value)}" for name, value in self.wanted.items()) or "any event"

    def fits(self, event: AuditEvent) -> bool:
        """Return whether *event* is as expected."""
        return all(line.agrees for lines in self.compared(event).values() for line in lines)

    def compared(self, event: AuditEvent) -> dict[str, list[Line]]:
        """Return the fields that matter, each with what *event* has there beside what was expected."""
        return {name: self._lines(name, event) for name in self.wanted}

    def nearness(self, event: AuditEvent) -> float:
        """Return a number that is higher the more of *event* is as expected."""
        return sum(
            (ACTION_WEIGHT if name == "action" else 1.0) * sum(line.agrees for line in lines) / max(1, len(lines))
            for name, lines in self.compared(event).items()
        )

    def _lines(self, name: str, event: AuditEvent) -> list[Line]:
        expected, found = self.wanted[name], getattr(event, name)
        if name == "action" and self.action is not None:
            return [_action_line(self.action, event)]
        return list(compare(name, expected, found, functools.partial(_as_held, name)))


def _as_held(name: str, value: Any) -> Any:
    return convert(name, value, {}) if name in CONVERTERS and value is not None else plain(value)


def _action_line(asked: Actions, event: AuditEvent) -> Line:
    if asked.mean(event.action, event.outcome):
        return Line("action", show(event.action))
    if asked.outcomes is None:
        return Line("action", show(event.action), show(asked.given))
    outcomes = " or ".join(sorted(asked.outcomes))
    return Line(
        "action",
        f"{event.action!r} with outcome {event.outcome}",
        f"{asked.given!r}, which is {asked.text!r} with outcome {outcomes}",
    )
