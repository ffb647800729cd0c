"""What a query means, said once more without a database: whether an event is asked for, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from audit_async import AuditEvent, Query
from audit_async.reading.moments import resolved
from audit_async.reading.spellings import Actions


def answer(events: Iterable[AuditEvent], query: Query) -> list[AuditEvent]:
    """Return the events that *query* asks for, in its order, on all pages."""
    found = [event for event in events if is_asked_for(event, query)]
    return sorted(found, key=lambda event: (event.created_at, event.id), reverse=not query.oldest_first)


def is_asked_for(event: AuditEvent, query: Query) -> bool:
    """Return whether *query* asks for *event*."""
    now = datetime.now(UTC)
    return all(
        (
            query.starts is None or event.created_at >= resolved(query.starts, now),
            query.ends is None or event.created_at < resolved(query.ends, now),
            query.named is None or any(_is_named(event, each) for each in query.named),
            all(getattr(event, name) in values for name, values in query.wanted.items()),
            all(_found(event.details, path) in map(_as_text, values) for path, values in query.paths.items()),
            query.involving is None or any(_involves(event, user) for user in query.involving),
            query.text is None or query.text.lower() in (event.description or "").lower(),
            query.tag is None or query.tag in event.tags,
        )
    )


def _is_named(event: AuditEvent, asked: Actions) -> bool:
    return fnmatchcase(event.action, asked.text) and (asked.outcomes is None or event.outcome in asked.outcomes)


def _involves(event: AuditEvent, user: str) -> bool:
    done_to = event.resource_id if event.resource_type == "user" else None
    return user in (event.user_id, event.actor_id, event.on_behalf_of, done_to)


def _found(details: Any, path: Sequence[str]) -> str | None:
    if len(path) == 1 and "." in path[0] and path[0] not in details:
        path = path[0].split(".")
    for key in path:
        details = details.get(key) if isinstance(details, dict) else None
    return _as_text(details)


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
