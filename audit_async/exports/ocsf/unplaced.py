"""The fields of an event that have found no attribute yet: what is left in the end is `unmapped`."""

from __future__ import annotations

from typing import Any

from audit_async.events import AuditEvent
from audit_async.exports.columns import COLUMNS, TIMES, given
from audit_async.exports.lines import time_text


class Unplaced:
    """The fields of one event, taken one by one."""

    def __init__(self, event: AuditEvent) -> None:
        self.action = event.action
        self.details = event.details
        found = {name: given(event, name) for name in COLUMNS if name != "success"}
        self._left = {name: value for name, value in found.items() if value is not None}

    def see(self, name: str) -> Any:
        """Return field *name*, None where nothing was said, or it was taken."""
        return self._left.get(name)

    def take(self, name: str) -> Any:
        """Return field *name*, which has found its attribute."""
        return self._left.pop(name, None)

    def detail(self, *names: str) -> str | None:
        """Return the first of the details *names* that is a text or a number, as text. The details stay whole."""
        for name in names:
            value = self.details.get(name)
            if (isinstance(value, str) and value) or type(value) in (int, float):
                return str(value)
        return None

    def rest(self) -> dict[str, Any]:
        """Return what is left, as JSON data."""
        return {name: time_text(value) if name in TIMES else value for name, value in self._left.items()}
