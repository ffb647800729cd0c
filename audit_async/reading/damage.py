"""What of a row cannot be read is shown for what it is, in the event's metadata, and never ends a listing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from audit_async.config import SHOWN_DAMAGE_CHARS
from audit_async.events import AuditEvent
from audit_async.text import clean_text

DAMAGED_KEY = "$damaged"
"""In `metadata` of an event that was read: by column what could not be, as it stands there."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of an event whose own cannot be read."""

M = TypeVar("M")

_decode = msgspec.json.Decoder().decode


class Damage:
    """Reads the values of one row, and keeps what it cannot read."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def add(self, name: str, value: Any) -> None:
        """Keep *value*, which column *name* should not have."""
        text = value if isinstance(value, str) else repr(value)
        self.found[name] = clean_text(text[:SHOWN_DAMAGE_CHARS])

    def json(self, name: str, value: Any) -> Any:
        """Return the JSON that *value* is, parsed by the driver or not; None where it is none."""
        if not isinstance(value, (str, bytes)):
            return value
        try:
            return read_json(value) if value else None
        except (ValueError, RecursionError):
            self.add(name, value)
            return None

    def json_object(self, name: str, value: Any) -> dict[str, Any] | None:
        """Return the object of JSON that *value* is; of other JSON one with it under `value`."""
        found = self.json(name, value)
        return found if found is None or isinstance(found, dict) else {"value": found}

    def tags(self, value: Any) -> tuple[str, ...]:
        """Return the texts of a list."""
        found = self.json("tags", value)
        if found is None:
            return ()
        return tuple(map(str, found)) if isinstance(found, list) else (str(found),)

    def moment(self, name: str, value: Any) -> datetime | None:
        """Return the time that *value* is; one without a zone is UTC."""
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            if isinstance(moment, datetime):
                return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
        self.add(name, value)
        return None

    def member(self, name: str, value: Any, members: Mapping[str, M], otherwise: M) -> M:
        """Return the member of that name."""
        member = members.get(value) if isinstance(value, str) else None
        if member is None:
            self.add(name, value)
            return otherwise
        return member

    def mark(self, event: AuditEvent) -> AuditEvent:
        """Return *event* with what could not be read, if there is any."""
        if not self.found:
            return event
        return msgspec.structs.replace(event, metadata={**event.metadata, DAMAGED_KEY: self.found})


def read_json(text: str | bytes) -> Any:
    """Return what *text* says.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is too deep.
    """
    try:
        return _decode(text)
    except ValueError:
        # What PostgreSQL takes for JSON as well: half of a surrogate pair, a number beyond all floats.
        return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
