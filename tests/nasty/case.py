"""A nasty input, and what its row has to hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from audit_async import AuditEvent, events
from audit_async.config import MAX_STRING_CHARS

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input of the list.

    Attributes:
        number: of the list, `N1` to `N78`.
        fields: makes the keywords of the builder, anew for every event.
        row: what some columns of the event's row hold.
    """

    number: int
    name: str
    action: Any
    fields: Callable[[], Fields]
    row: Fields

    def __str__(self) -> str:
        return f"N{self.number}-{self.name}"

    def event(self) -> AuditEvent:
        """Return a new event of it."""
        return events.custom(self.action, **self.fields())


def case(
    number: int, name: str, fields: Callable[[], Fields] | Fields, row: Fields, *, action: Any = "nasty.case"
) -> Case:
    """Return the case of whole *fields*, or of what makes them, and columns of the *row*."""
    return Case(number=number, name=name, action=action, fields=fields if callable(fields) else lambda: fields, row=row)


def detail(number: int, name: str, value: Any, expected: Any) -> Case:
    """Return the case of one *value* in the details."""
    return made(number, name, lambda: value, expected)


def made(number: int, name: str, make: Callable[[], Any], expected: Any) -> Case:
    """Return the case of one value in the details, which *make* makes for every event."""
    return case(number, name, lambda: {"details": {"a": make()}}, {"details": {"a": expected}})


def kept(number: int, name: str, *values: Any) -> Case:
    """Return the case of *values* that arrive as they are."""
    return detail(number, name, list(values), list(values))


def invalid(number: int, field: str, value: Any, plain: Any) -> Case:
    """Return the case of a *value* that *field* cannot hold: it stays empty, and the value is in the metadata."""
    row = {field: None, "metadata": {"$invalid": {field: plain}}}
    return case(number, f"{field}-{type(value).__name__}-{str(plain)[:12]}", {field: value}, row)


def cut(text: str, keep: int = MAX_STRING_CHARS) -> dict[str, Any]:
    """Return what is left of a long *text*."""
    data = text.encode()
    return {"$truncated": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}, "text": text[:keep]}


def noted(text: str, limit: int) -> str:
    """Return *text* cut to *limit* characters, its note included."""
    data = text.encode()
    note = f" …[truncated: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}]"
    return text[: limit - len(note)] + note


def typed(kind: type, **more: Any) -> dict[str, Any]:
    """Return the mark of a value of *kind* that is not read."""
    return {"$type": f"{kind.__module__}.{kind.__qualname__}", **more}
