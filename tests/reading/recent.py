"""Events of the last weeks, and what is to be found in them, reckoned without a database."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from audit_async import AuditEvent, events
from audit_async.events.vocabulary import FAILED, TERMS, Outcome
from audit_async.reading.analysis_values import Counted, FailedLogins, RepeatedFailures, Seen
from audit_async.reading.asked import LOGINS
from audit_async.reading.behavior import spelled

AGES = ((timedelta(minutes=5), timedelta(hours=20)), (timedelta(hours=30), timedelta(days=25)))
"""Of recent events: far from a day and from a month, so that it is no matter when a test asks."""

OLD = (timedelta(days=40), timedelta(days=80))

_ACTIONS = (*LOGINS * 6, *["api.request"] * 20, "api.rate_limited", "app.opened", "security.event")
_ACTIONS += ("security.suspicious_activity", "security.unauthorized_access", "role.assign", "permission.grant")
_ACTIONS += ("role.renamed", "api_key.create", "api_key.use", "session.impersonate_start", "tenant.join", *TERMS)


def recent(
    count: int, *, tenants: Sequence[str | None] = ("t1",), users: Sequence[str | None] = (), seed: int = 0
) -> list[AuditEvent]:
    """Return *count* events, a third of the last day, a third of the last month, a third older."""
    chance, now = random.Random(seed), datetime.now(UTC)
    spans = (*AGES, OLD)
    found = []
    for number in range(count):
        newest, oldest = spans[number % len(spans)]
        age = newest + (oldest - newest) * chance.random()
        found.append(
            events.custom(
                chance.choice(_ACTIONS),
                created_at=now - age,
                outcome=chance.choice([None, None, Outcome.FAILURE, *Outcome]),
                user_id=chance.choice(users or ("u1", "u2", "u3", "u4", None)),
                # A few addresses are new.
                ip_address=f"192.0.2.{chance.randrange(5 if newest == OLD[0] else 8)}",
                user_agent=chance.choice(["curl/8", "Mozilla/5.0", "Mozilla/5.1", None]),
                tenant_id=chance.choice(tenants),
                details={"attempt": number},
            )
        )
    return found


def within(given: Iterable[AuditEvent], **span: float) -> list[AuditEvent]:
    """Return the events of the last *span*."""
    since = datetime.now(UTC) - timedelta(**span)
    return [event for event in given if event.created_at >= since]


def newest(given: Iterable[AuditEvent], limit: int = 100) -> list[AuditEvent]:
    return sorted(given, key=lambda event: (event.created_at, event.id), reverse=True)[:limit]


def counted(given: Iterable[AuditEvent], *fields: str) -> list[Counted]:
    """Return how many have the same values, the most first."""
    numbers = Counter(tuple(_plain(getattr(event, field)) for field in fields) for event in given)
    rows = [Counted(values=values, events=events) for values, events in numbers.items()]
    return sorted(rows, key=lambda row: (-row.events, [(value is None, str(value)) for value in row.values]))


def seen(given: Iterable[AuditEvent], field: str) -> list[Seen]:
    """Return each value, how often it was seen, and when."""
    times: dict[Any, list[datetime]] = defaultdict(list)
    for event in given:
        if getattr(event, field) is not None:
            times[_plain(getattr(event, field))].append(event.created_at)
    return [Seen(value=key, events=len(at), first_at=min(at), last_at=max(at)) for key, at in times.items()]


def failed_logins(given: Iterable[AuditEvent]) -> list[FailedLogins]:
    by_address: dict[str | None, list[AuditEvent]] = defaultdict(list)
    for event in given:
        if event.action in LOGINS and event.outcome in FAILED:
            by_address[event.ip_address].append(event)
    return [
        FailedLogins(
            ip_address=address,
            events=len(of),
            users=len({event.user_id for event in of} - {None}),
            without_user=sum(event.user_id is None for event in of),
            first_at=min(event.created_at for event in of),
            last_at=max(event.created_at for event in of),
        )
        for address, of in by_address.items()
    ]


def repeated(given: Iterable[AuditEvent], field: str, at_least: int, actions: Sequence[str]) -> list[RepeatedFailures]:
    """Return what failed at least so often; one event after another."""
    failures: dict[Any, list[datetime]] = defaultdict(list)
    succeeded: dict[Any, datetime] = {}
    for event in sorted(given, key=lambda event: (event.created_at, event.id)):
        value = getattr(event, field)
        if value is None or event.action not in actions:
            continue
        if event.outcome in FAILED:
            failures[value].append(event.created_at)
        elif event.outcome == Outcome.SUCCESS and len(failures[value]) >= at_least:
            succeeded.setdefault(value, event.created_at)
    return [
        RepeatedFailures(
            value=value, failures=len(at), first_at=at[0], last_at=at[-1], succeeded_at=succeeded.get(value)
        )
        for value, at in failures.items()
        if len(at) >= at_least
    ]


def behavior(given: Iterable[AuditEvent], user: str, days: float, *, is_spelled: bool = True) -> dict[str, Any]:
    """Return what a user did, but for the time of the analysis."""
    of = [event for event in given if event.user_id == user]
    words = [spelled(event.action, event.outcome) if is_spelled else event.legacy_action("aether") for event in of]
    said = Counter(words)
    succeeded = sum(
        word == "request_success" and event.outcome == "success" for word, event in zip(words, of, strict=True)
    )
    failed = said["request_failed"]
    return {
        "user_id": user,
        "period_days": days,
        "event_counts": dict(said),
        "failed_requests": failed,
        "success_requests": succeeded,
        "success_rate": succeeded / (succeeded + failed) if succeeded + failed else 0,
        "suspicious_activities": said["suspicious_activity"] + said["unauthorized_access"],
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Outcome) else value


def is_suspicious(event: AuditEvent) -> bool:
    """Return whether it is one of the four kinds."""
    if event.action == "auth.login":
        return event.outcome in FAILED
    return event.action in ("security.suspicious_activity", "security.unauthorized_access", "api.rate_limited")


def top(given: Iterable[AuditEvent], field: str) -> list[Seen]:
    return sorted(seen(given, field), key=lambda row: (-row.events, str(row.value)))


def by_address(given: Iterable[AuditEvent]) -> list[FailedLogins]:
    return sorted(failed_logins(given), key=lambda row: (-row.events, str(row.ip_address)))


def most(rows: Iterable[RepeatedFailures]) -> list[RepeatedFailures]:
    return sorted(rows, key=lambda row: (-row.failures, str(row.value)))
