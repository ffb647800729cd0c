"""Events that were logged, as a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import overload

from audit_async.entry import decode
from audit_async.events import AuditEvent
from audit_async.reading.spellings import read_actions


class AuditEvents(Sequence[AuditEvent]):
    """What was logged, in that order: a list that grows while it is looked at.

    Each event is as a reader would give it back from the table: with what the context has filled in, without secrets,
    cut to the limits, its values plain JSON; only `recorded_at` is missing. An event that was logged twice is there
    once.
    """

    def __init__(self) -> None:
        self._events: list[AuditEvent] = []
        self._keys: set[tuple[datetime, str]] = set()

    @overload
    def __getitem__(self, place: int) -> AuditEvent: ...

    @overload
    def __getitem__(self, place: slice) -> list[AuditEvent]: ...

    def __getitem__(self, place: int | slice) -> AuditEvent | list[AuditEvent]:
        return self._events[place]

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"<AuditEvents {self.actions}>"

    @property
    def actions(self) -> list[str]:
        """The canonical name of each."""
        return [event.action for event in self]

    def of(self, *actions: str) -> list[AuditEvent]:
        """Return those of one of *actions*: names, families (`auth`), patterns (`auth.*`) or spellings of old
        (`login_failed`, which is a failed `auth.login`).

        Raises:
            ConfigurationError: one can be none of these.
        """
        asked = read_actions(actions)
        return [event for event in self if any(each.mean(event.action, event.outcome) for each in asked)]

    def clear(self) -> None:
        """Forget those that came so far."""
        self._events.clear()
        self._keys.clear()

    def keep(self, payload: bytes, writer_id: str, writer_seq: int) -> None:
        """Take an event as the journal has it. For loggers."""
        event = decode(payload, writer_id, writer_seq).event()
        key = event.created_at, event.id
        if key not in self._keys:
            self._keys.add(key)
            self._events.append(event)
